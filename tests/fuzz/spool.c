/* spool.c - fuzz: the files of a spool, as a crash or a bad disk leaves them
 * SPDX-License-Identifier: Apache-2.0
 *
 * FLAGS byte; with 1 the mark's 24 bytes; with 2 a length byte and so much
 * of "sources"; then the segment: with 4 raw, otherwise records put there
 * by the spool itself, LENGTH byte and text each. With 8 the segment is cut,
 * with 16 a byte of it changed, where two more bytes say.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "spool.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { MARK = 24 };

static char dir[] = "/tmp/fuzz-spool.XXXXXX";
static int dir_fd = -1;
static struct spool s;
static const uint8_t *at;
static size_t left;

static void must(int holds)
{
	if (!holds)
		abort();
}

static const uint8_t *take(size_t n)
{
	const uint8_t *p = at;

	n = n < left ? n : left;
	at += n;
	left -= n;
	return p;
}

static size_t number(void)
{
	return left ? *take(1) : 0;
}

static void write_file(const char *name, const void *p, size_t n)
{
	int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	must(fd >= 0 && write(fd, p, n) == (ssize_t)n && close(fd) == 0);
}

static void clean(void);

static void fresh(void)
{
	const struct dirent *e;
	DIR *d;

	if (dir_fd < 0) {
		must(mkdtemp(dir) != NULL);
		dir_fd = open(dir, O_RDONLY | O_DIRECTORY);
		atexit(clean);
	}
	d = opendir(dir);
	while (d && (e = readdir(d)))
		unlinkat(dir_fd, e->d_name, 0);
	closedir(d);
}

static void clean(void)
{
	fresh();
	rmdir(dir);
}

static void put(const char *text, size_t n)
{
	struct spool_source *src = spool_source(&s, "/x.log");

	if (src)
		must(spool_add(&s, src, src->offset + n, text, n) == 0);
}

static void records(void)
{
	size_t n;

	must(spool_open(&s, dir) == 0);
	while (left) {
		n = number();
		n = n < left ? n : left;
		put((const char *)take(n), n);
	}
	must(spool_flush(&s) == 0);
	spool_close(&s);
}

static void spoil(unsigned flags, size_t where)
{
	struct stat st;
	char byte;
	int fd = openat(dir_fd, "spool.1", O_RDWR);

	must(fd >= 0 && fstat(fd, &st) == 0);
	where = st.st_size ? where % (size_t)st.st_size : 0;
	if (flags & 16 && pread(fd, &byte, 1, (off_t)where) == 1) {
		byte ^= 1;
		must(pwrite(fd, &byte, 1, (off_t)where) == 1);
	}
	if (flags & 8)
		must(ftruncate(fd, (off_t)where) == 0);
	close(fd);
}

/* Whatever was found there, everything in it can be sent, and is then away. */
static void send_all(void)
{
	struct spool_record r;
	size_t end = 0;
	int i;

	for (i = 0; i < s.sources_n; i++)
		must(s.sources[i].path != NULL);
	while (spool_next(&s, &r) > 0) {
		must(r.end > end && r.n <= SPOOL_TEXT && strlen(r.path) <= 4096);
		must(spool_hand(&s, r.end) == 0);
		if (r.n % 2 == 0)
			must(spool_sent(&s, r.end) == 0);
		end = r.n % 2 ? r.end : 0;
	}
	if (end)
		must(spool_sent(&s, end) == 0);
	must(spool_empty(&s));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct spool_record r;
	uint8_t mark[MARK] = { 0 };
	unsigned flags;
	size_t where, k;

	at = data;
	left = n;
	fresh();
	flags = (unsigned)number();
	where = number() << 8;
	where |= number();
	if (flags & 1) {
		k = left < MARK ? left : MARK;
		memcpy(mark, take(k), k);
		memset(mark + 1, 0, 7);
		mark[0] %= 2;	/* no other segment was there */
	}
	if (flags & 2) {
		k = number();
		k = k < left ? k : left;
		write_file("sources", take(k), k);
	}
	if (flags & 4)
		write_file("spool.1", at, left);
	else
		records();
	if (flags & 1)
		write_file("sent", mark, MARK);
	if (flags & 24)
		spoil(flags, where);
	if (spool_open(&s, dir) < 0)
		return 0;
	send_all();
	put("a line", 6);
	must(spool_flush(&s) == 0);
	must(s.sources_n == SPOOL_SOURCES || spool_next(&s, &r) == 1);
	spool_close(&s);
	must(spool_open(&s, dir) == 0);
	must(s.sources_n == SPOOL_SOURCES || (spool_next(&s, &r) == 1 && r.n == 6));
	spool_close(&s);
	return 0;
}
