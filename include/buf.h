/* buf.h - bytes that grow up to a ceiling
 * SPDX-License-Identifier: Apache-2.0
 *
 * A struct buf of all zeroes but .max is ready for use. Every add is a no-op
 * once .bad is set (memory or ceiling ran out), so a row of adds needs one
 * check at its end. p[len] is always NUL after a successful add.
 */
#ifndef BUF_H
#define BUF_H

#include <stdbool.h>
#include <stddef.h>

struct buf {
	char  *p;
	size_t len, cap;
	size_t max;	/* ceiling for len, bytes */
	bool   bad;
};

#define BUF(ceiling) { .max = (ceiling) }

/* all: 0, or -1 with .bad set and errno ENOMEM or EFBIG */
int  buf_add(struct buf *b, const void *p, size_t n);
int  buf_puts(struct buf *b, const char *s);
int  buf_putc(struct buf *b, char c);
int  buf_printf(struct buf *b, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Makes room for n more bytes at p + len; the caller raises len. */
int  buf_room(struct buf *b, size_t n);
void buf_drop(struct buf *b, size_t n);	/* forgets the first n bytes */
void buf_reset(struct buf *b);		/* len 0, keeps the memory */
void buf_free(struct buf *b);		/* gives the memory back, keeps max */

#endif
