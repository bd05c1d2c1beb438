/* expo_lint.h - the rules about one family, for the expo files only
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef EXPO_LINT_H
#define EXPO_LINT_H

#include "expo.h"

struct expo_lint_family {
	struct expo_span name;
	enum expo_type   type;
	bool help;			/* it has a HELP line */
	bool le, quantile, camel;	/* labels that its samples have */
	bool om;			/* OpenMetrics: counters end differently */
};

enum { EXPO_LINT_RULES = 17 };

/* The finding of rule i, NULL: none. It may be made in room. */
const char *expo_lint_rule(unsigned i, const struct expo_lint_family *f,
		char *room, size_t n);

#endif
