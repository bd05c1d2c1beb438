/* gunzip.h - what the build compressed, whole again (RFC 1952)
 * SPDX-License-Identifier: Apache-2.0
 *
 * For our own bytes: the page, the licences. They are kept compressed, for
 * the binary has a budget.
 */
#ifndef GUNZIP_H
#define GUNZIP_H

#include <stddef.h>

/* malloc'd, *out bytes of it; NULL: no memory, over max bytes, or not gzip. */
char *gunzip(const void *p, size_t n, size_t max, size_t *out);
/* What gzip_again() was told to be like, without head: 0 when it is exactly
 * len bytes, else -1. */
int gunzip_like(const char *p, size_t n, const char *like, size_t like_n,
		char *out, size_t len);

#endif
