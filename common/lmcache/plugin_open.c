/* plugin_open.c - opening a plugin file that can be trusted (threats.md T15)
 * SPDX-License-Identifier: Apache-2.0
 *
 * The file is looked at through one descriptor and run through the same one,
 * so what was checked is what runs. The directories are checked twice: on
 * the way that was given, and on the way that links led to.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "die.h"
#include "plugin.h"

static char phrase[512];

static const char *say(const char *path, const struct stat *st)
{
	if (st->st_uid != 0 && st->st_uid != geteuid())
		snprintf(phrase, sizeof phrase,
			 "refused: %s is owned by uid %u, not by root or the caller",
			 safe(path, strlen(path)), (unsigned)st->st_uid);
	else
		snprintf(phrase, sizeof phrase,
			 "refused: others can write %s (mode %04o)",
			 safe(path, strlen(path)), (unsigned)st->st_mode & 07777);
	return phrase;
}

static bool trusted(const struct stat *st)
{
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return false;
	if (S_ISLNK(st->st_mode))
		return true;
	/* In a sticky directory nobody can replace a file of ours. */
	return !(st->st_mode & 022) || (S_ISDIR(st->st_mode) && st->st_mode & S_ISVTX);
}

/* Every directory above an absolute path; text is cut short on the way. */
static bool dirs_trusted(char *text, const char **why)
{
	struct stat st = { .st_uid = (uid_t)-1 };
	char *cut;

	while ((cut = strrchr(text, '/'))) {
		cut[cut == text] = 0;
		if (stat(text, &st) < 0 || !trusted(&st)) {
			*why = say(text, &st);
			return false;
		}
		if (cut == text)
			break;
	}
	return true;
}

static bool way_trusted(const char *path, const char **why)
{
	const char *cut = strrchr(path, '/');
	char dir[PATH_MAX], full[PATH_MAX + 2];
	struct stat st = { 0 };
	size_t n;

	if (lstat(path, &st) < 0 || !trusted(&st)) {
		*why = say(path, &st);
		return false;
	}
	snprintf(dir, sizeof dir, "%.*s", cut ? (int)(cut - path) + 1 : 1, cut ? path : ".");
	if (!realpath(dir, full)) {
		*why = "refused: its directory cannot be followed";
		return false;
	}
	n = strlen(full);
	memcpy(full + n, "/", 2);
	return dirs_trusted(full, why);
}

static bool file_trusted(int fd, const struct stat *st, const char *path, const char **why)
{
	char link[32], real[PATH_MAX];
	ssize_t n;

	if (!trusted(st)) {
		*why = say(path, st);
		return false;
	}
	if (!way_trusted(path, why))
		return false;
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	n = readlink(link, real, sizeof real - 1);
	if (n <= 0)
		return true;	/* no /proc: the way given is what we know */
	real[n] = 0;
	return dirs_trusted(real, why);
}

static const char *kind(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:  return "a directory, not a file";
	case S_IFIFO:  return "a fifo, not a file";
	case S_IFSOCK: return "a socket, not a file";
	case S_IFCHR:  return "a character device, not a file";
	case S_IFBLK:  return "a block device, not a file";
	default:       return "not a regular file";
	}
}

static const char *missing(const char *path)
{
	struct stat st;
	int err = errno;

	if (err == ENOENT && lstat(path, &st) == 0)
		return "a link to nothing";
	if (err == ELOOP)
		return "a link to itself";
	snprintf(phrase, sizeof phrase, "unable to open it: %s", strerror(err));
	return phrase;
}

int plugin_open(const char *path, bool insecure, struct stat *st, const char **why)
{
	int fd;

	/* stat first: opening a device may already do something */
	memset(st, 0, sizeof *st);
	if (stat(path, st) < 0) {
		*why = missing(path);
		return -1;
	}
	if (!S_ISREG(st->st_mode)) {
		*why = kind(st->st_mode);
		return -1;
	}
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 || fstat(fd, st) < 0) {
		*why = missing(path);
		goto fail;
	}
	if (!S_ISREG(st->st_mode)) {
		*why = kind(st->st_mode);
		goto fail;
	}
	if (!insecure && !file_trusted(fd, st, path, why))
		goto fail;
	return fd;
fail:
	if (fd >= 0)
		close(fd);
	return -1;
}
