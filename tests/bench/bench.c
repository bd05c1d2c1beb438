/* bench.c - what the benchmark's programs share
 * SPDX-License-Identifier: Apache-2.0
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

union address {
	struct sockaddr     any;
	struct sockaddr_in  in;
	struct sockaddr_un  un;
};

void fatal(const char *fmt, ...)
{
	int err = errno;
	va_list ap;

	fprintf(stderr, "bench: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	if (fmt[0] && fmt[strlen(fmt) - 1] == ':')
		fprintf(stderr, " %s", strerror(err));
	fputc('\n', stderr);
	exit(1);
}

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t number(const char *text)
{
	char *end;
	uint64_t n;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno || end == text || *end)
		fatal("%s is not a number", text);
	return n;
}

static socklen_t parse(const char *addr, union address *a)
{
	const char *colon = strrchr(addr, ':');
	char host[INET_ADDRSTRLEN];
	size_t n;

	memset(a, 0, sizeof *a);
	if (!strncmp(addr, "unix:", 5)) {
		n = strlen(addr + 5);
		if (n >= sizeof a->un.sun_path)
			fatal("%s is too long", addr);
		a->un.sun_family = AF_UNIX;
		memcpy(a->un.sun_path, addr + 5, n);
		return sizeof a->un;
	}
	if (!colon || (n = (size_t)(colon - addr)) >= sizeof host)
		fatal("%s is not an address", addr);
	memcpy(host, addr, n);
	host[n] = '\0';
	a->in.sin_family = AF_INET;
	a->in.sin_port = htons((uint16_t)number(colon + 1));
	if (inet_pton(AF_INET, host, &a->in.sin_addr) != 1)
		fatal("%s is not an IPv4 address", host);
	return sizeof a->in;
}

static int open_socket(const union address *a)
{
	int fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		fatal("unable to open a socket:");
	return fd;
}

/* Nagle's wait would hide what is measured. UNIX sockets have none: the
 * error is of no interest. */
static void no_delay(int fd)
{
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

int dial(const char *addr)
{
	union address a;
	socklen_t len = parse(addr, &a);
	int fd = open_socket(&a), err;

	if (connect(fd, &a.any, len) < 0) {
		err = errno;
		close(fd);
		errno = err;
		return -1;
	}
	no_delay(fd);
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		fatal("unable to set O_NONBLOCK:");
	return fd;
}

int listen_on(const char *addr)
{
	union address a;
	socklen_t len = parse(addr, &a);
	int fd = open_socket(&a), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(fd, &a.any, len) < 0 || listen(fd, 4096) < 0)
		fatal("unable to listen on %s:", addr);
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		fatal("unable to set O_NONBLOCK:");
	return fd;
}

int next_client(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0)
		no_delay(fd);
	return fd;
}

void say_bound(int listener)
{
	union address a;
	socklen_t len = sizeof a;
	char host[INET_ADDRSTRLEN];

	if (getsockname(listener, &a.any, &len) < 0)
		fatal("unable to read the bound address:");
	if (a.any.sa_family == AF_UNIX)
		printf("bound unix:%s\n", a.un.sun_path);
	else
		printf("bound %s:%d\n", inet_ntop(AF_INET, &a.in.sin_addr,
		       host, sizeof host), ntohs(a.in.sin_port));
	fflush(stdout);
}

void watch(int ep, int op, int fd, uint32_t events, void *arg)
{
	struct epoll_event ev = { .events = events, .data.ptr = arg };

	if (epoll_ctl(ep, op, fd, &ev) < 0)
		fatal("unable to watch a descriptor:");
}
