/* guard.c - what every server of ours asks of a request before it answers
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <string.h>

#include "guard.h"
#include "url.h"

static bool same_host(struct span host, const char *name)
{
	size_t n = strlen(name);

	if (host.n < n || !span_is_nocase((struct span){ host.p, n }, name))
		return false;
	return host.n == n || host.p[n] == ':';
}

bool guard_host(const struct exchange *x, const struct strs *names)
{
	struct span h = x->req->host;
	size_t i = 0;

	if (x->listener->addr.kind == ADDR_UNIX || !h.n || h.p[0] == '[' ||
	    same_host(h, "localhost"))
		return true;
	while (i < h.n && h.p[i] != ':' &&
	       ((h.p[i] >= '0' && h.p[i] <= '9') || h.p[i] == '.'))
		i++;
	if (i == h.n || h.p[i] == ':')
		return true;
	for (i = 0; i < (size_t)names->n; i++)
		if (same_host(h, names->v[i]))
			return true;
	return false;
}

/* Is the origin, without its scheme, the host that was asked? "null" is not. */
static bool own_origin(struct span o, struct span host)
{
	for (size_t i = 0; i + 3 < o.n; i++) {
		if (memcmp(o.p + i, "://", 3) != 0)
			continue;
		o.p += i + 3;
		o.n -= i + 3;
		return o.n == host.n && memcmp(o.p, host.p, o.n) == 0;
	}
	return false;
}

bool guard_cross_site(const struct exchange *x)
{
	for (int i = 0; i < x->req->n; i++) {
		const struct http_field *f = &x->req->f[i];

		if (f->id == F_SEC_FETCH_SITE && !span_is(f->value, "same-origin") &&
		    !span_is(f->value, "none"))
			return true;
		if (f->id == F_ORIGIN && !own_origin(f->value, x->req->host))
			return true;
	}
	return false;
}

long route_segment(const struct exchange *x, int i, char *out, size_t cap)
{
	const char *p = x->req->path.p, *end = p + x->req->path.n, *to;
	long n;

	while (p < end && i-- >= 0) {
		p++;	/* the slash */
		if (i < 0)
			break;
		while (p < end && *p != '/')
			p++;
	}
	if (i >= 0 || p > end)
		return 0;
	to = memchr(p, '/', (size_t)(end - p));
	if (!to)
		to = end;
	if ((size_t)(to - p) >= cap * 3)
		return -1;
	/* decoding never grows: but what is long encoded may fit decoded */
	if ((size_t)(to - p) < cap) {
		n = url_decode(p, (size_t)(to - p), out);
	} else {
		char wide[3 * ADDR_HOST + 1];

		if ((size_t)(to - p) >= sizeof wide)
			return -1;
		n = url_decode(p, (size_t)(to - p), wide);
		if (n >= (long)cap)
			return -1;
		if (n > 0)
			memcpy(out, wide, (size_t)n);
	}
	if (n >= 0)
		out[n] = '\0';
	return n;
}

bool route_fits(const char *pattern, struct span path)
{
	const char *p = path.p, *end = p + path.n;

	for (; *pattern; pattern++) {
		if (pattern[0] == '*' && pattern[1] == '*')
			return p < end;
		if (*pattern == '*') {
			if (p == end || *p == '/')
				return false;
			while (p < end && *p != '/')
				p++;
		} else if (p == end || *p++ != *pattern) {
			return false;
		}
	}
	return p == end;
}

void route_other_method(struct exchange *x, unsigned methods)
{
	static const char *const names[] = {
		"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"
	};
	char allow[64] = "";
	size_t n = 0;

	for (unsigned m = 0; m < sizeof names / sizeof *names; m++)
		if (methods & 1u << m)
			n += (size_t)snprintf(allow + n, sizeof allow - n, "%s%s",
					      n ? ", " : "", names[m]);
	reply_header(x, "Allow: %s", allow);
	reply_detail(x, 405, "Method Not Allowed");
}
