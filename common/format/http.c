/* http.c - HTTP/1.1 heads and chunked bodies, strictly
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "http.h"

/* What a byte may be part of. */
enum { TOKEN = 1, VALUE = 2, TARGET = 4, REGNAME = 8 };

#define T (TOKEN | VALUE | TARGET)
#define H (T | REGNAME)
#define V (VALUE | TARGET)
#define G (VALUE | TARGET | REGNAME)
static const unsigned char klass[256] = {
	['\t'] = VALUE, [' '] = VALUE,
	['!'] = H, ['"'] = V, ['#'] = T & ~TARGET, ['$'] = H, ['%'] = H,
	['&'] = H, ['\''] = H, ['('] = G, [')'] = G, ['*'] = H, ['+'] = H,
	[','] = G, ['-'] = H, ['.'] = H, ['/'] = V,
	['0'] = H, H, H, H, H, H, H, H, H, H,
	[':'] = V, [';'] = G, ['<'] = V, ['='] = G, ['>'] = V, ['?'] = V,
	['@'] = V,
	['A'] = H, H, H, H, H, H, H, H, H, H, H, H, H,
	H, H, H, H, H, H, H, H, H, H, H, H, H,
	['['] = V, ['\\'] = V, [']'] = V, ['^'] = T, ['_'] = H, ['`'] = T,
	['a'] = H, H, H, H, H, H, H, H, H, H, H, H, H,
	H, H, H, H, H, H, H, H, H, H, H, H, H,
	['{'] = V, ['|'] = T, ['}'] = V, ['~'] = H,
	[0x80] = VALUE,
#define X8 VALUE, VALUE, VALUE, VALUE, VALUE, VALUE, VALUE, VALUE
	[0x81] = VALUE, VALUE, VALUE, VALUE, VALUE, VALUE, VALUE,
	[0x88] = X8, X8, X8, X8, X8, X8, X8, X8, X8, X8, X8, X8, X8, X8, X8,
#undef X8
};
#undef T
#undef H
#undef V
#undef G

static const char bad_length[] = "bad Content-Length";

bool span_is(struct span s, const char *text)
{
	for (size_t i = 0; i < s.n; i++)
		if (text[i] != s.p[i] || !text[i])
			return false;
	return text[s.n] == '\0';
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 32) : c;
}

static bool same_nocase(const char *a, const char *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (lower(a[i]) != lower(b[i]))
			return false;
	return true;
}

bool span_is_nocase(struct span s, const char *text)
{
	return strlen(text) == s.n && same_nocase(s.p, text, s.n);
}

/* Sorted by length, so that a name is compared with few. */
#define K(name, id) { name, sizeof name - 1, id }
static const struct {
	const char *name;
	size_t n;
	enum http_field_id id;
} known[] = {
	K("TE", F_TE),
	K("Via", F_VIA),
	K("NEL", F_KEPT_BACK),
	K("Host", F_HOST),
	K("Date", F_DATE),
	K("Link", F_LINK),
	K("Accept", F_ACCEPT),
	K("Expect", F_EXPECT),
	K("Origin", F_ORIGIN),
	K("Server", F_SERVER),
	K("Cookie", F_COOKIE),
	K("Trailer", F_TRAILER),
	K("Upgrade", F_UPGRADE),
	K("Refresh", F_REFRESH),
	K("Alt-Svc", F_KEPT_BACK),
	K("Forwarded", F_FORWARDED),
	K("Report-To", F_KEPT_BACK),
	K("Connection", F_CONNECTION),
	K("Keep-Alive", F_KEEP_ALIVE),
	K("Set-Cookie", F_SET_COOKIE),
	K("X-Lmc-Hops", F_HOPS),
	K("Set-Cookie2", F_KEPT_BACK),
	K("Content-Type", F_CONTENT_TYPE),
	K("Authorization", F_AUTHORIZATION),
	K("If-None-Match", F_IF_NONE_MATCH),
	K("Content-Length", F_CONTENT_LENGTH),
	K("Sec-Fetch-Site", F_SEC_FETCH_SITE),
	K("Accept-Encoding", F_ACCEPT_ENCODING),
	K("X-Forwarded-For", F_X_FORWARDED_FOR),
	K("Clear-Site-Data", F_KEPT_BACK),
	K("Proxy-Connection", F_PROXY_CONNECTION),
	K("X-Forwarded-Host", F_X_FORWARDED_HOST),
	K("Transfer-Encoding", F_TRANSFER_ENCODING),
	K("X-Forwarded-Proto", F_X_FORWARDED_PROTO),
	K("Proxy-Authenticate", F_PROXY_AUTHENTICATE),
	K("Proxy-Authorization", F_PROXY_AUTHORIZATION),
	K("Reporting-Endpoints", F_KEPT_BACK),
	K("Access-Control-Max-Age", F_CORS),
	K("Service-Worker-Allowed", F_KEPT_BACK),
	K("Content-Security-Policy", F_CSP),
	K("Strict-Transport-Security", F_KEPT_BACK),
	K("Access-Control-Allow-Origin", F_CORS),
	K("Access-Control-Allow-Headers", F_CORS),
	K("Access-Control-Allow-Methods", F_CORS),
	K("Access-Control-Expose-Headers", F_CORS),
	K("Access-Control-Allow-Credentials", F_CORS),
	K("X-Prometheus-Scrape-Timeout-Seconds", F_SCRAPE_TIMEOUT),
	K("Content-Security-Policy-Report-Only", F_CSP),
	K("Access-Control-Allow-Private-Network", F_CORS),
};
#undef K

enum { KNOWN = sizeof known / sizeof *known, LONGEST = 36 };

static enum http_field_id field_id(struct span name)
{
	static unsigned char first[LONGEST + 2];	/* row + 1, by length */

	if (!first[LONGEST + 1]) {
		first[LONGEST + 1] = 1;
		for (size_t i = KNOWN; i-- > 0; )
			first[known[i].n] = (unsigned char)(i + 1);
	}
	if (name.n > LONGEST || !first[name.n])
		return F_OTHER;
	for (size_t i = first[name.n] - 1u; i < KNOWN && known[i].n == name.n; i++)
		if (same_nocase(name.p, known[i].name, name.n))
			return known[i].id;
	return F_OTHER;
}

static long bad(struct http_head *h, int status, const char *why)
{
	h->status = status;
	h->why = why;
	return HTTP_BAD;
}

/* ---- methods and the request line ---- */

static const char *const methods[] = {
	[M_GET] = "GET", [M_HEAD] = "HEAD", [M_POST] = "POST", [M_PUT] = "PUT",
	[M_DELETE] = "DELETE", [M_PATCH] = "PATCH", [M_OPTIONS] = "OPTIONS",
};

static enum http_method method_of(struct span s)
{
	for (int m = 0; m < M_OTHER; m++)
		if (span_is(s, methods[m]))
			return (enum http_method)m;
	return M_OTHER;
}

static size_t run_of(const char *p, size_t n, unsigned char what)
{
	size_t i = 0;

	while (i < n && klass[(unsigned char)p[i]] & what)
		i++;
	return i;
}

static long version(struct http_head *h, const char *p, size_t n)
{
	if (n < 5 || memcmp(p, "HTTP/", 5) != 0)
		return bad(h, 400, "bad request line");
	if (n != 8 || p[5] < '0' || p[5] > '9' || p[6] != '.' ||
	    p[7] < '0' || p[7] > '9')
		return bad(h, 400, "bad HTTP version");
	if (p[5] != '1')
		return bad(h, 505, "HTTP version not supported");
	h->minor = p[7] > '0';
	return 1;
}

static void split_target(struct http_head *h)
{
	const char *q = memchr(h->target.p, '?', h->target.n);

	h->path = h->target;
	h->query = (struct span){ 0 };
	if (!q)
		return;
	h->path.n = (size_t)(q - h->target.p);
	h->query.p = q + 1;
	h->query.n = h->target.n - h->path.n - 1;
}

static long request_line(struct http_head *h, const char *p, size_t n)
{
	size_t m = run_of(p, n, TOKEN), t;

	if (m == 0 || m == n || p[m] != ' ')
		return bad(h, 400, "bad request line");
	h->method_text = (struct span){ p, m };
	p += m + 1;
	n -= m + 1;
	t = run_of(p, n, TARGET);
	if (t == 0 || t == n || p[t] != ' ')
		return bad(h, 400, "bad request target");
	h->target = (struct span){ p, t };
	if (version(h, p + t + 1, n - t - 1) < 0)
		return HTTP_BAD;
	h->method = method_of(h->method_text);
	if (h->method == M_OTHER)
		return bad(h, 501, "method not implemented");
	if (p[0] != '/' && !(t == 1 && p[0] == '*' && h->method == M_OPTIONS))
		return bad(h, 400, "the request target is not a path");
	split_target(h);
	return 1;
}

static long status_line(struct http_head *h, const char *p, size_t n)
{
	if (n < 12 || memcmp(p, "HTTP/1.", 7) != 0 || p[7] < '0' ||
	    p[7] > '9' || p[8] != ' ')
		return bad(h, 502, "bad status line");
	h->status = 0;
	for (int i = 9; i < 12; i++) {
		if (p[i] < '0' || p[i] > '9')
			return bad(h, 502, "bad status code");
		h->status = h->status * 10 + p[i] - '0';
	}
	if (h->status < 100 || h->status > 599)
		return bad(h, 502, "bad status code");
	if (n > 12 && (p[12] != ' ' || run_of(p + 13, n - 13, VALUE) != n - 13))
		return bad(h, 502, "bad reason phrase");
	h->minor = p[7] > '0';
	/* the reason, for passing on */
	h->target = (struct span){ p + 9, n - 9 };
	return 1;
}

/* ---- fields ---- */

static bool host_ok(struct span s)
{
	size_t i, port;

	if (s.n == 0)
		return false;
	if (s.p[0] == '[') {
		for (i = 1; i < s.n && s.p[i] != ']'; i++)
			if (!strchr("0123456789abcdefABCDEF:.", s.p[i]) || !s.p[i])
				return false;
		if (i == s.n || i < 3)
			return false;
		i++;
	} else {
		i = run_of(s.p, s.n, REGNAME);
		if (i == 0)
			return false;
	}
	if (i == s.n)
		return true;
	port = s.n - i - 1;
	if (s.p[i] != ':' || port > 5)
		return false;
	while (++i < s.n)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return true;
}

static long content_length(struct http_head *h, struct span v)
{
	uint64_t n = 0;

	if (h->body == BODY_LENGTH)
		return bad(h, 400, "Content-Length twice");
	if (v.n == 0 || v.n > 19)
		return bad(h, 400, bad_length);
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] < '0' || v.p[i] > '9')
			return bad(h, 400, bad_length);
		n = n * 10 + (uint64_t)(v.p[i] - '0');
	}
	if (n > INT64_MAX)
		return bad(h, 400, bad_length);
	if (h->body == BODY_CHUNKED)
		return bad(h, 400, "Content-Length with Transfer-Encoding");
	h->body = BODY_LENGTH;
	h->length = n;
	return 1;
}

static struct span next_item(struct span *list)
{
	struct span item;
	const char *comma = memchr(list->p, ',', list->n);

	item.p = list->p;
	item.n = comma ? (size_t)(comma - list->p) : list->n;
	list->n -= item.n + (comma != NULL);
	list->p += item.n + (comma != NULL);
	while (item.n && (item.p[0] == ' ' || item.p[0] == '\t'))
		item.p++, item.n--;
	while (item.n && (item.p[item.n - 1] == ' ' || item.p[item.n - 1] == '\t'))
		item.n--;
	return item;
}

static long transfer_encoding(struct http_head *h, struct span v)
{
	struct span list = v;
	bool chunked = false;

	if (h->body == BODY_CHUNKED)
		return bad(h, 400, "Transfer-Encoding twice");
	if (h->body == BODY_LENGTH)
		return bad(h, 400, "Content-Length with Transfer-Encoding");
	if (span_is_nocase(v, "chunked")) {
		h->body = BODY_CHUNKED;
		return 1;
	}
	while (list.n) {
		struct span item = next_item(&list);

		if (chunked)
			return bad(h, 400, "chunked is not the last transfer coding");
		chunked = span_is_nocase(item, "chunked");
	}
	return bad(h, v.n ? 501 : 400, "transfer coding not supported");
}

static void connection(struct http_head *h, struct span list, int *told)
{
	while (list.n) {
		struct span item = next_item(&list);

		if (span_is_nocase(item, "close"))
			*told = -1;
		else if (span_is_nocase(item, "keep-alive") && *told == 0)
			*told = 1;
	}
	h->keep = *told < 0 ? false : *told > 0 || h->minor > 0;
}

static void te(struct http_head *h, struct span list)
{
	while (list.n)
		if (span_is_nocase(next_item(&list), "trailers"))
			h->te_trailers = true;
}

/* told: what Connection fields said so far; request: h is one. */
static long act_on(struct http_head *h, struct http_field *f, int *told,
		   bool request)
{
	switch (f->id) {
	case F_CONTENT_LENGTH:
		return content_length(h, f->value);
	case F_TRANSFER_ENCODING:
		if (h->minor == 0)
			return bad(h, 400, "Transfer-Encoding in HTTP/1.0");
		return transfer_encoding(h, f->value);
	case F_CONNECTION:
		connection(h, f->value, told);
		return 1;
	case F_HOST:
		if (!request)
			return 1;
		if (h->host.p)
			return bad(h, 400, "Host twice");
		if (!host_ok(f->value))
			return bad(h, 400, "bad Host");
		h->host = f->value;
		return 1;
	case F_EXPECT:
		if (!request || h->minor == 0)
			return 1;
		if (!span_is_nocase(f->value, "100-continue"))
			return bad(h, 417, "expectation not supported");
		h->expect = true;
		return 1;
	case F_UPGRADE:
		h->upgrade = true;
		return 1;
	case F_TE:
		te(h, f->value);
		return 1;
	default:
		return 1;
	}
}

static long field(struct http_head *h, const char *p, size_t n, int *told,
		  bool request)
{
	struct http_field *f;
	size_t name = run_of(p, n, TOKEN), from, to = n;

	if (p[0] == ' ' || p[0] == '\t')
		return bad(h, 400, "folded header line");
	if (name == 0 || name == n || p[name] != ':')
		return bad(h, 400, "bad header name");
	if (h->n == HTTP_FIELDS_MAX)
		return bad(h, 431, "too many header fields");
	for (from = name + 1; from < to && (p[from] == ' ' || p[from] == '\t'); )
		from++;
	while (to > from && (p[to - 1] == ' ' || p[to - 1] == '\t'))
		to--;
	f = &h->f[h->n++];
	f->name = (struct span){ p, name };
	f->value = (struct span){ p + from, to - from };
	f->id = field_id(f->name);
	return f->id == F_OTHER ? 1 : act_on(h, f, told, request);
}

/* ---- heads ---- */

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "plain_run finds the first byte from the low end");

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* How many bytes stand before the first control character other than a tab:
 * eight at a time. A carry may mark a byte behind a marked one wrongly, never
 * one before it, and only the first mark is used. */
static size_t plain_run(const char *p, size_t n)
{
	size_t i = 0;

	while (i + 8 <= n) {
		uint64_t w, del, marks;

		memcpy(&w, p + i, 8);
		del = w ^ EACH(0x7f);
		marks = (((w - EACH(0x20)) & ~w) | ((del - EACH(1)) & ~del)) &
			EACH(0x80);
		if (!marks) {
			i += 8;
			continue;
		}
		i += (size_t)__builtin_ctzll(marks) / 8;
		if (p[i] != '\t')
			return i;
		i++;
	}
	while (i < n && klass[(unsigned char)p[i]] & VALUE)
		i++;
	return i;
}

/* The line at p[0..n) without its CRLF: its whole length, 0 for more. */
static long line_at(struct http_head *h, const char *p, size_t n, size_t *len)
{
	size_t i = plain_run(p, n);

	if (i == n || (p[i] == '\r' && i + 1 == n))
		return HTTP_MORE;
	if (p[i] == '\n')
		return bad(h, 400, "a line ends in LF without CR");
	if (p[i] != '\r' || p[i + 1] != '\n')
		return bad(h, 400, "a control character in the head");
	*len = i;
	return (long)i + 2;
}

static void start(struct http_head *h)
{
	memset(h, 0, offsetof(struct http_head, f));
}

static long head(struct http_head *h, const char *p, size_t n, bool request)
{
	size_t at = 0, len = 0;
	int told = 0;
	long used;

	for (bool first = true; ; first = false) {
		used = line_at(h, p + at, (n < HTTP_HEAD_MAX ? n : HTTP_HEAD_MAX) - at,
			       &len);
		if (used == HTTP_MORE && n < HTTP_HEAD_MAX)
			return HTTP_MORE;
		if (used == HTTP_MORE)
			return first ? bad(h, 414, "request line too long")
				     : bad(h, 431, "header too large");
		if (used < 0)
			return HTTP_BAD;
		if (first) {
			if ((request ? request_line : status_line)(h, p, len) < 0)
				return HTTP_BAD;
			h->keep = h->minor > 0;
		} else if (len == 0) {
			return (long)at + used;
		} else if (field(h, p + at, len, &told, request) < 0) {
			return HTTP_BAD;
		}
		at += (size_t)used;
	}
}

long http_request(struct http_head *h, const char *p, size_t n)
{
	size_t skip = 0;
	long used;

	start(h);
	/* RFC 9112 2.2: at least one empty line before a request is ignored */
	while (n - skip >= 2 && skip < 4 && p[skip] == '\r' && p[skip + 1] == '\n')
		skip += 2;
	if (n - skip == 0 || (n - skip == 1 && p[skip] == '\r'))
		return HTTP_MORE;
	used = head(h, p + skip, n - skip, true);
	if (used <= 0)
		return used;
	if (!h->host.p && h->minor > 0)
		return bad(h, 400, "no Host");
	return used + (long)skip;
}

long http_response(struct http_head *h, const char *p, size_t n,
		   enum http_method asked)
{
	long used;

	start(h);
	used = head(h, p, n, false);
	if (used < 0)
		h->status = 502;
	if (used <= 0)
		return used;
	if (asked == M_HEAD || h->status < 200 || h->status == 204 ||
	    h->status == 304)
		h->body = BODY_NONE;
	else if (h->body == BODY_NONE)
		h->body = BODY_CLOSE;
	if (h->body == BODY_CLOSE)
		h->keep = false;
	return used;
}

const struct http_field *http_find(const struct http_head *h, enum http_field_id id)
{
	for (int i = 0; i < h->n; i++)
		if (h->f[i].id == id)
			return &h->f[i];
	return NULL;
}

bool http_connection_names(const struct http_head *h, struct span name)
{
	for (int i = 0; i < h->n; i++) {
		struct span list = h->f[i].value;

		if (h->f[i].id != F_CONNECTION)
			continue;
		while (list.n) {
			struct span item = next_item(&list);

			if (item.n == name.n && same_nocase(item.p, name.p, name.n))
				return true;
		}
	}
	return false;
}

/* ---- chunked bodies (RFC 9112 7.1) ---- */

enum {
	C_SIZE, C_BLANK, C_EXT, C_SIZE_LF, C_DATA, C_DATA_CR, C_DATA_LF,
	C_TRAILER, C_NAME, C_VALUE, C_TRAILER_LF, C_END_LF
};

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool size_byte(struct chunks *c, char b)
{
	int digit = hex(b);

	if (digit >= 0) {
		if (c->digits == 16 || c->left > (INT64_MAX >> 4))
			return false;
		c->digits++;
		c->left = c->left << 4 | (unsigned)digit;
		return true;
	}
	if (!c->digits)
		return false;
	c->state = b == '\r' ? C_SIZE_LF : b == ';' ? C_EXT : C_BLANK;
	return b == '\r' || b == ';' || b == ' ' || b == '\t';
}

/* One byte that is not payload; false: the framing is broken. */
static bool frame_byte(struct chunks *c, char b)
{
	unsigned char k = klass[(unsigned char)b];

	switch (c->state) {
	case C_SIZE:
		return ++c->line <= CHUNK_LINE_MAX && size_byte(c, b);
	case C_BLANK:	/* only an extension may follow */
		if (b == ';')
			c->state = C_EXT;
		return ++c->line <= CHUNK_LINE_MAX &&
		       (b == ';' || b == ' ' || b == '\t');
	case C_EXT:
		if (b == '\r')
			c->state = C_SIZE_LF;
		return ++c->line <= CHUNK_LINE_MAX && (b == '\r' || k & VALUE);
	case C_SIZE_LF:
		c->state = c->left ? C_DATA : C_TRAILER;
		c->line = 0;
		return b == '\n';
	case C_DATA_CR:
		c->state = C_DATA_LF;
		return b == '\r';
	case C_DATA_LF:
		c->state = C_SIZE;
		c->digits = 0;
		c->line = 0;
		return b == '\n';
	case C_TRAILER:
		c->state = b == '\r' ? C_END_LF : C_NAME;
		return ++c->line <= CHUNK_TRAILER_MAX && (b == '\r' || k & TOKEN);
	case C_NAME:
		if (b == ':')
			c->state = C_VALUE;
		return ++c->line <= CHUNK_TRAILER_MAX && (b == ':' || k & TOKEN);
	case C_VALUE:
		if (b == '\r')
			c->state = C_TRAILER_LF;
		return ++c->line <= CHUNK_TRAILER_MAX && (b == '\r' || k & VALUE);
	case C_TRAILER_LF:
		c->state = C_TRAILER;
		return b == '\n';
	default:
		c->done = true;
		return b == '\n';
	}
}

long http_chunks(struct chunks *c, char *p, size_t n, size_t *payload)
{
	size_t i = 0, out = 0;

	while (i < n && !c->done) {
		if (c->state == C_DATA) {
			size_t take = c->left < n - i ? (size_t)c->left : n - i;

			if (out != i)
				memmove(p + out, p + i, take);
			out += take;
			i += take;
			c->left -= take;
			if (c->left == 0)
				c->state = C_DATA_CR;
		} else if (!frame_byte(c, p[i++])) {
			return HTTP_BAD;
		}
	}
	*payload = out;
	return (long)i;
}

/* ---- reasons ---- */

const char *http_reason(int status)
{
	static const struct { int status; const char *text; } reasons[] = {
		{ 100, "Continue" }, { 101, "Switching Protocols" },
		{ 200, "OK" }, { 201, "Created" }, { 202, "Accepted" },
		{ 204, "No Content" }, { 206, "Partial Content" },
		{ 301, "Moved Permanently" }, { 302, "Found" },
		{ 304, "Not Modified" }, { 307, "Temporary Redirect" },
		{ 308, "Permanent Redirect" },
		{ 400, "Bad Request" }, { 401, "Unauthorized" },
		{ 403, "Forbidden" }, { 404, "Not Found" },
		{ 405, "Method Not Allowed" }, { 406, "Not Acceptable" },
		{ 408, "Request Timeout" }, { 409, "Conflict" },
		{ 410, "Gone" }, { 411, "Length Required" },
		{ 413, "Content Too Large" }, { 414, "URI Too Long" },
		{ 415, "Unsupported Media Type" },
		{ 417, "Expectation Failed" }, { 421, "Misdirected Request" },
		{ 422, "Unprocessable Content" }, { 428, "Precondition Required" },
		{ 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" }, { 501, "Not Implemented" },
		{ 502, "Bad Gateway" }, { 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" },
		{ 505, "HTTP Version Not Supported" }, { 508, "Loop Detected" },
	};

	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
		if (reasons[i].status == status)
			return reasons[i].text;
	return "";
}
