/* test_spool.c - lines on disk: cut anywhere, marked anywhere
 * SPDX-License-Identifier: Apache-2.0
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "spool.h"
#include "test.h"

static char dir[] = "/tmp/test_spool.XXXXXX";
static struct spool s;

static void clean(void)
{
	unlink("d/spool.1");
	unlink("d/sent");
	unlink("d/sources");
	rmdir("d");
	if (!chdir("/"))
		rmdir(dir);
}

__attribute__((constructor)) static void go_there(void)
{
	if (!mkdtemp(dir) || chdir(dir) < 0)
		_exit(1);
	atexit(clean);
}

static bool fresh(void)
{
	unlink("d/spool.1");
	unlink("d/sent");
	return spool_open(&s, "d") == 0;
}

/* "a" "bb" "ccc" of one source, read up to 2, 5 and 9. */
static bool three(void)
{
	struct spool_source *src = spool_source(&s, "/x.log");

	return src && !spool_add(&s, src, 2, "a", 1) && !spool_add(&s, src, 5, "bb", 2) &&
		!spool_add(&s, src, 9, "ccc", 3) && !spool_flush(&s);
}

static int count(void)
{
	struct spool_record r;
	int n = 0;

	spool_rewind(&s);
	while (spool_next(&s, &r) > 0)
		n++;
	return n;
}

TEST(what_is_not_sent_comes_again_after_reopening)
{
	struct spool_record r;

	CHECK(fresh() && three());
	CHECK_INT(spool_next(&s, &r), 1);
	CHECK_MEM(r.text, r.n, "a");
	CHECK_INT(spool_sent(&s, r.end), 0);
	spool_close(&s);
	CHECK(spool_open(&s, "d") == 0);
	CHECK_INT(spool_next(&s, &r), 1);
	CHECK_MEM(r.text, r.n, "bb");
	CHECK_STR(r.path, "/x.log");
	CHECK_INT(spool_source(&s, "/x.log")->offset, 9);
	CHECK_INT(count(), 2);
	spool_close(&s);
}

TEST(a_spool_cut_at_any_byte_gives_the_whole_records_before_it)
{
	size_t len, end[3] = { 0 };
	struct spool_record r;
	int i, fd, want;
	long cut;
	char *whole;

	CHECK(fresh() && three());
	for (i = 0; i < 3; i++) {
		CHECK_INT(spool_next(&s, &r), 1);
		end[i] = r.end;
	}
	spool_close(&s);
	whole = read_file("d/spool.1", 1 << 20, &len);
	CHECK(whole);
	CHECK_INT(len, end[2]);
	for (cut = (long)len; cut >= 0; cut--) {
		fd = open("d/spool.1", O_WRONLY | O_TRUNC | O_CREAT, 0600);
		CHECK(fd >= 0 && write(fd, whole, (size_t)cut) == cut && close(fd) == 0);
		CHECK(spool_open(&s, "d") == 0);
		for (want = 0; want < 3 && end[want] <= (size_t)cut; want++)
			;
		CHECK_INT(count(), want);
		CHECK_INT(spool_source(&s, "/x.log")->offset, want == 3 ? 9 : want == 2 ? 5 :
			  want == 1 ? 2 : 0);
		spool_close(&s);
	}
	free(whole);
}

TEST(a_byte_changed_anywhere_ends_the_spool_there)
{
	struct stat st;
	char was, is;
	off_t at;
	int fd;

	CHECK(fresh() && three());
	spool_close(&s);
	CHECK(stat("d/spool.1", &st) == 0);
	for (at = 0; at < st.st_size; at++) {
		CHECK(fresh() && three());
		spool_close(&s);
		fd = open("d/spool.1", O_RDWR);
		CHECK(fd >= 0 && pread(fd, &was, 1, at) == 1);
		is = (char)(was ^ 0x41);
		CHECK(pwrite(fd, &is, 1, at) == 1 && close(fd) == 0);
		CHECK(spool_open(&s, "d") == 0);
		CHECK(count() < 3);
		spool_close(&s);
	}
}

TEST(what_was_handed_over_is_found_again_and_forgotten_when_sent)
{
	struct spool_record r;

	CHECK(fresh() && three());
	CHECK_INT(spool_next(&s, &r), 1);
	CHECK_INT(spool_next(&s, &r), 1);
	CHECK_INT(spool_hand(&s, r.end), 0);
	spool_close(&s);
	CHECK(spool_open(&s, "d") == 0);
	CHECK_INT(count(), 3);
	CHECK_INT(s.handed, r.end);
	CHECK_INT(spool_sent(&s, s.handed), 0);
	CHECK_INT(count(), 1);
	spool_close(&s);
	CHECK(spool_open(&s, "d") == 0);
	CHECK_INT(s.handed, 0);
	CHECK_INT(count(), 1);
	spool_close(&s);
}

TEST(a_mark_beyond_what_a_crash_left_marks_the_end)
{
	struct spool_record r;
	struct stat st;

	CHECK(fresh() && three());
	while (spool_next(&s, &r) > 0)
		;
	CHECK_INT(spool_sent(&s, r.end), 0);
	spool_close(&s);
	CHECK(truncate("d/spool.1", 1) == 0);
	CHECK(spool_open(&s, "d") == 0);
	CHECK(three());
	CHECK_INT(count(), 3);
	spool_close(&s);
	CHECK(stat("d/spool.1", &st) == 0);
	CHECK_INT(st.st_size, r.end);
	/* and does not come back over what was written since */
	CHECK(spool_open(&s, "d") == 0);
	CHECK_INT(count(), 3);
	spool_close(&s);
}

TEST(a_mark_within_a_line_is_put_where_the_line_begins)
{
	uint64_t mark[3] = { 1 }, end[3] = { 0 };
	struct spool_record r;
	int i, fd, want, handed;

	CHECK(fresh() && three());
	for (i = 0; i < 3 && spool_next(&s, &r) > 0; i++)
		end[i] = r.end;
	spool_close(&s);
	for (mark[1] = 0; mark[1] <= end[2] + 1; mark[1]++) {
		mark[2] = end[0] + 1;
		fd = open("d/sent", O_WRONLY | O_TRUNC);
		CHECK(fd >= 0 && write(fd, mark, sizeof mark) == sizeof mark && !close(fd));
		CHECK(spool_open(&s, "d") == 0);
		for (want = 3; want && mark[1] >= end[3 - want]; want--)
			;
		for (handed = 3; handed && mark[1] + mark[2] >= end[3 - handed]; handed--)
			;
		CHECK_INT(count(), want);
		CHECK_INT(spool_sent(&s, s.handed), 0);
		CHECK_INT(count(), handed);
		spool_close(&s);
	}
}

TEST(a_mark_of_the_form_before_is_read)
{
	struct spool_record r;

	CHECK(fresh() && three());
	CHECK_INT(spool_next(&s, &r), 1);
	CHECK_INT(spool_sent(&s, r.end), 0);
	spool_close(&s);
	CHECK(truncate("d/sent", 16) == 0);
	CHECK(spool_open(&s, "d") == 0);
	CHECK_INT(count(), 2);
	CHECK_INT(s.handed, 0);
	spool_close(&s);
}
