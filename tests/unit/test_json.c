/* test_json.c - what is JSON, what is not, and what is read and written
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "test.h"

enum { ANY = JSON_INF | JSON_SURROGATE };

static const struct text {
	bool        ok;
	unsigned    flags;
	const char *p;
	size_t      n;
} texts[] = {
#define YES(s)     { true,  0, s, sizeof s - 1 },
#define NO(s)      { false, ANY, s, sizeof s - 1 },
#define YESF(f, s) { true,  f, s, sizeof s - 1 },
#define NOF(f, s)  { false, f, s, sizeof s - 1 },
	/* one value by itself, and blanks */
	YES("null") YES("true") YES("false") YES("0") YES("\"\"") YES("[]")
	YES("{}") YES(" [ ] ") YES("\t\r\n{\n}\r\n\t") YES("\"a\"") YES("-1")
	YES(" 1 ") YES("[null]") YES("[ [ ] , { } ]")
	NO("") NO(" ") NO("\n") NO("\0") NO("1\0") NO("[]\0") NO("\0[]")
	NO("\f[]") NO("\v1") NO("\xc2\xa0[]") NO("\xe2\x80\x8b[]")
	NO("\xef\xbb\xbf[]") NO("\xef\xbb\xbf") NO("\xfe\xff\0[\0]")
	NO("[\0]\0") NO("[]\xe2\x80\xa8") NO("\x1b[]")
	/* words */
	NO("nul") NO("nulll") NO("NULL") NO("True") NO("tru") NO("truee")
	NO("FALSE") NO("None") NO("undefined") NO("nil") NO("yes") NO("a")
	NO("[true false]") NO("[truefalse]") NO("[nulltrue]") NO("null null")
	NO("true1") NO("[fals]") NO("*") NO("#") NO("'") NO("=") NO("t")
	/* numbers */
	YES("-0") YES("10") YES("1.0") YES("0.0") YES("-0.5") YES("1e1")
	YES("1E1") YES("1e+1") YES("1e-1") YES("0e0") YES("0E+00") YES("1.5e10")
	YES("123456789012345678901234567890") YES("1e400") YES("-1e-400")
	YES("9223372036854775808") YES("[0,1,-2,3.5]") YES("[0e1]")
	YES("-0.0000000000000000000000000000000000000000000000000000000000001")
	NO("01") NO("-01") NO("00") NO("-") NO("+1") NO("1.") NO(".5") NO("-.5")
	NO("1.e1") NO("1e") NO("1e+") NO("1E-") NO("1ee1") NO("1e1.5") NO("0x1")
	NO("0x") NO("1a") NO("1_000") NO("1,000") NO("1 000") NO("--1") NO("-+1")
	NO("1-1") NO("1+1") NO("[-]") NO("[1.2.3]") NO("[-a]") NO("[1e1e1]")
	NO("[0.e1]") NO("[2.e+3]") NO("[-2.]") NO("[0.1.2]") NO("[1 .5]")
	NO("- 1") NO("[+Inf]") NO("1\xef\xbc\x91") NO("\xef\xbc\x91") NO("1L")
	/* what Python writes, only where it is asked for */
	YESF(JSON_INF, "NaN") YESF(JSON_INF, "Infinity") YESF(JSON_INF, "-Infinity")
	YESF(JSON_INF, "[NaN,Infinity,-Infinity]")
	YESF(JSON_INF, "{\"a\": Infinity}") YESF(JSON_INF, "[NaN , 1]")
	NOF(JSON_SURROGATE, "NaN") NOF(0, "Infinity") NOF(0, "-Infinity")
	NOF(0, "[NaN]") NOF(0, "{\"a\":Infinity}") NOF(0, "{\"a\":-Infinity}")
	NO("-NaN") NO("+Infinity") NO("Inf") NO("-Inf") NO("nan") NO("inf")
	NO("infinity") NO("Infinity1") NO("NaN0") NO("- Infinity") NO("{NaN:1}")
	NO("[Infinity") NO("Infinity Infinity") NO("--Infinity")
	/* strings */
	YES("\" \"") YES("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"") YES("\"\\u0000\"")
	YES("\"\\u00e9\\u20AC\"") YES("\"\\ud83d\\ude00\"") YES("\"\\uD83D\\uDE00\"")
	YES("\"\x7f\"") YES("\"\xc3\xa9\"") YES("\"\xe2\x82\xac\"")
	YES("\"\xf0\x9f\x98\x80\"") YES("\"\xf4\x8f\xbf\xbf\"") YES("\"\xef\xbf\xbf\"")
	YES("\"\xed\x9f\xbf\"") YES("\"\xee\x80\x80\"") YES("\"\xef\xbb\xbf\"")
	YES("\"\xe2\x80\xa8\"") YES("\"/*x*/\"") YES("[\"a\",\"b\"]") YES("\"'\"")
	YES("\"\\\\u0061\"") YES("\"[{,:}]\"") YES("\"\\uffff\"")
	NO("\"") NO("\"a") NO("\"\\\"") NO("\"\\") NO("a\"") NO("'a'") NO("\"a\"b")
	NO("\"\\a\"") NO("\"\\v\"") NO("\"\\0\"") NO("\"\\x41\"") NO("\"\\'\"")
	NO("\"\\U0041\"") NO("\"\\u\"") NO("\"\\u1\"") NO("\"\\u12\"")
	NO("\"\\u123\"") NO("\"\\u123g\"") NO("\"\\u 123\"") NO("\"\\u+123\"")
	NO("\"\\u") NO("\"\\u00") NO("\"\\ \"") NO("\"\\\n\"") NO("\"\\\0\"")
	NO("\"\\\xc3\xa9\"") NO("\"\n\"") NO("\"\t\"") NO("\"\r\"") NO("\"\0\"")
	NO("\"\x01\"") NO("\"\x1f\"") NO("\"a\0b\"") NO("[\"a\"\"b\"]")
	NO("\"\x80\"") NO("\"\xbf\"") NO("\"\xc0\xaf\"") NO("\"\xc1\xbf\"")
	NO("\"\xc3\"") NO("\"\xc3(\"") NO("\"\xe2\x82\"") NO("\"\xe0\x80\xaf\"")
	NO("\"\xe0\x9f\xbf\"") NO("\"\xed\xa0\x80\"") NO("\"\xed\xbf\xbf\"")
	NO("\"\xf0\x80\x80\xaf\"") NO("\"\xf0\x8f\xbf\xbf\"") NO("\"\xf0\x9f\x98\"")
	NO("\"\xf4\x90\x80\x80\"") NO("\"\xf5\x80\x80\x80\"") NO("\"\xff\"")
	NO("\"\xfe\"") NO("\"caf\xe9\"") NO("\"\xf8\x88\x80\x80\x80\"") NO("\"\xc3")
	/* half pairs */
	YESF(JSON_SURROGATE, "\"\\ud800\"") YESF(JSON_SURROGATE, "\"\\udce9\"")
	YESF(JSON_SURROGATE, "\"\\ud800\\ud800\"") YESF(JSON_SURROGATE, "\"\\ud800x\"")
	YESF(JSON_SURROGATE, "\"\\ud800\\u0041\"") YESF(JSON_SURROGATE, "\"\\ude00\\ud83d\"")
	NOF(0, "\"\\ud800\"") NOF(0, "\"\\udfff\"") NOF(0, "\"\\ud83d\\u0041\"")
	NOF(JSON_INF, "\"\\ud83dx\"") NOF(0, "\"\\ude00\\ud83d\"")
	NOF(0, "\"\\ud83d\\ud83d\\ude00\"") NO("\"\\ud83d\\u\"") NO("\"\\ud800\\\"")
	NO("\"\\ud83d\\ude0\"") NO("\"\\ud800\\x\"") NOF(0, "{\"\\udc00\":1}")
	/* arrays */
	YES("[1]") YES("[1,2]") YES("[[[]]]") YES("[\"\"]") YES("[1\n,\n2]")
	YES("[[],[],{}]") YES("[ 1 , [ 2 , [ 3 ] ] ]")
	NO("[") NO("]") NO("[1") NO("[1,") NO("[,") NO("[,]") NO("[1,]") NO("[,1]")
	NO("[1,,2]") NO("[1 2]") NO("[1;2]") NO("[[]") NO("[]]") NO("[][]")
	NO("[1}") NO("[\"a\":1]") NO("[1:2]") NO("[:]") NO("[1],") NO("[]1")
	NO("[[1,2]") NO("[*]") NO("[...]") NO("[//]") NO("[1,/**/2]") NO("1,2")
	NO("[\"a\",") NO("[\"a\",\n4\n,1,") NO("[{}") NO("[\"x\"]]") NO("(1)")
	NO("<1>") NO("[<null>]") NO("[\x01]") NO("[1,\x00]")
	/* objects */
	YES("{\"a\":1}") YES("{\"a\":1,\"a\":2}") YES("{\"\":0}") YES("{\"a\":{}}")
	YES("{ \"a\" : [ ] , \"b\" : null }") YES("{\"a\":{\"b\":{\"c\":[{}]}}}")
	YES("{\"\\u0061\":1}") YES("{\"\\u0000\":1}") YES("{\"a\":\"b\",\"c\":\"d\"}")
	NO("{") NO("}") NO("{]") NO("{\"a\"}") NO("{\"a\":}") NO("{\"a\":1,}")
	NO("{,}") NO("{,\"a\":1}") NO("{a:1}") NO("{'a':1}") NO("{1:1}")
	NO("{null:1}") NO("{\"a\" 1}") NO("{\"a\":1 \"b\":2}") NO("{\"a\":1,,\"b\":2}")
	NO("{\"a\":1;\"b\":2}") NO("{\"a\"::1}") NO("{\"a\":1:2}") NO("{\"a\",1}")
	NO("{\"a\"=1}") NO("{\"a\":1") NO("{\"a\":") NO("{\"a\"") NO("{\"a") NO("{}}")
	NO("{\"a\":1]") NO("{[]:1}") NO("{{}:1}") NO("{\"a\":1}{}") NO("{\"a\":1}#")
	NO("{\"a\":1}//x") NO("/*x*/{}") NO("{\"a\":1}/**/") NO("{:1}") NO("{\"a\":b}")
	NO("{\"a\":1 1}") NO("{\"a\":\"b\"c}") NO("{\"a\":\"b\" \"c\":1}") NO("{true:1}")
	NO("{\"a\":\"a\" 123}") NO("{\xf0\x9f\x87\xa8:1}") NO("{\"a\":1}\x00")
};

static int parse(struct json *j, const char *text, unsigned flags)
{
	struct json_error e;

	return json_parse(j, text, strlen(text), JSON_MAX, flags, &e);
}

/* The bytes in a block of their own, so that reading past them is caught. */
static int parse_copy(const char *p, size_t n, unsigned flags, struct json_error *e)
{
	char *copy = malloc(n ? n : 1);
	struct json j;
	int rc;

	memcpy(copy, p, n);
	rc = json_parse(&j, copy, n, JSON_MAX, flags, e);
	if (rc == 0)
		json_free(&j);
	free(copy);
	return rc;
}

TEST(a_text_is_accepted_exactly_when_it_is_json)
{
	struct json_error e;
	size_t i, wrong = 0;

	CHECK(sizeof texts / sizeof *texts >= 150);
	for (i = 0; i < sizeof texts / sizeof *texts; i++) {
		const struct text *t = &texts[i];

		if ((parse_copy(t->p, t->n, t->flags, &e) == 0) == t->ok)
			continue;
		printf("# case %zu: %.*s\n", i, (int)t->n, t->p);
		wrong++;
	}
	CHECK(wrong == 0);
}

TEST(every_beginning_of_an_array_or_object_is_refused_with_a_place)
{
	static const char text[] =
		"{\"a\":[1,-2.5e+3,true,null,\"\\u00e9\\n\xc3\xa9\"],\"b\":{\"c\":[]}}";
	struct json_error e;
	size_t n;

	for (n = 0; n < sizeof text - 1; n++) {
		CHECK(parse_copy(text, n, ANY, &e) < 0);
		CHECK(e.line == 1 && e.column >= 1 && e.column <= (int)n + 1);
		CHECK(e.what[0]);
	}
	CHECK(parse_copy(text, n, 0, &e) == 0);
}

static const struct complaint {
	const char *text;
	int         line, column;
	const char *what;
} complaints[] = {
	{ "", 1, 1, "expected a value but the text is empty" },
	{ " \n ", 2, 2, "expected a value but the text is empty" },
	{ "[1,2}", 1, 5, "expected ',' or ']' but found '}'" },
	{ "{\"a\":1]", 1, 7, "expected ',' or '}' but found ']'" },
	{ "[1 2]", 1, 4, "expected ',' or ']' but found '2'" },
	{ "[1,]", 1, 4, "expected a value but found ']'" },
	{ "[\n  1,\n  2\n  3\n]", 4, 3, "expected ',' or ']' but found '3'" },
	{ "{\"a\" 1}", 1, 6, "expected ':' but found '1'" },
	{ "{a:1}", 1, 2, "expected a name in double quotes but found 'a'" },
	{ "{\"a\":1,}", 1, 8, "expected a name in double quotes but found '}'" },
	{ "{'a':1}", 1, 2, "expected a name in double quotes but found '''" },
	{ "[", 1, 2, "expected a value but found the end" },
	{ "[1", 1, 3, "expected ',' or ']' but found the end" },
	{ "{\"a\":\n", 2, 1, "expected a value but found the end" },
	{ "[] []", 1, 4, "expected the end of the text but found '['" },
	{ "{} x", 1, 4, "expected the end of the text but found 'x'" },
	{ "[True]", 1, 2, "expected a value but found 'True'" },
	{ "[\"a\" \"b\"]", 1, 6, "expected ',' or ']' but found a string" },
	{ "[\xc3\xa9]", 1, 2, "expected a value but found byte 0xC3" },
	{ "[NaN]", 1, 2, "NaN is not JSON" },
	{ "{\"a\": Infinity}", 1, 7, "Infinity is not JSON" },
	{ "-Infinity", 1, 1, "-Infinity is not JSON" },
	{ "[01]", 1, 2, "'01' is not a number of JSON" },
	{ "[-]", 1, 2, "'-' is not a number of JSON" },
	{ "[1234567890123456789012345x]", 1, 2,
	  "'123456789012345678901234'... is not a number of JSON" },
	{ "[abcdefghijklmnopqrstuvwxyz]", 1, 2,
	  "expected a value but found 'abcdefghijklmnopqrstuvwx'..." },
	{ "\xef\xbb\xbf[]", 1, 1, "a byte order mark before the JSON text" },
	{ "[\"abc", 1, 2, "a string without its closing '\"'" },
	{ "[\"a\nb\"]", 1, 4, "a line break inside a string" },
	{ "[\"a\tb\"]", 1, 4, "control character 0x09 inside a string" },
	{ "[\"caf\xe9\"]", 1, 6, "byte 0xE9 is not UTF-8 here" },
	{ "[\"\\x41\"]", 1, 3, "'\\x' is not an escape of JSON" },
	{ "[\"\\\xc3\"]", 1, 3, "a '\\' that escapes nothing" },
	{ "[\"\\u12g4\"]", 1, 3, "\\u needs four hexadecimal digits" },
	{ "\"a\\ud800\"", 1, 3, "\\ud800 is half a surrogate pair" },
};

TEST(a_refusal_says_line_column_and_what_was_expected)
{
	struct json_error e;
	size_t i, wrong = 0;

	for (i = 0; i < sizeof complaints / sizeof *complaints; i++) {
		const struct complaint *c = &complaints[i];

		memset(&e, 0, sizeof e);
		if (parse_copy(c->text, strlen(c->text), 0, &e) < 0
		    && e.line == c->line && e.column == c->column
		    && strcmp(e.what, c->what) == 0)
			continue;
		printf("# %s: %d:%d: %s\n", c->text, e.line, e.column, e.what);
		wrong++;
	}
	CHECK(wrong == 0);
}

static void nest(struct buf *b, int depth, const char *open, const char *close)
{
	int i;

	buf_reset(b);
	for (i = 0; i < depth; i++)
		buf_puts(b, open);
	buf_puts(b, "1");
	for (i = 0; i < depth; i++)
		buf_puts(b, close);
}

TEST(nesting_is_taken_up_to_its_limit_and_not_beyond)
{
	struct buf b = BUF(1 << 20);
	struct json_error e;

	nest(&b, JSON_DEPTH, "[", "]");
	CHECK(parse_copy(b.p, b.len, 0, &e) == 0);
	nest(&b, JSON_DEPTH, "{\"a\":", "}");
	CHECK(parse_copy(b.p, b.len, 0, &e) == 0);
	nest(&b, JSON_DEPTH + 1, "[", "]");
	CHECK(parse_copy(b.p, b.len, 0, &e) < 0);
	CHECK(e.column == JSON_DEPTH + 1);
	CHECK(strcmp(e.what, "nesting deeper than 64") == 0);
	nest(&b, 100000, "[", "");
	CHECK(parse_copy(b.p, b.len, 0, &e) < 0);
	CHECK(strcmp(e.what, "nesting deeper than 64") == 0);
	buf_free(&b);
}

TEST(a_text_over_the_callers_ceiling_is_refused)
{
	struct json_error e;
	struct json j;

	CHECK(json_parse(&j, "[1,2]", 5, 5, 0, &e) == 0);
	json_free(&j);
	CHECK(json_parse(&j, "[1,2]", 5, 4, 0, &e) < 0);
	CHECK(strcmp(e.what, "longer than 4 bytes") == 0);
	CHECK(e.line == 1 && e.column == 1);
}

TEST(values_are_found_by_name_place_and_type)
{
	struct json j;
	jv list;

	CHECK(parse(&j, "{\"n\":null,\"t\":true,\"f\":false,\"i\":-7,"
		    "\"s\":\"x\",\"l\":[1,[2],{\"k\":3}],\"o\":{\"p\":{}},"
		    "\"i\":8,\"q\\u0022\":9}", 0) == 0);
	CHECK(json_type(&j, 0) == JSON_OBJECT);
	CHECK(json_count(&j, 0) == 9);
	CHECK(json_type(&j, json_get(&j, 0, "n")) == JSON_NULL);
	CHECK(json_type(&j, json_get(&j, 0, "t")) == JSON_BOOL);
	CHECK(json_true(&j, json_get(&j, 0, "t")));
	CHECK(!json_true(&j, json_get(&j, 0, "f")));
	CHECK(!json_true(&j, json_get(&j, 0, "n")));
	CHECK(json_type(&j, json_get(&j, 0, "i")) == JSON_NUMBER);
	CHECK(json_type(&j, json_get(&j, 0, "s")) == JSON_STRING);
	list = json_get(&j, 0, "l");
	CHECK(json_type(&j, list) == JSON_ARRAY);
	CHECK(json_count(&j, list) == 3);
	CHECK(json_count(&j, json_at(&j, list, 1)) == 1);
	CHECK(json_get(&j, json_at(&j, list, 2), "k") >= 0);
	CHECK(json_at(&j, list, 3) == -1);
	CHECK(json_at(&j, list, -1) == -1);
	CHECK(json_get(&j, 0, "q\"") >= 0);
	CHECK(json_get(&j, 0, "k") == -1);
	CHECK(json_get(&j, list, "k") == -1);
	CHECK(json_at(&j, 0, 0) == -1);
	json_free(&j);
	CHECK(j.tok == NULL);
}

TEST(of_two_members_of_one_name_the_last_one_wins)
{
	struct json j;
	int64_t i = 0;

	CHECK(parse(&j, "{\"a\":1,\"b\":2,\"\\u0061\":3}", 0) == 0);
	CHECK(json_int(&j, json_get(&j, 0, "a"), &i) == 0);
	CHECK(i == 3);
	json_free(&j);
}

TEST(every_reader_answers_absent_for_an_absent_value)
{
	struct buf b = BUF(100);
	struct json j;
	const char *p;
	size_t n;
	int64_t i;
	double d;
	int line, column;

	CHECK(parse(&j, "[]", 0) == 0);
	CHECK(json_count(&j, -1) == 0);
	CHECK(json_get(&j, -1, "a") == -1);
	CHECK(json_at(&j, -1, 0) == -1);
	CHECK(json_first(&j, -1) == -1);
	CHECK(json_first(&j, 0) == -1);
	CHECK(json_next(&j, -1, -1) == -1);
	CHECK(json_key(&j, -1) == -1);
	CHECK(!json_is(&j, -1, ""));
	CHECK(json_str(&j, -1, &b) == -1);
	CHECK(json_str(&j, 0, &b) == -1);
	CHECK(b.len == 0);
	CHECK(json_dup(&j, -1) == NULL);
	CHECK(!json_true(&j, -1));
	CHECK(json_int(&j, -1, &i) == -1);
	CHECK(json_num(&j, -1, &d) == -1);
	json_raw(&j, -1, &p, &n);
	CHECK(n == 0);
	json_where(&j, -1, &line, &column);
	CHECK(line == 0 && column == 0);
	json_free(&j);
}

TEST(walking_meets_every_value_once_and_in_order)
{
	struct json j;
	jv v;
	int64_t i, want = 1;
	char name[2] = "a";

	CHECK(parse(&j, "{\"a\":1,\"b\":2,\"c\":{\"x\":[9,{\"a\":9}]},\"d\":[[],9],"
		    "\"e\":5,\"f\":{},\"g\":7}", 0) == 0);
	for (v = json_first(&j, 0); v >= 0; v = json_next(&j, 0, v)) {
		CHECK(json_is(&j, json_key(&j, v), name));
		if (json_type(&j, v) == JSON_NUMBER) {
			CHECK(json_int(&j, v, &i) == 0);
			CHECK(i == want);
		}
		name[0]++;
		want++;
	}
	CHECK(want == 8);
	json_free(&j);
}

/* json_next is one look-up: if it searched, 200,000 members would take
 * minutes here. */
TEST(large_containers_are_walked_in_linear_time)
{
	enum { MANY = 200000 };
	struct buf b = BUF(8 << 20);
	struct json_error e;
	struct json j;
	int i, members = 0;
	jv v;

	buf_puts(&b, "{");
	for (i = 0; i < MANY; i++)
		buf_printf(&b, "%s\"k%d\":[{},%d]", i ? "," : "", i, i);
	CHECK(buf_puts(&b, "}") == 0);
	CHECK(json_parse(&j, b.p, b.len, 8 << 20, 0, &e) == 0);
	CHECK(json_count(&j, 0) == MANY);
	for (v = json_first(&j, 0); v >= 0; v = json_next(&j, 0, v))
		members += json_count(&j, v) == 2;
	CHECK(members == MANY);
	CHECK(json_get(&j, 0, "k199999") >= 0);
	json_free(&j);
	buf_free(&b);
}

static bool reads_as(const char *text, unsigned flags, const char *want, size_t n)
{
	struct buf b = BUF(100);
	struct json j;
	bool same;

	if (parse(&j, text, flags) < 0)
		return false;
	same = json_str(&j, 0, &b) == 0 && b.len == n
		&& (n == 0 || memcmp(b.p, want, n) == 0);
	json_free(&j);
	buf_free(&b);
	return same;
}
#define READS(text, flags, want) reads_as(text, flags, want, sizeof want - 1)

TEST(strings_are_decoded_to_their_bytes)
{
	CHECK(READS("\"\"", 0, ""));
	CHECK(READS("\"a\\\"\\\\\\/\\b\\f\\n\\r\\tz\"", 0, "a\"\\/\b\f\n\r\tz"));
	CHECK(READS("\"\\u0041\\u00e9\\u20ac\\uFFFD\"", 0, "A\xc3\xa9\xe2\x82\xac\xef\xbf\xbd"));
	CHECK(READS("\"\\ud83d\\ude00!\"", 0, "\xf0\x9f\x98\x80!"));
	CHECK(READS("\"\\udbff\\udfff\"", 0, "\xf4\x8f\xbf\xbf"));
	CHECK(READS("\"a\\u0000b\"", 0, "a\0b"));
	CHECK(READS("\"\xc3\xa9\\n\xc3\xa9\"", 0, "\xc3\xa9\n\xc3\xa9"));
	CHECK(READS("\"caf\\udce9\"", JSON_SURROGATE, "caf\xe9"));
	CHECK(READS("\"\\udcc3\\udca9\"", JSON_SURROGATE, "\xc3\xa9"));
	CHECK(READS("\"\\ud800x\"", JSON_SURROGATE, "\xef\xbf\xbdx"));
	CHECK(READS("\"\\ud800\\u0041\"", JSON_SURROGATE, "\xef\xbf\xbd" "A"));
	CHECK(READS("\"\\udc00\"", JSON_SURROGATE, "\xef\xbf\xbd"));
	CHECK(READS("-1.50", 0, "-1.50"));
	CHECK(READS("null", 0, "null"));
}

TEST(a_string_equals_its_decoded_text_only)
{
	struct json j;

	CHECK(parse(&j, "[\"a\\u0062c\",\"a\\u0000\",\"\",1]", 0) == 0);
	CHECK(json_is(&j, 1, "abc"));
	CHECK(!json_is(&j, 1, "ab"));
	CHECK(!json_is(&j, 1, "abcd"));
	CHECK(!json_is(&j, 1, "a\\u0062c"));
	CHECK(!json_is(&j, 2, "a"));
	CHECK(json_is(&j, 3, ""));
	CHECK(!json_is(&j, 3, "a"));
	CHECK(!json_is(&j, 4, "1"));
	json_free(&j);
}

TEST(a_copy_is_made_of_strings_without_nul_only)
{
	struct json j;
	char *s;

	CHECK(parse(&j, "[\"x\\ty\",\"a\\u0000b\",7,null,\"\"]", 0) == 0);
	s = json_dup(&j, 1);
	CHECK(s && strcmp(s, "x\ty") == 0);
	free(s);
	CHECK(json_dup(&j, 2) == NULL);
	CHECK(json_dup(&j, 3) == NULL);
	CHECK(json_dup(&j, 4) == NULL);
	s = json_dup(&j, 5);
	CHECK(s && *s == '\0');
	free(s);
	json_free(&j);
}

TEST(integers_are_read_in_range_and_only_as_integers)
{
	struct json j;
	int64_t i;
	int k;

	CHECK(parse(&j, "[9223372036854775807,-9223372036854775808,0,-0,42,"
		    "9223372036854775808,-9223372036854775809,1.0,1e3,\"1\",true,"
		    "99999999999999999999999999,NaN,-Infinity]", JSON_INF) == 0);
	CHECK(json_int(&j, 1, &i) == 0 && i == INT64_MAX);
	CHECK(json_int(&j, 2, &i) == 0 && i == INT64_MIN);
	CHECK(json_int(&j, 3, &i) == 0 && i == 0);
	CHECK(json_int(&j, 4, &i) == 0 && i == 0);
	CHECK(json_int(&j, 5, &i) == 0 && i == 42);
	for (k = 6; k < j.n; k++)
		CHECK(json_int(&j, k, &i) == -1);
	json_free(&j);
}

TEST(numbers_are_read_in_the_range_of_a_double)
{
	struct json j;
	double d;

	CHECK(parse(&j, "[0.1,-2.5e3,Infinity,-Infinity,NaN,1e400,-1e400,\"1\","
		    "0.00000000000000000000000000000000000000000000000000000000"
		    "00000000000000000001]", JSON_INF) == 0);
	CHECK(json_num(&j, 1, &d) == 0 && d == 0.1);
	CHECK(json_num(&j, 2, &d) == 0 && d == -2500);
	CHECK(json_num(&j, 3, &d) == 0 && isinf(d) && d > 0);
	CHECK(json_num(&j, 4, &d) == 0 && isinf(d) && d < 0);
	CHECK(json_num(&j, 5, &d) == 0 && isnan(d));
	CHECK(json_num(&j, 6, &d) == -1);
	CHECK(json_num(&j, 7, &d) == -1);
	CHECK(json_num(&j, 8, &d) == -1);
	CHECK(json_num(&j, 9, &d) == 0 && d > 0 && d < 1e-70);
	json_free(&j);
}

TEST(a_values_bytes_and_its_place_are_those_of_the_text)
{
	struct json j;
	const char *p;
	size_t n;
	int line, column;

	CHECK(parse(&j, "{\n  \"a\": \"x\\ny\",\n\t\"b\": [1, {\"c\":2}]\n}", 0) == 0);
	json_raw(&j, json_get(&j, 0, "a"), &p, &n);
	CHECK(n == 6 && memcmp(p, "\"x\\ny\"", 6) == 0);
	json_where(&j, json_get(&j, 0, "a"), &line, &column);
	CHECK(line == 2 && column == 8);
	json_raw(&j, json_get(&j, 0, "b"), &p, &n);
	CHECK(n == 12 && memcmp(p, "[1, {\"c\":2}]", 12) == 0);
	json_where(&j, json_at(&j, json_get(&j, 0, "b"), 1), &line, &column);
	CHECK(line == 3 && column == 11);
	json_where(&j, 0, &line, &column);
	CHECK(line == 1 && column == 1);
	json_free(&j);
}

static bool writes_as(const char *p, size_t n, const char *want)
{
	struct buf b = BUF(200);
	bool same = json_put(&b, p, n) == 0 && strcmp(b.p, want) == 0;

	buf_free(&b);
	return same;
}
#define WRITES(in, want) writes_as(in, sizeof in - 1, want)

TEST(strings_are_written_as_python_would_read_them_back)
{
	struct buf b = BUF(20);

	CHECK(WRITES("", "\"\""));
	CHECK(WRITES("a\"b\\c/", "\"a\\\"b\\\\c/\""));
	CHECK(WRITES("\b\f\n\r\t\0\x1f\x7f", "\"\\b\\f\\n\\r\\t\\u0000\\u001f\x7f\""));
	CHECK(WRITES("\xc3\xa9\xf0\x9f\x98\x80", "\"\xc3\xa9\xf0\x9f\x98\x80\""));
	CHECK(WRITES("caf\xe9", "\"caf\\udce9\""));
	CHECK(WRITES("\xed\xa0\x80", "\"\\udced\\udca0\\udc80\""));
	CHECK(WRITES("\xc3", "\"\\udcc3\""));
	CHECK(json_puts(&b, NULL) == 0 && strcmp(b.p, "null") == 0);
	buf_free(&b);
}

TEST(writing_over_the_ceiling_fails)
{
	struct buf b = BUF(5);

	CHECK(json_put(&b, "abcd", 4) == -1);
	CHECK(b.bad);
	buf_free(&b);
}

TEST(any_bytes_written_are_read_back_unchanged)
{
	struct buf b = BUF(4096), back = BUF(4096);
	struct json_error e;
	struct json j;
	char bytes[300];
	unsigned seed = 1, i, round;

	for (round = 0; round < 500; round++) {
		for (i = 0; i < sizeof bytes; i++) {
			seed = seed * 1103515245 + 12345;
			bytes[i] = (char)(seed >> 16);
		}
		buf_reset(&b);
		buf_reset(&back);
		CHECK(json_put(&b, bytes, sizeof bytes) == 0);
		CHECK(json_parse(&j, b.p, b.len, JSON_MAX, JSON_SURROGATE, &e) == 0);
		CHECK(json_str(&j, 0, &back) == 0);
		json_free(&j);
		CHECK(back.len == sizeof bytes);
		CHECK(memcmp(back.p, bytes, sizeof bytes) == 0);
	}
	buf_free(&b);
	buf_free(&back);
}

TEST(utf8_sequences_are_measured)
{
	CHECK(json_utf8("", 0) == 0);
	CHECK(json_utf8("a", 1) == 1);
	CHECK(json_utf8("\xc3\xa9", 2) == 2);
	CHECK(json_utf8("\xc3\xa9", 1) == 0);
	CHECK(json_utf8("\xe2\x82\xac", 3) == 3);
	CHECK(json_utf8("\xf0\x9f\x98\x80", 4) == 4);
	CHECK(json_utf8("\xf0\x9f\x98\x80", 3) == 0);
	CHECK(json_utf8("\x80", 1) == 0);
}
