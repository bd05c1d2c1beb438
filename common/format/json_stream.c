/* json_stream.c - JSON objects out of an endless stream, one after the other
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>

#include "json_stream.h"

static bool blank(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* One byte of an object: is it the last? A bracket of the wrong kind ends it
 * as well: json_parse() refuses what comes of that. */
static bool last(struct json_stream *s, char c)
{
	if (s->escaped)
		s->escaped = false;
	else if (s->quoted && c == '\\')
		s->escaped = true;
	else if (c == '"')
		s->quoted = !s->quoted;
	else if (s->quoted)
		return false;
	else if (c == '{' || c == '[')
		s->depth++;
	else if (c == '}' || c == ']')
		return --s->depth == 0;
	return false;
}

static int add(struct json_stream *s, const char **p, size_t *n, size_t used)
{
	int rc = buf_add(&s->text, *p, used);

	*p += used;
	*n -= used;
	return rc;
}

int json_stream(struct json_stream *s, const char **p, size_t *n)
{
	size_t i;

	if (s->text.bad)
		return -1;
	if (s->whole)
		buf_reset(&s->text);
	s->whole = false;
	while (!s->depth && *n && blank(**p))
		++*p, --*n;
	if (!s->depth && *n && **p != '{') {
		s->text.bad = true;
		errno = EPROTO;
		return -1;
	}
	for (i = 0; i < *n && !s->whole; i++)
		s->whole = last(s, (*p)[i]);
	return add(s, p, n, i) < 0 ? -1 : s->whole;
}

void json_stream_free(struct json_stream *s)
{
	buf_free(&s->text);
	*s = (struct json_stream)JSON_STREAM(s->text.max);
}
