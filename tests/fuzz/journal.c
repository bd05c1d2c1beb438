/* journal.c - fuzz: the journal's file, and the table that is made of it
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "journal.h"
#include "roster.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int64_t told;

static void must(int holds)
{
	if (!holds)
		abort();
}

static int take(void *ctx, const void *p, size_t n)
{
	return roster_replay(ctx, p, n, &told);
}

/* The checksum would keep the fuzzer out: half of the inputs are records with
 * their lengths, put into the journal's form here. */
static void framed(struct buf *b, const uint8_t *p, size_t n)
{
	buf_puts(b, "lmcjrnl1");
	while (n) {
		size_t len = p[0] < n - 1 ? p[0] : n - 1;

		journal_frame(b, p + 1, len);
		p += len + 1;
		n -= len + 1;
	}
}

static void check(struct roster *r)
{
	struct roster_entry **list;
	struct buf b = BUF(1 << 20);
	uint32_t queued = 0;

	roster_settle(r, told, 1000000, 1000000);
	for (int q = 0; q < 3; q++)
		for (struct roster_entry *e = r->queue[q].first; e; e = e->next) {
			must(!e->next || e->next->seen >= e->seen);
			queued++;
		}
	must(queued == r->n);
	list = roster_sorted(r);
	for (uint32_t i = 0; i < r->n; i++) {
		must(roster_find(r, list[i]->f.kind, roster_text(list[i], TEXT_KEY),
				 list[i]->n[TEXT_KEY]) == list[i]);
		buf_reset(&b);
		must(roster_record(list[i], &b) && b.len <= ROSTER_RECORD);
	}
	buf_free(&b);
	roster_tick(r, 1 << 30);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct roster_conf conf = {
		.late = 10, .ttl = 20, .forget = 30, .hold = 5, .max = 1000
	};
	struct roster r = { .conf = &conf };
	struct journal_found f = { 0 };
	struct buf b = BUF(1 << 17);

	if (n == 0 || n > 1 << 15)
		return 0;
	told = 0;
	if (data[0] & 1)
		framed(&b, data + 1, n - 1);
	else
		buf_add(&b, data + 1, n - 1);
	if (b.len >= 8)
		must(journal_read(b.p, b.len, take, &r, &f) + f.cut == b.len);
	check(&r);
	roster_free(&r);
	buf_free(&b);
	return 0;
}
