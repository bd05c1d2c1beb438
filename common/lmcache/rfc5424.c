/* rfc5424.c - see rfc5424.h
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "net.h"
#include "rfc5424.h"

enum { FACILITY_USER = 1, HOST_MAX = 255, APP_MAX = 48, PROC_MAX = 128, MSGID_MAX = 32 };

/* PRINTUSASCII only, RFC 5424 6. */
static void word(struct buf *out, const char *s, size_t max)
{
	size_t i;

	if (!*s)
		buf_putc(out, '-');
	for (i = 0; i < max && s[i]; i++)
		buf_putc(out, s[i] > ' ' && s[i] < 0x7f ? s[i] : '_');
	buf_putc(out, ' ');
}

static const char *host(void)
{
	static char name[HOST_MAX + 1];

	if (!*name && gethostname(name, sizeof name - 1) < 0)
		name[0] = '-';
	return name;
}

int rfc5424_put(struct buf *out, int severity, int64_t wall_ms, const char *app,
		const char *proc, const char *msgid, const char *p, size_t n)
{
	char stamp[CLOCK_TEXT];

	buf_printf(out, "<%d>1 %s ", FACILITY_USER * 8 + severity, clock_iso(wall_ms, stamp));
	word(out, host(), HOST_MAX);
	word(out, app, APP_MAX);
	word(out, proc, PROC_MAX);
	word(out, msgid, MSGID_MAX);
	buf_puts(out, "- ");
	return buf_add(out, p, n);
}

int rfc5424_addr(const char *where, struct addr *a, bool *datagram, const char **why)
{
	bool udp = strncmp(where, "udp://", 6) == 0, tcp = strncmp(where, "tcp://", 6) == 0;

	*datagram = !tcp;
	if (addr_parse(a, udp || tcp ? where + 6 : where, SYSLOG_PORT, why) < 0)
		return -1;
	if (a->tls || (a->kind == ADDR_UNIX) == (udp || tcp)) {
		*why = "must be unix:/PATH, udp://HOST:PORT or tcp://HOST:PORT";
		return -1;
	}
	return 0;
}

static int dial(const union net_addr *sa, socklen_t len, int type)
{
	int fd = socket(sa->sa.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), err;

	if (fd < 0)
		return -1;
	if (connect(fd, &sa->sa, len) == 0 || errno == EINPROGRESS || errno == EAGAIN)
		return fd;
	err = errno;
	close(fd);
	errno = err;
	return -1;
}

int rfc5424_connect(const struct addr *a, bool *datagram)
{
	union net_addr sa;
	const char *why;
	socklen_t len;
	int fd;

	if (net_literal(a, &sa, &len) < 0 && net_resolve(a, &sa, &len, 1, &why) < 1) {
		errno = EADDRNOTAVAIL;
		return -1;
	}
	fd = dial(&sa, len, *datagram ? SOCK_DGRAM : SOCK_STREAM);
	if (fd < 0 && errno == EPROTOTYPE && a->kind == ADDR_UNIX) {
		fd = dial(&sa, len, SOCK_STREAM);
		*datagram = fd < 0;
	}
	return fd;
}
