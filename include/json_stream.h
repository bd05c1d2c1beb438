/* json_stream.h - JSON objects out of an endless stream, one after the other
 * SPDX-License-Identifier: Apache-2.0
 *
 * Watches (Kubernetes, etcd) answer with objects in a row, parted by newlines
 * or by nothing, and cut anywhere on the way. Only where an object ends is told
 * here: json_parse() says whether it is one. Sizes are bounded by the buffer's
 * ceiling, so that a peer that never closes its bracket costs no more.
 *
 *	struct json_stream s = JSON_STREAM(1 << 20);
 *	while ((r = json_stream(&s, &p, &n)) > 0)
 *		use(s.text.p, s.text.len);
 */
#ifndef JSON_STREAM_H
#define JSON_STREAM_H

#include "buf.h"

struct json_stream {
	struct buf text;	/* the object: whole after 1, until the next call */
	int  depth;
	bool quoted, escaped, whole;
};

#define JSON_STREAM(ceiling) { .text = BUF(ceiling) }

/* Takes from *p up to the end of the next object and moves *p and *n behind
 * it. 1: s->text is an object; 0: all is taken, and s->text.len is what stands
 * there of an unfinished one; -1: what stands between is neither object nor
 * blank (errno EPROTO), or the object is too large (EFBIG, ENOMEM). After -1
 * nothing more comes but -1. */
int  json_stream(struct json_stream *s, const char **p, size_t *n);
void json_stream_free(struct json_stream *s);	/* ready for another stream */

#endif
