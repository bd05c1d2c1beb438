/* url.h - percent-encoding and addresses
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef URL_H
#define URL_H

#include <stddef.h>
#include <stdbool.h>

#include "buf.h"

/* Decodes %XX once, into out (room for n bytes; may be the input itself).
 * "+" stays "+". Returns the length, or -1 for a bad escape (RFC 3986 2.1), a
 * NUL or %00. */
long url_decode(const char *p, size_t n, char *out);

/* The same for a value of a query, where "+" is a space. */
long url_form(const char *p, size_t n, char *out);

/* The first parameter of this name in a query, decoded and with a NUL: its
 * length, or -1: it is not there, or is badly encoded or over cap - 1 bytes
 * (*bad). */
long url_param(const char *query, size_t n, const char *name, char *out, size_t cap,
	       bool *bad);

/* Appends p percent-encoded: all but unreserved characters (RFC 3986 2.3). */
int  url_encode(struct buf *b, const char *p, size_t n);

enum addr_kind { ADDR_NONE, ADDR_UNIX, ADDR_TCP };

enum { ADDR_HOST = 256 };

struct addr {
	enum addr_kind kind;
	bool           tls;		/* https:// */
	int            port;		/* ADDR_TCP: 0..65535 */
	char           host[ADDR_HOST];	/* name or literal without brackets; ADDR_UNIX: path (< 108 bytes) */
};

/* "/path.sock" "unix:/path" "unix:///path" "HOST:PORT" "[V6]:PORT" ":PORT"
 * "http(s)://HOST[:PORT]" ("http://…/" with an empty path is fine). A bare
 * HOST needs default_port >= 0; a URL without a port has its scheme's. ":PORT"
 * is 127.0.0.1. 0, or -1 with *why a static phrase and a->kind ADDR_NONE.
 *
 * One host has one spelling, so that comparing addresses compares hosts: names
 * become lower case, IPv6 literals their shortest form, and what other
 * programs may read as a second spelling of an address is refused: an IPv4
 * address that is not four plain decimal numbers (0x7f.1, 2130706433,
 * 0177.0.0.1), an IPv4 address inside an IPv6 one, zone identifiers, ports
 * with a sign, a blank or a leading zero. */
int  addr_parse(struct addr *a, const char *s, int default_port, const char **why);
/* The same for a host by itself, in brackets or not, and a port. */
int  addr_tcp(struct addr *a, const char *host, int port, const char **why);
/* Decimal digits, 0..65535, nothing else; -1 otherwise. */
int  addr_port(const char *p, size_t n);
/* "unix:/path", "host:port" or "[v6]:port"; for http(s) the scheme is kept out. */
int  addr_print(const struct addr *a, struct buf *out);
bool addr_equal(const struct addr *a, const struct addr *b);
bool addr_loopback(const struct addr *a);	/* 127/8, ::1, localhost, ADDR_UNIX */

#endif
