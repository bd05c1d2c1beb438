/* yaml.h - the YAML that LMCache's configuration files need, into JSON
 * SPDX-License-Identifier: Apache-2.0
 *
 * Block mappings inside one another by indentation, block and flow sequences,
 * flow mappings, plain and quoted scalars on one line, comments, one
 * document. Plain scalars have the types PyYAML (YAML 1.1) gives them. All
 * else (anchors, aliases, tags, block scalars, several lines for one scalar,
 * duplicate keys, dates and base-60 numbers without quotes, tabs as
 * indentation) is refused with its line.
 */
#ifndef YAML_H
#define YAML_H

#include <stddef.h>

#include "buf.h"

enum {
	YAML_DEPTH = 16,
	YAML_KEYS  = 1024	/* keys of one mapping */
};

struct yaml_error {
	int  line;
	char what[120];
};

/* Appends one JSON object. 0, or -1 with *e. */
int yaml_json(const char *p, size_t n, struct buf *out, struct yaml_error *e);

#endif
