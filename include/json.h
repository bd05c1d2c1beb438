/* json.h - JSON in and out (RFC 8259): jsmn's tokens, our strictness
 * SPDX-License-Identifier: Apache-2.0
 *
 * jsmn splits the text into tokens; a pass of ours before it refuses all that
 * RFC 8259 refuses (commas, numbers, escapes, UTF-8, controls, trailing data,
 * lone surrogates, depth), so that jsmn only sees valid text. One exception,
 * when the caller asks: the bare words NaN, Infinity and -Infinity that
 * Python's json.dumps writes (protocol.md 1.5).
 */
#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

enum {
	JSON_DEPTH    = 64,		/* arrays and objects inside another */
	JSON_MAX      = 1 << 20,	/* bytes, unless the caller says more */
	JSON_INF      = 1,		/* flag: accept NaN, Infinity, -Infinity */
	JSON_SURROGATE = 2		/* flag: accept lone \uD800..\uDFFF escapes */
};

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json_error {
	int  line, column;	/* from 1; columns in bytes */
	char what[96];		/* "expected ',' or '}' but found 'x'" */
};

struct json_tok;

struct json {
	const char *text;	/* the caller's, must outlive this */
	size_t      len;
	struct json_tok *tok;	/* malloc'd, 20 bytes each; freed by json_free */
	int         n;
};

/* A value is its token's index: 0 is the root, -1 is "absent" and every
 * reader below takes it and answers "absent". */
typedef int jv;

/* 0, or -1 with *e filled (ceilings included: max bytes, JSON_DEPTH). */
int  json_parse(struct json *j, const char *p, size_t n, size_t max,
		unsigned flags, struct json_error *e);
void json_free(struct json *j);

/* The strict pass by itself: no allocation, no recursion, time linear in n.
 * The number of tokens (values and member names), or -1 with *e filled. */
long json_check(const char *p, size_t n, unsigned flags, struct json_error *e);
/* Line and column of the byte at offset. */
void json_place(const char *text, size_t offset, int *line, int *column);
/* Bytes of the one UTF-8 sequence (RFC 3629) that p begins with, 0 if none. */
size_t json_utf8(const char *p, size_t n);

enum json_type json_type(const struct json *j, jv v);	/* v >= 0 */
int  json_count(const struct json *j, jv v);	/* elements or members */
jv   json_get(const struct json *j, jv obj, const char *key);	/* last one wins */
jv   json_at(const struct json *j, jv arr, int i);
/* Walks arrays and objects in order without quadratic cost: start with
 * json_first(), -1 ends. For an object the value is the member's value and
 * json_key() gives its name's token. */
jv   json_first(const struct json *j, jv container);
jv   json_next(const struct json *j, jv container, jv child);
jv   json_key(const struct json *j, jv member_value);

bool json_is(const struct json *j, jv v, const char *s);	/* string equal, decoded */
/* Appends the decoded string (or, for other scalars, their text). 0 or -1.
 * A lone \udc80..\udcff becomes the byte that json_put() wrote it for, any
 * other lone surrogate U+FFFD. */
int  json_str(const struct json *j, jv v, struct buf *out);
char *json_dup(const struct json *j, jv v);	/* decoded, malloc'd, NULL if absent/not a string or with a NUL inside */
bool json_true(const struct json *j, jv v);	/* only for literal true */
int  json_int(const struct json *j, jv v, int64_t *out);	/* integer in range: 0, else -1 */
int  json_num(const struct json *j, jv v, double *out);	/* number in range (and Inf, NaN): 0, else -1 */
void json_raw(const struct json *j, jv v, const char **p, size_t *n);	/* its bytes, quotes included */
void json_where(const struct json *j, jv v, int *line, int *column);

/* Writes a JSON string, quotes included. Bytes that are not UTF-8 become
 * \udcXX as Python's surrogateescape writes them. */
int  json_put(struct buf *b, const char *p, size_t n);
int  json_puts(struct buf *b, const char *s);	/* NULL writes null */

#endif
