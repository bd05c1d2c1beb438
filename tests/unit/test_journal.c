/* test_journal.c - what was written is read again, whatever happened between
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "journal.h"
#include "test.h"

static char dir[] = "/tmp/lmc-test-XXXXXX", path[64];
static char got[4096];
static struct journal j;
static struct journal_found f;

static int take(void *ctx, const void *p, size_t n)
{
	(void)ctx;
	snprintf(got + strlen(got), sizeof got - strlen(got), "%.*s ", (int)n, (const char *)p);
	return memcmp(p, "?", 1) == 0 ? -1 : 0;
}

static int open_it(void)
{
	got[0] = '\0';
	return journal_open(&j, path, SYNC_ALWAYS, take, NULL, &f);
}

static void fresh(void)
{
	if (!path[0] && mkdtemp(dir))
		snprintf(path, sizeof path, "%s/j", dir);
	unlink(path);
	open_it();
}

static void add(const char *text)
{
	journal_add(&j, text, strlen(text));
}

TEST(what_was_flushed_is_read_again)
{
	fresh();
	add("one");
	add("two");
	CHECK_INT(journal_flush(&j), 0);
	add("lost");
	journal_close(&j);
	CHECK_INT(open_it(), 0);
	CHECK_STR(got, "one two ");
	add("?three");
	CHECK_INT(journal_flush(&j), 0);
	journal_close(&j);
	CHECK_INT(open_it(), 0);
	CHECK_STR(got, "one two ?three ");
	CHECK_INT(f.unknown, 1);
	CHECK_INT(f.records, 3);
	journal_close(&j);
}

TEST(a_tail_cut_at_any_byte_is_cut_off_and_written_over)
{
	char *all, want[64];
	size_t n, ends[] = { 8, 19, 30, 43 };

	fresh();
	add("one");
	add("two");
	add("three");
	journal_flush(&j);
	journal_close(&j);
	all = read_file(path, 1000, &n);
	CHECK_INT(n, 43);
	for (size_t cut = 0; cut <= n; cut++) {
		CHECK_INT(write_file(path, all, cut, 0600), 0);
		CHECK_INT(open_it(), 0);
		snprintf(want, sizeof want, "%s%s%s", cut >= ends[1] ? "one " : "",
			 cut >= ends[2] ? "two " : "", cut >= ends[3] ? "three " : "");
		CHECK_STR(got, want);
		add("more");
		CHECK_INT(journal_flush(&j), 0);
		journal_close(&j);
		CHECK_INT(open_it(), 0);
		strcat(want, "more ");
		CHECK_STR(got, want);
		journal_close(&j);
	}
	free(all);
}

TEST(a_damaged_byte_costs_one_record)
{
	size_t n;
	char *all;

	fresh();
	add("one");
	add("two");
	add("three");
	journal_flush(&j);
	journal_close(&j);
	all = read_file(path, 1000, &n);
	for (size_t at = 8; at < n; at++) {
		all[at] ^= 0x10;
		write_file(path, all, n, 0600);
		all[at] ^= 0x10;
		CHECK_INT(open_it(), 0);
		CHECK_STR(got, at < 19 ? "two three " : at < 30 ? "one three " : "one two ");
		CHECK_INT(f.damaged, at < 30 ? 11 : 0);
		CHECK_INT(f.cut, at < 30 ? 0 : 13);
		journal_close(&j);
	}
	free(all);
}

TEST(another_file_and_another_process_are_left_alone)
{
	struct journal other;
	struct stat st;

	fresh();
	CHECK(journal_open(&other, path, SYNC_NEVER, take, NULL, &f) < 0);
	CHECK_STR(f.why, "another process has it");
	journal_close(&other);
	journal_close(&j);
	write_file(path, "#!/bin/sh\n", 10, 0600);
	CHECK(open_it() < 0);
	CHECK_STR(f.why, "this is no journal of lmc");
	journal_close(&j);
	CHECK(stat(path, &st) == 0 && st.st_size == 10);
}

TEST(written_anew_it_has_what_came_meanwhile)
{
	struct buf b = BUF(1000);
	struct stat st;

	fresh();
	for (int i = 0; i < 10; i++)
		add("old");
	journal_flush(&j);
	CHECK_INT(journal_rewrite(&j), 0);
	journal_frame(&b, "kept", 4);
	CHECK_INT(journal_put(&j, &b), 0);
	add("meanwhile");
	CHECK_INT(journal_flush(&j), 0);
	CHECK_INT(journal_put(&j, &b), 0);
	CHECK_INT(journal_renew(&j), 0);
	add("after");
	CHECK_INT(journal_flush(&j), 0);
	journal_close(&j);
	CHECK_INT(open_it(), 0);
	CHECK_STR(got, "kept meanwhile kept after ");
	journal_close(&j);
	buf_free(&b);
	snprintf(got, sizeof got, "%s.new", path);
	CHECK(stat(got, &st) < 0);
}

TEST(given_up_half_way_the_old_one_goes_on)
{
	struct buf b = BUF(1000);

	fresh();
	add("old");
	journal_flush(&j);
	CHECK_INT(journal_rewrite(&j), 0);
	b.bad = true;
	CHECK(journal_put(&j, &b) < 0);
	CHECK(!journal_rewriting(&j));
	add("more");
	CHECK_INT(journal_flush(&j), 0);
	journal_close(&j);
	CHECK_INT(open_it(), 0);
	CHECK_STR(got, "old more ");
	journal_close(&j);
}

TEST(what_cannot_be_written_waits_up_to_a_ceiling)
{
	char big[1000];
	int fd;

	fresh();
	memset(big, 'x', sizeof big);
	fd = j.fd;
	j.fd = -1;
	add("one");
	CHECK(journal_flush(&j) < 0);
	CHECK_INT(j.failures, 1);
	j.fd = fd;
	j.suspect = false;
	CHECK_INT(journal_flush(&j), 0);
	j.suspect = true;
	for (int i = 0; i < JOURNAL_PENDING / 1000 && !journal_full(&j); i++)
		journal_add(&j, big, sizeof big);
	CHECK(journal_full(&j));
	CHECK(journal_flush(&j) < 0);
	/* all that is known is written anew: nothing is left to wait for */
	CHECK(journal_grown(&j));
	CHECK_INT(journal_rewrite(&j), 0);
	CHECK_INT(journal_renew(&j), 0);
	add("two");
	CHECK_INT(journal_flush(&j), 0);
	journal_close(&j);
	CHECK_INT(open_it(), 0);
	CHECK_STR(got, "two ");
	journal_close(&j);
}

TEST(without_a_path_nothing_is_kept)
{
	CHECK_INT(journal_open(&j, NULL, SYNC_ALWAYS, take, NULL, &f), 0);
	add("one");
	CHECK_INT(journal_flush(&j), 0);
	CHECK(!journal_grown(&j) && !journal_full(&j));
	journal_close(&j);
	unlink(path);
	rmdir(dir);
}
