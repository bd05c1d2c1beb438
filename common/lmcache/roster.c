/* roster.c - who reports to a registry, since when, and whether they still do
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "roster.h"
#include "roster_table.h"

enum { FLAP_WINDOW = 6, HOLD_DOUBLES = 3 };

const char *const roster_states[] = { "alive", "late", "gone", "held", "drained" };
const char *const roster_events[] = {
	"joined", "alive", "late", "gone", "forgotten", "restarted", "changed",
	"moved", "held", "drained", "undrained", "left"
};

static void tell(struct roster *r, enum roster_event what, const struct roster_entry *e)
{
	r->events[what]++;
	if (r->on_event)
		r->on_event(r, what, e);
}

static void keep(struct roster *r, const struct roster_entry *e)
{
	struct buf b = BUF(ROSTER_RECORD);

	if (r->on_record && roster_record(e, &b))
		r->on_record(r, b.p, b.len);
	buf_free(&b);
}

static void keep_short(struct roster *r, int op, uint32_t id, int64_t at)
{
	struct short_record h = { .op = (uint8_t)op, .id = id, .at = at };

	if (r->on_record)
		r->on_record(r, &h, sizeof h);
}

/* ---- reports ---- */

/* A return is one more flap; after a few of them the entry is held, the
 * longer the more there are. */
static void flap(struct roster *r, struct roster_entry *e, int64_t now)
{
	int64_t hold = r->conf->hold;
	bool fresh;
	int more;

	if (!e->flapped || now - e->flapped > FLAP_WINDOW * hold)
		e->flaps = 0;
	e->flapped = now;
	if (e->flaps < ROSTER_FLAPS + HOLD_DOUBLES)
		e->flaps++;
	more = e->flaps - ROSTER_FLAPS;
	if (more < 0 || !hold)
		return;
	fresh = !e->held;
	e->held = now + (hold << more);
	if (fresh)
		tell(r, ROSTER_IS_HELD, e);
}

void roster_beat(struct roster *r, struct roster_entry *e, int64_t now, int64_t wall)
{
	enum roster_state was = e->queue;

	e->last = wall;
	e->seen = now;
	roster_enqueue(r, e, ROSTER_ALIVE);
	if (was == ROSTER_GONE && !e->excused)
		flap(r, e, now);
	e->excused = false;
	if (e->held && now >= e->held) {
		e->held = 0;
		tell(r, ROSTER_BACK, e);
	} else if (was != ROSTER_ALIVE && !e->held) {
		tell(r, ROSTER_BACK, e);
	}
	keep_short(r, RECORD_BEAT, e->id, wall);
}

static bool same(const struct roster_entry *e, const struct roster_report *b,
		 enum roster_text t)
{
	return e->n[t] == b->text[t].n &&
	       (!e->n[t] || memcmp(roster_text(e, t), b->text[t].p, e->n[t]) == 0);
}

static bool same_text(const struct roster_entry *e, const struct roster_report *b)
{
	for (int t = 0; t < TEXTS; t++)
		if (!same(e, b, (enum roster_text)t))
			return false;
	return true;
}

/* What an entry says of itself is another thing than last time. */
static int renew(struct roster *r, struct roster_entry *e,
		 const struct roster_report *b, int64_t now, int64_t wall)
{
	bool again = e->f.has_pid && b->f.has_pid && e->f.pid != b->f.pid;
	bool moved = memcmp(e->f.source, b->f.source, 16) != 0;
	bool told = !same(e, b, TEXT_VERSION) || !same(e, b, TEXT_HOST) ||
		e->f.port != b->f.port;

	if (roster_source(r, e, b->f.source) < 0 || roster_texts(e, b->text) < 0)
		return -1;
	e->f = b->f;
	if (again || b->f.kind == ROSTER_INSTANCE)
		e->since = wall;
	if (again)
		tell(r, ROSTER_RESTARTED, e);
	if (again && e->queue != ROSTER_GONE)	/* else the report itself is a return */
		flap(r, e, now);
	if (told)
		tell(r, ROSTER_CHANGED, e);
	if (moved)
		tell(r, ROSTER_MOVED, e);
	return 0;
}

/* The one that has been gone longest makes room, of this source if given. */
static bool make_room(struct roster *r, const unsigned char *source)
{
	struct roster_entry *e = r->queue[ROSTER_GONE].first;

	while (e && source && memcmp(e->f.source, source, 16) != 0)
		e = e->next;
	if (e)
		roster_drop(r, e, ROSTER_FORGOTTEN);
	return e != NULL;
}

static struct roster_entry *add(struct roster *r, const struct roster_report *b,
				int64_t now, int64_t wall, int *status, const char **why)
{
	struct roster_entry *e;

	if (r->conf->per_source && !roster_unix(b->f.source) &&
	    peers_count(&r->sources, b->f.source) >= r->conf->per_source &&
	    !make_room(r, b->f.source)) {
		*status = 429;
		*why = "this source has as many entries as one may have";
		return NULL;
	}
	*status = 503;
	*why = "the registry is full";
	if (r->n >= (uint32_t)r->conf->max && !make_room(r, NULL))
		return NULL;
	e = roster_new(r, b);
	if (!e) {
		*why = "out of memory";
		return NULL;
	}
	e->first = e->since = e->last = wall;
	e->seen = now;
	roster_enqueue(r, e, ROSTER_ALIVE);
	return e;
}

struct roster_entry *roster_take(struct roster *r, const struct roster_report *b,
				 int64_t now, int64_t wall, bool *fresh,
				 int *status, const char **why)
{
	struct roster_entry *e = roster_find(r, b->f.kind, b->text[TEXT_KEY].p,
					     b->text[TEXT_KEY].n);

	*fresh = !e;
	if (!e) {
		e = add(r, b, now, wall, status, why);
		if (!e)
			return NULL;
		tell(r, ROSTER_JOINED, e);
		keep(r, e);
		return e;
	}
	if (!same_text(e, b) || memcmp(&e->f, &b->f, sizeof e->f) != 0 ||
	    b->f.kind == ROSTER_INSTANCE) {
		if (renew(r, e, b, now, wall) < 0) {
			*status = 503;
			*why = "out of memory";
			return NULL;
		}
		e->last = wall;
		keep(r, e);
	}
	roster_beat(r, e, now, wall);
	return e;
}

void roster_drop(struct roster *r, struct roster_entry *e, enum roster_event why)
{
	tell(r, why, e);
	keep_short(r, RECORD_DROP, e->id, 0);
	roster_unlink(r, e);
}

void roster_drain(struct roster *r, struct roster_entry *e, bool on)
{
	if (e->drained == on)
		return;
	e->drained = on;
	tell(r, on ? ROSTER_IS_DRAINED : ROSTER_UNDRAINED, e);
	keep(r, e);
}

/* ---- time ---- */

/* The first of a queue is the one that was heard least lately. */
static int64_t due(const struct roster *r, int q)
{
	const int64_t after[] = { r->conf->late, r->conf->ttl, r->conf->forget };
	const struct roster_entry *e = r->queue[q].first;

	return e ? e->seen + after[q] : INT64_MAX;
}

int64_t roster_tick(struct roster *r, int64_t now)
{
	int64_t next = INT64_MAX, at;
	struct roster_entry *e;

	for (int q = ROSTER_ALIVE; q <= ROSTER_GONE; q++) {
		while (due(r, q) <= now) {
			e = r->queue[q].first;
			if (q == ROSTER_GONE) {
				roster_drop(r, e, ROSTER_FORGOTTEN);
				continue;
			}
			roster_enqueue(r, e, (enum roster_state)(q + 1));
			tell(r, q == ROSTER_ALIVE ? ROSTER_WAS_LATE : ROSTER_WENT, e);
		}
	}
	for (int q = ROSTER_ALIVE; q <= ROSTER_GONE; q++) {
		at = due(r, q);
		if (at < next)
			next = at;
	}
	return next == INT64_MAX ? 0 : next;
}

enum roster_state roster_state(const struct roster_entry *e)
{
	if (e->queue == ROSTER_GONE)
		return ROSTER_GONE;
	if (e->drained)
		return ROSTER_DRAINED;
	if (e->held)
		return ROSTER_HELD;
	return e->queue;
}

bool roster_listed(const struct roster_entry *e)
{
	return roster_state(e) <= ROSTER_LATE;
}
