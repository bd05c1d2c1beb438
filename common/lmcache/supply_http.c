/* supply_http.c - a registry that is asked by HTTP
 * SPDX-License-Identifier: Apache-2.0
 *
 * "http://HOST[:PORT][/PATH]": with a path, that list. Without one it is found
 * out what is there: a discovery service, a coordinator, both in one (lmc
 * discovery), or else a frontend. "coordinator:URL" is a coordinator.
 */
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "die.h"
#include "supply.h"

enum { FRONTEND_MS = 30000 };	/* it will hardly become a registry */

static const char *const find_out[] = { "/lmcache_infos", "/instances", NULL };

struct http {
	struct client_req req;
	char *path;		/* or NULL */
	int   step;
	bool  any, busy;
};

static void done(struct client_req *r);

static int open_http(struct supply *s)
{
	static const char prefix[] = "coordinator:";
	bool coordinator = !strncmp(s->spec, prefix, sizeof prefix - 1);
	const char *url = s->spec + (coordinator ? sizeof prefix - 1 : 0), *why;
	const char *rest = strncmp(url, "unix:", 5) ? strstr(url, "://") : NULL;
	const char *slash = rest ? strchr(rest + 3, '/') : NULL;
	struct http *h = xcalloc(1, sizeof *h);
	char *host = slash ? xstrndup(url, (size_t)(slash - url)) : xstrdup(url);
	int rc = addr_parse(&h->req.addr, host, 80, &why);

	free(host);
	if (rc < 0) {
		free(h);
		return WRONG(s, "%s", why);
	}
	if (coordinator)
		h->path = xstrdup("/instances");
	else if (slash && slash[1] && strcmp(slash, "/api/nodes"))
		h->path = xstrdup(slash);
	h->req.method = "GET";
	h->req.max = SUPPLY_TEXT;
	h->req.timeout_ms = s->timeout;
	h->req.done = done;
	h->req.ctx = s;
	s->state = h;
	s->due = 1;
	return 0;
}

static void ask(struct supply *s, struct http *h)
{
	h->req.target = h->path ? h->path : find_out[h->step];
	h->busy = true;
	client_add(s->client, &h->req);
}

static void over(struct supply *s, struct http *h)
{
	if (!h->any)
		supply_add(s, NULL, &h->req.addr, SUPPLY_FRONTEND);
	s->due = clock_ms() + (h->any ? s->interval : FRONTEND_MS);
	supply_end(s);
}

static void failed(struct supply *s, const char *path, const char *why, int status)
{
	s->due = clock_ms() + s->interval;
	if (status)
		supply_fail(s, "%s: it answers %d", path, status);
	else
		supply_fail(s, "%s", why);
}

/* The answer's list into the one being gathered: 0, or -1 with *why. */
static int take(struct supply *s, struct client_req *r, const char **why)
{
	int rc = supply_read(s, r->answer.p ? r->answer.p : "", r->answer.len, false, why);

	buf_free(&r->answer);
	return rc;
}

static void done(struct client_req *r)
{
	struct supply *s = r->ctx;
	struct http *h = s->state;
	bool answered = r->end == CLIENT_ANSWER;
	bool none = answered && (r->status == 404 || r->status == 405) && !h->path;
	const char *why = r->why;

	h->busy = false;
	if (!answered || (r->status != 200 && !none)) {
		failed(s, r->target, why, answered ? r->status : 0);
	} else if (!none && take(s, r, &why) < 0) {
		failed(s, r->target, why, 0);
	} else {
		buf_free(&r->answer);
		h->any = h->any || !none;
		if (h->path || !find_out[++h->step])
			over(s, h);
		else
			ask(s, h);
		return;
	}
	buf_free(&r->answer);
}

static void tick(struct supply *s)
{
	struct http *h = s->state;

	if (h->busy)
		return;
	s->due = 0;
	h->step = 0;
	h->any = false;
	supply_begin(s);
	ask(s, h);
}

static void close_http(struct supply *s)
{
	struct http *h = s->state;

	client_stop(s->client, &h->req);
	free(h->path);
	free(h);
}

const struct supply_kind supply_http = {
	"http: https: unix: coordinator:", open_http, tick, close_http
};
