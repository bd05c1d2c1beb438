/* beat_etcd.c - a key of etcd that is there for as long as its lease is kept
 * SPDX-License-Identifier: Apache-2.0
 *
 * A beat keeps the lease alive; one that has expired is granted again, and the
 * key put again. The key is also put when what it says has changed. At the end
 * the lease is revoked, and the key goes with it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "beat.h"
#include "die.h"
#include "etcd.h"
#include "out.h"

enum { LEASES = 3 };	/* lifetimes in which a lease is kept alive */

struct state {
	struct etcd e;
	int64_t lease;			/* 0: none */
	char    id[BEAT_ID + 1];	/* the key that it holds */
	struct buf value, put;		/* what it should say; says: none when empty */
	int     grants;			/* of this beat */
};

static int etcd_beat_open(struct beat *b)
{
	struct state *s = xcalloc(1, sizeof *s);

	b->state = s;
	/* how long is ours to say */
	if (!b->pace.ttl)
		b->pace.ttl = LEASES * b->pace.interval;
	s->e.client = b->client;
	s->e.timeout = b->pace.timeout;
	s->e.max = BEAT_ANSWER;
	s->e.ctx = b;
	s->value = s->put = (struct buf)BUF(BEAT_BODY);
	if (etcd_open(&s->e, b->spec) == 0)
		return 0;
	memcpy(b->why, s->e.why, sizeof s->e.why);
	return -1;
}

static void etcd_beat_close(struct beat *b)
{
	struct state *s = b->state;

	etcd_close(&s->e);
	buf_free(&s->value);
	buf_free(&s->put);
}

static void describe(struct buf *v, const struct beat_facts *f)
{
	buf_reset(v);
	js_open(v, NULL, '{');
	js_str(v, "api_address", f->api);
	js_str(v, "version", f->version);
	js_int(v, "pid", f->pid);
	js_int(v, "nodes_count", f->nodes_count);
	js_str(v, "startup_time", f->startup_time);
	js_close(v, '}');
}

static void over(struct beat *b)
{
	const struct state *s = b->state;

	b->exit = s->e.exit;
	memcpy(b->why, s->e.why, sizeof s->e.why);
	beat_done(b);
}

static void by_lease(struct beat *b, const char *path, void (*answered)(struct etcd *e))
{
	struct state *s = b->state;

	etcd_begin(&s->e);
	etcd_number(&s->e.body, "ID", s->lease);
	etcd_call(&s->e, path, answered);
}

/* ---- grant, put, keep, revoke ---- */

static void grant(struct beat *b);

/* True: another is being granted. Only once in a beat: whoever takes our leases
 * away at once is not fought. */
static bool lost(struct beat *b)
{
	struct state *s = b->state;

	s->lease = 0;
	buf_reset(&s->put);
	b->listed = false;
	if (s->grants)
		return false;
	grant(b);
	return true;
}

static void was_put(struct etcd *e)
{
	struct beat *b = e->ctx;
	struct state *s = b->state;

	if (e->exit == EXIT_OK) {
		buf_reset(&s->put);
		buf_add(&s->put, s->value.p, s->value.len);
		b->listed = true;
	} else if (e->status == 404 && lost(b)) {
		return;
	}
	over(b);
}

static void put(struct beat *b)
{
	struct state *s = b->state;
	struct buf key = BUF(ETCD_PREFIX + BEAT_ID);

	buf_puts(&key, s->e.prefix);
	buf_puts(&key, s->id);
	etcd_begin(&s->e);
	etcd_bytes(&s->e.body, "key", key.p, key.len);
	etcd_bytes(&s->e.body, "value", s->value.p, s->value.len);
	buf_free(&key);
	etcd_number(&s->e.body, "lease", s->lease);
	etcd_call(&s->e, "/v3/kv/put", was_put);
}

static void granted(struct etcd *e)
{
	struct beat *b = e->ctx;
	struct state *s = b->state;

	if (e->exit != EXIT_OK) {
		over(b);
		return;
	}
	s->lease = etcd_int(&e->json, 0, "ID");
	if (!s->lease) {	/* a key without one would stay for good */
		e->exit = EXIT_NO;
		snprintf(e->why, sizeof e->why, "it does not answer as etcd does");
		over(b);
		return;
	}
	memcpy(s->id, b->facts->id, strlen(b->facts->id) + 1);
	put(b);
}

static void grant(struct beat *b)
{
	struct state *s = b->state;

	s->grants++;
	etcd_begin(&s->e);
	etcd_number(&s->e.body, "TTL", (b->pace.ttl + 999) / 1000);
	etcd_call(&s->e, "/v3/lease/grant", granted);
}

static void kept(struct etcd *e)
{
	struct beat *b = e->ctx;
	const struct state *s = b->state;

	/* a lease that is gone is no error: it has no TTL any more */
	if (e->exit == EXIT_OK &&
	    etcd_int(&e->json, json_get(&e->json, 0, "result"), "TTL") <= 0) {
		lost(b);
	} else if (e->exit == EXIT_OK && (s->put.len != s->value.len ||
		   memcmp(s->put.p, s->value.p, s->put.len) != 0)) {
		put(b);
	} else {
		over(b);
	}
}

/* A key under another name needs another lease, or the old one would stay. */
static void renamed(struct etcd *e)
{
	struct beat *b = e->ctx;

	if (e->exit != EXIT_OK && e->status != 404)
		over(b);
	else
		lost(b);
}

static void revoked(struct etcd *e)
{
	struct beat *b = e->ctx;

	b->listed = e->exit != EXIT_OK && e->status != 404;
	over(b);
}

static void etcd_beat(struct beat *b)
{
	struct state *s = b->state;

	s->grants = 0;
	describe(&s->value, b->facts);
	if (!s->lease)
		grant(b);
	else if (strcmp(s->id, b->facts->id))
		by_lease(b, "/v3/lease/revoke", renamed);
	else
		by_lease(b, "/v3/lease/keepalive", kept);
}

static void etcd_end(struct beat *b)
{
	by_lease(b, "/v3/lease/revoke", revoked);
}

const struct beat_kind beat_etcd = {
	.name = "etcd", .scheme = "etcd", .interval = 10000,
	.open = etcd_beat_open, .close = etcd_beat_close,
	.beat = etcd_beat, .end = etcd_end,
};
