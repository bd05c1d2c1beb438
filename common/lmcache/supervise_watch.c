/* supervise_watch.c - see supervise_watch.h
 * SPDX-License-Identifier: Apache-2.0
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net.h"
#include "supervise.h"
#include "supervise_watch.h"

enum {
	SETTLE_MS = 200,	/* an editor or a copy does several things at once */
	ASK_MS = 500, ANSWER_MS = 5000
};

static struct watch notify;
static struct timer settle;
static char *const *watched;
static bool told;

static const uint32_t events = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |
	IN_CLOSE_WRITE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF;

static void cannot(const char *path)
{
	if (!told)
		job_tell(NULL, "unable to watch %s: %s", path, strerror(errno));
	told = true;
}

static void watch_tree(const char *path, int depth)
{
	const struct dirent *e;
	char below[PATH_MAX];
	struct stat st;
	DIR *d;

	if (inotify_add_watch(notify.fd, path, events) < 0) {
		cannot(path);
		return;
	}
	d = depth < PLUGIN_DEPTH ? opendir(path) : NULL;
	while (d && (e = readdir(d))) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
		    snprintf(below, sizeof below, "%s/%s", path, e->d_name) >= (int)sizeof below)
			continue;
		if (e->d_type == DT_DIR ||
		    (e->d_type == DT_UNKNOWN && lstat(below, &st) == 0 && S_ISDIR(st.st_mode)))
			watch_tree(below, depth + 1);
	}
	if (d)
		closedir(d);
}

/* A single file is watched through its directory: editors replace files. */
static void watch_all(void)
{
	char dir[PATH_MAX];
	struct stat st;
	int i;

	for (i = 0; watched[i]; i++) {
		const char *cut = strrchr(watched[i], '/');

		if (stat(watched[i], &st) == 0 && S_ISDIR(st.st_mode)) {
			watch_tree(watched[i], 0);
			continue;
		}
		snprintf(dir, sizeof dir, "%.*s", cut ? (int)(cut - watched[i]) + 1 : 1,
			 cut ? watched[i] : ".");
		if (inotify_add_watch(notify.fd, dir, events) < 0)
			cannot(dir);
	}
}

static void settled(struct timer *t)
{
	(void)t;
	watch_all();	/* new directories; known ones cost nothing */
	if (supervise_scan() < 0)
		job_tell(NULL, "unable to look at the plugins again: %s", strerror(errno));
}

static void noticed(struct watch *w, unsigned ready)
{
	char room[4096] __attribute__((aligned(8)));

	(void)ready;
	if (read(w->fd, room, sizeof room) <= 0)
		return;
	if (!settle.due)
		timer_set(&settle, loop_now() + SETTLE_MS, settled);
}

void watch_locations(char *const *locations)
{
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	if (fd < 0 || watch_add_level(&notify, fd, noticed) < 0) {
		cannot("for changes");
		return;
	}
	watched = locations;
	watch_all();
}

static struct watch ask;
static struct timer ask_timer;
static const struct addr *asked;
static void (*answered)(void);
static bool sent;

static void ask_again(struct timer *t);

static void give_up(int64_t wait)
{
	int fd = ask.fd;

	watch_del(&ask);
	if (fd >= 0)
		close(fd);
	timer_set(&ask_timer, loop_now() + wait, ask_again);
}

static void no_answer(struct timer *t)
{
	(void)t;
	give_up(ASK_MS);
}

static void asking(struct watch *w, unsigned ready)
{
	static const char text[] =
		"GET /version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
	char got[16];
	ssize_t n;

	if (!sent && ready & READY_OUT) {
		sent = true;
		if (write(w->fd, text, sizeof text - 1) != sizeof text - 1) {
			give_up(ASK_MS);
			return;
		}
	}
	if (!(ready & READY_IN))
		return;
	n = read(w->fd, got, sizeof got);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n < 5 || memcmp(got, "HTTP/", 5) != 0) {
		give_up(ASK_MS);
		return;
	}
	timer_stop(&ask_timer);
	n = w->fd;
	watch_del(w);
	close((int)n);
	answered();
}

static void ask_again(struct timer *t)
{
	union net_addr sa;
	const char *why;
	socklen_t len;
	int fd = -1;

	(void)t;
	sent = false;
	ask.fd = -1;
	if (net_literal(asked, &sa, &len) == 0 || net_resolve(asked, &sa, &len, 1, &why) > 0)
		fd = net_connect(&sa, len);
	if (fd < 0 || watch_add(&ask, fd, asking) < 0) {
		if (fd >= 0)
			close(fd);
		timer_set(&ask_timer, loop_now() + ASK_MS, ask_again);
		return;
	}
	timer_set(&ask_timer, loop_now() + ANSWER_MS, no_answer);
}

void wait_for_answer(const struct addr *addr, void (*on_answer)(void))
{
	asked = addr;
	answered = on_answer;
	ask_again(NULL);
}
