/* file.c - whole files, read with a ceiling and written atomically
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "file.h"

enum { READ_STEP = 16 << 10 };

static int read_all(int fd, struct buf *b)
{
	size_t max = b->max;
	ssize_t got;

	b->max = max + 1;	/* one more byte tells a full file from a longer */
	for (;;) {
		size_t want = b->max - b->len;

		if (b->len > max) {
			errno = EFBIG;
			return -1;
		}
		if (want > READ_STEP)
			want = READ_STEP;
		if (buf_room(b, want) < 0)
			return -1;
		got = read(fd, b->p + b->len, want);
		if (got < 0 && errno != EINTR)
			return -1;
		if (got == 0)
			return 0;
		if (got > 0)
			b->len += (size_t)got;
	}
}

/* Takes the descriptor. */
static char *read_fd(int fd, size_t max, size_t *n)
{
	struct buf b = BUF(max);
	int bad, err;

	if (fd < 0)
		return NULL;
	bad = read_all(fd, &b);
	err = errno;
	close(fd);
	if (bad) {
		buf_free(&b);
		errno = err;
		return NULL;
	}
	b.p[b.len] = '\0';
	if (n)
		*n = b.len;
	return b.p;
}

char *read_file(const char *path, size_t max, size_t *n)
{
	return read_fd(open(path, O_RDONLY | O_CLOEXEC), max, n);
}

char *read_input(const char *path, size_t max, size_t *n)
{
	return strcmp(path, "-") ? read_file(path, max, n) :
		read_fd(fcntl(0, F_DUPFD_CLOEXEC, 0), max, n);
}

int write_all(int fd, const void *from, size_t n)
{
	const char *p = from;
	ssize_t put;

	while (n) {
		put = write(fd, p, n);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -1;
		p += put;
		n -= (size_t)put;
	}
	return 0;
}

/* Some filesystems cannot sync a directory and say EINVAL; the rename is then
 * as safe as they make it. */
int sync_dir(const char *path)
{
	char *dir = strdup(path), *slash;
	int fd, bad, err;

	if (!dir)
		return -1;
	slash = strrchr(dir, '/');
	if (slash)
		slash[slash == dir] = '\0';
	fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(dir);
	if (fd < 0)
		return -1;
	bad = fsync(fd) < 0 && errno != EINVAL;
	err = errno;
	close(fd);
	errno = err;
	return bad ? -1 : 0;
}

/* A file that exists keeps its mode and, where we may, its owner. A device or
 * a directory is not replaced by a file. */
static int take_after(int fd, const char *path, mode_t mode)
{
	struct stat was, now;

	if (fstat(fd, &now) < 0)
		return -1;
	if (stat(path, &was) < 0)
		return errno == ENOENT ? fchmod(fd, mode) : -1;
	if (!S_ISREG(was.st_mode)) {
		errno = S_ISDIR(was.st_mode) ? EISDIR : EINVAL;
		return -1;
	}
	if ((was.st_uid != now.st_uid || was.st_gid != now.st_gid) &&
	    fchown(fd, was.st_uid, was.st_gid) < 0 && errno != EPERM)
		return -1;
	return fchmod(fd, was.st_mode & 07777);
}

/* Takes the descriptor: it is closed on either way out. */
static int fill(int fd, const char *path, mode_t mode, const char *p, size_t n)
{
	int err;

	if (take_after(fd, path, mode) < 0 || write_all(fd, p, n) < 0 ||
	    fsync(fd) < 0) {
		err = errno;
		close(fd);
		errno = err;
		return -1;
	}
	return close(fd);
}

static int replace(const char *path, const void *p, size_t n, mode_t mode)
{
	size_t len = strlen(path);
	char *tmp = malloc(len + sizeof ".XXXXXX");
	int fd, err;

	if (!tmp)
		return -1;
	memcpy(tmp, path, len);
	memcpy(tmp + len, ".XXXXXX", sizeof ".XXXXXX");
	fd = mkostemp(tmp, O_CLOEXEC);
	if (fd < 0) {
		free(tmp);
		return -1;
	}
	if (fill(fd, path, mode, p, n) < 0 || rename(tmp, path) < 0)
		goto fail;
	free(tmp);
	return sync_dir(path);
fail:
	err = errno;
	unlink(tmp);
	free(tmp);
	errno = err;
	return -1;
}

/* A link is followed: its target is replaced, not the link. */
int write_file(const char *path, const void *p, size_t n, unsigned mode)
{
	char *real = realpath(path, NULL);
	int bad, err;

	if (!real && errno != ENOENT)
		return -1;
	bad = replace(real ? real : path, p, n, (mode_t)mode);
	err = errno;
	free(real);
	errno = err;
	return bad;
}
