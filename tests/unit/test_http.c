/* test_http.c - heads and chunked bodies, good and bad, whole and in pieces
 * SPDX-License-Identifier: Apache-2.0
 *
 * Every input stands directly before a page that cannot be read, and is given
 * to the parser at each length from nothing to the whole: a piece is asked
 * for more until the verdict falls, and the verdict never changes afterwards.
 */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "http.h"
#include "test.h"

enum { AREA = 128 << 10, WALL = 64 << 10, REQUEST = -1 };

/* n bytes that end where the readable memory ends. */
static char *at_the_edge(const char *p, size_t n)
{
	static char *area;

	if (!area) {
		area = mmap(NULL, AREA + WALL, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (area == MAP_FAILED || mprotect(area + AREA, WALL, PROT_NONE))
			exit(2);
	}
	memcpy(area + AREA - n, p, n);
	return area + AREA - n;
}

/* asked: the method of the request that a response answers, or REQUEST. */
static long parse(struct http_head *h, const char *p, size_t n, int asked)
{
	p = at_the_edge(p, n);
	return asked == REQUEST ? http_request(h, p, n)
		: http_response(h, p, n, (enum http_method)asked);
}

/* The verdict on the whole; -100 when a piece was judged differently. */
static long in_pieces(struct http_head *h, const char *p, size_t n, int asked)
{
	long whole = parse(h, p, n, asked), piece;
	int status = h->status;

	for (size_t k = 0; k < n; k++) {
		piece = parse(h, p, k, asked);
		if (whole > 0 && piece != ((long)k < whole ? HTTP_MORE : whole))
			return -100;
		if (whole <= 0 && piece != HTTP_MORE &&
		    (piece != whole || h->status != status))
			return -100;
		if (piece == HTTP_BAD && (!h->why || !h->why[0]))
			return -100;
	}
	return parse(h, p, n, asked);
}

/* What a head says, as text. */
static const char *said(const struct http_head *h)
{
	static const char *const bodies[] = {
		[BODY_NONE] = "none", [BODY_LENGTH] = "length",
		[BODY_CHUNKED] = "chunked", [BODY_CLOSE] = "close",
	};
	static char text[256];
	int n = snprintf(text, sizeof text, "1.%d %s", h->minor, bodies[h->body]);

	if (h->body == BODY_LENGTH)
		n += snprintf(text + n, sizeof text - (size_t)n, ":%llu",
			      (unsigned long long)h->length);
	snprintf(text + n, sizeof text - (size_t)n, "%s%s%s%s %d",
		 h->keep ? " keep" : "", h->expect ? " expect" : "",
		 h->upgrade ? " upgrade" : "", h->te_trailers ? " trailers" : "",
		 h->n);
	return text;
}

/* A failed row is shown whole; the rest is looked at all the same. */
static int wrong;

static void row_failed(const char *p, size_t n, const char *got, const char *want)
{
	printf("# \"");
	for (size_t i = 0; i < n && i < 300; i++)
		printf(p[i] < ' ' || p[i] == 0x7f || p[i] == '"' || p[i] == '\\'
		       ? "\\x%02x" : "%c", (unsigned char)p[i]);
	printf("\"\n#   is: %s\n#   not: %s\n", got, want);
	wrong++;
}

struct row {
	const char *p;
	size_t      n;
	const char *want;	/* as said() has it, "more", or the status */
	int         asked;	/* responses */
};

static void judge(const struct row *r, int asked)
{
	char text[300];
	struct http_head h;
	long used = in_pieces(&h, r->p, r->n, asked);

	if (used > 0)
		snprintf(text, sizeof text, "%s%s", said(&h),
			 used < (long)r->n ? " rest" : "");
	else if (used == HTTP_MORE)
		snprintf(text, sizeof text, "more");
	else if (used == HTTP_BAD)
		snprintf(text, sizeof text, "%d", h.status);
	else
		snprintf(text, sizeof text, "judged differently in pieces");
	if (strcmp(text, r->want) != 0)
		row_failed(r->p, r->n, text, r->want);
}

static void judge_all(const struct row *rows, size_t n, int asked)
{
	wrong = 0;
	for (size_t i = 0; i < n; i++)
		judge(&rows[i], asked == REQUEST ? REQUEST : rows[i].asked);
	CHECK_INT(wrong, 0);
}

#define ALL(rows, asked) judge_all(rows, sizeof rows / sizeof *rows, asked)
#define W(text, want) { text, sizeof text - 1, want, M_GET }
/* A request with one more field. */
#define F(field, want) W("GET / HTTP/1.1\r\nHost: a\r\n" field "\r\n\r\n", want)
/* A request line by itself. */
#define L(line, want) W(line "\r\nHost: a\r\n\r\n", want)


static const struct row good_requests[] = {
	L("GET / HTTP/1.1", "1.1 none keep 1"),
	L("GET / HTTP/1.0", "1.0 none 1"),
	W("GET / HTTP/1.0\r\n\r\n", "1.0 none 0"),
	L("GET / HTTP/1.9", "1.1 none keep 1"),
	L("HEAD / HTTP/1.1", "1.1 none keep 1"),
	L("POST / HTTP/1.1", "1.1 none keep 1"),
	L("PUT / HTTP/1.1", "1.1 none keep 1"),
	L("DELETE / HTTP/1.1", "1.1 none keep 1"),
	L("PATCH / HTTP/1.1", "1.1 none keep 1"),
	L("OPTIONS / HTTP/1.1", "1.1 none keep 1"),
	L("OPTIONS * HTTP/1.1", "1.1 none keep 1"),
	L("GET /a/b?c=d&e=%20 HTTP/1.1", "1.1 none keep 1"),
	L("GET /%2e%2e//..;x=1 HTTP/1.1", "1.1 none keep 1"),
	/* RFC 9112 2.2: empty lines before a request line are skipped */
	W("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "1.1 none keep 1"),
	W("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "1.1 none keep 1"),
	/* what follows the head is not the head's */
	W("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /", "1.1 none keep 1 rest"),
	W("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
	  "1.1 length:2 keep 2 rest"),
	/* RFC 9112 2.1, 9110 3.9: their own example */
	W("GET /hello.txt HTTP/1.1\r\nUser-Agent: curl/7.64.1\r\n"
	  "Host: www.example.com\r\nAccept-Language: en, mi\r\n\r\n",
	  "1.1 none keep 3"),
	/* RFC 9112 3.2.1, 3.2.4 */
	W("GET /where?q=now HTTP/1.1\r\nHost: www.example.org\r\n\r\n",
	  "1.1 none keep 1"),
	W("OPTIONS * HTTP/1.1\r\nHost: www.example.org:8001\r\n\r\n",
	  "1.1 none keep 1"),

	F("Content-Length: 0", "1.1 length:0 keep 2"),
	F("Content-Length: 000", "1.1 length:0 keep 2"),
	F("Content-Length: 9223372036854775807",
	  "1.1 length:9223372036854775807 keep 2"),
	F("content-length:5", "1.1 length:5 keep 2"),
	F("CONTENT-LENGTH: \t 5 \t ", "1.1 length:5 keep 2"),
	F("Transfer-Encoding: chunked", "1.1 chunked keep 2"),
	F("transfer-encoding:CHUNKED", "1.1 chunked keep 2"),
	F("Transfer-Encoding: \tChunked \t", "1.1 chunked keep 2"),

	F("Connection: close", "1.1 none 2"),
	F("Connection: Close", "1.1 none 2"),
	F("Connection: keep-alive", "1.1 none keep 2"),
	F("Connection: keep-alive, close", "1.1 none 2"),
	F("Connection: close, keep-alive", "1.1 none 2"),
	F("Connection: x\r\nConnection: close", "1.1 none 3"),
	F("Connection: close\r\nConnection: keep-alive", "1.1 none 3"),
	F("Connection: , ,\tclose,", "1.1 none 2"),
	F("Connection: closed", "1.1 none keep 2"),
	F("Connection:", "1.1 none keep 2"),
	W("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "1.0 none keep 1"),
	W("GET / HTTP/1.0\r\nConnection: Keep-Alive, TE\r\n\r\n", "1.0 none keep 1"),
	W("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", "1.0 none 1"),
	W("POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\n", "1.0 length:3 1"),

	F("Expect: 100-continue", "1.1 none keep expect 2"),
	F("Expect: 100-Continue", "1.1 none keep expect 2"),
	F("Expect: 100-continue\r\nContent-Length: 4", "1.1 length:4 keep expect 3"),
	/* RFC 9110 10.1.1: of HTTP/1.0 it is ignored */
	W("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n",
	  "1.0 length:1 2"),
	F("Upgrade: websocket", "1.1 none keep upgrade 2"),
	F("TE: trailers", "1.1 none keep trailers 2"),
	F("TE: gzip, trailers;q=0.5", "1.1 none keep 2"),
	F("TE: deflate, Trailers", "1.1 none keep trailers 2"),

	/* names and values that look odd and are not */
	F("!#$%&'*+-.^_`|~09azAZ: x", "1.1 none keep 2"),
	F("X:", "1.1 none keep 2"),
	F("X: \t", "1.1 none keep 2"),
	F("X: a\tb \"c\" (d) \\ : ;", "1.1 none keep 2"),
	F("X: caf\xc3\xa9 \x80\xff", "1.1 none keep 2"),
	F("X_Y: 1", "1.1 none keep 2"),
	F("Content-Length-X: nine", "1.1 none keep 2"),
	F("Cookie: a=b; c=d", "1.1 none keep 2"),

	W("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n", "1.1 none keep 1"),
	W("GET / HTTP/1.1\r\nHost: example.com:\r\n\r\n", "1.1 none keep 1"),
	W("GET / HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n", "1.1 none keep 1"),
	W("GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n", "1.1 none keep 1"),
	W("GET / HTTP/1.1\r\nHost: [::1]:8000\r\n\r\n", "1.1 none keep 1"),
	W("GET / HTTP/1.1\r\nhost:\tA.b-c_d~e\r\n\r\n", "1.1 none keep 1"),
	W("GET / HTTP/1.1\r\nX: 1\r\nHost: a\r\n\r\n", "1.1 none keep 2"),
};

TEST(good_requests_are_read_whole_and_in_pieces)
{
	ALL(good_requests, REQUEST);
}

static const struct row bad_requests[] = {
	/* ends of lines */
	W("GET / HTTP/1.1\nHost: a\n\n", "400"),
	W("GET / HTTP/1.1\nHost: a\r\n\r\n", "400"),
	W("GET / HTTP/1.1\r\nHost: a\n\r\n", "400"),
	W("GET / HTTP/1.1\r\nHost: a\r\n\n", "400"),
	W("GET / HTTP/1.1\rHost: a\r\r\n\r\n", "400"),
	W("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "400"),
	W("\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "400"),
	W("\r\rGET / HTTP/1.1\r\n\r\n", "400"),
	F("X: a\rb", "400"),
	F("X: a\r", "400"),
	F("X: a\nb", "400"),
	F("X: a\r\n\rb: c", "400"),
	/* the request line */
	W("GET /\r\n\r\n", "400"),
	W("GET\r\n\r\n", "400"),
	W(" GET / HTTP/1.1\r\n\r\n", "400"),
	L("GET  / HTTP/1.1", "400"),
	L("GET /  HTTP/1.1", "400"),
	L("GET / HTTP/1.1 ", "400"),
	L("GET\t/ HTTP/1.1", "400"),
	L("GET /\tHTTP/1.1", "400"),
	L("GET / x HTTP/1.1", "400"),
	L("GET / http/1.1", "400"),
	L("GET / HTTP/1", "400"),
	L("GET / HTTP/1.", "400"),
	L("GET / HTTP/.1", "400"),
	L("GET / HTTP/1.10", "400"),
	L("GET / HTTP/11", "400"),
	L("GET / HTTP/01.1", "400"),
	L("GET / HTTP/1,1", "400"),
	L("GET / HTTPS/1.1", "400"),
	L("GET / XTTP/1.1", "400"),
	L("GET HTTP/1.1", "400"),
	L("G<T / HTTP/1.1", "400"),
	L("GE\x80T / HTTP/1.1", "400"),
	W("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", "400"),
	W("GE\0T / HTTP/1.1\r\nHost: a\r\n\r\n", "400"),
	L("GET /\x01 HTTP/1.1", "400"),
	L("GET /\x7f HTTP/1.1", "400"),
	L("GET /caf\xc3\xa9 HTTP/1.1", "400"),
	L("GET /a#b HTTP/1.1", "400"),
	/* what is not a path */
	L("GET http://a/ HTTP/1.1", "400"),
	L("GET HTTP://127.0.0.1:80/x HTTP/1.1", "400"),
	L("GET a:443 HTTP/1.1", "400"),
	L("GET * HTTP/1.1", "400"),
	L("GET ?x HTTP/1.1", "400"),
	L("GET x/y HTTP/1.1", "400"),
	L("GET \\x HTTP/1.1", "400"),
	L("GET %2F HTTP/1.1", "400"),
	L("OPTIONS ** HTTP/1.1", "400"),
	/* methods and versions not spoken */
	L("CONNECT a:443 HTTP/1.1", "501"),
	L("TRACE / HTTP/1.1", "501"),
	L("get / HTTP/1.1", "501"),
	L("GETX / HTTP/1.1", "501"),
	L("GE / HTTP/1.1", "501"),
	L("PROPFIND / HTTP/1.1", "501"),
	L("GET / HTTP/0.9", "505"),
	L("GET / HTTP/2.0", "505"),
	L("GET / HTTP/9.9", "505"),
	W("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505"),
	/* Host */
	W("GET / HTTP/1.1\r\n\r\n", "400"),
	W("GET / HTTP/1.1\r\nX: 1\r\n\r\n", "400"),
	F("Host: a", "400"),
	F("host: b", "400"),
	W("GET / HTTP/1.1\r\nHost:\r\n\r\n", "400"),
	W("GET / HTTP/1.1\r\nHost: \t\r\n\r\n", "400"),
	W("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "400"),
	W("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "400"),
	W("GET / HTTP/1.1\r\nHost: http://a\r\n\r\n", "400"),
	W("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", "400"),
	W("GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", "400"),
	W("GET / HTTP/1.1\r\nHost: a:80:90\r\n\r\n", "400"),
	W("GET / HTTP/1.1\r\nHost: a:123456\r\n\r\n", "400"),
	W("GET / HTTP/1.1\r\nHost: a:-1\r\n\r\n", "400"),
	W("GET / HTTP/1.1\r\nHost: :80\r\n\r\n", "400"),
	W("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", "400"),
	W("GET / HTTP/1.1\r\nHost: []\r\n\r\n", "400"),
	W("GET / HTTP/1.1\r\nHost: [g::1]\r\n\r\n", "400"),
	W("GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n", "400"),
	W("GET / HTTP/1.1\r\nHost: [fe80::1%25eth0]\r\n\r\n", "400"),
	W("GET / HTTP/1.1\r\nHost: ::1\r\n\r\n", "400"),
	W("GET / HTTP/1.1\r\nHost: a?b\r\n\r\n", "400"),
	W("GET / HTTP/1.1\r\nHost: a#b\r\n\r\n", "400"),
	W("GET / HTTP/1.1\r\nHost: \"a\"\r\n\r\n", "400"),
	W("GET / HTTP/1.1\r\nHost: caf\xc3\xa9\r\n\r\n", "400"),
	W("GET / HTTP/1.0\r\nHost: a b\r\n\r\n", "400"),
	/* header lines */
	W("GET / HTTP/1.1\r\n Host: a\r\n\r\n", "400"),
	F("X: 1\r\n folded", "400"),
	F("X: 1\r\n\tfolded", "400"),
	F("X: 1\r\n ", "400"),
	F(" X: 1", "400"),
	F("X : 1", "400"),
	F("X\t: 1", "400"),
	F("X", "400"),
	F("X 1", "400"),
	F(": 1", "400"),
	F("X Y: 1", "400"),
	F("X(Y): 1", "400"),
	F("X\x80: 1", "400"),
	F("X@Y: 1", "400"),
	F("X: \x01", "400"),
	F("X: \x7f", "400"),
	F("X: \x1b[2J", "400"),
	W("GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n", "400"),
	W("GET / HTTP/1.1\r\nHost: a\r\nX\0Y: 1\r\n\r\n", "400"),
	F("Content-Length : 5", "400"),
	F("Transfer-Encoding : chunked", "400"),
	F("Transfer-Encoding\x0b: chunked", "400"),
	/* Content-Length */
	F("Content-Length:", "400"),
	F("Content-Length: x", "400"),
	F("Content-Length: +5", "400"),
	F("Content-Length: -5", "400"),
	F("Content-Length: 5 5", "400"),
	F("Content-Length: 5,5", "400"),
	F("Content-Length: 5, 5", "400"),
	F("Content-Length: 5,6", "400"),
	F("Content-Length: 0x5", "400"),
	F("Content-Length: 5.0", "400"),
	F("Content-Length: 1e3", "400"),
	F("Content-Length: \"5\"", "400"),
	F("Content-Length: 9223372036854775808", "400"),
	F("Content-Length: 18446744073709551615", "400"),
	F("Content-Length: 18446744073709551617", "400"),
	F("Content-Length: 99999999999999999999999", "400"),
	F("Content-Length: 5\r\nContent-Length: 5", "400"),
	F("Content-Length: 5\r\nContent-Length: 6", "400"),
	F("Content-Length: 5\r\ncontent-length: 5", "400"),
	F("Content-Length: 0\r\nContent-Length: 0", "400"),
	/* Transfer-Encoding */
	F("Content-Length: 5\r\nTransfer-Encoding: chunked", "400"),
	F("Transfer-Encoding: chunked\r\nContent-Length: 5", "400"),
	F("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "400"),
	F("Transfer-Encoding: chunked, chunked", "400"),
	F("Transfer-Encoding: chunked, gzip", "400"),
	F("Transfer-Encoding: chunked, identity", "400"),
	F("Transfer-Encoding:", "400"),
	F("Transfer-Encoding: gzip", "501"),
	F("Transfer-Encoding: identity", "501"),
	F("Transfer-Encoding: gzip, chunked", "501"),
	F("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked", "501"),
	F("Transfer-Encoding: xchunked", "501"),
	F("Transfer-Encoding: chunkedx", "501"),
	F("Transfer-Encoding: chunked;q=1", "501"),
	F("Transfer-Encoding: \"chunked\"", "501"),
	F("Transfer-Encoding: 'chunked'", "501"),
	F("Transfer-Encoding: chunked,", "501"),
	F("Transfer-Encoding: ,chunked", "501"),
	F("Transfer-Encoding: \x0b" "chunked", "400"),
	W("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "400"),
	W("POST / HTTP/1.0\r\nTransfer-Encoding: identity\r\n\r\n", "400"),
	/* expectations */
	F("Expect: 200-ok", "417"),
	F("Expect:", "417"),
	F("Expect: 100-continue, x", "417"),
	F("Expect: 100-continue\r\nExpect: y", "417"),
	/* bytes of another protocol */
	W("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n", "400"),
	W("SSH-2.0-OpenSSH_9.2\r\n", "400"),
	W("\0\0\0\0\r\n", "400"),
};

TEST(bad_requests_get_their_status_whole_and_in_pieces)
{
	ALL(bad_requests, REQUEST);
}

static const struct row unfinished[] = {
	W("", "more"), W("\r", "more"), W("\r\n", "more"), W("\r\n\r\n", "more"),
	W("G", "more"), W("GET / HTTP/1.1", "more"), W("GET / HTTP/1.1\r", "more"),
	W("GET / HTTP/1.1\r\n", "more"), W("GET / HTTP/1.1\r\n\r", "more"),
	W("GET / HTTP/1.1\r\nHost: a\r\n", "more"),
	W("GET / HTTP/1.1\r\nHost: a\r\n\r", "more"),
	W("GET / HTTP/1.1\r\nHost: a\r\nContent-Le", "more"),
};

TEST(an_unfinished_head_asks_for_more)
{
	ALL(unfinished, REQUEST);
}

/* ---- responses ---- */

/* A response with one more field. */
#define R(field, want) W("HTTP/1.1 200 OK\r\n" field "\r\n\r\n", want)
#define TO(method, text, want) { text, sizeof text - 1, want, method }

static const struct row good_responses[] = {
	W("HTTP/1.1 200 OK\r\n\r\n", "1.1 close 0"),
	W("HTTP/1.1 200 \r\n\r\n", "1.1 close 0"),
	W("HTTP/1.1 200\r\n\r\n", "1.1 close 0"),
	W("HTTP/1.0 200 OK\r\n\r\n", "1.0 close 0"),
	W("HTTP/1.1 599 caf\xc3\xa9 \t!\r\n\r\n", "1.1 close 0"),
	W("HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nno.",
	  "1.1 length:3 keep 1 rest"),
	R("Content-Length: 0", "1.1 length:0 keep 1"),
	R("Content-Length: 5\r\nConnection: close", "1.1 length:5 2"),
	R("Transfer-Encoding: chunked", "1.1 chunked keep 1"),
	R("Connection: keep-alive", "1.1 close 1"),
	R("Host: a b", "1.1 close 1"),		/* means nothing here */
	R("Expect: x", "1.1 close 1"),
	W("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\n",
	  "1.0 length:1 keep 2"),
	W("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n", "1.0 length:1 1"),
	W("HTTP/1.1 100 Continue\r\n\r\n", "1.1 none keep 0"),
	W("HTTP/1.1 103 Early Hints\r\nContent-Length: 9\r\n\r\n", "1.1 none keep 1"),
	W("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
	  "1.1 none keep upgrade 2"),
	W("HTTP/1.1 204 No Content\r\n\r\n", "1.1 none keep 0"),
	W("HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\n", "1.1 none keep 1"),
	W("HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n",
	  "1.1 none keep 1"),
	W("HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n",
	  "1.1 none keep 1"),
	TO(M_HEAD, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", "1.1 none keep 1"),
	TO(M_HEAD, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
	   "1.1 none keep 1"),
	TO(M_HEAD, "HTTP/1.1 200 OK\r\n\r\n", "1.1 none keep 0"),
	TO(M_POST, "HTTP/1.1 201 Created\r\nContent-Length: 7\r\n\r\n",
	   "1.1 length:7 keep 1"),
};

TEST(good_responses_are_read_whole_and_in_pieces)
{
	ALL(good_responses, M_GET);
}

static const struct row bad_responses[] = {
	W("HTTP/1.1 200 OK\n\n", "502"),
	W("\r\nHTTP/1.1 200 OK\r\n\r\n", "502"),
	W("HTTP/1.1  200 OK\r\n\r\n", "502"),
	W("HTTP/1.1 20 OK\r\n\r\n", "502"),
	W("HTTP/1.1 2000 OK\r\n\r\n", "502"),
	W("HTTP/1.1 2x0 OK\r\n\r\n", "502"),
	W("HTTP/1.1 099 OK\r\n\r\n", "502"),
	W("HTTP/1.1 600 OK\r\n\r\n", "502"),
	W("HTTP/1.1 200OK\r\n\r\n", "502"),
	W("HTTP/1.1 -20 OK\r\n\r\n", "502"),
	W("HTTP/1.1\t200 OK\r\n\r\n", "502"),
	W("HTTP/1.1 200\tOK\r\n\r\n", "502"),
	W("HTTP/1.1 200 O\x01K\r\n\r\n", "502"),
	W("HTTP/1.1 200 O\rK\r\n\r\n", "502"),
	W("HTTP/1.1 200 O\0K\r\n\r\n", "502"),
	W("HTTP/2.0 200 OK\r\n\r\n", "502"),
	W("HTTP/1. 200 OK\r\n\r\n", "502"),
	W("HTTP/1.x 200 OK\r\n\r\n", "502"),
	W("http/1.1 200 OK\r\n\r\n", "502"),
	W("ICY 200 OK\r\n\r\n", "502"),
	W("200 OK\r\n\r\n", "502"),
	W("<html>hello</html>\r\n", "502"),
	W("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "502"),
	R("X: 1\r\n folded", "502"),
	R("X : 1", "502"),
	R("X: \x01", "502"),
	R("no colon", "502"),
	R("Content-Length: 5\r\nContent-Length: 5", "502"),
	R("Content-Length: 5\r\nContent-Length: 6", "502"),
	R("Content-Length: -1", "502"),
	R("Content-Length: 5\r\nTransfer-Encoding: chunked", "502"),
	R("Transfer-Encoding: chunked\r\nContent-Length: 5", "502"),
	R("Transfer-Encoding: gzip, chunked", "502"),
	R("Transfer-Encoding: chunked, identity", "502"),
	R("Transfer-Encoding: identity", "502"),
	W("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "502"),
	/* the answer to HEAD frames nothing, and is read as strictly */
	TO(M_HEAD, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
	   "502"),
	W("HTTP/1.1 304 Not Modified\r\nContent-Length: x\r\n\r\n", "502"),
};

TEST(bad_responses_are_502_whole_and_in_pieces)
{
	ALL(bad_responses, M_GET);
}

TEST(a_response_keeps_its_status_and_reason)
{
	struct http_head h;

	CHECK(parse(&h, "HTTP/1.1 404 Not here\r\n\r\n", 26 - 1, M_GET) > 0);
	CHECK_INT(h.status, 404);
	CHECK_MEM(h.target.p, h.target.n, "404 Not here");
}

/* ---- what a head points at ---- */

TEST(spans_point_at_the_parts_of_a_request)
{
	static const char text[] =
		"PATCH /a%2Fb/c?x=1?y HTTP/1.1\r\nHost: h:1\r\nX-Y: \t v w \t\r\nE:\r\n\r\n";
	struct http_head h;

	CHECK(parse(&h, text, sizeof text - 1, REQUEST) > 0);
	CHECK_INT(h.method, M_PATCH);
	CHECK_MEM(h.method_text.p, h.method_text.n, "PATCH");
	CHECK_MEM(h.target.p, h.target.n, "/a%2Fb/c?x=1?y");
	CHECK_MEM(h.path.p, h.path.n, "/a%2Fb/c");
	CHECK_MEM(h.query.p, h.query.n, "x=1?y");
	CHECK_MEM(h.host.p, h.host.n, "h:1");
	CHECK_INT(h.n, 3);
	CHECK_MEM(h.f[1].name.p, h.f[1].name.n, "X-Y");
	CHECK_MEM(h.f[1].value.p, h.f[1].value.n, "v w");
	CHECK_MEM(h.f[2].value.p, h.f[2].value.n, "");
}

TEST(an_empty_query_is_not_the_same_as_none)
{
	struct http_head h;

	CHECK(parse(&h, "GET /a? HTTP/1.0\r\n\r\n", 20, REQUEST) > 0);
	CHECK(h.query.p != NULL);
	CHECK_INT(h.query.n, 0);
	CHECK_INT(h.path.n, 2);
	CHECK(parse(&h, "GET /a HTTP/1.0\r\n\r\n", 19, REQUEST) > 0);
	CHECK(h.query.p == NULL);
}

static const struct { const char *name; enum http_field_id id; } ids[] = {
	{ "Host", F_HOST }, { "Connection", F_CONNECTION }, { "TE", F_TE },
	{ "Content-Length", F_CONTENT_LENGTH }, { "Via", F_VIA },
	{ "Transfer-Encoding", F_TRANSFER_ENCODING }, { "Trailer", F_TRAILER },
	{ "Upgrade", F_UPGRADE }, { "Keep-Alive", F_KEEP_ALIVE },
	{ "Proxy-Connection", F_PROXY_CONNECTION }, { "Expect", F_EXPECT },
	{ "Proxy-Authenticate", F_PROXY_AUTHENTICATE },
	{ "Proxy-Authorization", F_PROXY_AUTHORIZATION },
	{ "Forwarded", F_FORWARDED }, { "X-Forwarded-For", F_X_FORWARDED_FOR },
	{ "X-Forwarded-Proto", F_X_FORWARDED_PROTO },
	{ "X-Forwarded-Host", F_X_FORWARDED_HOST },
	{ "Authorization", F_AUTHORIZATION }, { "Origin", F_ORIGIN },
	{ "Sec-Fetch-Site", F_SEC_FETCH_SITE }, { "Accept", F_ACCEPT },
	{ "Accept-Encoding", F_ACCEPT_ENCODING }, { "Date", F_DATE },
	{ "If-None-Match", F_IF_NONE_MATCH }, { "Server", F_SERVER },
	{ "Content-Type", F_CONTENT_TYPE }, { "Set-Cookie", F_SET_COOKIE },
	{ "Refresh", F_REFRESH }, { "Link", F_LINK }, { "Cookie", F_COOKIE },
	{ "Content-Security-Policy", F_CSP }, { "X-Lmc-Hops", F_HOPS },
	{ "Access-Control-Allow-Origin", F_CORS },
	{ "Access-Control-Allow-Credentials", F_CORS },
	{ "Access-Control-Allow-Headers", F_CORS },
	{ "Access-Control-Allow-Methods", F_CORS },
	{ "Access-Control-Expose-Headers", F_CORS },
	{ "Access-Control-Max-Age", F_CORS },
	{ "X-Prometheus-Scrape-Timeout-Seconds", F_SCRAPE_TIMEOUT },
	{ "Hosts", F_OTHER }, { "Hos", F_OTHER }, { "X-Lmc-Hop", F_OTHER },
	{ "Transfer_Encoding", F_OTHER }, { "Content\xadLength", F_OTHER },
	{ "A-Name-That-Is-Longer-Than-Any-Known-One", F_OTHER },
};

static enum http_field_id id_of(const char *name, char flip)
{
	char text[128];
	struct http_head h;
	int n = snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\n%s: 0\r\n\r\n", name);

	for (int i = 17; flip && text[i] != ':'; i++)
		if ((text[i] >= 'a' && text[i] <= 'z') ||
		    (text[i] >= 'A' && text[i] <= 'Z'))
			text[i] ^= flip;
	return parse(&h, text, (size_t)n, M_GET) > 0 ? h.f[0].id : F_OTHER;
}

TEST(fields_are_known_by_name_in_any_case)
{
	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
		if (ids[i].id == F_TRANSFER_ENCODING)
			continue;	/* "0" is no coding: the head is bad */
		CHECK_INT(id_of(ids[i].name, 0), ids[i].id);
		CHECK_INT(id_of(ids[i].name, ' '), ids[i].id);
	}
}

static bool named(const char *fields, const char *name)
{
	char text[512];
	struct http_head h;
	int n = snprintf(text, sizeof text, "GET / HTTP/1.0\r\n%s\r\n", fields);

	return parse(&h, text, (size_t)n, REQUEST) > 0 &&
	       http_connection_names(&h, (struct span){ name, strlen(name) });
}

TEST(connection_names_fields_of_one_hop)
{
	CHECK(named("Connection: X-A\r\n", "x-a"));
	CHECK(named("Connection: close, X-A\r\n", "X-A"));
	CHECK(named("Connection:X-A,X-B\r\n", "X-B"));
	CHECK(named("Connection: close\r\nConnection: \tX-B \r\n", "X-B"));
	CHECK(!named("Connection: X-A\r\n", "X-AB"));
	CHECK(!named("Connection: X-AB\r\n", "X-A"));
	CHECK(!named("X-Connection: X-A\r\n", "X-A"));
	CHECK(!named("Connection: \r\n", ""[0] ? "" : "X-A"));
}

TEST(spans_compare_as_whole_words)
{
	struct span s = { "Close!", 5 };

	CHECK(span_is(s, "Close"));
	CHECK(!span_is(s, "close"));
	CHECK(!span_is(s, "Clos"));
	CHECK(!span_is(s, "Close!"));
	CHECK(span_is_nocase(s, "cLOSE"));
	CHECK(!span_is_nocase(s, "clos"));
	CHECK(!span_is_nocase(s, "close!"));
	CHECK(span_is((struct span){ NULL, 0 }, ""));
}

/* ---- ceilings ---- */

/* A head of just so many bytes, its blank line included. */
static size_t long_head(char *out, size_t bytes, bool in_line)
{
	static const char line[] = "GET /", rest[] = " HTTP/1.1\r\nHost: a\r\nX: ";
	size_t pad = bytes - (sizeof line - 1) - (sizeof rest - 1) - 4, n = 0;

	memcpy(out, line, n = sizeof line - 1);
	if (in_line) {
		memset(out + n, 'a', pad);
		n += pad;
	}
	memcpy(out + n, rest, sizeof rest - 1);
	n += sizeof rest - 1;
	if (!in_line) {
		memset(out + n, 'a', pad);
		n += pad;
	}
	memcpy(out + n, "\r\n\r\n", 4);
	return n + 4;
}

TEST(a_head_of_16_kib_passes_and_one_byte_more_does_not)
{
	static char text[AREA];
	struct http_head h;
	size_t n;

	for (int in_line = 0; in_line < 2; in_line++) {
		n = long_head(text, HTTP_HEAD_MAX, in_line);
		CHECK_INT(n, HTTP_HEAD_MAX);
		CHECK_INT(in_pieces(&h, text, n, REQUEST), HTTP_HEAD_MAX);
		n = long_head(text, HTTP_HEAD_MAX + 1, in_line);
		CHECK_INT(in_pieces(&h, text, n, REQUEST), HTTP_BAD);
		CHECK_INT(h.status, 431);
	}
}

TEST(a_request_line_over_16_kib_is_414_and_other_lines_are_431)
{
	static char text[AREA];
	struct http_head h;

	memset(text, 'a', sizeof text);
	memcpy(text, "GET /", 5);
	CHECK_INT(in_pieces(&h, text, HTTP_HEAD_MAX - 1, REQUEST), HTTP_MORE);
	CHECK_INT(in_pieces(&h, text, HTTP_HEAD_MAX, REQUEST), HTTP_BAD);
	CHECK_INT(h.status, 414);
	memcpy(text + 17000, " HTTP/1.1\r\nHost: a\r\n\r\n", 22);
	CHECK_INT(in_pieces(&h, text, 17022, REQUEST), HTTP_BAD);
	CHECK_INT(h.status, 414);
	memcpy(text, "GET / HTTP/1.1\r\n", 16);
	CHECK_INT(in_pieces(&h, text, HTTP_HEAD_MAX + 600, REQUEST), HTTP_BAD);
	CHECK_INT(h.status, 431);
}

/* The limit comes first, however the line that crosses it would end. */
TEST(a_line_over_the_limit_is_too_long_whatever_its_end_is)
{
	static char text[AREA];
	struct http_head h;

	memset(text, 'a', sizeof text);
	memcpy(text, "GET / HTTP/1.1\r\nX: ", 19);
	text[17000] = '\n';
	CHECK_INT(in_pieces(&h, text, 17001, REQUEST), HTTP_BAD);
	CHECK_INT(h.status, 431);
}

static size_t many_fields(char *out, int fields)
{
	static const char first[] = "GET / HTTP/1.1\r\nHost: a\r\n";
	size_t n = sizeof first - 1;

	memcpy(out, first, n);
	for (int i = 1; i < fields; i++) {
		memcpy(out + n, "X: 1\r\n", 6);
		n += 6;
	}
	memcpy(out + n, "\r\n", 2);
	return n + 2;
}

TEST(a_hundred_fields_pass_and_one_more_is_431)
{
	static char text[AREA];
	struct http_head h;

	CHECK(in_pieces(&h, text, many_fields(text, HTTP_FIELDS_MAX), REQUEST) > 0);
	CHECK_INT(h.n, HTTP_FIELDS_MAX);
	CHECK_INT(in_pieces(&h, text, many_fields(text, HTTP_FIELDS_MAX + 1), REQUEST),
		  HTTP_BAD);
	CHECK_INT(h.status, 431);
}

/* ---- chunked bodies ---- */

struct decoded {
	char   p[512];
	size_t n, used;
	bool   done, bad;
};

/* Decodes text in pieces that end at each multiple of step from first on. */
static struct decoded decode(const char *text, size_t n, size_t first, size_t step)
{
	struct chunks c = { 0 };
	struct decoded d = { .n = 0 };
	size_t at = 0, payload;

	while (at < n && !d.bad && !c.done) {
		size_t take = at ? step : first;
		char *p;
		long used;

		if (take > n - at)
			take = n - at;
		p = at_the_edge(text + at, take);
		used = http_chunks(&c, p, take, &payload);
		d.bad = used < 0;
		if (d.bad)
			break;
		memcpy(d.p + d.n, p, payload);
		d.n += payload;
		at += (size_t)used;
		if (!c.done && (size_t)used != take)
			d.bad = true;	/* a promise broken */
	}
	d.used = at;
	d.done = c.done;
	return d;
}

static bool same(const struct decoded *a, const struct decoded *b)
{
	return a->bad == b->bad && a->done == b->done && a->n == b->n &&
	       !memcmp(a->p, b->p, a->n) && (a->bad || a->used == b->used);
}

struct chunk_row {
	const char *p;
	size_t      n;
	const char *want;	/* payload; NULL: broken */
	bool        more;	/* not at its end yet */
	size_t      rest;	/* bytes after its end */
};

#define C(text, want) { text, sizeof text - 1, want, false, 0 }
#define MORE(text, want) { text, sizeof text - 1, want, true, 0 }
#define REST(text, want, rest) { text, sizeof text - 1, want, false, rest }

static const struct chunk_row chunk_rows[] = {
	C("0\r\n\r\n", ""),
	C("5\r\nhello\r\n0\r\n\r\n", "hello"),
	C("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world"),
	C("a\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
	C("A\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
	C("00000005\r\nhello\r\n000\r\n\r\n", "hello"),
	C("0000000000000005\r\nhello\r\n0\r\n\r\n", "hello"),
	C("2\r\n\r\n\r\n0\r\n\r\n", "\r\n"),
	C("5\r\n0\r\n\r\n\r\n0\r\n\r\n", "0\r\n\r\n"),
	/* extensions are read over (RFC 9112 7.1.1) */
	C("5;x\r\nhello\r\n0\r\n\r\n", "hello"),
	C("5;x=1;y=\"a b\"\r\nhello\r\n0;z\r\n\r\n", "hello"),
	C("5 ;x = 1\r\nhello\r\n0\t;\r\n\r\n", "hello"),
	/* trailers are read over, and dropped */
	C("0\r\nX: 1\r\n\r\n", ""),
	C("1\r\na\r\n0\r\nX: 1\r\nContent-Length: 9\r\nY:\r\n\r\n", "a"),
	REST("0\r\n\r\nGET /", "", 5),
	REST("1\r\na\r\n0\r\n\r\n\r\n", "a", 2),
	MORE("", ""), MORE("5", ""), MORE("5\r", ""), MORE("5\r\n", ""),
	MORE("5\r\nhel", "hel"), MORE("5\r\nhello", "hello"),
	MORE("5\r\nhello\r", "hello"), MORE("5\r\nhello\r\n", "hello"),
	MORE("0\r\n", ""), MORE("0\r\n\r", ""), MORE("0\r\nX", ""),
	MORE("0\r\nX: 1\r\n", ""), MORE("5;ext", ""),
	MORE("7fffffffffffffff\r\nab", "ab"),
	/* sizes */
	C("\r\nhello\r\n0\r\n\r\n", NULL),
	C("x\r\n", NULL), C("g\r\n", NULL), C("-5\r\nhello\r\n", NULL),
	C("+5\r\nhello\r\n", NULL), C("0x5\r\nhello\r\n", NULL),
	C(" 5\r\nhello\r\n", NULL), C("\t5\r\nhello\r\n", NULL),
	C("5x\r\nhello\r\n", NULL), C("5_0\r\n", NULL), C("5,5\r\n", NULL),
	C("5.\r\nhello\r\n", NULL), C("5h\r\n", NULL), C(";x\r\n", NULL),
	C("8000000000000000\r\n", NULL), C("ffffffffffffffff\r\n", NULL),
	C("fffffffffffffffff\r\n", NULL), C("10000000000000000\r\n", NULL),
	C("10000000000000005\r\nhello\r\n", NULL),
	C("00000000000000005\r\nhello\r\n", NULL),
	C("5 5\r\nhello\r\n0\r\n\r\n", NULL),
	C("5 x\r\nhello\r\n0\r\n\r\n", NULL),
	C("5\t6\r\nhello\r\n0\r\n\r\n", NULL),
	C("5 \r\nhello\r\n0\r\n\r\n", NULL),
	C("0 1\r\n\r\n", NULL),
	/* ends of lines */
	C("5\nhello\n0\n\n", NULL), C("5\nhello\r\n0\r\n\r\n", NULL),
	C("5\r\rhello\r\n", NULL), C("5\rhello\r\n", NULL),
	C("5;x\nhello\r\n", NULL), C("5;x\rhello\r\n", NULL),
	C("5;\x01\r\nhello\r\n", NULL), C("5;\0\r\nhello\r\n", NULL),
	C("5\r\nhello\n0\r\n\r\n", NULL), C("5\r\nhello0\r\n\r\n", NULL),
	C("5\r\nhelloo\r\n0\r\n\r\n", NULL), C("5\r\nhell\r\n0\r\n\r\n", NULL),
	C("5\r\nhello\r0\r\n\r\n", NULL), C("5\r\nhello\r\r\n", NULL),
	C("5\r\nhello\r\n\r\n0\r\n\r\n", NULL),
	/* trailers */
	C("0\r\n\n", NULL), C("0\r\n\rX", NULL), C("0\r\n X: 1\r\n\r\n", NULL),
	C("0\r\nX : 1\r\n\r\n", NULL), C("0\r\nX\r\n\r\n", NULL),
	C("0\r\n: 1\r\n\r\n", NULL), C("0\r\nX: 1\n\r\n", NULL),
	C("0\r\nX: \x01\r\n\r\n", NULL), C("0\r\nX: 1\r\n y\r\n\r\n", NULL),
	C("0\r\nX: 1\rY\r\n\r\n", NULL), C("0\r\nGET / HTTP/1.1\r\n\r\n", NULL),
};

static const char *chunk_text(const struct decoded *d)
{
	static char text[700];

	snprintf(text, sizeof text, "%s%s, %zu used, \"%.*s\"",
		 d->bad ? "broken" : "good", d->done ? ", done" : "", d->used,
		 (int)d->n, d->p);
	return text;
}

static void judge_chunks(const struct chunk_row *r)
{
	struct decoded d = decode(r->p, r->n, r->n, r->n), piece;
	bool right = r->want ? !d.bad && d.done == !r->more &&
			       d.used == r->n - r->rest &&
			       d.n == strlen(r->want) && !memcmp(d.p, r->want, d.n)
			     : d.bad;

	if (!right)
		row_failed(r->p, r->n, chunk_text(&d), r->want ? r->want : "broken");
	for (size_t k = 1; k < r->n; k++) {
		piece = decode(r->p, r->n, k, r->n);
		if (!d.bad && !same(&d, &piece))
			row_failed(r->p, r->n, chunk_text(&piece), "split as whole");
		if (piece.bad != d.bad)
			row_failed(r->p, r->n, chunk_text(&piece), "split as whole");
	}
	piece = decode(r->p, r->n, 1, 1);
	if (d.bad ? !piece.bad : !same(&d, &piece))
		row_failed(r->p, r->n, chunk_text(&piece), "byte by byte as whole");
}

TEST(chunked_bodies_are_decoded_whole_and_in_pieces)
{
	wrong = 0;
	for (size_t i = 0; i < sizeof chunk_rows / sizeof *chunk_rows; i++)
		judge_chunks(&chunk_rows[i]);
	CHECK_INT(wrong, 0);
}

/* Counts how many bytes of an endless line are taken. */
static long endless(const char *start, char more)
{
	struct chunks c = { 0 };
	size_t payload, n = strlen(start);
	char *p = at_the_edge(start, n);
	long taken;

	if (http_chunks(&c, p, n, &payload) < 0)
		return -1;
	for (taken = 0; taken < 1 << 20; taken++) {
		p = at_the_edge(&more, 1);
		if (http_chunks(&c, p, 1, &payload) < 0)
			return taken;
	}
	return taken;
}

TEST(lines_around_chunks_have_ceilings)
{
	CHECK_INT(endless("5;", 'x'), CHUNK_LINE_MAX - 2);
	CHECK(endless("0\r\n", 'x') <= CHUNK_TRAILER_MAX);
	CHECK(endless("0\r\nX: ", 'x') <= CHUNK_TRAILER_MAX);
}

TEST(many_trailers_together_have_the_ceiling_of_one)
{
	struct chunks c = { 0 };
	char start[] = "0\r\n";
	size_t payload;
	int n = 0;

	CHECK_INT(http_chunks(&c, start, 3, &payload), 3);
	for (; n < 100000; n++) {
		char line[] = "X: 1\r\n";

		if (http_chunks(&c, line, 6, &payload) < 0)
			break;
	}
	CHECK(n * 6 <= CHUNK_TRAILER_MAX * 2);
}

TEST(payload_of_one_piece_is_moved_together)
{
	struct chunks c = { 0 };
	char text[] = "1\r\na\r\n2;x=y\r\nbc\r\n3\r\ndef\r\n0\r\n\r\nnext";
	size_t payload;

	CHECK_INT(http_chunks(&c, text, sizeof text - 1, &payload),
		  sizeof text - 1 - 4);
	CHECK_MEM(text, payload, "abcdef");
	CHECK(c.done);
}

TEST(reasons_are_known_for_what_we_answer)
{
	static const int used[] = {
		200, 204, 304, 307, 400, 403, 404, 405, 408, 409, 411, 413, 414,
		417, 421, 429, 431, 500, 501, 502, 503, 504, 505, 508
	};

	for (size_t i = 0; i < sizeof used / sizeof *used; i++)
		CHECK(http_reason(used[i])[0]);
	CHECK_STR(http_reason(299), "");
}
