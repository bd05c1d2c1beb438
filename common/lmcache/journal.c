/* journal.c - records appended to a file
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "file.h"
#include "journal.h"

#define MAGIC "lmcjrnl1"

enum { MARK = 0x4c6d, MAGIC_N = sizeof MAGIC - 1, SLACK = 4 << 20, TRIES = 10 };

struct head {
	uint16_t mark, size;	/* of what follows */
	uint32_t check;		/* over size and what follows */
};

static uint32_t check(uint16_t size, const void *p)
{
	uLong c = crc32(0, (const Bytef *)&size, sizeof size);

	return (uint32_t)crc32(c, p, size);
}

/* ---- reading ---- */

/* The size of the whole record at p, its head included, or 0. */
static size_t whole(const char *p, size_t n)
{
	struct head h;

	if (n < sizeof h)
		return 0;
	memcpy(&h, p, sizeof h);
	if (h.mark != MARK || h.size > JOURNAL_RECORD || h.size > n - sizeof h ||
	    check(h.size, p + sizeof h) != h.check)
		return 0;
	return sizeof h + h.size;
}

/* Where the next whole record begins; n if there is none. */
static size_t next_whole(const char *p, size_t n, size_t from)
{
	static const uint16_t mark = MARK;
	const char *at;

	while (from < n) {
		at = memmem(p + from, n - from, &mark, sizeof mark);
		if (!at)
			return n;
		from = (size_t)(at - p);
		if (whole(at, n - from))
			return from;
		from++;
	}
	return n;
}

size_t journal_read(const char *p, size_t n,
		    int (*take)(void *ctx, const void *p, size_t n), void *ctx,
		    struct journal_found *found)
{
	size_t at = MAGIC_N, good = MAGIC_N, used;

	while (at < n) {
		used = whole(p + at, n - at);
		if (!used) {
			at = next_whole(p, n, at + 1);
			if (at < n)
				found->damaged += at - good;
			continue;
		}
		found->records++;
		if (take(ctx, p + at + sizeof(struct head), used - sizeof(struct head)) < 0)
			found->unknown++;
		at += used;
		good = at;
	}
	found->cut = n - good;
	return good;
}

/* ---- opening ---- */

static int wrong(struct journal_found *found, const char *what)
{
	snprintf(found->why, sizeof found->why, "%s", what);
	return -1;
}

/* The file that path names, locked: not one that was replaced meanwhile. */
static int open_locked(const char *path)
{
	struct stat here, there;
	int fd;

	for (int i = 0; i < TRIES; i++) {
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_APPEND | O_NONBLOCK, 0600);
		if (fd < 0)
			return -1;
		if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
			close(fd);
			errno = EWOULDBLOCK;
			return -1;
		}
		if (fstat(fd, &here) == 0 && stat(path, &there) == 0 &&
		    here.st_ino == there.st_ino)
			return fd;
		close(fd);
	}
	return -1;
}

static int load(struct journal *j, size_t n,
		int (*take)(void *ctx, const void *p, size_t n), void *ctx,
		struct journal_found *found)
{
	char *p = mmap(NULL, n, PROT_READ, MAP_PRIVATE, j->fd, 0);
	size_t good = 0;

	if (p == MAP_FAILED)
		return wrong(found, strerror(errno));
	if (memcmp(p, MAGIC, n < MAGIC_N ? n : MAGIC_N) != 0) {
		munmap(p, n);
		return wrong(found, "this is no journal of lmc");
	}
	if (n >= MAGIC_N)
		good = journal_read(p, n, take, ctx, found);
	munmap(p, n);
	if (good < n && ftruncate(j->fd, (off_t)good) < 0)
		return wrong(found, strerror(errno));
	j->size = good;
	return 0;
}

static int begin(int fd)
{
	return write(fd, MAGIC, MAGIC_N) == MAGIC_N ? 0 : -1;
}

int journal_open(struct journal *j, const char *path, enum journal_sync sync,
		 int (*take)(void *ctx, const void *p, size_t n), void *ctx,
		 struct journal_found *found)
{
	struct stat st;

	*j = (struct journal){ .fd = -1, .next_fd = -1, .sync = sync,
			       .pending.max = JOURNAL_PENDING };
	*found = (struct journal_found){ 0 };
	if (!path)
		return 0;
	j->path = strdup(path);
	j->fd = j->path ? open_locked(path) : -1;
	if (j->fd < 0)
		return wrong(found, errno == EWOULDBLOCK ? "another process has it"
							 : strerror(errno));
	if (fstat(j->fd, &st) < 0 || !S_ISREG(st.st_mode))
		return wrong(found, "not a regular file");
	if (st.st_size && load(j, (size_t)st.st_size, take, ctx, found) < 0)
		return -1;
	if (!j->size) {
		if (begin(j->fd) < 0 || fsync(j->fd) < 0 || sync_dir(path) < 0)
			return wrong(found, strerror(errno));
		j->size = MAGIC_N;
	}
	return 0;
}

static char *beside(const struct journal *j)
{
	size_t n = strlen(j->path) + sizeof ".new";
	char *path = malloc(n);

	if (path)
		snprintf(path, n, "%s.new", j->path);
	return path;
}

/* The old one goes on, and must grow again before the next try. */
static void forget_next(struct journal *j)
{
	int err = errno;
	char *path;

	if (j->next_fd < 0)
		return;
	close(j->next_fd);
	j->next_fd = -1;
	path = beside(j);
	if (path)
		unlink(path);
	free(path);
	j->base = j->size;
	errno = err;
}

void journal_close(struct journal *j)
{
	forget_next(j);
	if (j->fd >= 0) {
		journal_sync(j);
		close(j->fd);
	}
	free(j->path);
	buf_free(&j->pending);
	j->fd = -1;
	j->path = NULL;
}

/* ---- writing ---- */

void journal_frame(struct buf *b, const void *p, size_t n)
{
	struct head h = { MARK, (uint16_t)n, check((uint16_t)n, p) };

	buf_add(b, &h, sizeof h);
	buf_add(b, p, n);
}

bool journal_full(const struct journal *j)
{
	return j->pending.len > JOURNAL_PENDING / 2;
}

void journal_add(struct journal *j, const void *p, size_t n)
{
	if (!j->path)
		return;
	journal_frame(&j->pending, p, n);
	j->records++;
}

/* What was written of a batch that did not get through is taken back, or the
 * records after it could not be found. */
static int append(struct journal *j)
{
	if (write_all(j->fd, j->pending.p, j->pending.len) == 0)
		return 0;
	if (ftruncate(j->fd, (off_t)j->size) < 0)
		j->suspect = true;
	return -1;
}

static int sync_now(struct journal *j)
{
	j->unsynced = false;
	if (fdatasync(j->fd) == 0)
		return 0;
	j->suspect = true;
	j->failures++;
	return -1;
}

int journal_sync(struct journal *j)
{
	return j->unsynced ? sync_now(j) : 0;
}

/* What happens while the new one is written stands in it too. */
static void take_along(struct journal *j)
{
	if (j->next_fd >= 0 && write_all(j->next_fd, j->pending.p, j->pending.len) < 0)
		forget_next(j);
	buf_reset(&j->pending);
}

int journal_flush(struct journal *j)
{
	if (!j->path)
		return 0;
	if (j->suspect || j->pending.bad) {
		j->suspect = true;
		if (j->next_fd >= 0 && !j->pending.bad)
			take_along(j);
		errno = EIO;
		return -1;
	}
	if (!j->pending.len)
		return 0;
	if (append(j) < 0) {
		j->failures++;
		return -1;
	}
	j->size += j->pending.len;
	take_along(j);
	j->unsynced = j->sync != SYNC_NEVER;
	return j->sync == SYNC_ALWAYS ? sync_now(j) : 0;
}

/* ---- writing it anew ---- */

bool journal_grown(const struct journal *j)
{
	return j->path && !journal_rewriting(j) &&
	       (j->suspect || j->pending.bad || j->size > 2 * j->base + SLACK);
}

int journal_rewrite(struct journal *j)
{
	char *path = beside(j);

	j->next_fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
	free(path);
	if (j->next_fd < 0)
		return -1;
	if (flock(j->next_fd, LOCK_EX | LOCK_NB) < 0 || begin(j->next_fd) < 0) {
		forget_next(j);
		return -1;
	}
	/* all that is known will be in it: nothing of before is missing */
	if (j->suspect) {
		j->pending.bad = false;
		buf_reset(&j->pending);
	}
	return 0;
}

/* Its bytes go to the disk meanwhile, so that the last sync is short. */
int journal_put(struct journal *j, struct buf *records)
{
	if (j->next_fd < 0 || records->bad ||
	    write_all(j->next_fd, records->p, records->len) < 0) {
		forget_next(j);
		return -1;
	}
	sync_file_range(j->next_fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	return 0;
}

int journal_renew(struct journal *j)
{
	char *path = beside(j);
	off_t size = lseek(j->next_fd, 0, SEEK_CUR);
	int flags = fcntl(j->next_fd, F_GETFL);

	if (!path || size < 0 || fsync(j->next_fd) < 0 ||
	    fcntl(j->next_fd, F_SETFL, flags | O_APPEND) < 0 ||
	    rename(path, j->path) < 0) {
		free(path);
		forget_next(j);
		j->failures++;
		return -1;
	}
	free(path);
	close(j->fd);
	j->fd = j->next_fd;
	j->next_fd = -1;
	j->size = j->base = (uint64_t)size;
	j->rewrites++;
	j->suspect = j->unsynced = false;
	return sync_dir(j->path);
}
