/* net.h - sockets by address, TCP and UNIX
 * SPDX-License-Identifier: Apache-2.0
 *
 * Every descriptor is close-on-exec and non-blocking.
 */
#ifndef NET_H
#define NET_H

#include <sys/socket.h>

#include "url.h"

union net_addr {
	struct sockaddr         sa;
	struct sockaddr_storage ss;
};

/* A listening socket. TCP: SO_REUSEADDR, host resolved, port 0 = any. UNIX:
 * mode 0600 from the start; a stale socket file (nobody answers) is removed,
 * a live one is EADDRINUSE, another kind of file is EEXIST. -1 with errno. */
int net_listen(const struct addr *a, int backlog);

/* What a listening socket is really bound to ("127.0.0.1:43121",
 * "unix:/path"), into *a. */
int net_bound(int fd, struct addr *a);

/* An IPv4 or IPv6 address as text, ADDR_HOST bytes. 0 or -1. */
int net_host(const struct sockaddr *sa, char *out);

/* Literal addresses and paths only (no resolver): fills *sa and *len. 0, or
 * -1 when the host is a name. */
int net_literal(const struct addr *a, union net_addr *sa, socklen_t *len);

/* getaddrinfo, may block: only at start or in one-shots. Fills up to max
 * addresses; returns how many, or -1 with *why. */
int net_resolve(const struct addr *a, union net_addr *sa, socklen_t *len,
		int max, const char **why);

/* Starts a connect: the descriptor (maybe still connecting), or -1. */
int net_connect(const union net_addr *sa, socklen_t len);

/* The address by which others may reach this machine, guessed as
 * lmcache_frontend does (protocol.md 8.1): the one that a route to far away
 * takes, that of the host's name (look_up; it may block), that of an
 * interface; all IPv4, then the route's IPv6. At last 127.0.0.1. ADDR_HOST
 * bytes. */
void net_outward(char *out, bool look_up);

/* Writes "ADDR\n" to the --ready-fd descriptor and closes it; one line per
 * bound address, so call it once with all of them. */
int net_ready(int fd, const char *text);

#endif
