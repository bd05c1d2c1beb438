/* json.c - fuzz: any bytes as JSON, every value through every reader
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(int holds)
{
	if (!holds)
		abort();
}

/* A string read, written and read again is the same bytes. */
static void round_trip(const struct buf *s)
{
	struct buf text = BUF(JSON_MAX * 8), back = BUF(JSON_MAX);
	struct json_error e;
	struct json j;

	must(json_put(&text, s->p ? s->p : "", s->len) == 0);
	must(json_parse(&j, text.p, text.len, text.max, JSON_SURROGATE, &e) == 0);
	must(json_str(&j, 0, &back) == 0);
	must(back.len == s->len && (s->len == 0 || !memcmp(back.p, s->p, s->len)));
	json_free(&j);
	buf_free(&text);
	buf_free(&back);
}

static void read_scalar(const struct json *j, jv v)
{
	struct buf s = BUF(JSON_MAX);
	bool text = json_type(j, v) == JSON_STRING;
	char *copy = json_dup(j, v);
	const char *p;
	int64_t i;
	double d;
	size_t n;

	must(json_str(j, v, &s) == 0);
	must(!copy || (text && strlen(copy) == s.len && json_is(j, v, copy)));
	must(json_int(j, v, &i) < 0 || json_num(j, v, &d) == 0);
	must(!json_true(j, v) || (s.len == 4 && !memcmp(s.p, "true", 4)));
	must(json_count(j, v) == 0 && json_first(j, v) < 0);
	json_raw(j, v, &p, &n);
	must(p >= j->text && p + n <= j->text + j->len && n > 0);
	must(!text || (p[0] == '"' && p[n - 1] == '"'));
	if (text && s.len < 4096)
		round_trip(&s);
	free(copy);
	buf_free(&s);
}

/* How many tokens are at and below v. The depth is bounded: JSON_DEPTH. */
static int walk(const struct json *j, jv v)
{
	enum json_type type = json_type(j, v);
	int tokens = 1, members = 0, line, column;
	jv c, key;

	json_where(j, v, &line, &column);
	must(line > 0 && column > 0);
	if (type != JSON_ARRAY && type != JSON_OBJECT) {
		read_scalar(j, v);
		return 1;
	}
	for (c = json_first(j, v); c >= 0; c = json_next(j, v, c)) {
		if (type == JSON_OBJECT) {
			key = json_key(j, c);
			must(json_type(j, key) == JSON_STRING);
			read_scalar(j, key);
			tokens++;
		} else if (members < 8) {
			must(json_at(j, v, members) == c);
		}
		tokens += walk(j, c);
		members++;
	}
	must(members == json_count(j, v));
	must(json_get(j, v, "a") < 0 || type == JSON_OBJECT);
	return tokens;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	unsigned flags = n ? data[0] & 3 : 0;
	struct json_error e = { 0 };
	const char *text;
	struct json j;

	if (n == 0 || n > 4096)	/* json_where() is linear, this is not */
		return 0;
	text = (const char *)data + 1;
	if (json_parse(&j, text, n - 1, JSON_MAX, flags, &e) < 0) {
		must(e.line > 0 && e.column > 0 && e.what[0]);
		must(json_check(text, n - 1, flags, &e) < 0);
		return 0;
	}
	must(walk(&j, 0) == j.n);
	must(json_check(text, n - 1, JSON_INF | JSON_SURROGATE, &e) == j.n);
	json_free(&j);
	return 0;
}
