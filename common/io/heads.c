/* heads.c - the heads a relay writes, in both directions
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "heads.h"

static void put(struct text *t, const char *p, size_t n)
{
	if (t->n + n > t->max) {
		t->over = true;
		return;
	}
	copy(t->p + t->n, p, n);
	t->n += n;
}

#define LIT(t, s) put(t, s, sizeof s - 1)

static void put_str(struct text *t, const char *s)
{
	put(t, s, strlen(s));
}

static void put_field(struct text *t, struct span name, struct span value)
{
	put(t, name.p, name.n);
	LIT(t, ": ");
	put(t, value.p, value.n);
	LIT(t, "\r\n");
}

/* Fields of one hop only (RFC 9110 7.6.1). */
static bool hop_by_hop(const struct http_head *h, const struct http_field *f)
{
	switch (f->id) {
	case F_CONNECTION: case F_KEEP_ALIVE: case F_PROXY_CONNECTION:
	case F_PROXY_AUTHENTICATE: case F_PROXY_AUTHORIZATION: case F_TE:
	case F_TRAILER: case F_TRANSFER_ENCODING: case F_UPGRADE:
		return true;
	case F_HOST: case F_CONTENT_LENGTH:
		return false;	/* not even when Connection names them */
	default:
		return http_connection_names(h, f->name);
	}
}

static bool named_hops(const struct http_head *h)
{
	for (int i = 0; i < h->n; i++)
		if (h->f[i].id == F_CONNECTION &&
		    !span_is_nocase(h->f[i].value, "keep-alive") &&
		    !span_is_nocase(h->f[i].value, "close"))
			return true;
	return false;
}

/* What those before us said in this field, in all its lines: a list that
 * ours is added to. Returns how many. */
static int earlier(struct text *t, const struct http_head *h,
		   enum http_field_id id)
{
	int n = 0;

	for (int i = 0; i < h->n; i++) {
		if (h->f[i].id != id || !h->f[i].value.n)
			continue;
		if (n++)
			LIT(t, ", ");
		put(t, h->f[i].value.p, h->f[i].value.n);
	}
	return n;
}

static void before_ours(struct text *t, const struct http_head *h,
			enum http_field_id id)
{
	if (earlier(t, h, id))
		LIT(t, ", ");
}

static void forwarded(struct text *t, const struct exchange *x,
		      const struct http_head *h)
{
	const char *peer = exchange_peer(x);
	bool v6 = strchr(peer, ':') != NULL, known = strcmp(peer, "unix") != 0;

	if (known || http_find(h, F_X_FORWARDED_FOR)) {
		LIT(t, "X-Forwarded-For: ");
		if (earlier(t, h, F_X_FORWARDED_FOR) && known)
			LIT(t, ", ");
		put_str(t, known ? peer : "");
		LIT(t, "\r\n");
	}
	LIT(t, "X-Forwarded-Proto: http\r\n");
	if (h->host.n) {
		LIT(t, "X-Forwarded-Host: ");
		put(t, h->host.p, h->host.n);
		LIT(t, "\r\n");
	}
	LIT(t, "Forwarded: ");
	before_ours(t, h, F_FORWARDED);
	LIT(t, "for=");
	put_str(t, !known ? "unknown" : v6 ? "\"[" : peer);
	if (v6) {
		put_str(t, peer);
		LIT(t, "]\"");
	}
	if (h->host.n) {
		LIT(t, ";host=\"");
		put(t, h->host.p, h->host.n);
		LIT(t, "\"");
	}
	LIT(t, ";proto=http\r\nVia: ");
	before_ours(t, h, F_VIA);
	put_str(t, h->minor ? "1.1 lmc\r\n" : "1.0 lmc\r\n");
}

static const char digits[] = "0123456789";

void heads_request(struct text *t, const struct exchange *x,
		   const char *host, struct span target, int hops)
{
	const struct http_head *h = x->req;
	bool named = named_hops(h);

	put(t, h->method_text.p, h->method_text.n);
	LIT(t, " ");
	put(t, target.p, target.n);
	LIT(t, " HTTP/1.1\r\nHost: ");
	put_str(t, host);
	LIT(t, "\r\n");
	for (int i = 0; i < h->n; i++) {
		const struct http_field *f = &h->f[i];

		switch (f->id) {
		case F_OTHER:
			if (named && http_connection_names(h, f->name))
				continue;
			break;
		case F_HOST: case F_FORWARDED: case F_X_FORWARDED_FOR:
		case F_X_FORWARDED_PROTO: case F_X_FORWARDED_HOST:
		case F_VIA: case F_HOPS:
			continue;	/* written below */
		case F_EXPECT:
			if (!h->expect)		/* HTTP/1.0: RFC 9110 10.1.1 */
				continue;
			break;
		default:
			if (hop_by_hop(h, f))
				continue;
		}
		put_field(t, f->name, f->value);
	}
	if (h->body == BODY_CHUNKED)
		LIT(t, "Transfer-Encoding: chunked\r\n");
	forwarded(t, x, h);
	LIT(t, "X-Lmc-Hops: ");
	put(t, &digits[hops], 1);
	LIT(t, "\r\n\r\n");
}

/* What a node may not say to a browser on the frontend's origin
 * (threats.md T7). */
static bool kept_back(const struct http_head *h, const struct http_field *f)
{
	switch (f->id) {
	case F_SET_COOKIE: case F_REFRESH: case F_LINK: case F_CSP: case F_CORS:
	case F_KEPT_BACK:
		return true;
	case F_CONTENT_LENGTH:
		return h->status < 200 || h->status == 204;
	default:
		return hop_by_hop(h, f);
	}
}

void heads_response(struct text *t, const struct conn *c, const struct http_head *h)
{
	put_str(t, "HTTP/1.1 ");
	put(t, h->target.p, h->target.n);	/* code and reason */
	put_str(t, h->target.n > 3 ? "\r\n" : " \r\n");
	for (int i = 0; i < h->n; i++)
		if (!kept_back(h, &h->f[i]))
			put_field(t, h->f[i].name, h->f[i].value);
	if (h->status < 200) {
		LIT(t, "\r\n");
		return;
	}
	if (c->chunked_out)
		LIT(t, "Transfer-Encoding: chunked\r\n");
	put_str(t, h->minor ? "Via: 1.1 lmc\r\n" : "Via: 1.0 lmc\r\n");
	LIT(t, "X-Content-Type-Options: nosniff\r\n"
	       "Content-Security-Policy: sandbox; default-src 'none'\r\n");
	if (!c->keep)
		LIT(t, "Connection: close\r\n");
	else if (c->minor0)
		LIT(t, "Connection: keep-alive\r\n");
	LIT(t, "\r\n");
}
