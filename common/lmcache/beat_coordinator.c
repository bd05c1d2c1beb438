/* beat_coordinator.c - an instance of LMCache's MP coordinator (protocol.md 3.4)
 * SPDX-License-Identifier: Apache-2.0
 *
 * POST /instances once, then PUT /instances/ID/heartbeat; a coordinator that
 * has forgotten us (404) is told again in the same beat. DELETE at the end.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "beat.h"
#include "die.h"
#include "json.h"
#include "out.h"

/* The coordinator's own: what it waits for, and how often its servers beat. */
enum { FORGETS_MS = 30000, INTERVAL_MS = 5000 };

struct state {
	size_t base;			/* of the URL's path, without a last "/" */
	const char *path;
	char   id[BEAT_ID + 1];		/* as it called us, or "" */
};

static int coordinator_open(struct beat *b)
{
	struct state *s = xcalloc(1, sizeof *s);

	b->state = s;
	if (beat_place(b, 9300, &s->path) < 0)
		return -1;
	s->base = strcspn(s->path, "?#");
	while (s->base && s->path[s->base - 1] == '/')
		s->base--;
	return 0;
}

static void target(struct beat *b, bool one, const char *rest)
{
	const struct state *s = b->state;

	buf_reset(&b->target);
	buf_reset(&b->body);
	buf_add(&b->target, s->path, s->base);
	buf_puts(&b->target, "/instances");
	if (!one)
		return;
	buf_putc(&b->target, '/');
	url_encode(&b->target, s->id, strlen(s->id));
	buf_puts(&b->target, rest);
}

/* {"instance_id","re_registered"}: it may call us otherwise than we asked. */
static void registered(struct beat *b)
{
	struct state *s = b->state;
	struct json_error e;
	struct json j;
	char *id;

	if (beat_taken(b)) {
		id = NULL;
		if (json_parse(&j, b->req.answer.p ? b->req.answer.p : "",
			       b->req.answer.len, BEAT_ANSWER, 0, &e) == 0) {
			id = json_dup(&j, json_get(&j, 0, "instance_id"));
			json_free(&j);
		}
		if (id && *id && strlen(id) <= BEAT_ID) {
			memcpy(s->id, id, strlen(id) + 1);
			b->listed = true;
		} else {
			beat_refuse(b, "its answer has no instance_id");
		}
		free(id);
	}
	beat_done(b);
}

static void say_hello(struct beat *b)
{
	const struct state *s = b->state;
	const struct beat_facts *f = b->facts;
	char ip[ADDR_HOST + 2];

	/* It calls "http://IP:PORT". */
	snprintf(ip, sizeof ip, strchr(f->addr.host, ':') ? "[%s]" : "%s", f->addr.host);
	target(b, false, "");
	js_open(&b->body, NULL, '{');
	js_str(&b->body, "instance_id", *s->id ? s->id : f->id);
	js_str(&b->body, "ip", ip);
	js_int(&b->body, "http_port", f->addr.port);
	js_open(&b->body, "metadata", '{');
	js_str(&b->body, "version", f->version);
	js_str(&b->body, "startup_time", f->startup_time);
	js_close(&b->body, '}');
	js_close(&b->body, '}');
	beat_ask(b, "POST", registered);
}

static void heard(struct beat *b)
{
	if (b->req.end == CLIENT_ANSWER && b->req.status == 404) {
		b->listed = false;
		say_hello(b);
		return;
	}
	beat_taken(b);
	beat_done(b);
}

static void coordinator_beat(struct beat *b)
{
	if (!b->listed) {
		say_hello(b);
		return;
	}
	target(b, true, "/heartbeat");
	beat_ask(b, "PUT", heard);
}

static void ended(struct beat *b)
{
	b->listed = !beat_taken(b);
	beat_done(b);
}

static void coordinator_end(struct beat *b)
{
	target(b, true, "");
	beat_ask(b, "DELETE", ended);
}

const struct beat_kind beat_coordinator = {
	.name = "coordinator", .interval = INTERVAL_MS, .ttl = FORGETS_MS,
	.open = coordinator_open, .beat = coordinator_beat, .end = coordinator_end,
};
