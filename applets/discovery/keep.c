/* keep.c - the table, its journal, and answers that wait for it
 * SPDX-License-Identifier: Apache-2.0
 *
 * All that comes in one turn of the loop is written at its end by one write,
 * and then answered: who is answered is kept.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "discovery.h"
#include "log.h"

enum {
	SECOND_MS = 1000,
	TELL_MS   = 5000,	/* between two "the registry was there" */
	PIECE     = 256 << 10,	/* bytes of a journal written anew in one turn */
	RETRY_MS  = 2000
};

struct roster roster;
struct journal journal;

/* ---- answers ---- */

struct waiting {
	struct exchange *x;	/* NULL: the client is gone */
	const char *text;
	char *own;
	int   status;
};

static struct waiting *waiting;
static size_t waiting_n, waiting_cap;

static void aborted(struct exchange *x)
{
	for (size_t i = 0; i < waiting_n; i++)
		if (waiting[i].x == x)
			waiting[i].x = NULL;
}

void keep_answer(struct exchange *x, int status, const char *text, char *own)
{
	struct waiting *more;

	if (waiting_n == waiting_cap) {
		more = realloc(waiting, (waiting_cap * 2 + 64) * sizeof *more);
		if (!more) {
			free(own);
			reply_detail(x, 503, "out of memory");
			return;
		}
		waiting = more;
		waiting_cap = waiting_cap * 2 + 64;
	}
	waiting[waiting_n++] = (struct waiting){ x, own ? own : text, own, status };
	x->on_abort = aborted;
}

static void answer_all(int bad, const char *why)
{
	for (size_t i = 0; i < waiting_n; i++) {
		struct waiting *w = &waiting[i];

		if (w->x && bad)
			reply_detail(w->x, 503, "the journal cannot be written: %s", why);
		else if (w->x)
			reply(w->x, w->status, w->status == 204 ? NULL : "application/json",
			      w->text, strlen(w->text));
		free(w->own);
	}
	waiting_n = 0;
}

/* ---- the journal ---- */

static struct task piece;
static uint32_t piece_at;
static int64_t not_before;

static void record(struct roster *r, const void *p, size_t n)
{
	(void)r;
	journal_add(&journal, p, n);
}

static void rewrite_failed(void)
{
	log_event(LOG_ERROR, "journal not written anew", "file", journal.path,
		  "reason", strerror(errno), NULL);
	not_before = loop_now() + RETRY_MS;
}

static void rewrite_piece(struct task *t)
{
	struct buf all = BUF(PIECE + JOURNAL_RECORD), one = BUF(JOURNAL_RECORD);
	int bad = 0;

	while (piece_at < roster.slots && all.len < PIECE) {
		const struct roster_entry *e = roster.slot[piece_at++];

		buf_reset(&one);
		if (e && roster_record(e, &one))
			journal_frame(&all, one.p, one.len);
	}
	if (all.len)
		bad = journal_put(&journal, &all);
	buf_free(&all);
	buf_free(&one);
	if (!bad && piece_at < roster.slots)
		task_later(t, rewrite_piece);
	else if (bad || journal_renew(&journal) < 0)
		rewrite_failed();
}

static void rewrite(void)
{
	if (!journal_grown(&journal) || loop_now() < not_before)
		return;
	piece_at = 0;
	if (journal_rewrite(&journal) < 0)
		rewrite_failed();
	else
		task_later(&piece, rewrite_piece);
}

static void flush(void)
{
	static bool failing;
	int bad = journal_flush(&journal);
	const char *why = strerror(errno);

	if (bad && !failing)
		log_event(LOG_ERROR, "journal not written", "file", journal.path,
			  "reason", why, NULL);
	else if (!bad && failing)
		log_event(LOG_WARN, "journal written again", "file", journal.path, NULL);
	failing = bad;
	answer_all(bad, why);
}

/* ---- time ---- */

static struct timer due, second;

static void on_due(struct timer *t)
{
	(void)t;	/* the turn's end does it */
}

/* Runs while there is somebody whose silence counts, or something unsynced. */
static void each_second(struct timer *t)
{
	static int64_t told;
	struct buf b = BUF(JOURNAL_RECORD);

	journal_sync(&journal);
	if (loop_now() - told >= TELL_MS && roster.n) {
		told = loop_now();
		roster_record_time(&b, clock_wall_ms());
		journal_add(&journal, b.p, b.len);
		buf_free(&b);
	}
	if (journal.path && (roster.n || journal.unsynced))
		timer_set(t, loop_now() + SECOND_MS, each_second);
}

static void turn(void)
{
	int64_t next = roster_tick(&roster, loop_now());

	if (next)
		timer_set(&due, next, on_due);
	flush();
	rewrite();
	events_turn();
	if (!second.slot && journal.path && roster.n)
		timer_set(&second, loop_now() + SECOND_MS, each_second);
}

/* ---- start and end ---- */

static int64_t told;

static int take(void *ctx, const void *p, size_t n)
{
	(void)ctx;
	return roster_replay(&roster, p, n, &told);
}

int keep_open(const struct roster_conf *conf, const char *path, enum journal_sync sync,
	      struct journal_found *found)
{
	roster.conf = conf;
	if (journal_open(&journal, path, sync, take, NULL, found) < 0)
		return -1;
	/* it may have been there until just before it would have said so again:
	 * nobody is given time that was not lost */
	roster_settle(&roster, told ? told + TELL_MS : 0, loop_now(), clock_wall_ms());
	roster.on_event = events_add;
	roster.on_record = record;
	return 0;
}

void keep_start(void)
{
	loop_each_turn(turn);
	turn();
}

void keep_close(void)
{
	flush();
	journal_close(&journal);
}
