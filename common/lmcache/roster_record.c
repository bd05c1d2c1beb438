/* roster_record.c - the roster's records: written as things happen, read again
 * SPDX-License-Identifier: Apache-2.0
 *
 * In this machine's byte order: a journal stays on its machine. A record is
 * whole in itself; ids are slots, used again after a drop.
 */
#include <stdlib.h>
#include <string.h>

#include "roster_table.h"

static const int64_t TIME_MAX = 253402300800000;	/* ms, the year 10,000 */

struct record {
	uint8_t  op, drained, pad[2];
	uint32_t id;
	int64_t  first, since, last;
	struct roster_facts f;
	uint16_t n[TEXTS], pad2[3];
};

bool roster_record(const struct roster_entry *e, struct buf *b)
{
	struct record h = {
		.op = RECORD_ENTRY, .drained = e->drained, .id = e->id, .first = e->first,
		.since = e->since, .last = e->last, .f = e->f,
	};

	memcpy(h.n, e->n, sizeof h.n);
	buf_add(b, &h, sizeof h);
	for (int t = 0; t < TEXTS; t++)
		buf_add(b, roster_text(e, t), e->n[t]);
	return !b->bad;
}

void roster_record_time(struct buf *b, int64_t wall)
{
	struct short_record h = { .op = RECORD_TIME, .at = wall };

	buf_add(b, &h, sizeof h);
}

/* The texts behind a record's head; false when they are not what is there. */
static bool read_texts(struct roster_report *b, const struct record *h,
		       const char *p, size_t n)
{
	static const uint16_t most[TEXTS] = {
		ROSTER_KEY, ROSTER_KEY, ROSTER_VERSION, ROSTER_INFO, ROSTER_URL
	};

	for (int t = 0; t < TEXTS; t++) {
		if (h->n[t] > most[t] || h->n[t] > n || memchr(p, '\0', h->n[t]))
			return false;
		b->text[t] = (struct span){ p, h->n[t] };
		p += h->n[t];
		n -= h->n[t];
	}
	return n == 0 && h->n[TEXT_KEY] && h->n[TEXT_HOST];
}

/* Of a file, so it may be anything; 0 is "never". */
static int64_t when(int64_t ms)
{
	return ms > 0 && ms < TIME_MAX ? ms : 0;
}

/* The slot and the key become this entry's, whoever had them. */
static int replay_entry(struct roster *r, const char *p, size_t n)
{
	struct roster_report b = { 0 };
	struct roster_entry *e;
	struct record h;

	if (n < sizeof h)
		return -1;
	memcpy(&h, p, sizeof h);
	if (h.f.kind > ROSTER_INSTANCE || h.id >= ROSTER_MAX ||
	    !read_texts(&b, &h, p + sizeof h, n - sizeof h))
		return -1;
	b.f = h.f;
	if (h.id < r->slots && r->slot[h.id])
		roster_unlink(r, r->slot[h.id]);
	e = roster_find(r, b.f.kind, b.text[TEXT_KEY].p, b.text[TEXT_KEY].n);
	if (e)
		roster_unlink(r, e);
	e = roster_new_at(r, &b, h.id);
	if (!e)
		return -1;
	e->drained = h.drained;
	e->first = when(h.first);
	e->since = when(h.since);
	e->last = when(h.last);
	return 0;
}

int roster_replay(struct roster *r, const void *p, size_t n, int64_t *told)
{
	struct short_record h = { 0 };
	struct roster_entry *e;

	if (n && *(const uint8_t *)p == RECORD_ENTRY)
		return replay_entry(r, p, n);
	if (n != sizeof h)
		return -1;
	memcpy(&h, p, n);
	e = h.id < r->slots ? r->slot[h.id] : NULL;
	if (h.op == RECORD_TIME)
		*told = when(h.at);
	else if (h.op == RECORD_BEAT && e)
		e->last = when(h.at);
	else if (h.op == RECORD_DROP && e)
		roster_unlink(r, e);
	else if (h.op != RECORD_BEAT && h.op != RECORD_DROP)
		return -1;
	return 0;
}

static int by_last(const void *a, const void *b)
{
	const struct roster_entry *x = *(struct roster_entry *const *)a;
	const struct roster_entry *y = *(struct roster_entry *const *)b;

	return (x->last > y->last) - (x->last < y->last);
}

/* Silence counts while the registry listened: `away` of it did not. Who would
 * be late by the wall's clock is late all the same. */
static void settle(struct roster *r, struct roster_entry *e, int64_t away,
		   int64_t now, int64_t wall)
{
	int64_t age = wall - e->last, silent = age - away;

	if (age < 0)
		age = 0;
	if (silent < 0)
		silent = 0;
	e->seen = now - silent;
	e->excused = true;
	roster_enqueue(r, e, silent >= r->conf->ttl ? ROSTER_GONE :
		       age >= r->conf->late ? ROSTER_LATE : ROSTER_ALIVE);
}

void roster_settle(struct roster *r, int64_t told, int64_t now, int64_t wall)
{
	struct roster_entry **list = roster_all(r);
	int64_t away = told && told < wall ? wall - told : 0;

	if (!list)
		return;
	qsort(list, r->n, sizeof *list, by_last);
	for (uint32_t i = 0; i < r->n; i++)
		settle(r, list[i], away, now, wall);
}
