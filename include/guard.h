/* guard.h - what every server of ours asks of a request before it answers
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef GUARD_H
#define GUARD_H

#include "opt.h"
#include "server.h"

/* Is its Host an address, localhost, or one of names? Another one may be a
 * name that an attacker pointed at us by DNS. */
bool guard_host(const struct exchange *x, const struct strs *names);
/* A page of another origin made a browser send this. */
bool guard_cross_site(const struct exchange *x);

/* Does a path fit a pattern? "*" is one segment, "**" is the rest. */
bool route_fits(const char *pattern, struct span path);
/* Segment i of the request path (0 is the first), decoded into out (cap
 * bytes, NUL-terminated): its length, or -1. */
long route_segment(const struct exchange *x, int i, char *out, size_t cap);
/* 405, with those that fit (bits 1 << M_GET ...). */
void route_other_method(struct exchange *x, unsigned methods);

#endif
