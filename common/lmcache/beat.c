/* beat.c - telling a registry: when, and what all protocols share
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base64.h"
#include "beat.h"
#include "clock.h"
#include "die.h"

enum { FIRST_RETRY = 1000 };

static const struct beat_kind *const kinds[] = {
	&beat_registry, &beat_coordinator, &beat_etcd,
};

/* ---- when ---- */

const char *beat_contradicts(int64_t interval, int64_t ttl)
{
	static char text[160];

	if (!ttl || interval * 2 <= ttl)
		return NULL;
	snprintf(text, sizeof text, "a registry that forgets after %g s must be "
		 "told twice in that time: every %g s is too seldom",
		 (double)ttl / 1000, (double)interval / 1000);
	return text;
}

int64_t beat_delay(const struct beat_pace *p, int failures, uint32_t dice)
{
	int64_t most = p->ttl ? p->interval : p->interval * 2;
	int64_t delay = FIRST_RETRY, spread;

	if (!failures) {
		delay = p->interval;
		spread = delay * p->jitter / 100;
	} else {
		while (--failures && delay < most)
			delay *= 2;
		if (delay > most)
			delay = most;
		spread = delay / 4;
	}
	return delay - (int64_t)((uint64_t)spread * (dice % 1024) / 1023);
}

char *beat_now(char *out)
{
	struct timespec now;
	struct tm tm;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &tm);
	n = strftime(out, CLOCK_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out + n, CLOCK_TEXT - n, ".%06ld", now.tv_nsec / 1000);
	return out;
}

/* Retries must fit before the registry forgets, a silent answer included. */
static void fill_pace(struct beat_pace *p, const struct beat_kind *k)
{
	int64_t most;

	if (!p->ttl)
		p->ttl = k->ttl;
	if (!p->interval)
		p->interval = p->ttl && p->ttl / 3 < k->interval ? p->ttl / 3 : k->interval;
	most = p->ttl ? (p->ttl - p->interval) / 2 : p->interval;
	if (p->timeout > most)
		p->timeout = most;
}

/* ---- which ---- */

static const struct beat_kind *find(const char *name, const char *spec)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		const struct beat_kind *k = kinds[i];

		if (name ? !strcmp(name, k->name) :
		    k->scheme && !strncmp(spec, k->scheme, strlen(k->scheme)))
			return k;
	}
	if (!name && !strncmp(spec, "https://", 8))
		return find(NULL, "http://");
	return NULL;
}

/* "http://USER:PASSWORD@HOST", as lmcache_frontend's HTTP library has it. */
static int take_login(struct beat *b)
{
	static const char basic[] = "Authorization: Basic ";
	const char *spec = b->spec, *user = strstr(spec, "://"), *at;
	size_t n = sizeof basic - 1;
	char *text;
	long len;

	user = user && !strncmp(spec, "http", 4) ? user + 3 : "";
	at = memrchr(user, '@', strcspn(user, "/?#"));
	if (!at)
		return 0;
	text = xmalloc((size_t)(at - user) + 2);
	len = url_decode(user, (size_t)(at - user), text);
	if (len >= 0) {
		if (!memchr(text, ':', (size_t)len))
			text[len++] = ':';
		b->login = xmalloc(n + BASE64_LEN((size_t)len) + strlen(spec) + 2);
		memcpy(b->login, basic, n);
		n += base64(b->login + n, text, (size_t)len);
		b->login[n++] = '\0';
		b->spec = b->login + n;
		memcpy(b->login + n, spec, (size_t)(user - spec));
		memcpy(b->login + n + (user - spec), at + 1, strlen(at));
		if (!b->token)
			b->token = b->login;
	}
	free(text);
	return len < 0 ? WRONG(b, "bad percent-encoding before the @") : 0;
}

int beat_open(struct beat *b, const char *kind, const char *spec)
{
	const char *no;
	size_t n;

	b->spec = spec;
	b->why[0] = '\0';
	b->kind = find(kind, spec);
	for (n = 0; spec[n] > ' ' && spec[n] < 0x7f; n++)
		;
	if (spec[n] || n > BEAT_URL)
		return WRONG(b, n > BEAT_URL ? "it is too long" :
			     "what is not printable ASCII must be percent-encoded");
	if (!b->kind)
		return WRONG(b, "not a registry's URL");
	if (take_login(b) < 0)
		return -1;
	b->target = (struct buf)BUF(BEAT_TARGET);
	b->body = (struct buf)BUF(BEAT_BODY);
	fill_pace(&b->pace, b->kind);
	no = beat_contradicts(b->pace.interval, b->pace.ttl);
	if (no)
		return WRONG(b, "%s", no);
	return b->kind->open(b);
}

void beat_close(struct beat *b)
{
	buf_free(&b->target);
	buf_free(&b->body);
	if (b->state && b->kind->close)
		b->kind->close(b);
	free(b->state);
	free(b->login);
	b->state = b->login = NULL;
}

int beat_place(struct beat *b, int default_port, const char **rest)
{
	const char *host = strstr(b->spec, "://"), *end, *from = b->spec, *why;
	char text[ADDR_HOST + 16];

	host = host ? host + 3 : b->spec;
	end = host + strcspn(host, "/?#");
	*rest = end;
	/* addr_parse() knows http and https */
	if (b->kind->scheme && strncmp(b->spec, "http", 4))
		from = host;
	if ((size_t)(end - from) >= sizeof text)
		return WRONG(b, "the host's name is too long");
	snprintf(text, sizeof text, "%.*s", (int)(end - from), from);
	if (addr_parse(&b->addr, text, default_port, &why) < 0)
		return WRONG(b, "%s", why);
	if (b->addr.kind != ADDR_TCP)
		return WRONG(b, "a host is needed");
	return 0;
}

/* ---- one beat ---- */

/* answered() may ask for more, by the same struct. */
static void on_answer(struct client_req *r)
{
	struct beat *b = r->ctx;
	struct buf answer = r->answer;

	b->answered(b);
	if (answer.p && r->answer.p == answer.p)
		r->answer = (struct buf){ 0 };
	buf_free(&answer);
}

void beat_ask(struct beat *b, const char *method, void (*answered)(struct beat *b))
{
	int n = 0;

	b->answered = answered;
	if (b->token)
		b->headers[n++] = b->token;
	if (b->body.len)
		b->headers[n++] = "Content-Type: application/json";
	b->headers[n] = NULL;
	b->req = (struct client_req){
		.addr = b->addr, .method = method, .target = b->target.p,
		.headers = b->headers, .max = BEAT_ANSWER,
		.body = b->body.len ? b->body.p : NULL, .body_n = b->body.len,
		.timeout_ms = b->pace.timeout, .done = on_answer, .ctx = b,
	};
	client_add(b->client, &b->req);
}

void beat_refuse(struct beat *b, const char *fmt, ...)
{
	va_list ap;

	b->exit = b->req.status == 401 || b->req.status == 403 ? EXIT_DENIED : EXIT_NO;
	va_start(ap, fmt);
	vsnprintf(b->why, sizeof b->why, fmt, ap);
	va_end(ap);
}

/* Its first line, which may say why. */
static void refused(struct beat *b)
{
	const struct buf *a = &b->req.answer;
	size_t n = a->len ? strcspn(a->p, "\r\n") : 0;

	beat_refuse(b, "HTTP %d%s%s", b->req.status, n ? ": " : "",
		    n ? safe(a->p, n) : "");
}

bool beat_taken(struct beat *b)
{
	b->exit = EXIT_OK;
	b->why[0] = '\0';
	if (b->req.end == CLIENT_ANSWER && b->req.status / 100 == 2)
		return true;
	if (b->req.end == CLIENT_ANSWER) {
		refused(b);
		return false;
	}
	b->exit = b->req.end == CLIENT_TIMEOUT ? EXIT_TIMEOUT : EXIT_REACH;
	snprintf(b->why, sizeof b->why, "%s", b->req.why);
	return false;
}

void beat_done(struct beat *b)
{
	uint32_t dice = 0;
	int64_t at;

	b->busy = false;
	if (b->exit == EXIT_OK)
		b->failures = 0;
	else
		b->failures++;
	if (getrandom(&dice, sizeof dice, GRND_NONBLOCK) < 0)
		dice = (uint32_t)clock_us();
	/* The interval counts from beat to beat, a pause from the failure on. */
	at = b->failures ? clock_ms() : b->began;
	b->due = at + beat_delay(&b->pace, b->failures, dice);
	b->told(b);
}

void beat_send(struct beat *b)
{
	b->busy = true;
	b->began = clock_ms();
	b->kind->beat(b);
}

bool beat_end(struct beat *b)
{
	if (!b->kind->end || !b->listed)
		return false;
	b->busy = b->ending = true;
	b->kind->end(b);
	return true;
}
