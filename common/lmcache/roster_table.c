/* roster_table.c - the roster's memory: slots, chains, queues, order
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "roster_table.h"

enum { NO_QUEUE = 255, FIRST_SLOTS = 64 };

bool roster_unix(const unsigned char *source)
{
	static const unsigned char none[16];

	return memcmp(source, none, 16) == 0;
}

/* ---- chains ---- */

static uint32_t hash(enum roster_kind kind, const char *p, size_t n)
{
	uint32_t h = 2166136261u + (uint32_t)kind;

	while (n--)
		h = (h ^ (unsigned char)*p++) * 16777619u;
	return h ^ h >> 15;
}

static struct roster_entry **place(const struct roster *r, const struct roster_entry *e)
{
	return &r->chain[hash(e->f.kind, roster_text(e, TEXT_KEY), e->n[TEXT_KEY]) &
			 (r->chains - 1)];
}

struct roster_entry *roster_find(const struct roster *r, enum roster_kind kind,
				 const char *key, size_t n)
{
	struct roster_entry *e;

	if (!r->chains)
		return NULL;
	e = r->chain[hash(kind, key, n) & (r->chains - 1)];
	while (e && (e->f.kind != kind || e->n[TEXT_KEY] != n ||
		     memcmp(roster_text(e, TEXT_KEY), key, n) != 0))
		e = e->link;
	return e;
}

static int more_chains(struct roster *r)
{
	uint32_t n = r->chains ? r->chains * 2 : FIRST_SLOTS;
	struct roster_entry **chain, **old = r->chain, *e, *next;
	uint32_t olds = r->chains;

	if (r->n < r->chains)
		return 0;
	chain = calloc(n, sizeof *chain);
	if (!chain)
		return -1;
	r->chain = chain;
	r->chains = n;
	for (uint32_t i = 0; i < olds; i++) {
		for (e = old[i]; e; e = next) {
			next = e->link;
			e->link = *place(r, e);
			*place(r, e) = e;
		}
	}
	free(old);
	return 0;
}

/* ---- slots ---- */

static int more_slots(struct roster *r, uint32_t id)
{
	uint32_t n = r->slots ? r->slots : FIRST_SLOTS;
	struct roster_entry **slot;

	if (id < r->slots)
		return 0;
	while (n <= id)
		n *= 2;
	slot = realloc(r->slot, n * sizeof *slot);
	if (!slot)
		return -1;
	memset(slot + r->slots, 0, (n - r->slots) * sizeof *slot);
	r->slot = slot;
	r->slots = n;
	return 0;
}

struct roster_entry *roster_new(struct roster *r, const struct roster_report *b)
{
	while (r->lowest < r->slots && r->slot[r->lowest])
		r->lowest++;
	return roster_new_at(r, b, r->lowest);
}

static void entry_free(struct roster_entry *e)
{
	free(e->text);
	free(e);
}

struct roster_entry *roster_new_at(struct roster *r, const struct roster_report *b,
				   uint32_t id)
{
	struct roster_entry *e;

	if (id >= ROSTER_MAX || more_slots(r, id) < 0 || more_chains(r) < 0)
		return NULL;
	e = calloc(1, sizeof *e);
	if (!e)
		return NULL;
	e->id = id;
	e->queue = NO_QUEUE;
	if (roster_texts(e, b->text) < 0 || roster_source(r, e, b->f.source) < 0) {
		entry_free(e);
		return NULL;
	}
	e->f = b->f;
	r->slot[id] = e;
	e->link = *place(r, e);
	*place(r, e) = e;
	r->n++;
	r->is_sorted = false;
	return e;
}

static void dequeue(struct roster *r, struct roster_entry *e)
{
	struct roster_queue *q;

	if (e->queue == NO_QUEUE)
		return;
	q = &r->queue[e->queue];
	*(e->prev ? &e->prev->next : &q->first) = e->next;
	*(e->next ? &e->next->prev : &q->last) = e->prev;
}

void roster_enqueue(struct roster *r, struct roster_entry *e, enum roster_state state)
{
	struct roster_queue *q = &r->queue[state];

	dequeue(r, e);
	e->queue = (uint8_t)state;
	e->prev = q->last;
	e->next = NULL;
	*(q->last ? &q->last->next : &q->first) = e;
	q->last = e;
}

void roster_unlink(struct roster *r, struct roster_entry *e)
{
	struct roster_entry **at = place(r, e);

	while (*at != e)
		at = &(*at)->link;
	*at = e->link;
	dequeue(r, e);
	if (!roster_unix(e->f.source))
		peers_drop(&r->sources, e->f.source);
	r->slot[e->id] = NULL;
	if (e->id < r->lowest)
		r->lowest = e->id;
	r->n--;
	r->is_sorted = false;
	entry_free(e);
}

/* ---- what an entry is made of ---- */

int roster_texts(struct roster_entry *e, const struct span text[TEXTS])
{
	size_t total = 0;
	char *p, *to;

	for (int t = 0; t < TEXTS; t++)
		total += text[t].n + 1;
	p = to = malloc(total);
	if (!p)
		return -1;
	for (int t = 0; t < TEXTS; t++) {
		e->at[t] = (uint16_t)(to - p);
		e->n[t] = (uint16_t)text[t].n;
		if (text[t].n)
			memcpy(to, text[t].p, text[t].n);
		to += text[t].n;
		*to++ = '\0';
	}
	free(e->text);
	e->text = p;
	return 0;
}

int roster_source(struct roster *r, struct roster_entry *e, const unsigned char *source)
{
	if (memcmp(e->f.source, source, 16) == 0)
		return 0;
	if (!roster_unix(source) && peers_add(&r->sources, source) < 0)
		return -1;
	if (!roster_unix(e->f.source))
		peers_drop(&r->sources, e->f.source);
	memcpy(e->f.source, source, 16);
	return 0;
}

/* ---- order and names ---- */

static int by_key(const void *a, const void *b)
{
	const struct roster_entry *x = *(struct roster_entry *const *)a;
	const struct roster_entry *y = *(struct roster_entry *const *)b;

	if (x->f.kind != y->f.kind)
		return x->f.kind - y->f.kind;
	return strcmp(roster_text(x, TEXT_KEY), roster_text(y, TEXT_KEY));
}

struct roster_entry **roster_all(struct roster *r)
{
	struct roster_entry **list = r->n ? realloc(r->sorted, r->n * sizeof *list) : NULL;
	uint32_t n = 0;

	if (!list)
		return NULL;
	r->sorted = list;
	r->is_sorted = false;
	for (uint32_t i = 0; i < r->slots; i++)
		if (r->slot[i])
			list[n++] = r->slot[i];
	return list;
}

struct roster_entry **roster_sorted(struct roster *r)
{
	struct roster_entry **list = r->is_sorted && r->n ? r->sorted : roster_all(r);

	if (list && !r->is_sorted)
		qsort(list, r->n, sizeof *list, by_key);
	r->is_sorted = list != NULL;
	return list;
}

void roster_at(const struct roster_entry *e, struct buf *b)
{
	const char *host = roster_text(e, TEXT_HOST);

	buf_printf(b, strchr(host, ':') ? "[%s]:%d" : "%s:%d", host, e->f.port);
}

void roster_name(const struct roster_entry *e, struct buf *b)
{
	if (e->f.kind == ROSTER_INSTANCE)
		buf_printf(b, "mp_%s", roster_text(e, TEXT_KEY));
	else
		buf_printf(b, e->f.tls ? "proxys_%s_%d" : "proxy_%s_%d",
			   roster_text(e, TEXT_HOST), e->f.port);
}

static bool is_named(const struct roster_entry *e, const char *name)
{
	struct buf b = BUF(4 * ROSTER_KEY);
	bool is;

	roster_name(e, &b);
	is = strcmp(b.p, name) == 0;
	buf_reset(&b);
	roster_at(e, &b);
	is = is || strcmp(b.p, name) == 0;
	buf_free(&b);
	return is;
}

struct roster_entry *roster_named(const struct roster *r, const char *name)
{
	size_t n = strlen(name);
	struct roster_entry *e = roster_find(r, ROSTER_FRONTEND, name, n);

	if (!e)
		e = roster_find(r, ROSTER_INSTANCE, name, n);
	for (uint32_t i = 0; !e && i < r->slots; i++)
		if (r->slot[i] && is_named(r->slot[i], name))
			e = r->slot[i];
	return e;
}

void roster_free(struct roster *r)
{
	for (uint32_t i = 0; i < r->slots; i++)
		if (r->slot[i])
			roster_unlink(r, r->slot[i]);
	free(r->slot);
	free(r->chain);
	free(r->sorted);
	free(r->sources.rows);
}
