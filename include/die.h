/* die.h - exit codes, messages for people, and allocation that cannot fail
 * SPDX-License-Identifier: Apache-2.0
 *
 * Messages go to stderr as "lmc APPLET: text". A format that ends in a colon
 * gets " " and strerror(errno) appended. What came from a peer is passed
 * through safe() first.
 */
#ifndef DIE_H
#define DIE_H

#include <stdbool.h>
#include <stddef.h>

enum {
	EXIT_OK      = 0,
	EXIT_NO      = 1,	/* a node said no, or a condition is false */
	EXIT_USAGE   = 2,
	EXIT_REACH   = 3,	/* a node could not be reached */
	EXIT_DENIED  = 4,
	EXIT_TIMEOUT = 5,
	EXIT_SYS     = 111
};

extern const char *prog;	/* "lmc", or "lmc APPLET" once it is known */
extern bool die_plugin;		/* die() as monitoring plugins do: "LMCACHE
				 * UNKNOWN - text" on stdout, status 3 */

void warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void die(int status, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), noreturn));

/* Why something cannot be had: the text, cut to the size of the array x->why,
 * and -1, for `return`. */
#define WRONG(x, ...) wrong_text((x)->why, sizeof (x)->why, __VA_ARGS__)
int wrong_text(char *why, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Flushes stdout; a failed flush (ENOSPC, a closed pipe) is a message and
 * EXIT_SYS. Otherwise returns status. main() calls it last. */
int finish(int status);

/* Bytes as printable ASCII/UTF-8 text: controls, invalid UTF-8 as \xNN, cut
 * with "..." after 200 bytes, a URL's password as "*". Returns one of 4 rotating
 * static buffers. */
const char *safe(const char *p, size_t n);

/* Of several failures the highest-ranked exit code: 4, 2, 3, 5, 1 (111 above
 * all). */
int worse(int a, int b);

void *xmalloc(size_t n);		/* zeroed is xcalloc */
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t n);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);

#endif
