/* settings.c - values of LMCache's configuration, with the types they have
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "out.h"
#include "settings.h"

enum { WORD_MAX = 1 << 20 };

static int is_word(const char *s, const char *const *words)
{
	for (; *words; words++)
		if (!strcmp(s, *words))
			return 1;
	return 0;
}

static int as_bool(const char *word, struct buf *out, const char **why)
{
	static const char *const on[] = { "true", "True", "1", "on", "yes", NULL };
	static const char *const off[] = { "false", "False", "0", "off", "no", NULL };

	*why = "is now true or false: say one of the two";
	if (is_word(word, on))
		return buf_puts(out, "true");
	return is_word(word, off) ? buf_puts(out, "false") : -1;
}

/* The word as it stands, if it is JSON of one of these types. */
static int as_json(const char *word, unsigned types, struct buf *out)
{
	struct json_error e;
	struct json j;
	bool fits;

	if (json_parse(&j, word, strlen(word), WORD_MAX, 0, &e) < 0)
		return -1;
	fits = types & 1u << json_type(&j, 0);
	json_free(&j);
	return fits ? buf_puts(out, word) : -1;
}

static int as_number(const struct json *j, jv v, const char *word, struct buf *out,
		     const char **why)
{
	const char *raw;
	size_t n;

	json_raw(j, v, &raw, &n);
	*why = "is now a number: say one";
	if (!strcmp(word, "Infinity") || !strcmp(word, "-Infinity")) {
		if (memchr(raw, '.', n) || memchr(raw, 'I', n))
			return buf_puts(out, word);
		*why = "is now a whole number: it cannot be infinite";
		return -1;
	}
	if (as_json(word, 1u << JSON_NUMBER, out) < 0)
		return -1;
	if (!memchr(raw, '.', n) && !memchr(raw, 'I', n) && strpbrk(word, ".eE")) {
		*why = "is now a whole number: say one";
		return -1;
	}
	/* A float stays one: "5" where 5.0 was. */
	if (memchr(raw, '.', n) && !strpbrk(word, ".eE"))
		buf_puts(out, ".0");
	return 0;
}

static int as_null(const char *word, struct buf *out)
{
	if (as_json(word, ~(1u << JSON_STRING), out) == 0)
		return 0;
	return json_puts(out, word);
}

int setting_value(const struct json *j, jv v, const char *word, struct buf *out,
		  const char **why)
{
	enum json_type type = v < 0 ? JSON_NULL : json_type(j, v);

	if (!strcmp(word, "null"))
		return buf_puts(out, word);
	switch (type) {
	case JSON_BOOL:
		return as_bool(word, out, why);
	case JSON_NUMBER:
		return as_number(j, v, word, out, why);
	case JSON_STRING:
		return json_puts(out, word);
	case JSON_ARRAY:
	case JSON_OBJECT:
		*why = type == JSON_ARRAY ? "is now a list: say one in JSON"
			: "is now an object: say one in JSON";
		return as_json(word, 1u << type, out);
	default:
		return as_null(word, out);
	}
}

bool setting_same(const struct json *a, jv va, const struct json *b, jv vb)
{
	struct buf x = BUF(OUT_MAX), y = BUF(OUT_MAX);
	double p, q;
	bool same;

	if (va < 0 || vb < 0)
		return va < 0 && vb < 0;
	if (json_type(a, va) == JSON_NUMBER && json_type(b, vb) == JSON_NUMBER &&
	    json_num(a, va, &p) == 0 && json_num(b, vb, &q) == 0)
		return p == q || (p != p && q != q);
	js_value(&x, NULL, a, va);
	js_value(&y, NULL, b, vb);
	same = x.len == y.len && !memcmp(x.p, y.p, x.len);
	buf_free(&x);
	buf_free(&y);
	return same;
}
