/* rfc5424.h - a syslog message's head, and where syslog listens
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef RFC5424_H
#define RFC5424_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "url.h"

enum { SYSLOG_PORT = 514 };
enum { SEV_ERROR = 3, SEV_WARNING = 4, SEV_NOTICE = 5, SEV_INFO = 6 };

/* "<14>1 2026-11-23T04:29:49.123Z HOST APP PROC MSGID - " and the text. What
 * the grammar does not allow in a word becomes "_"; an empty word is "-". */
int rfc5424_put(struct buf *out, int severity, int64_t wall_ms, const char *app,
		const char *proc, const char *msgid, const char *p, size_t n);

/* "unix:/dev/log" "/dev/log" "udp://HOST[:PORT]" "tcp://HOST[:PORT]". 0, or
 * -1 with *why. */
int rfc5424_addr(const char *where, struct addr *a, bool *datagram, const char **why);

/* A connected (or still connecting) non-blocking socket, or -1. A UNIX path
 * may be a stream: then *datagram becomes false. */
int rfc5424_connect(const struct addr *a, bool *datagram);

#endif
