/* send.c - metrics to a Pushgateway
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "die.h"
#include "metrics.h"

enum { TARGET_MAX = 64 << 10, ANSWER_MAX = 64 << 10 };

/* "/NAME/VALUE"; a value that a path cannot carry goes as base64url. */
static void put_group(struct buf *b, const char *name, size_t name_n, const char *value)
{
	static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"abcdefghijklmnopqrstuvwxyz0123456789-_";
	size_t n = strlen(value);
	unsigned long bits;

	buf_putc(b, '/');
	buf_add(b, name, name_n);
	if (n && !strchr(value, '/')) {
		buf_putc(b, '/');
		url_encode(b, value, n);
		return;
	}
	buf_puts(b, "@base64/");
	if (!n)
		buf_putc(b, '=');	/* as the Pushgateway wants "" written */
	for (size_t i = 0; i < n; i += 3) {
		size_t have = n - i < 3 ? n - i : 3;

		bits = 0;
		for (size_t k = 0; k < 3; k++)
			bits = bits << 8 | (k < have ? (unsigned char)value[i + k] : 0);
		for (size_t k = 0; k <= have; k++)
			buf_putc(b, digit[bits >> (18 - 6 * k) & 63]);
	}
}

static void put_target(struct buf *b, const char *path, const char *job,
		       const struct strs *grouping)
{
	size_t n = strlen(path);

	while (n && path[n - 1] == '/')
		n--;
	buf_add(b, path, n);
	buf_puts(b, "/metrics");
	put_group(b, "job", 3, job);
	for (int i = 0; i < grouping->n; i++) {
		const char *g = grouping->v[i], *eq = strchr(g, '=');

		put_group(b, g, (size_t)(eq - g), eq + 1);
	}
}

/* "http://HOST:PORT/PREFIX" into its parts; *path is "" or begins with '/'. */
static void take_url(const char *url, struct addr *a, const char **path)
{
	const char *rest = strstr(url, "://"), *slash, *why;
	char *host;

	slash = rest ? strchr(rest + 3, '/') : NULL;
	*path = slash ? slash : "";
	host = slash ? xstrndup(url, (size_t)(slash - url)) : xstrdup(url);
	if (addr_parse(a, host, 9091, &why) < 0)
		die(EXIT_USAGE, "--pushgateway: %s: %s", safe(url, strlen(url)), why);
	free(host);
}

static int judge(const char *url, const struct client_req *r)
{
	const char *said = r->answer.p ? r->answer.p : "";

	if (r->end != CLIENT_ANSWER) {
		warn("unable to reach %s: %s", url, r->why);
		return r->end == CLIENT_TIMEOUT ? EXIT_TIMEOUT : EXIT_REACH;
	}
	if (r->status == 200 || r->status == 202)
		return EXIT_OK;
	warn("%s: %s (HTTP %d)", url, safe(said, strcspn(said, "\n")), r->status);
	return r->status == 401 || r->status == 403 ? EXIT_DENIED : EXIT_NO;
}

static int status;
static const char *where;

static void pushed(struct client_req *r)
{
	status = judge(where, r);
}

int send_push(const char *url, const char *job, const struct strs *grouping,
	      const struct buf *text, int64_t timeout_ms)
{
	static const char *const headers[] = {
		"Content-Type: text/plain; version=0.0.4; charset=utf-8", NULL
	};
	struct buf target = BUF(TARGET_MAX);
	struct client *c = client_new(1);
	struct client_req r = {
		.method = "PUT", .headers = headers, .body = text->p,
		.body_n = text->len, .max = ANSWER_MAX, .timeout_ms = timeout_ms,
		.done = pushed,
	};
	const char *path;

	take_url(url, &r.addr, &path);
	put_target(&target, path, job, grouping);
	if (!c || target.bad)
		die(EXIT_SYS, "out of memory");
	where = safe(url, strlen(url));
	r.target = target.p;
	client_add(c, &r);
	while (client_run(c, -1))
		;
	client_free(c);
	buf_free(&target);
	return status;
}
