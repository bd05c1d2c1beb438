/* peers.c - how many connections each client address has open
 * SPDX-License-Identifier: Apache-2.0
 *
 * An open-addressing table; a row whose count falls to 0 is taken out by
 * moving the rows behind it up, so that no marks are left behind.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "peers.h"

struct row {
	unsigned char address[16];
	long count;		/* 0: free */
};

static struct row *rows;
static size_t cap, used;	/* cap is a power of two */

static size_t home(const unsigned char *a)
{
	uint64_t h = 1469598103934665603u;

	for (int i = 0; i < 16; i++)
		h = (h ^ a[i]) * 1099511628211u;
	return (size_t)(h ^ h >> 32) & (cap - 1);
}

static size_t find(const unsigned char *a)
{
	size_t i = home(a);

	while (rows[i].count && memcmp(rows[i].address, a, 16) != 0)
		i = (i + 1) & (cap - 1);
	return i;
}

static int grow(void)
{
	struct row *old = rows;
	size_t old_cap = cap;

	if ((used + 1) * 2 <= cap)
		return 0;
	rows = calloc(cap ? cap * 2 : 64, sizeof *rows);
	if (!rows) {
		rows = old;
		return -1;
	}
	cap = cap ? cap * 2 : 64;
	for (size_t i = 0; i < old_cap; i++)
		if (old[i].count)
			rows[find(old[i].address)] = old[i];
	free(old);
	return 0;
}

long peers_add(const unsigned char *address)
{
	struct row *r;

	if (grow() < 0)
		return -1;
	r = &rows[find(address)];
	if (!r->count) {
		memcpy(r->address, address, 16);
		used++;
	}
	return ++r->count;
}

/* May the row at `at` move to the hole without leaving its run? */
static int may_move(size_t hole, size_t at)
{
	size_t want = home(rows[at].address);

	return hole <= at ? want <= hole || want > at : want <= hole && want > at;
}

void peers_drop(const unsigned char *address)
{
	size_t hole, at;

	if (!cap)
		return;
	hole = find(address);
	if (!rows[hole].count || --rows[hole].count)
		return;
	used--;
	for (at = (hole + 1) & (cap - 1); rows[at].count; at = (at + 1) & (cap - 1)) {
		if (!may_move(hole, at))
			continue;
		rows[hole] = rows[at];
		rows[at].count = 0;
		hole = at;
	}
}
