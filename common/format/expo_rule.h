/* expo_rule.h - the roll-up's table, for the expo files only
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef EXPO_RULE_H
#define EXPO_RULE_H

#include "expo.h"

/* Row i of the rates, NULL behind the last: they are the first rows. */
const struct expo_rule *expo_ratio(unsigned i);
/* The family is the counter of that name, whatever its prefix. */
bool expo_is_counter(struct expo_span family, const char *name);
/* The type's name in text 0.0.4, which has fewer. */
const char *expo_text_type(enum expo_type t);

#endif
