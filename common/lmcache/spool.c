/* spool.c - see spool.h
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "spool.h"

enum { PATH_LEN = 4096, PENDING = 256 << 10, PEEK = 512 << 10 };

/* Before each record; path with its NUL and text follow. */
struct head {
	uint32_t size;		/* of what follows the head */
	uint32_t check;		/* over the rest of the head and what follows */
	uint64_t inode, offset, time_us;
	uint32_t path_n, text_n;
};

struct mark { uint64_t gen, at, handed; };

static uint32_t fnv(uint32_t h, const void *p, size_t n)
{
	const unsigned char *b = p;

	while (n--)
		h = (h ^ *b++) * 16777619u;
	return h;
}

static uint32_t check(const struct head *h, const char *body)
{
	return fnv(fnv(2166136261u, &h->inode, sizeof *h - offsetof(struct head, inode)),
		   body, h->size);
}

static void segment(char name[32], uint64_t gen)
{
	snprintf(name, 32, "spool.%llu", (unsigned long long)gen);
}

static int open_segment(struct spool *s, uint64_t gen, int flags)
{
	char name[32];

	segment(name, gen);
	return openat(s->dir, name, flags | O_CLOEXEC, 0600);
}

struct spool_source *spool_source(struct spool *s, const char *path)
{
	struct spool_source *src;
	int i;

	for (i = 0; i < s->sources_n; i++)
		if (strcmp(s->sources[i].path, path) == 0)
			return &s->sources[i];
	if (s->sources_n == SPOOL_SOURCES) {
		errno = EMFILE;
		return NULL;
	}
	src = &s->sources[s->sources_n];
	*src = (struct spool_source){ .path = strdup(path) };
	if (!src->path)
		return NULL;
	s->sources_n++;
	return src;
}

/* A whole record at p[0..n), or 0. */
static size_t whole(const char *p, size_t n, struct head *h)
{
	if (n < sizeof *h)
		return 0;
	memcpy(h, p, sizeof *h);
	if (h->size > n - sizeof *h || h->path_n > PATH_LEN || h->text_n > SPOOL_TEXT ||
	    h->path_n == 0 || h->size != h->path_n + h->text_n ||
	    check(h, p + sizeof *h) != h->check || p[sizeof *h + h->path_n - 1] != 0)
		return 0;
	return sizeof *h + h->size;
}

static ssize_t fill(struct buf *b, int fd, uint64_t at)
{
	ssize_t n;

	if (buf_room(b, PEEK / 2) < 0)
		return -1;
	n = pread(fd, b->p + b->len, PEEK / 2, (off_t)(at + b->len));
	if (n > 0)
		b->len += (size_t)n;
	return n;
}

/* Learns from a segment's records how far its sources were read; returns the
 * bytes that are good. A mark, which a machine's crash may have left anywhere, is
 * put where a record ends. */
static int64_t replay(struct spool *s, int fd, struct mark *m)
{
	struct buf b = BUF(PEEK);
	struct spool_source *src;
	struct head h;
	uint64_t at = 0, sent = 0, handed = 0;
	size_t used, from = 0;
	ssize_t n;

	for (;;) {
		used = whole(b.p ? b.p + from : "", b.len - from, &h);
		if (!used) {
			buf_drop(&b, from);
			from = 0;
			n = fill(&b, fd, at);
			if (n <= 0)
				break;
			continue;
		}
		src = spool_source(s, b.p + from + sizeof h);
		if (src) {
			src->inode = h.inode;
			src->offset = h.offset;
		}
		if (h.time_us > s->last_us)
			s->last_us = h.time_us;
		from += used;
		at += used;
		if (at <= m->at)
			sent = at;
		if (at <= m->at + m->handed)
			handed = at;
	}
	buf_free(&b);
	*m = (struct mark){ m->gen, sent, handed > sent ? handed - sent : 0 };
	return n < 0 ? -1 : (int64_t)at;
}

static int save_sources(struct spool *s)
{
	struct buf b = BUF(SPOOL_SOURCES * (PATH_LEN + 64));
	int fd, i, bad;

	for (i = 0; i < s->sources_n; i++) {
		buf_printf(&b, "%llu %llu %zu ", (unsigned long long)s->sources[i].inode,
			   (unsigned long long)s->sources[i].offset, strlen(s->sources[i].path));
		buf_puts(&b, s->sources[i].path);
		buf_putc(&b, '\n');
	}
	fd = openat(s->dir, "sources.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	bad = fd < 0 || b.bad || write(fd, b.p, b.len) != (ssize_t)b.len || fsync(fd) < 0;
	if (fd >= 0)
		close(fd);
	buf_free(&b);
	return bad ? -1 : renameat(s->dir, "sources.new", s->dir, "sources");
}

static int load_sources(struct spool *s)
{
	int fd = openat(s->dir, "sources", O_RDONLY | O_CLOEXEC);
	unsigned long long inode, offset;
	struct spool_source *src;
	char path[PATH_LEN + 1];
	size_t n;
	FILE *f;

	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	f = fdopen(fd, "r");
	if (!f)
		return -1;
	while (fscanf(f, "%llu %llu %zu", &inode, &offset, &n) == 3 && n <= PATH_LEN) {
		if (fgetc(f) != ' ' || fread(path, 1, n, f) != n)
			break;
		path[n] = 0;
		src = spool_source(s, path);
		if (src) {
			src->inode = inode;
			src->offset = offset;
		}
	}
	fclose(f);
	return 0;
}

static int lock(int fd)
{
	const struct timespec nap = { .tv_nsec = 20000000 };
	int64_t end = clock_ms() + SPOOL_LOCK_MS;

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK || clock_ms() >= end)
			return -1;
		nanosleep(&nap, NULL);
	}
	return 0;
}

static int load_mark(struct spool *s, struct mark *m)
{
	*m = (struct mark){ 1, 0, 0 };
	s->sent_fd = openat(s->dir, "sent", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->sent_fd < 0 || lock(s->sent_fd) < 0)
		return -1;
	if (pread(s->sent_fd, m, sizeof *m, 0) < (ssize_t)offsetof(struct mark, handed) || !m->gen)
		*m = (struct mark){ 1, 0, 0 };
	return 0;
}

static int save_mark(struct spool *s, uint64_t gen, uint64_t at, uint64_t handed)
{
	struct mark m = { gen, at, handed };

	return pwrite(s->sent_fd, &m, sizeof m, 0) == sizeof m ? 0 : -1;
}

/* From the first segment that is not all sent to the last there is. */
static int load_segments(struct spool *s, struct mark *m)
{
	struct mark none = { 0 }, was = *m;
	uint64_t gen = m->gen;
	int64_t good;
	int fd;

	s->read_gen = s->write_gen = gen;
	while ((fd = open_segment(s, gen, O_RDWR)) >= 0) {
		good = replay(s, fd, gen == m->gen ? m : &none);
		if (good < 0 || ftruncate(fd, good) < 0) {
			close(fd);
			return -1;
		}
		s->bytes += (uint64_t)good;
		s->write_gen = gen++;
		s->write_size = (uint64_t)good;
		close(fd);
	}
	/* or what is written next would count as sent already */
	if (memcmp(m, &was, sizeof was) != 0 && save_mark(s, m->gen, m->at, m->handed) < 0)
		return -1;
	s->bytes -= m->at < s->bytes ? m->at : s->bytes;
	s->read_at = m->at;
	s->handed = m->handed;
	s->write_fd = open_segment(s, s->write_gen, O_WRONLY | O_APPEND | O_CREAT);
	s->read_fd = open_segment(s, s->read_gen, O_RDONLY | O_CREAT);
	return s->write_fd < 0 || s->read_fd < 0 ? -1 : 0;
}

int spool_open(struct spool *s, const char *dir)
{
	struct mark m;
	int err;

	memset(s, 0, sizeof *s);
	s->dir = s->write_fd = s->read_fd = s->sent_fd = -1;
	s->pending.max = PENDING * 2;
	s->peek.max = PEEK * 2;
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return -1;
	s->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir >= 0 && load_mark(s, &m) == 0 && load_sources(s) == 0 &&
	    load_segments(s, &m) == 0)
		return 0;
	err = errno;
	spool_close(s);
	errno = err;
	return -1;
}

void spool_close(struct spool *s)
{
	int fds[] = { s->dir, s->write_fd, s->read_fd, s->sent_fd };
	size_t i;

	for (i = 0; i < 4; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	while (s->sources_n)
		free(s->sources[--s->sources_n].path);
	buf_free(&s->pending);
	buf_free(&s->peek);
}

int spool_flush(struct spool *s)
{
	ssize_t n;
	int fd;

	while (s->pending.len) {
		n = write(s->write_fd, s->pending.p, s->pending.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		s->write_size += (uint64_t)n;
		s->bytes += (uint64_t)n;
		buf_drop(&s->pending, (size_t)n);
	}
	if (s->write_size < SPOOL_SEGMENT)
		return 0;
	fd = open_segment(s, s->write_gen + 1, O_WRONLY | O_APPEND | O_CREAT);
	if (fd < 0)
		return 0;	/* the old one goes on */
	close(s->write_fd);
	s->write_fd = fd;
	s->write_gen++;
	s->write_size = 0;
	return 0;
}

int spool_add(struct spool *s, struct spool_source *src, uint64_t offset,
	      const char *p, size_t n)
{
	struct head h = { .inode = src->inode, .offset = offset, .text_n = (uint32_t)n };
	struct buf *b = &s->pending;
	size_t from = b->len;

	if (b->len >= PENDING && spool_flush(s) < 0)
		return -1;
	from = b->len;
	h.path_n = (uint32_t)strlen(src->path) + 1;
	h.size = h.path_n + h.text_n;
	h.time_us = (uint64_t)clock_wall_ms() * 1000;
	if (h.time_us <= s->last_us)
		h.time_us = s->last_us + 1;
	s->last_us = h.time_us;
	buf_add(b, &h, sizeof h);
	buf_add(b, src->path, h.path_n);
	buf_add(b, p, n);
	if (b->bad) {
		b->bad = false;
		b->len = from;
		errno = ENOMEM;
		return -1;
	}
	h.check = check(&h, b->p + from + sizeof h);
	memcpy(b->p + from, &h, sizeof h);
	src->offset = offset;
	return 0;
}

/* The segment read is finished and another one written to. */
static int next_segment(struct spool *s)
{
	uint64_t gen = s->read_gen + 1;
	char name[32];
	int fd = open_segment(s, gen, O_RDONLY);

	if (fd < 0)
		return -1;
	/* what its records told about the sources must not go with it */
	if (spool_flush(s) < 0 || save_sources(s) < 0 || save_mark(s, gen, 0, 0) < 0) {
		close(fd);
		return -1;
	}
	segment(name, s->read_gen);
	unlinkat(s->dir, name, 0);
	close(s->read_fd);
	s->read_fd = fd;
	s->read_gen = gen;
	s->read_at = 0;
	spool_rewind(s);
	s->peek.len = 0;
	return 0;
}

void spool_rewind(struct spool *s)
{
	s->peek_at = 0;
}

int spool_next(struct spool *s, struct spool_record *r)
{
	struct head h;
	size_t used;
	ssize_t n;

	for (;;) {
		used = whole(s->peek.p ? s->peek.p + s->peek_at : "",
			     s->peek.len - s->peek_at, &h);
		if (used)
			break;
		if (s->peek.len >= PEEK)
			return 0;	/* enough for one sending */
		n = fill(&s->peek, s->read_fd, s->read_at);
		if (n < 0)
			return -1;
		if (n > 0)
			continue;
		if (s->peek_at || s->read_gen == s->write_gen)
			return 0;
		if (next_segment(s) < 0)
			return -1;
	}
	r->path = s->peek.p + s->peek_at + sizeof h;
	r->text = r->path + h.path_n;
	r->n = h.text_n;
	r->time_us = h.time_us;
	s->peek_at += used;
	r->end = s->peek_at;
	return 1;
}

int spool_hand(struct spool *s, size_t n)
{
	s->handed = n;
	return save_mark(s, s->read_gen, s->read_at, n);
}

int spool_sent(struct spool *s, size_t n)
{
	if (save_mark(s, s->read_gen, s->read_at + n, 0) < 0)
		return -1;
	s->handed = 0;
	s->read_at += n;
	s->bytes -= n < s->bytes ? n : s->bytes;
	buf_drop(&s->peek, n < s->peek.len ? n : s->peek.len);
	s->peek_at = 0;
	return 0;
}

bool spool_empty(const struct spool *s)
{
	return !s->pending.len && s->read_gen == s->write_gen && s->read_at >= s->write_size;
}
