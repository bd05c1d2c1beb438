/* replace.c - handing the listening sockets to a new binary
 * SPDX-License-Identifier: Apache-2.0
 *
 * SIGUSR2 starts the binary anew, from the path it was started by, with the
 * same arguments and the listening sockets from descriptor 3 on, named as
 * systemd names them (LISTEN_FDS, LISTEN_PID). Once the new process says that
 * it serves, the old one stops accepting and ends like after SIGTERM. No
 * connection is refused in between: the sockets are never closed.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "die.h"
#include "file.h"
#include "log.h"
#include "proxy.h"
#include "service.h"

#define READY_VAR "LMC_REPLACE_FD"

enum { FIRST = 3, FDS_MAX = 64, WORDS_MAX = 4 << 20 };

static char self[PATH_MAX];
static char **args;
static void (*ready)(void);
static struct watch watch = { .fd = -1 };
static pid_t child;

int replace_inherited(void)
{
	const char *pid = getenv("LISTEN_PID"), *n = getenv("LISTEN_FDS");
	long count = pid && n && strtol(pid, NULL, 10) == getpid() ? strtol(n, NULL, 10) : 0;

	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	if (count < 0 || count > FDS_MAX)
		return 0;
	for (int fd = FIRST; fd < FIRST + count; fd++) {
		fcntl(fd, F_SETFD, FD_CLOEXEC);
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	}
	return (int)count;
}

/* The words as they were given: parsing has moved those in argv. */
static char **given_words(void)
{
	size_t n, words = 0, at = 0;
	char *text = read_file("/proc/self/cmdline", WORDS_MAX, &n), **v;

	if (!text)
		return NULL;
	for (size_t i = 0; i < n; i++)
		words += text[i] == '\0';
	v = xcalloc(words + 1, sizeof *v);
	for (size_t i = 0; i < words; i++) {
		v[i] = text + at;
		at += strlen(text + at) + 1;
	}
	return v;
}

void replace_init(void (*on_ready)(void))
{
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

	self[n < 0 ? 0 : n] = '\0';
	args = given_words();
	ready = on_ready;
}

static void child_spoke(struct watch *w, unsigned bits)
{
	char byte;
	bool serves = read(w->fd, &byte, 1) == 1;
	int fd = w->fd;

	(void)bits;
	watch_del(w);
	close(fd);
	if (serves) {
		log_event(LOG_INFO, "replaced", NULL);
		ready();
		return;
	}
	waitpid(child, NULL, 0);
	log_event(LOG_ERROR, "not replaced", "reason",
		  "the new process ended before it served", NULL);
}

/* In the child: the sockets to 3.., then the new binary. */
static void become(const int *fds, int n, int tell)
{
	int high[FDS_MAX];
	char text[16];

	for (int i = 0; i < n; i++)
		high[i] = fcntl(fds[i], F_DUPFD, FIRST + FDS_MAX);
	tell = fcntl(tell, F_DUPFD, FIRST + FDS_MAX);
	for (int i = 0; i < n; i++)
		if (dup2(high[i], FIRST + i) < 0)
			_exit(111);
	for (int i = 0; i < n; i++)
		close(high[i]);
	snprintf(text, sizeof text, "%d", n);
	setenv("LISTEN_FDS", text, 1);
	snprintf(text, sizeof text, "%ld", (long)getpid());
	setenv("LISTEN_PID", text, 1);
	snprintf(text, sizeof text, "%d", tell);
	setenv(READY_VAR, text, 1);
	execv(self, args);
	_exit(111);
}

int replace_start(const int *fds, int n)
{
	sigset_t none;
	int tell[2];

	if (!args || watch.fd >= 0 || n > FDS_MAX) {
		errno = EBUSY;
		return -1;
	}
	if (pipe2(tell, O_CLOEXEC) < 0)
		return -1;
	child = fork();
	if (child == 0) {
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		become(fds, n, tell[1]);
	}
	close(tell[1]);
	if (child < 0 || watch_add_level(&watch, tell[0], child_spoke) < 0) {
		close(tell[0]);
		return -1;
	}
	return 0;
}

void replace_ready(void)
{
	const char *text = getenv(READY_VAR);
	char line[64];
	int fd;

	snprintf(line, sizeof line, "READY=1\nMAINPID=%ld", (long)getpid());
	service_notify(line);
	if (!text)
		return;
	fd = (int)strtol(text, NULL, 10);
	unsetenv(READY_VAR);
	if (fd > 2 && (write(fd, "1", 1) < 0 || close(fd) < 0))
		log_event(LOG_WARN, "the replaced process was not told", NULL);
}

bool replace_replacing(void)
{
	return getenv(READY_VAR) != NULL;
}

void replace_ending(void)
{
	service_notify("STOPPING=1");
}

void replace_reloading(bool begins)
{
	service_notify(begins ? "RELOADING=1" : "READY=1");
}
