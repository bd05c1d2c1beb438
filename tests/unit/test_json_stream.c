/* test_json_stream.c - JSON objects out of an endless stream
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>

#include "json_stream.h"
#include "test.h"

/* What comes of a text given step bytes at a time, each piece in memory of its
 * own: the objects parted by |, then what is left unfinished, or "!". */
static const char *split(const char *text, size_t step, size_t max)
{
	static struct buf out = BUF(1 << 16);
	struct json_stream s = JSON_STREAM(max);
	size_t len = strlen(text), n, at;
	const char *p;
	char *piece;
	int r = 0;

	buf_reset(&out);
	buf_puts(&out, "");
	for (at = 0; at < len && r >= 0; at += step) {
		n = len - at < step ? len - at : step;
		p = piece = malloc(n);
		memcpy(piece, text + at, n);
		while ((r = json_stream(&s, &p, &n)) > 0)
			buf_printf(&out, "%s|", s.text.p);
		if (r == 0 && n)
			return "something is left";
		free(piece);
	}
	if (r < 0)
		buf_putc(&out, '!');
	else
		buf_add(&out, s.text.p ? s.text.p : "", s.text.len);
	json_stream_free(&s);
	return out.p;
}

static const struct { const char *text, *want; } rows[] = {
	{ "", "" },
	{ " \r\n\t", "" },
	{ "{}", "{}|" },
	{ "{}{}", "{}|{}|" },
	{ "{\"a\":1}\n{\"b\":[{}]}\n", "{\"a\":1}|{\"b\":[{}]}|" },
	{ "{\"}\":\"{[\"} {", "{\"}\":\"{[\"}|{" },
	{ "{\"\\\"}\":1}{\"\\\\\":2}", "{\"\\\"}\":1}|{\"\\\\\":2}|" },
	{ "{\"a\":\"\\u007d\"", "{\"a\":\"\\u007d\"" },
	{ "{]{}", "{]|{}|" },
	{ "{}x", "{}|!" },
	{ "[1]", "!" },
	{ "null\n", "!" },
	{ "}{", "!" },
	{ "HTTP/1.1 200", "!" }
};

TEST(objects_come_out_whole_however_the_stream_is_cut)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (size_t step = 1; step <= strlen(rows[i].text) + 1; step++)
			CHECK_STR(split(rows[i].text, step, 1024), rows[i].want);
}

TEST(an_object_over_the_ceiling_is_refused_and_nothing_comes_after_it)
{
	struct json_stream s = JSON_STREAM(8);
	const char *p = "{\"a\":\"0123456789\"} {}";
	size_t n = strlen(p);

	CHECK_STR(split("{\"a\":12}{\"a\":1}", 3, 8), "{\"a\":12}|{\"a\":1}|");
	CHECK_STR(split("{\"a\":123}", 1, 8), "!");
	CHECK_INT(json_stream(&s, &p, &n), -1);
	CHECK_INT(errno, EFBIG);
	p = "{}";
	n = 2;
	CHECK_INT(json_stream(&s, &p, &n), -1);
	json_stream_free(&s);
	CHECK_INT(json_stream(&s, &p, &n), 1);
	json_stream_free(&s);
}
