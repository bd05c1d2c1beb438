/* sim_ask.c - a question to a simulated node, and ways to answer it
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "die.h"
#include "sim.h"

/* --- the words of a request ------------------------------------------------ */

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 32;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-decoding as Starlette does it: what is no escape stays, what is no
 * UTF-8 (and a zero byte, here) becomes U+FFFD. out holds 3 * n + 1 bytes. */
static size_t decode(const char *p, size_t n, bool plus, char *out)
{
	size_t i, k = 0, m = 0, step;
	char *raw = out + 2 * n;	/* the end of out is the work space */

	for (i = 0; i < n; i++) {
		if (p[i] == '%' && i + 2 < n && hex(p[i + 1]) >= 0 && hex(p[i + 2]) >= 0) {
			raw[k++] = (char)(hex(p[i + 1]) << 4 | hex(p[i + 2]));
			i += 2;
		} else {
			raw[k++] = plus && p[i] == '+' ? ' ' : p[i];
		}
	}
	for (i = 0; i < k; i += step ? step : 1) {
		step = raw[i] ? json_utf8(raw + i, k - i) : 0;
		memmove(out + m, step ? raw + i : "\xef\xbf\xbd", step ? step : 3);
		m += step ? step : 3;
	}
	out[m] = '\0';
	return m;
}

static void split_query(struct ask *a)
{
	size_t n = a->query ? strlen(a->query) : 0;
	char *at = a->query, *out;

	a->words = out = xmalloc(3 * n + 2 * PARAMS + 8);
	while (at && *at && a->params < PARAMS) {
		size_t len = strcspn(at, "&"), eq;
		struct param *p = &a->param[a->params];

		eq = strcspn(at, "=&");
		if (len) {
			p->name = out;
			out += decode(at, eq, true, out) + 1;
			p->value = out;
			if (eq < len)
				out += decode(at + eq + 1, len - eq - 1, true, out);
			*out++ = '\0';
			a->params++;
		}
		at += len;
		at += *at == '&';
	}
}

const char *ask_param(const struct ask *a, const char *name)
{
	int i;

	for (i = a->params; i-- > 0; )
		if (!strcmp(a->param[i].name, name))
			return a->param[i].value;
	return NULL;
}

int ask_int(struct ask *a, const char *name, int64_t *out)
{
	const char *v = ask_param(a, name);
	char *end;
	long long n;

	if (!v)
		return 0;
	errno = 0;
	n = strtoll(v, &end, 10);
	while (*end == ' ')
		end++;
	if (end == v || *end || errno) {
		say_field(a, "query", name, "value is not a valid integer", "type_error.integer");
		return -1;
	}
	*out = n;
	return 1;
}

int ask_bool(struct ask *a, const char *name, bool *out)
{
	static const char *const words[] = {
		"0", "1", "off", "on", "f", "t", "false", "true", "n", "y", "no", "yes"
	};
	const char *v = ask_param(a, name);
	size_t i;

	if (!v)
		return 0;
	for (i = 0; i < sizeof words / sizeof *words; i++) {
		if (!strcasecmp(v, words[i])) {
			*out = i & 1;
			return 1;
		}
	}
	say_field(a, "query", name, "value could not be parsed to a boolean", "type_error.bool");
	return -1;
}

void ask_free(struct ask *a)
{
	timer_stop(&a->timer);
	free(a->path);
	free(a->query);
	free(a->arg[0]);
	free(a->arg[1]);
	free(a->host);
	free(a->ctype);
	free(a->tokens);
	free(a->words);
	free(a->copy);
	free(a);
}

static void ask_abort(struct exchange *x)
{
	ask_free(x->data);
}

static char *copy_span(struct span s)
{
	return s.p ? xstrndup(s.p, s.n) : NULL;
}

static char *copy_field(const struct http_head *h, const char *name)
{
	int i;

	for (i = 0; i < h->n; i++)
		if (span_is_nocase(h->f[i].name, name))
			return copy_span(h->f[i].value);
	return NULL;
}

struct ask *ask_new(struct sim *s, struct exchange *x)
{
	struct ask *a = xcalloc(1, sizeof *a);
	const struct http_head *h = x->req;

	a->sim = s;
	a->x = x;
	a->path = xmalloc(3 * h->path.n + 1);
	decode(h->path.p, h->path.n, false, a->path);
	a->query = copy_span(h->query);
	a->host = copy_span(h->host);
	a->ctype = copy_field(h, "content-type");
	a->tokens = copy_field(h, "x-tokens");
	snprintf(a->method, sizeof a->method, "%.*s", (int)h->method_text.n, h->method_text.p);
	split_query(a);
	x->data = a;
	x->on_abort = ask_abort;
	return a;
}

/* --- answers ------------------------------------------------------------------ */

void say_bytes(struct ask *a, int status, const char *type, const char *p, size_t n)
{
	struct exchange *x = a->x;

	a->x = NULL;	/* one answer per question */
	if (!x)
		return;
	x->on_abort = NULL;
	reply_header(x, "Server: lmc-demo");
	reply(x, status, type, p ? p : "", n);
}

static const char json_type_[] = "application/json";
static const char text_type[] = "text/plain; charset=utf-8";

void say_json(struct ask *a, int status, enum style style, struct buf *b)
{
	struct buf wide = BUF(PAGE_MAX);
	const struct buf *out = b;

	if (style != COMPACT && !b->bad) {
		py_put_indented(&wide, b->p, b->len);
		out = &wide;
	}
	if (out->bad || b->bad)
		say_broken(a);
	else
		say_bytes(a, status, style == INDENT_TEXT ? text_type : json_type_, out->p, out->len);
	buf_free(&wide);
	buf_free(b);
}

static void put_format(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n < 0 || buf_room(b, (size_t)n + 1) < 0)
		return;
	vsnprintf(b->p + b->len, (size_t)n + 1, fmt, ap);
	b->len += (size_t)n;
}

void say(struct ask *a, int status, enum style style, const char *fmt, ...)
{
	struct buf b = BUF(PAGE_MAX);
	va_list ap;

	va_start(ap, fmt);
	put_format(&b, fmt, ap);
	va_end(ap);
	say_json(a, status, style, &b);
}

void say_text(struct ask *a, int status, const char *fmt, ...)
{
	struct buf b = BUF(PAGE_MAX);
	va_list ap;

	va_start(ap, fmt);
	put_format(&b, fmt, ap);
	va_end(ap);
	say_bytes(a, status, text_type, b.p, b.len);
	buf_free(&b);
}

void say_error(struct ask *a, int status, const char *error, const char *message)
{
	struct buf b = BUF(PAGE_MAX);

	buf_puts(&b, "{\"error\":");
	json_puts(&b, error);
	if (message) {
		buf_puts(&b, ",\"message\":");
		json_puts(&b, message);
	}
	buf_putc(&b, '}');
	say_json(a, status, INDENT, &b);
}

void say_broken(struct ask *a)
{
	static const char text[] = "Internal Server Error";

	say_bytes(a, 500, text_type, text, sizeof text - 1);
}

void say_field(struct ask *a, const char *where, const char *name,
	       const char *msg, const char *type)
{
	struct buf b = BUF(4096);

	buf_puts(&b, "{\"detail\":[{\"loc\":[");
	json_puts(&b, where);
	if (name) {
		buf_putc(&b, ',');
		json_puts(&b, name);
	}
	buf_printf(&b, "],\"msg\":\"%s\",\"type\":\"%s\"}]}", msg, type);
	say_json(a, 422, COMPACT, &b);
}
