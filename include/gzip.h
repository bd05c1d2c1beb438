/* gzip.h - compressing a stream for a peer that asked for it (RFC 1952)
 * SPDX-License-Identifier: Apache-2.0
 *
 * Bytes in, bytes out: no sockets. About 260 kB while it is at work.
 */
#ifndef GZIP_H
#define GZIP_H

#include <stdbool.h>
#include <stddef.h>

struct gzip;

struct gzip *gzip_new(bool head);	/* head: for a peer; NULL: no memory */
/* The next bytes; last: the end of the stream. They must live until gzip_read
 * has answered 0. */
void gzip_feed(struct gzip *g, const char *p, size_t n, bool last);
/* Compressed bytes into out: how many, 0 when all that was fed is in. */
size_t gzip_read(struct gzip *g, char *out, size_t cap);
/* A new stream without head, of a text that is mostly like that one. */
void gzip_again(struct gzip *g, const char *like, size_t n);
void gzip_free(struct gzip *g);		/* NULL is fine */

#endif
