/* report.c - what frontends and instances send to a registry, read and checked
 * SPDX-License-Identifier: Apache-2.0
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "die.h"
#include "report.h"

/* Text of a peer as it may be shown and kept: UTF-8, of this length. */
static int fits(struct report *r, const char *field, struct span s, size_t most)
{
	size_t used;

	if (s.n > most)
		return WRONG(r, "%s: over %zu bytes", field, most);
	for (size_t i = 0; i < s.n; i += used) {
		used = json_utf8(s.p + i, s.n - i);
		if (!used || !s.p[i])
			return WRONG(r, "%s: not UTF-8 text", field);
	}
	return 0;
}

static int digits(struct span s, int64_t *out)
{
	char text[24], *end;

	if (!s.n || s.n >= sizeof text)
		return -1;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	*out = strtoll(text, &end, 10);
	return *end ? -1 : 0;
}

static void begin(struct report *r, enum roster_kind kind)
{
	unsigned char source[16];

	memcpy(source, r->b.f.source, 16);
	memset(&r->b, 0, sizeof r->b);
	memcpy(r->b.f.source, source, 16);
	for (int t = 0; t < TEXTS; t++)
		r->b.text[t] = (struct span){ "", 0 };
	r->b.f.kind = kind;
	r->used = 0;
	r->why[0] = '\0';
}

/* ---- heartbeats ---- */

/* A parameter as *out, which has what it is when it is not there. Its place is
 * behind what was taken before. */
static int take_param(struct report *r, struct span query, const char *name,
		      size_t most, struct span *out)
{
	char *to = r->mem + r->used;
	bool bad = false;
	long n = url_param(query.p, query.n, name, to, sizeof r->mem - r->used, &bad);

	if (bad)
		return WRONG(r, "%s: bad percent-encoding, or too long", name);
	if (n < 0)
		return 0;
	*out = (struct span){ to, (size_t)n };
	r->used += (size_t)n + 1;
	return fits(r, name, *out, most);
}

static int take_address(struct report *r, struct span s)
{
	struct buf b = BUF(sizeof r->key - 1);
	const char *why = "";

	if (strncasecmp(s.p, "http://", 7) != 0 && strncasecmp(s.p, "https://", 8) != 0)
		return WRONG(r, "api_address: it is http://HOST:PORT or https://HOST:PORT");
	if (addr_parse(&r->at, s.p, -1, &why) < 0)
		return WRONG(r, "api_address: %s", why);
	if (!r->at.port)
		return WRONG(r, "api_address: no port");
	buf_puts(&b, r->at.tls ? "https://" : "http://");
	if (addr_print(&r->at, &b) == 0)
		memcpy(r->key, b.p, b.len + 1);
	r->b.text[TEXT_KEY] = (struct span){ r->key, b.len };
	buf_free(&b);
	return 0;
}

/* A host becomes part of a node's name, which has its own ceiling. */
static int settle(struct report *r)
{
	r->b.f.tls = r->at.tls;
	r->b.f.port = (uint16_t)r->at.port;
	r->b.text[TEXT_HOST] = (struct span){ r->at.host, strlen(r->at.host) };
	return fits(r, "host", r->b.text[TEXT_HOST], ROSTER_HOST);
}

int report_heartbeat(struct report *r, const char *query, size_t n)
{
	struct span q = { query, n }, address = { "", 0 }, pid = { "", 0 };
	struct roster_report *b = &r->b;

	begin(r, ROSTER_FRONTEND);
	b->text[TEXT_VERSION] = (struct span){ "1.0.0", 5 };
	b->text[TEXT_INFO] = (struct span){ "{}", 2 };
	if (take_param(r, q, "api_address", ROSTER_KEY - 1, &address) < 0 ||
	    take_param(r, q, "pid", ROSTER_KEY, &pid) < 0 ||
	    take_param(r, q, "version", ROSTER_VERSION, &b->text[TEXT_VERSION]) < 0 ||
	    take_param(r, q, "other_info", ROSTER_INFO, &b->text[TEXT_INFO]) < 0)
		return -1;
	if (!address.n)
		return WRONG(r, "api_address is missing");
	if (take_address(r, address) < 0)
		return -1;
	b->f.has_pid = digits(pid, &b->f.pid) == 0;
	if (!b->f.has_pid)
		b->f.pid = 0;
	return settle(r);
}

/* ---- registrations ---- */

/* A string member without the blanks around it; absent or null: empty. */
static int take_string(struct report *r, const struct json *j, const char *name,
		       size_t most, struct span *out)
{
	jv v = json_get(j, 0, name);
	struct buf b = BUF(REPORT_BODY);
	struct span s;
	int bad;

	*out = (struct span){ "", 0 };
	if (v < 0 || json_type(j, v) == JSON_NULL)
		return 0;
	if (json_type(j, v) != JSON_STRING)
		return WRONG(r, "%s: not a string", name);
	json_str(j, v, &b);
	s = (struct span){ b.p ? b.p : "", b.len };
	while (s.n && strchr(" \t\r\n", s.p[s.n - 1]))
		s.n--;
	while (s.n && strchr(" \t\r\n", *s.p)) {
		s.p++;
		s.n--;
	}
	bad = fits(r, name, s, most);
	if (!bad) {
		/* decoded text is never longer than what it was written as */
		*out = (struct span){ r->mem + r->used, s.n };
		memcpy(r->mem + r->used, s.p, s.n);
		r->mem[r->used + s.n] = '\0';
		r->used += s.n + 1;
	}
	buf_free(&b);
	return bad;
}

static int take_port(struct report *r, const struct json *j, const char *name,
		     int64_t least, uint16_t *out)
{
	jv v = json_get(j, 0, name);
	int64_t n = 0;

	if ((v >= 0 || least) && json_int(j, v, &n) < 0)
		return WRONG(r, v < 0 ? "%s is missing" : "%s: not a whole number", name);
	if (n < least || n > 65535)
		return WRONG(r, "%s: not from %lld to 65535", name, (long long)least);
	*out = (uint16_t)n;
	return 0;
}

static int take_metadata(struct report *r, const struct json *j)
{
	jv v = json_get(j, 0, "metadata");
	struct span *out = &r->b.text[TEXT_INFO];

	*out = (struct span){ "{}", 2 };
	if (v < 0 || json_type(j, v) == JSON_NULL)
		return 0;
	if (json_type(j, v) != JSON_OBJECT)
		return WRONG(r, "metadata: not an object");
	for (jv at = json_first(j, v); at >= 0; at = json_next(j, v, at))
		if (json_type(j, at) != JSON_STRING)
			return WRONG(r, "metadata: its values are strings");
	json_raw(j, v, &out->p, &out->n);
	return fits(r, "metadata", *out, ROSTER_INFO);
}

/* An id is part of a path and of a node's name. */
static int take_id(struct report *r, const struct json *j)
{
	struct span *id = &r->b.text[TEXT_KEY];

	if (take_string(r, j, "instance_id", ROSTER_ID, id) < 0)
		return -1;
	for (size_t i = 0; i < id->n; i++)
		if ((unsigned char)id->p[i] < ' ' || id->p[i] == '/' || id->p[i] == 0x7f)
			return WRONG(r, "instance_id: a slash or a control character");
	return 0;
}

static int take_members(struct report *r, const struct json *j)
{
	const char *why;
	struct span ip;

	if (json_type(j, 0) != JSON_OBJECT)
		return WRONG(r, "not an object");
	if (take_id(r, j) < 0 || take_string(r, j, "ip", ROSTER_KEY - 1, &ip) < 0 ||
	    take_port(r, j, "http_port", 1, &r->b.f.port) < 0 ||
	    take_port(r, j, "mq_port", 0, &r->b.f.mq_port) < 0 ||
	    take_string(r, j, "p2p_advertised_url", ROSTER_URL, &r->b.text[TEXT_URL]) < 0 ||
	    take_metadata(r, j) < 0)
		return -1;
	if (!ip.n)
		return WRONG(r, "ip is missing");
	if (addr_tcp(&r->at, ip.p, r->b.f.port, &why) < 0)
		return WRONG(r, "ip: %s", why);
	return settle(r);
}

int report_instance(struct report *r, const char *body, size_t n)
{
	struct json_error e;
	struct json j;
	int bad;

	begin(r, ROSTER_INSTANCE);
	if (json_parse(&j, body, n, REPORT_BODY - 64, 0, &e) < 0)
		return WRONG(r, "%d:%d: %s", e.line, e.column, e.what);
	bad = take_members(r, &j);
	json_free(&j);
	return bad;
}

/* ---- who may announce what ---- */

/* As 16 bytes; false for a name. */
static bool literal(const char *host, unsigned char out[16])
{
	if (strcmp(host, "localhost") == 0)
		host = "127.0.0.1";
	memset(out, 0, 16);
	out[10] = out[11] = 0xff;
	if (inet_pton(AF_INET, host, out + 12) == 1)
		return true;
	return inet_pton(AF_INET6, host, out) == 1;
}

static bool within(const unsigned char *a, const unsigned char *net, int bits)
{
	int whole = bits / 8, rest = bits % 8;

	return memcmp(a, net, (size_t)whole) == 0 &&
	       (!rest || !((a[whole] ^ net[whole]) & 0xff << (8 - rest)));
}

int allow_add(struct allow *a, const char *text, const char **why)
{
	struct allow_row row = { .domain = text[0] == '.' && text[1] ? text : NULL };
	size_t n = strcspn(text, "/");
	bool v6 = strchr(text, ':');
	int64_t most = v6 ? 128 : 32, bits = most;
	char host[64] = "";

	*why = "a network is ADDRESS/BITS, a domain begins with a dot";
	if (n < sizeof host)
		memcpy(host, text, n);
	if (!row.domain && (!literal(host, row.net) ||
			    (text[n] && digits((struct span){ text + n + 1,
							      strlen(text + n + 1) }, &bits) < 0)))
		return -1;
	*why = bits < 0 || bits > most ? "more bits than an address has" :
		"there are 64 of them already";
	if (bits < 0 || bits > most || a->n == ALLOW_MAX)
		return -1;
	row.bits = (int)bits + (v6 ? 0 : 96);
	a->row[a->n++] = row;
	return 0;
}

static bool in_domain(const char *host, const char *domain)
{
	size_t n = strlen(host), d = strlen(domain);

	return n > d && strcasecmp(host + n - d, domain) == 0;
}

/* Addresses that a registry must not be talked into: the cloud's metadata
 * services, and what is no one host. */
static bool nobody(const unsigned char *a)
{
	static const struct { unsigned char net[16]; int bits; } never[] = {
		{ { [10] = 0xff, [11] = 0xff, 169, 254 }, 112 },
		{ { [10] = 0xff, [11] = 0xff, 0 }, 104 },
		{ { [10] = 0xff, [11] = 0xff, 224 }, 99 },
		{ { 0xfe, 0x80 }, 10 }, { { 0xff }, 8 }, { { 0 }, 128 },
		{ { 0xfd, 0, 0x0e, 0xc2 }, 32 },
	};

	for (size_t i = 0; i < sizeof never / sizeof *never; i++)
		if (within(a, never[i].net, never[i].bits))
			return true;
	return false;
}

const char *allow_refuses(const struct allow *a, const struct addr *at,
			  const unsigned char *source, bool trusted)
{
	unsigned char ip[16];
	bool known = literal(at->host, ip);

	for (int i = 0; i < a->n; i++)
		if (a->row[i].domain ? !known && in_domain(at->host, a->row[i].domain)
				     : known && within(ip, a->row[i].net, a->row[i].bits))
			return NULL;
	if (a->n)
		return "this address is outside of what --allow names";
	if (known && nobody(ip))
		return "link-local, multicast and unspecified addresses are not taken";
	if (trusted || (known && memcmp(ip, source, 16) == 0))
		return NULL;
	return known ? "this is not the address that the report came from"
		     : "a name is taken with a token or within an --allow .DOMAIN only";
}
