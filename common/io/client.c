/* client.c - HTTP requests to others, many at once (libcurl's multi interface)
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <curl/curl.h>

#include "client.h"
#include "clock.h"

enum { URL_MAX = 1 << 20 };

_Static_assert(CLIENT_WHY >= CURL_ERROR_SIZE, "libcurl writes its reason there");

struct client {
	CURLM *multi;
	struct client_req *first, **last;	/* wait for their turn */
	struct client_req *under_way;
	int    parallel, running, waiting, streams;
	bool   broken_off;
};

/* A connection that gets no descriptor would be told as a dead node. */
static int affordable(int parallel)
{
	rlim_t want = (rlim_t)parallel + CLIENT_SPARE;
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_cur >= want)
		return parallel;
	r.rlim_cur = r.rlim_max < want ? r.rlim_max : want;
	setrlimit(RLIMIT_NOFILE, &r);
	return r.rlim_cur > CLIENT_SPARE + 1 ? (int)r.rlim_cur - CLIENT_SPARE : 1;
}

struct client *client_new(int parallel)
{
	struct client *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	/* Our BearSSL backend sets nothing up before the first handshake. */
	if (curl_global_init(CURL_GLOBAL_NOTHING) == CURLE_OK)
		c->multi = curl_multi_init();
	if (!c->multi) {
		free(c);
		return NULL;
	}
	c->parallel = affordable(parallel > 0 ? parallel : CLIENT_PARALLEL);
	c->last = &c->first;
	curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)c->parallel);
	return c;
}

int client_left(const struct client *c)
{
	return c->running + c->waiting;
}

void client_add(struct client *c, struct client_req *r)
{
	r->easy = r->lines = r->detour = NULL;
	r->client = c;
	r->next = NULL;
	r->whole_head = false;
	r->end = CLIENT_ANSWER;
	r->status = 0;
	r->type[0] = r->why[0] = '\0';
	r->answer = (struct buf)BUF(r->max);
	*c->last = r;
	c->last = &r->next;
	c->waiting++;
}

/* --- while it runs ------------------------------------------------------------ */

static void note_status(struct client_req *r)
{
	long status = 0;

	curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
	r->status = (int)status;
}

/* libcurl takes a head that the connection's end cut off for a whole one.
 * Trailers come here as well, behind the body and without an end of their own. */
static size_t on_head(char *p, size_t size, size_t n, void *ctx)
{
	struct client_req *r = ctx;

	n *= size;
	if (n <= 2 && n && p[n - 1] == '\n')
		r->whole_head = true;
	else if (n > 5 && !memcmp(p, "HTTP/", 5))
		r->whole_head = false;
	return n;
}

static size_t on_body(char *p, size_t size, size_t n, void *ctx)
{
	struct client_req *r = ctx;

	n *= size;
	note_status(r);
	if (!r->write)
		return buf_add(&r->answer, p, n) < 0 ? 0 : n;
	return r->write(r, p, n) < 0 ? 0 : n;
}

static size_t on_upload(char *p, size_t size, size_t n, void *ctx)
{
	struct client_req *r = ctx;
	long got = r->read(r, p, size * n);

	return got < 0 ? CURL_READFUNC_ABORT : (size_t)got;
}

static int on_seek(void *ctx, curl_off_t offset, int origin)
{
	struct client_req *r = ctx;

	if (offset || origin != SEEK_SET || !r->again || r->again(r) < 0)
		return CURL_SEEKFUNC_FAIL;
	return CURL_SEEKFUNC_OK;
}

/* --- starting one --------------------------------------------------------------- */

/* Where a URL of the certificate's name leads: "any host:any port:ADDRESS". */
static void set_detour(struct client_req *r, struct buf *url)
{
	struct buf to = BUF(URL_MAX);

	buf_puts(&to, "::");
	addr_print(&r->addr, &to);
	r->detour = curl_slist_append(NULL, to.bad ? "" : to.p);
	curl_easy_setopt(r->easy, CURLOPT_CONNECT_TO, r->detour);
	buf_printf(url, "%s:%d", r->cert_name, r->addr.port);
	buf_free(&to);
}

static void set_address(struct client_req *r)
{
	struct buf url = BUF(URL_MAX);

	if (r->addr.kind == ADDR_UNIX) {
		curl_easy_setopt(r->easy, CURLOPT_UNIX_SOCKET_PATH, r->addr.host);
		buf_puts(&url, "http://localhost");
	} else {
		buf_puts(&url, r->addr.tls ? "https://" : "http://");
		if (r->cert_name)
			set_detour(r, &url);
		else
			addr_print(&r->addr, &url);
	}
	buf_puts(&url, r->target);
	curl_easy_setopt(r->easy, CURLOPT_URL, url.bad ? "" : url.p);
	buf_free(&url);
}

static void set_body(struct client_req *r)
{
	if (r->read) {
		curl_easy_setopt(r->easy, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(r->easy, CURLOPT_READFUNCTION, on_upload);
		curl_easy_setopt(r->easy, CURLOPT_READDATA, r);
		curl_easy_setopt(r->easy, CURLOPT_SEEKFUNCTION, on_seek);
		curl_easy_setopt(r->easy, CURLOPT_SEEKDATA, r);
		curl_easy_setopt(r->easy, CURLOPT_INFILESIZE_LARGE,
				 (curl_off_t)r->upload);
	} else if (r->body || *r->method == 'P') {
		/* POST, PUT, PATCH: a body is meant, if of no bytes */
		curl_easy_setopt(r->easy, CURLOPT_POSTFIELDS,
				 r->body ? r->body : "");
		curl_easy_setopt(r->easy, CURLOPT_POSTFIELDSIZE_LARGE,
				 (curl_off_t)r->body_n);
	}
	if (!strcmp(r->method, "HEAD"))
		curl_easy_setopt(r->easy, CURLOPT_NOBODY, 1L);
	else if (strcmp(r->method, "GET") || r->body || r->read)
		curl_easy_setopt(r->easy, CURLOPT_CUSTOMREQUEST, r->method);
}

/* An empty "Name:" takes away what libcurl would add by itself. */
static void set_headers(struct client_req *r)
{
	struct curl_slist *lines = NULL;
	const char *const *h;

	lines = curl_slist_append(lines, "Expect:");
	if (!r->read && !r->body_n)
		lines = curl_slist_append(lines, "Content-Type:");
	for (h = r->headers; h && *h; h++)
		lines = curl_slist_append(lines, *h);
	r->lines = lines;
	curl_easy_setopt(r->easy, CURLOPT_HTTPHEADER, lines);
	curl_easy_setopt(r->easy, CURLOPT_USERAGENT, "lmc");
}

static void set_rest(struct client_req *r)
{
	const char *ca = r->ca ? r->ca : getenv("SSL_CERT_FILE");

	curl_easy_setopt(r->easy, CURLOPT_PRIVATE, r);
	curl_easy_setopt(r->easy, CURLOPT_ERRORBUFFER, r->why);
	curl_easy_setopt(r->easy, CURLOPT_NOSIGNAL, 1L);
	/* Else the end of a request waits for a name server that is silent. */
	curl_easy_setopt(r->easy, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(r->easy, CURLOPT_PROXY, "");
	curl_easy_setopt(r->easy, CURLOPT_SSLVERSION,
			 (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(r->easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(r->easy, CURLOPT_HTTP_VERSION,
			 (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(r->easy, CURLOPT_HEADERFUNCTION, on_head);
	curl_easy_setopt(r->easy, CURLOPT_HEADERDATA, r);
	curl_easy_setopt(r->easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(r->easy, CURLOPT_WRITEDATA, r);
	if (r->timeout_ms > 0)
		curl_easy_setopt(r->easy, CURLOPT_TIMEOUT_MS,
				 (long)r->timeout_ms);
	if (r->silence_ms) {
		curl_easy_setopt(r->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)r->silence_ms);
		curl_easy_setopt(r->easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
		curl_easy_setopt(r->easy, CURLOPT_LOW_SPEED_TIME,
				 (long)(r->silence_ms / 1000));
	}
	if (r->addr.tls && ca && *ca)
		curl_easy_setopt(r->easy, CURLOPT_CAINFO, ca);
}

/* --- ending one ------------------------------------------------------------------- */

static void why(struct client_req *r, enum client_end end, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void why(struct client_req *r, enum client_end end, const char *fmt, ...)
{
	va_list ap;

	r->end = end;
	va_start(ap, fmt);
	vsnprintf(r->why, sizeof r->why, fmt, ap);
	va_end(ap);
}

static void cut_off(struct client_req *r)
{
	curl_off_t want = -1, got = 0;

	curl_easy_getinfo(r->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &want);
	curl_easy_getinfo(r->easy, CURLINFO_SIZE_DOWNLOAD_T, &got);
	if (want >= 0)
		why(r, CLIENT_BROKEN, "the answer ended after %lld of %lld bytes",
		    (long long)got, (long long)want);
	else
		why(r, CLIENT_BROKEN, "the answer was cut off after %lld bytes",
		    (long long)got);
}

/* libcurl is built without its own sentences: 12 kB for these few. */
static const char *told(CURLcode code)
{
	switch (code) {
	case CURLE_COULDNT_CONNECT:		return "no connection";
	case CURLE_PEER_FAILED_VERIFICATION:	return "its certificate is not trusted";
	case CURLE_SSL_CONNECT_ERROR:		return "the TLS handshake failed";
	case CURLE_SSL_CACERT_BADFILE:		return "the certificates to trust cannot be read";
	case CURLE_URL_MALFORMAT:		return "not a URL";
	case CURLE_OUT_OF_MEMORY:		return "out of memory";
	case CURLE_TOO_MANY_REDIRECTS:		return "too many redirects";
	case CURLE_BAD_CONTENT_ENCODING:	return "an unknown content encoding";
	default:				return "the request failed";
	}
}

static void no_connection(struct client_req *r, CURLcode code)
{
	long err = 0;

	curl_easy_getinfo(r->easy, CURLINFO_OS_ERRNO, &err);
	/* Expired, of another host, of an unknown issuer: libcurl has said it. */
	if (code == CURLE_PEER_FAILED_VERIFICATION && *r->why)
		r->end = CLIENT_REACH;
	else if (code == CURLE_COULDNT_RESOLVE_HOST)
		why(r, CLIENT_REACH, "there is no host of that name");
	else if (err)
		why(r, CLIENT_REACH, "%s", strerror((int)err));
	else
		why(r, CLIENT_REACH, "%s", told(code));
}

static void write_refused(struct client_req *r)
{
	if (r->write)
		why(r, CLIENT_STOPPED, "stopped");
	else if (r->answer.len + CURL_MAX_WRITE_SIZE >= r->max)
		why(r, CLIENT_LARGE, "the answer is larger than %zu bytes", r->max);
	else
		why(r, CLIENT_BROKEN, "out of memory");
}

static void judge(struct client_req *r, CURLcode code)
{
	switch (code) {
	case CURLE_OK:
		if (!r->whole_head)
			why(r, CLIENT_BROKEN, "the answer's head was cut off");
		break;
	case CURLE_COULDNT_CONNECT:
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
		no_connection(r, code);
		break;
	case CURLE_OPERATION_TIMEDOUT:
		why(r, CLIENT_TIMEOUT, r->silence_ms ? "nothing came for %lld ms" :
		    "no answer within %lld ms",
		    (long long)(r->silence_ms ? r->silence_ms : r->timeout_ms));
		break;
	case CURLE_PARTIAL_FILE:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_READ_ERROR:		/* TLS that ended without its goodbye */
		cut_off(r);
		break;
	case CURLE_GOT_NOTHING:
		why(r, CLIENT_BROKEN, "the connection was closed without an answer");
		break;
	case CURLE_WRITE_ERROR:
		write_refused(r);
		break;
	case CURLE_ABORTED_BY_CALLBACK:
		why(r, CLIENT_STOPPED, "stopped");
		break;
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_WEIRD_SERVER_REPLY:
		why(r, CLIENT_BROKEN, "the answer is not HTTP");
		break;
	default:
		why(r, CLIENT_BROKEN, "%s", told(code));
	}
}

static void forget(struct client *c, struct client_req *r)
{
	struct client_req **p = &c->under_way;

	while (*p && *p != r)
		p = &(*p)->next;
	if (*p)
		*p = r->next;
	c->running--;
	c->streams -= r->silence_ms > 0;
	curl_multi_remove_handle(c->multi, r->easy);
	curl_easy_cleanup(r->easy);
	curl_slist_free_all(r->lines);
	curl_slist_free_all(r->detour);
	r->easy = r->lines = r->detour = NULL;
}

static void end(struct client *c, struct client_req *r, CURLcode code)
{
	const char *type = NULL;
	curl_off_t us = 0;

	note_status(r);
	curl_easy_getinfo(r->easy, CURLINFO_CONTENT_TYPE, &type);
	curl_easy_getinfo(r->easy, CURLINFO_TOTAL_TIME_T, &us);
	if (type)
		snprintf(r->type, sizeof r->type, "%s", type);
	r->us = us;
	/* What is said in r->why from here on is ours. */
	curl_easy_setopt(r->easy, CURLOPT_ERRORBUFFER, NULL);
	judge(r, code);
	forget(c, r);
	r->done(r);
}

static void fail_start(struct client_req *r)
{
	why(r, CLIENT_BROKEN, "out of memory");
	r->done(r);
}

static void start(struct client *c, struct client_req *r)
{
	int64_t left = r->due - clock_ms();

	if (r->due)
		r->timeout_ms = left > 0 ? left : 1;
	r->easy = curl_easy_init();
	if (!r->easy) {
		fail_start(r);
		return;
	}
	set_address(r);
	set_body(r);
	set_headers(r);
	set_rest(r);
	c->running++;
	c->streams += r->silence_ms > 0;
	r->next = c->under_way;
	c->under_way = r;
	if (curl_multi_add_handle(c->multi, r->easy) != CURLM_OK) {
		forget(c, r);
		fail_start(r);
	}
}

static bool has_room(const struct client *c)
{
	return c->first && c->running - c->streams < c->parallel;
}

static void start_waiting(struct client *c)
{
	struct client_req *r;

	while (has_room(c)) {
		r = c->first;
		c->first = r->next;
		if (!c->first)
			c->last = &c->first;
		c->waiting--;
		start(c, r);
	}
}

static void end_finished(struct client *c)
{
	struct client_req *r;
	CURLMsg *m;
	CURLcode code;
	int left;

	while ((m = curl_multi_info_read(c->multi, &left))) {
		if (m->msg != CURLMSG_DONE)
			continue;
		code = m->data.result;
		r = NULL;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&r);
		end(c, r, code);
	}
}

int client_run(struct client *c, int64_t ms)
{
	int64_t until = ms < 0 ? -1 : clock_ms() + ms, left = 1000;
	int running;

	for (;;) {
		start_waiting(c);
		curl_multi_perform(c->multi, &running);
		end_finished(c);
		if (!client_left(c))
			return 0;
		if (c->broken_off) {
			c->broken_off = false;
			return 1;
		}
		if (has_room(c))
			continue;
		if (until >= 0)
			left = until - clock_ms();
		if (left <= 0)
			return 1;
		errno = 0;
		curl_multi_poll(c->multi, NULL, 0, (int)(left > 1000 ? 1000 : left),
				NULL);
		if (errno == EINTR)
			return 1;
	}
}

void client_break(struct client *c)
{
	c->broken_off = true;
}

void client_stop(struct client *c, struct client_req *r)
{
	struct client_req **p;

	if (!c)
		return;
	for (p = &c->first; *p && *p != r; )
		p = &(*p)->next;
	if (*p) {
		*p = r->next;
		if (!*p)
			c->last = p;
		c->waiting--;
		return;
	}
	for (p = &c->under_way; *p && *p != r; )
		p = &(*p)->next;
	if (!*p)
		return;
	forget(c, r);
	buf_free(&r->answer);
}

void client_free(struct client *c)
{
	if (!c)
		return;
	while (c->under_way)
		forget(c, c->under_way);
	curl_multi_cleanup(c->multi);
	free(c);
}
