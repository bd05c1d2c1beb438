/* status_ask.c - one question to a supervisor's socket, waiting for the answer
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "http.h"
#include "net.h"
#include "supervise_status.h"

enum { ASK_SECS = 10 };

static int dial(const struct addr *a)
{
	const struct timeval limit = { .tv_sec = ASK_SECS };
	union net_addr sa;
	socklen_t len;
	int fd, err;

	if (net_literal(a, &sa, &len) < 0) {
		errno = EINVAL;
		return -1;
	}
	fd = socket(sa.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	if (connect(fd, &sa.sa, len) == 0)
		return fd;
	err = errno;
	close(fd);
	errno = err;
	return -1;
}

static int send_all(int fd, const char *p, size_t n)
{
	ssize_t out;

	for (; n; p += out, n -= (size_t)out) {
		out = send(fd, p, n, MSG_NOSIGNAL);
		if (out <= 0)
			return -1;
	}
	return 0;
}

static int receive_all(int fd, struct buf *in)
{
	ssize_t n;

	do {
		if (buf_room(in, 65536) < 0)
			return -1;
		n = recv(fd, in->p + in->len, 65536, 0);
		if (n > 0)
			in->len += (size_t)n;
	} while (n > 0);
	return n < 0 ? -1 : 0;
}

int status_ask(const struct addr *a, const char *method, const char *target, struct buf *out)
{
	struct buf b = BUF(STATUS_MAX);
	struct http_head h;
	int fd = dial(a), status = -1;
	long used;

	if (fd < 0)
		return -1;
	buf_printf(&b, "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
		   "Content-Length: 0\r\n\r\n", method, target);
	if (!b.bad && send_all(fd, b.p, b.len) == 0) {
		buf_reset(&b);
		if (receive_all(fd, &b) == 0) {
			used = http_response(&h, b.p, b.len, M_GET);
			errno = EPROTO;
			if (used > 0 && buf_add(out, b.p + used, b.len - (size_t)used) == 0)
				status = h.status;
		}
	}
	close(fd);
	buf_free(&b);
	return status;
}
