/* start.c - how long from starting a server to its first answer
 * SPDX-License-Identifier: Apache-2.0
 *
 * start ADDR PATH COMMAND [ARG...]
 *
 * Starts the command, asks ADDR for PATH until it answers 200, prints the
 * milliseconds since the start, ends the command with SIGTERM and waits for
 * it. What it prints goes to /dev/null.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

enum { LIMIT_S = 30, RETRY_NS = 50000 };

static pid_t launch(char **argv)
{
	pid_t pid = vfork();
	int null;

	if (pid < 0)
		fatal("unable to fork:");
	if (pid == 0) {
		null = open("/dev/null", O_RDWR);
		dup2(null, 0);
		dup2(null, 1);
		dup2(null, 2);
		execvp(argv[0], argv);
		_exit(127);
	}
	return pid;
}

static bool answered(const char *addr, const char *path)
{
	char text[1024];
	int fd = dial(addr), n;
	ssize_t got;
	struct timeval limit = { .tv_sec = 5 };

	if (fd < 0)
		return false;
	fcntl(fd, F_SETFL, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	n = snprintf(text, sizeof text,
	             "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, addr);
	got = send(fd, text, (size_t)n, MSG_NOSIGNAL);
	if (got == n)
		got = recv(fd, text, sizeof text, 0);
	close(fd);
	return got > 13 && !memcmp(text, "HTTP/1.1 200 ", 13);
}

int main(int argc, char **argv)
{
	struct timespec pause = { .tv_nsec = RETRY_NS };
	uint64_t began, took;
	pid_t pid;

	if (argc < 4)
		fatal("usage: start ADDR PATH COMMAND [ARG...]");
	began = now_ns();
	pid = launch(argv + 3);
	while (!answered(argv[1], argv[2])) {
		if (now_ns() - began > LIMIT_S * 1000000000ull ||
		    waitpid(pid, NULL, WNOHANG) == pid) {
			kill(pid, SIGKILL);
			fatal("%s does not answer", argv[3]);
		}
		nanosleep(&pause, NULL);
	}
	took = now_ns() - began;
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
	printf("%.3f\n", (double)took / 1e6);
	return 0;
}
