/* sink_dir.c - a directory of logs, one for each plugin, rotated by size
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sink.h"

enum { NAME_CUT = 200 };

struct sink_file {
	char   *plugin;
	char   *path;
	int     fd;
	int64_t size;
};

/* NAME.log, with "/" and whatever else is odd as %XX, so that no two plugins
 * share a file. */
static char *log_path(const struct sink *s, const char *plugin)
{
	struct buf b = BUF(PATH_MAX);

	buf_printf(&b, "%s/", s->dir);
	url_encode(&b, plugin, strnlen(plugin, NAME_CUT));
	buf_puts(&b, ".log");
	return b.bad ? NULL : b.p;
}

static int open_log(struct sink_file *f)
{
	struct stat st;

	f->fd = open(f->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
		     0640);
	f->size = f->fd >= 0 && fstat(f->fd, &st) == 0 ? st.st_size : 0;
	return f->fd < 0 ? -1 : 0;
}

static struct sink_file *file_of(struct sink *s, const char *plugin)
{
	struct sink_file *f;
	int i;

	if (s->current && strcmp(s->current->plugin, plugin) == 0)
		return s->current;
	for (i = 0; i < s->files_n; i++)
		if (strcmp(s->files[i].plugin, plugin) == 0)
			return &s->files[i];
	if (s->files_n == SINK_FILES)
		return NULL;
	f = &s->files[s->files_n];
	f->plugin = strdup(plugin);
	f->path = log_path(s, plugin);
	f->fd = -1;
	if (!f->plugin || !f->path) {
		free(f->plugin);
		free(f->path);
		return NULL;
	}
	s->files_n++;
	return f;
}

/* x.log.2 becomes x.log.3, x.log.1 x.log.2, x.log x.log.1. */
static void rotate(const struct sink *s, struct sink_file *f)
{
	char from[PATH_MAX], to[PATH_MAX];
	int i;

	close(f->fd);
	f->fd = -1;
	for (i = s->count; i > 0; i--) {
		snprintf(to, sizeof to, "%s.%d", f->path, i);
		snprintf(from, sizeof from, i > 1 ? "%s.%d" : "%s", f->path, i - 1);
		rename(from, to);
	}
	if (s->count == 0)
		unlink(f->path);
}

/* The queue holds lines of the current file only. A disk that is full takes
 * nothing: what waits is lost and the owner's count goes on from there. */
static void dir_flush(struct sink *s)
{
	struct sink_file *f = s->current;
	size_t at = 0;
	ssize_t n;

	if (!f || !s->queue.len)
		return;
	if (f->fd < 0 && open_log(f) < 0) {
		buf_reset(&s->queue);
		return;
	}
	while (at < s->queue.len) {
		n = write(f->fd, s->queue.p + at, s->queue.len - at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		at += (size_t)n;
	}
	f->size += (int64_t)at;
	buf_reset(&s->queue);
	if (f->size >= s->size)
		rotate(s, f);
	sink_moves(s);
}

static int dir_put(struct sink *s, const char *name, enum stream st, const char *p, size_t n)
{
	struct sink_file *f = file_of(s, name);

	if (!f)
		return -1;
	if (f != s->current || s->queue.len > SINK_LOW ||
	    (s->current && s->current->size + (int64_t)s->queue.len >= s->size))
		dir_flush(s);
	s->current = f;
	if (f->fd < 0 && open_log(f) < 0)
		return -1;
	return sink_format(s, true, name, st, p, n);
}

int sink_dir(struct sink *s, const char *dir, int64_t size, int count)
{
	s->flush = dir_flush;
	s->put = dir_put;
	s->dir = dir;
	s->size = size;
	s->count = count;
	s->files = calloc(SINK_FILES, sizeof *s->files);
	if (!s->files || (mkdir(dir, 0750) < 0 && errno != EEXIST))
		return -1;
	return access(dir, W_OK | X_OK);
}
