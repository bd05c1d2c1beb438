/* follow.c - see follow.h
 * SPDX-License-Identifier: Apache-2.0
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "follow.h"

enum { CHUNK = 64 << 10, OLD_MAX = 256, TURN = 1 << 20 };

static char chunk[CHUNK];

static int line(struct follow *f, const char *p, size_t n, uint64_t end)
{
	if (n && p[n - 1] == '\r')
		n--;
	f->lines++;
	return spool_add(f->spool, f->source, end, p, n);
}

static int part_out(struct follow *f, uint64_t end)
{
	int bad = 0;

	if (f->part.len)
		bad = line(f, f->part.p, f->part.len, end);
	buf_reset(&f->part);
	return bad;
}

/* Up to a newline or SPOOL_TEXT bytes; the offset kept is that of a line's
 * end, so that a part is read again after a crash. */
static int take(struct follow *f, const char *p, size_t n)
{
	while (n) {
		size_t room = SPOOL_TEXT - f->part.len, look = n < room ? n : room;
		const char *nl = memchr(p, '\n', look);
		size_t len = nl ? (size_t)(nl - p) : look, used = len + (nl != NULL);
		int bad;

		f->at += used;
		if (!nl && len < room) {
			buf_add(&f->part, p, len);
			return f->part.bad ? -1 : 0;
		}
		if (f->part.len) {
			buf_add(&f->part, p, len);
			bad = part_out(f, f->at);
		} else {
			bad = line(f, p, len, f->at);
		}
		if (bad)
			return -1;
		p += used;
		n -= used;
	}
	return 0;
}

/* 1: more may be there, 0: at the end for now. */
static int read_some(struct follow *f)
{
	size_t done = 0;
	ssize_t n;

	while (done < TURN) {
		n = f->stream ? read(f->fd, chunk, CHUNK) : pread(f->fd, chunk, CHUNK, (off_t)f->at);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			return 0;
		if (n < 0)
			return -1;
		if (n == 0) {
			f->ended = f->stream;
			return f->stream && part_out(f, f->at) < 0 ? -1 : 0;
		}
		if (take(f, chunk, (size_t)n) < 0)
			return -1;
		done += (size_t)n;
	}
	return 1;
}

static int read_all(struct follow *f)
{
	int more;

	while ((more = read_some(f)) > 0)
		;
	return more;
}

/* A file that nobody will write to any more: its last line may have no end. */
static int finish(struct follow *f)
{
	int bad = read_all(f);

	if (!bad)
		bad = part_out(f, f->at);
	close(f->fd);
	f->fd = -1;
	return bad;
}

static void begin(struct follow *f, int fd, uint64_t inode, uint64_t at)
{
	f->fd = fd;
	f->at = at;
	f->source->inode = inode;
	f->source->offset = at;
	buf_reset(&f->part);
}

struct old { char path[PATH_MAX]; uint64_t inode; struct timespec time; };

static int by_time(const void *a, const void *b)
{
	const struct timespec *x = &((const struct old *)a)->time;
	const struct timespec *y = &((const struct old *)b)->time;

	if (x->tv_sec != y->tv_sec)
		return x->tv_sec < y->tv_sec ? -1 : 1;
	return (x->tv_nsec > y->tv_nsec) - (x->tv_nsec < y->tv_nsec);
}

static bool packed(const char *name)
{
	static const char *const ends[] = { ".gz", ".bz2", ".xz", ".zst", ".lz4", ".zip" };
	size_t n = strlen(name), i, k;

	for (i = 0; i < sizeof ends / sizeof ends[0]; i++) {
		k = strlen(ends[i]);
		if (n > k && strcmp(name + n - k, ends[i]) == 0)
			return true;
	}
	return false;
}

/* NAME.* beside the file, oldest first; how many. */
static int rotated(const char *path, struct old *out)
{
	const char *cut = strrchr(path, '/'), *base = cut ? cut + 1 : path;
	const struct dirent *e;
	char dir[PATH_MAX];
	struct stat st;
	int n = 0;
	DIR *d;

	snprintf(dir, sizeof dir, "%.*s", cut ? (int)(cut - path) + 1 : 2, cut ? path : "./");
	d = opendir(dir);
	while (d && n < OLD_MAX && (e = readdir(d))) {
		size_t len = strlen(base);

		if (strncmp(e->d_name, base, len) != 0 || e->d_name[len] != '.' ||
		    packed(e->d_name) ||
		    snprintf(out[n].path, PATH_MAX, "%s%s", dir, e->d_name) >= PATH_MAX ||
		    stat(out[n].path, &st) < 0 || !S_ISREG(st.st_mode))
			continue;
		out[n].inode = st.st_ino;
		out[n].time = st.st_mtim;
		n++;
	}
	if (d)
		closedir(d);
	qsort(out, (size_t)n, sizeof *out, by_time);
	return n;
}

/* What was rotated away since the spool last heard of this file. */
static int catch_up(struct follow *f)
{
	struct old *old = malloc(OLD_MAX * sizeof *old);
	int n = old ? rotated(f->path, old) : 0, i, fd, bad = 0;
	uint64_t at = f->source->offset;

	for (i = 0; i < n && old[i].inode != f->source->inode; i++)
		;
	for (; i < n && !bad; i++, at = 0) {
		fd = open(old[i].path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (fd < 0)
			continue;
		begin(f, fd, old[i].inode, at);
		bad = finish(f);
	}
	free(old);
	return bad;
}

static int open_now(struct follow *f)
{
	uint64_t at = f->source->offset;
	struct stat st;
	int fd;

	if (f->source->inode && (stat(f->path, &st) < 0 || st.st_ino != f->source->inode)) {
		if (catch_up(f) < 0)
			return -1;
		at = 0;
	}
	fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		errno = EINVAL;
		return -1;
	}
	if (!f->source->inode)
		at = f->from_end ? (uint64_t)st.st_size : 0;
	else if (st.st_ino != f->source->inode || at > (uint64_t)st.st_size)
		at = 0;
	f->from_end = false;
	begin(f, fd, st.st_ino, at);
	return 0;
}

int follow_open(struct follow *f, struct spool *s, const char *path, bool from_end)
{
	memset(f, 0, sizeof *f);
	f->spool = s;
	f->fd = -1;
	f->part.max = SPOOL_TEXT;
	f->from_end = from_end;
	f->path = strdup(strcmp(path, "-") == 0 ? "stdin" : path);
	f->source = f->path ? spool_source(s, f->path) : NULL;
	if (!f->source)
		return -1;
	if (strcmp(path, "-") != 0)
		return open_now(f);
	f->stream = true;
	f->fd = 0;
	f->at = 0;
	fcntl(0, F_SETFL, O_NONBLOCK);
	return 0;
}

static bool moved(const struct follow *f)
{
	struct stat st;

	return stat(f->path, &st) < 0 || st.st_ino != f->source->inode;
}

static bool shrunk(const struct follow *f)
{
	struct stat st;

	return fstat(f->fd, &st) == 0 && (uint64_t)st.st_size < f->at;
}

long follow_read(struct follow *f)
{
	unsigned long long before = f->lines;
	int more;

	f->more = false;
	if (f->fd < 0 && !f->ended && open_now(f) < 0)
		return -1;
	if (f->fd < 0 || f->ended)
		return (long)(f->lines - before);
	if (!f->stream && shrunk(f))
		begin(f, f->fd, f->source->inode, 0);
	more = read_some(f);
	f->more = more > 0;
	if (more < 0)
		return -1;
	if (!more && !f->stream && moved(f)) {
		if (finish(f) < 0 || open_now(f) < 0)
			return -1;
		if (f->fd >= 0 && read_all(f) < 0)
			return -1;
	}
	return (long)(f->lines - before);
}

void follow_close(struct follow *f)
{
	if (f->fd > 0)
		close(f->fd);
	free(f->path);
	buf_free(&f->part);
}
