/* settings.h - values of LMCache's configuration, with the types they have
 * SPDX-License-Identifier: Apache-2.0
 *
 * POST /conf stores what it is given without looking at the type (protocol.md
 * 2.4), so the type is taken from the value that is there now.
 */
#ifndef SETTINGS_H
#define SETTINGS_H

#include "buf.h"
#include "json.h"

/* The word a user typed for a key whose present value is v (-1 or null: none),
 * as JSON into out: 0, or -1 with *why ("is true or false"). */
int setting_value(const struct json *j, jv v, const char *word, struct buf *out,
		  const char **why);

/* Are two values the same, 1 and 1.0 included? */
bool setting_same(const struct json *a, jv va, const struct json *b, jv vb);

#endif
