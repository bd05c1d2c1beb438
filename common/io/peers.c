/* peers.c - how often each client address is counted
 * SPDX-License-Identifier: Apache-2.0
 *
 * An open-addressing table; a row whose count falls to 0 is taken out by
 * moving the rows behind it up, so that no marks are left behind.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "peers.h"

struct peers_row {
	unsigned char address[16];
	long count;		/* 0: free */
};

static size_t home(const struct peers *s, const unsigned char *a)
{
	uint64_t h = 1469598103934665603u;

	for (int i = 0; i < 16; i++)
		h = (h ^ a[i]) * 1099511628211u;
	return (size_t)(h ^ h >> 32) & (s->cap - 1);
}

static size_t find(const struct peers *s, const unsigned char *a)
{
	size_t i = home(s, a);

	while (s->rows[i].count && memcmp(s->rows[i].address, a, 16) != 0)
		i = (i + 1) & (s->cap - 1);
	return i;
}

static int grow(struct peers *s)
{
	struct peers_row *old = s->rows;
	size_t old_cap = s->cap;

	if ((s->used + 1) * 2 <= s->cap)
		return 0;
	s->rows = calloc(s->cap ? s->cap * 2 : 64, sizeof *s->rows);
	if (!s->rows) {
		s->rows = old;
		return -1;
	}
	s->cap = s->cap ? s->cap * 2 : 64;
	for (size_t i = 0; i < old_cap; i++)
		if (old[i].count)
			s->rows[find(s, old[i].address)] = old[i];
	free(old);
	return 0;
}

long peers_add(struct peers *s, const unsigned char *address)
{
	struct peers_row *r;

	if (grow(s) < 0)
		return -1;
	r = &s->rows[find(s, address)];
	if (!r->count) {
		memcpy(r->address, address, 16);
		s->used++;
	}
	return ++r->count;
}

/* May the row at `at` move to the hole without leaving its run? */
static int may_move(const struct peers *s, size_t hole, size_t at)
{
	size_t want = home(s, s->rows[at].address);

	return hole <= at ? want <= hole || want > at : want <= hole && want > at;
}

void peers_drop(struct peers *s, const unsigned char *address)
{
	size_t hole, at;

	if (!s->cap)
		return;
	hole = find(s, address);
	if (!s->rows[hole].count || --s->rows[hole].count)
		return;
	s->used--;
	for (at = (hole + 1) & (s->cap - 1); s->rows[at].count; at = (at + 1) & (s->cap - 1)) {
		if (!may_move(s, hole, at))
			continue;
		s->rows[hole] = s->rows[at];
		s->rows[at].count = 0;
		hole = at;
	}
}

long peers_count(const struct peers *s, const unsigned char *address)
{
	return s->cap ? s->rows[find(s, address)].count : 0;
}
