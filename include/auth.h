/* auth.h - a secret that peers show to a server of ours
 * SPDX-License-Identifier: Apache-2.0
 *
 * Shown as "Authorization: Bearer SECRET", or, for clients that know only
 * http://lmc:SECRET@HOST/, as "Basic" with the user "lmc". Only hashes are
 * kept, and compared in constant time (threats.md T11).
 */
#ifndef AUTH_H
#define AUTH_H

#include <stdbool.h>

#include "http.h"

enum { AUTH_SHORTEST = 16, AUTH_LONGEST = 512 };	/* bytes of a secret */

struct auth {
	bool on;
	unsigned char bearer[32], basic[32];
};

/* From a file with one word in it, closed to all but its owner. 0, or -1 with
 * a phrase in why. What a had before stays on -1. */
int  auth_load(struct auth *a, const char *path, char *why, size_t why_n);
bool auth_shown(const struct auth *a, const struct http_head *h);

#endif
