/* http.h - HTTP/1.1 heads and chunked bodies, strictly (RFC 9110, RFC 9112)
 * SPDX-License-Identifier: Apache-2.0
 *
 * Bytes in, values out: no I/O, no allocation, no state outside the structs.
 * Spans point into the caller's buffer. Nothing lenient: bare CR or LF, NUL,
 * obs-fold, a space before the colon, framing that two readers could read in
 * two ways are all HTTP_BAD (threats.md T8).
 */
#ifndef HTTP_H
#define HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	HTTP_MORE       = 0,
	HTTP_BAD        = -1,
	HTTP_HEAD_MAX   = 16 << 10,	/* bytes of a head, its blank line included */
	HTTP_FIELDS_MAX = 100
};

struct span { const char *p; size_t n; };
bool span_is(struct span s, const char *text);		/* equal */
bool span_is_nocase(struct span s, const char *text);	/* equal, ASCII case folded */

enum http_method { M_GET, M_HEAD, M_POST, M_PUT, M_DELETE, M_PATCH, M_OPTIONS, M_OTHER };

/* Fields that somebody here acts on; all else is F_OTHER. */
enum http_field_id {
	F_OTHER, F_HOST, F_CONNECTION, F_CONTENT_LENGTH, F_TRANSFER_ENCODING,
	F_TE, F_TRAILER, F_UPGRADE, F_KEEP_ALIVE, F_PROXY_CONNECTION,
	F_PROXY_AUTHENTICATE, F_PROXY_AUTHORIZATION, F_EXPECT, F_VIA,
	F_FORWARDED, F_X_FORWARDED_FOR, F_X_FORWARDED_PROTO, F_X_FORWARDED_HOST,
	F_AUTHORIZATION, F_ORIGIN, F_SEC_FETCH_SITE, F_ACCEPT, F_ACCEPT_ENCODING,
	F_IF_NONE_MATCH, F_CONTENT_TYPE, F_SET_COOKIE, F_REFRESH, F_LINK,
	F_CSP, F_CORS, F_KEPT_BACK, F_DATE, F_SERVER, F_COOKIE, F_HOPS, F_SCRAPE_TIMEOUT
};

struct http_field {
	struct span name, value;	/* value without surrounding blanks */
	enum http_field_id id;
};

enum http_body { BODY_NONE, BODY_LENGTH, BODY_CHUNKED, BODY_CLOSE };

struct http_head {
	struct span method_text, target;	/* requests */
	struct span path, query;	/* target split at the first '?'; query without it, p NULL if none */
	enum http_method method;
	int  minor;			/* HTTP/1.minor: 0 or 1 */
	int  status;			/* responses; on HTTP_BAD for a request: what to answer */
	const char *why;		/* on HTTP_BAD: a static phrase */
	enum http_body body;
	uint64_t length;		/* BODY_LENGTH: bytes */
	bool keep;			/* this side lets the connection stay open */
	bool expect;			/* Expect: 100-continue */
	bool upgrade;			/* Upgrade wanted */
	bool te_trailers;		/* TE: trailers */
	struct span host;		/* Host value */
	int  n;
	struct http_field f[HTTP_FIELDS_MAX];
};

/* One head at p[0..n): bytes used, HTTP_MORE, or HTTP_BAD with .status and
 * .why (400, 414, 417, 431, 501, 505; for a response any bad one). CRLFs
 * before a request line are skipped and counted as used. */
long http_request(struct http_head *h, const char *p, size_t n);
long http_response(struct http_head *h, const char *p, size_t n, enum http_method asked);

const struct http_field *http_find(const struct http_head *h, enum http_field_id id);
/* Does a list-valued Connection field name this field? */
bool http_connection_names(const struct http_head *h, struct span name);

/* Chunked decoding, in place: payload bytes are moved together to the front.
 * Give zeroed state at the start of a body. */
struct chunks {
	uint64_t left;		/* payload bytes to come in this chunk */
	uint32_t line;		/* bytes of the current line or trailer so far */
	uint8_t  state, digits, seen;
	bool     done;
};
enum { CHUNK_LINE_MAX = 256, CHUNK_TRAILER_MAX = 8 << 10 };

/* Consumes up to n bytes at p: *payload bytes now stand at p[0..]. Returns
 * how many input bytes were used (all, unless .done), or HTTP_BAD. */
long http_chunks(struct chunks *c, char *p, size_t n, size_t *payload);

const char *http_reason(int status);	/* "Not Found"; "" if unknown */

#endif
