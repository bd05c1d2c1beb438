/* jsonl.h - a stream of JSON texts, one per line, that comes in any pieces
 * SPDX-License-Identifier: Apache-2.0
 *
 * As gRPC's gateways (etcd) and Kubernetes send what is watched: a text has
 * no newline of its own in it.
 */
#ifndef JSONL_H
#define JSONL_H

#include "buf.h"

/* part.max is the ceiling of one text. line() gets each when it is whole, but
 * for blank ones: 0, or -1 to stop. 0, or -1: it stopped, memory or the
 * ceiling ran out (part.bad). */
int jsonl_feed(struct buf *part, const char *p, size_t n,
	       int (*line)(void *ctx, const char *p, size_t n), void *ctx);

#endif
