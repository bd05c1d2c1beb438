/* multipart.h - multipart/form-data, read strictly and written (RFC 7578, RFC 2046)
 * SPDX-License-Identifier: Apache-2.0
 *
 * Bytes in, values out: no I/O, no allocation but the writer's buffer. Spans
 * point into the caller's body. Strict: the first delimiter opens the body
 * (no preamble), lines end in CRLF, every part has one form-data
 * Content-Disposition with a name, nothing but one CRLF follows the closing
 * delimiter.
 */
#ifndef MULTIPART_H
#define MULTIPART_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"
#include "http.h"

enum {
	MULTIPART_END      = 0,		/* the closing delimiter was there */
	MULTIPART_PART     = 1,
	MULTIPART_BAD      = -1,	/* not multipart */
	MULTIPART_CUT      = -2,	/* ends before the closing delimiter */
	MULTIPART_BOUNDARY = 70,	/* bytes of a boundary, RFC 2046 5.1.1 */
	MULTIPART_HEAD_MAX = 4096,	/* bytes of one part's header lines */
	MULTIPART_PARTS    = 64		/* parts in one body */
};

struct part {
	struct span name, filename;	/* as between the quotes, escapes kept */
	struct span type;		/* Content-Type; n 0: none */
	struct span body;
	bool has_filename;
};

struct multipart {
	const char *p;
	size_t n, at;
	char   boundary[MULTIPART_BOUNDARY + 1];
	size_t bn;
	int    parts;
};

/* The boundary of a Content-Type value, into out (MULTIPART_BOUNDARY + 1
 * bytes): its length; 0 when the type is not multipart/form-data; -1 when it
 * is, but without a usable boundary. */
int multipart_boundary(const char *ctype, size_t n, char *out);

void multipart_begin(struct multipart *m, const void *body, size_t n,
		     const char *boundary);
/* MULTIPART_PART with *part filled, or one of the three ends, which stays. */
int  multipart_next(struct multipart *m, struct part *part);

/* Writing: any number of parts, then the end. filename NULL: a plain field;
 * type NULL: none. Quotes and line ends in names are percent-encoded as
 * browsers do. 0, or -1 as buf.h. */
int  multipart_put(struct buf *b, const char *boundary, const char *name,
		   const char *filename, const char *type,
		   const void *body, size_t n);
int  multipart_close(struct buf *b, const char *boundary);
/* Does this body hold the boundary? Then another one must be chosen. */
bool multipart_clash(const void *body, size_t n, const char *boundary);

#endif
