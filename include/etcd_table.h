/* etcd_table.h - keys and values of etcd as they were read, and then watched
 * SPDX-License-Identifier: Apache-2.0
 *
 * A table of all zeroes is an empty one. What a server says is taken as far
 * as it makes sense; one bad entry costs only itself.
 */
#ifndef ETCD_TABLE_H
#define ETCD_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "json.h"
#include "supply.h"

enum {
	ETCD_VALUE = 4096,	/* bytes of one entry (threats.md T13) */
	ETCD_KEY   = 4096	/* characters of a key, as base64 */
};

/* As they came: base64, which has no NUL and compares well enough. */
struct etcd_pair {
	char   *key, *value;	/* NULL: no value, or too long a one */
	int64_t changed;	/* revision */
};

struct etcd_table {
	struct etcd_pair *pair;	/* by key */
	int     n, room;	/* at most SUPPLY_MAX */
	bool    more;		/* keys than are taken */
	int64_t revision;	/* this is what there was then */
};

void etcd_table_free(struct etcd_table *t);
/* The answer to a range request of all keys. */
void etcd_table_read(struct etcd_table *t, const struct json *j);
/* The same to one that sorts by MOD, for one key: is it as is known? Then that
 * is so at its revision. */
bool etcd_table_same(struct etcd_table *t, const struct json *j);

enum {
	ETCD_CHANGED   = 1,
	ETCD_ENDED     = 2,	/* the watch, by what the server says */
	ETCD_COMPACTED = 4	/* and what it should have told is no more: read again */
};
/* One text of a watch's stream. */
unsigned etcd_table_watched(struct etcd_table *t, const char *p, size_t n);

/* Adds all to the list being gathered. The part of a key behind the prefix,
 * prefix_n bytes, is the name, where it can be one. A value is
 * {"api_address":"http://HOST:PORT",...}, or that address by itself. */
void etcd_table_list(const struct etcd_table *t, size_t prefix_n, struct supply *s);

#endif
