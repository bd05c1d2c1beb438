/* test_events.c - readers of event streams that are lost while they are told
 * SPDX-License-Identifier: Apache-2.0
 */
#include "../../applets/discovery/events.c"
#include "test.h"

/* What lists.c and reply.c would do; a reader that is lost is told of first. */
static bool lost;
static int written, ended;

void put_entry(struct buf *b, const struct roster_entry *e, const char *form)
{
	(void)e;
	(void)form;
	buf_puts(b, "\"kind\":\"instance\"}");
}

bool query_get(const struct exchange *x, const char *name, char *out, size_t cap)
{
	(void)x;
	(void)name;
	(void)out;
	(void)cap;
	return false;
}

void reply_header(struct exchange *x, const char *fmt, ...)
{
	(void)x;
	(void)fmt;
}

void reply(struct exchange *x, int status, const char *type, const void *p, size_t n)
{
	(void)type;
	(void)p;
	(void)n;
	x->status = status;
}

void reply_detail(struct exchange *x, int status, const char *fmt, ...)
{
	(void)fmt;
	x->status = status;
}

void reply_start(struct exchange *x, int status, const char *type, int64_t length)
{
	(void)type;
	(void)length;
	x->status = status;
}

long reply_write(struct exchange *x, const void *p, size_t n)
{
	(void)p;
	(void)n;
	written++;
	if (lost && x->on_abort)
		x->on_abort(x);
	return lost ? -1 : 0;
}

void reply_end(struct exchange *x)
{
	(void)x;
	ended++;
}

static void happens(void)
{
	static char text[] = "a";
	struct roster_entry e = { .text = text };

	events_add(NULL, ROSTER_JOINED, &e);
}

static void begin(struct exchange *x, int n)
{
	loop_init();
	log_level = LOG_ERROR;
	lost = false;
	written = ended = 0;
	start();
	for (int i = 0; i < n; i++) {
		x[i] = (struct exchange){ 0 };
		wait_for_news(&x[i], next_id - 1, 1000, true);
	}
}

TEST(streams_that_are_lost_while_they_are_told_are_forgotten_once)
{
	struct exchange x[3];

	begin(x, 3);
	CHECK(watchers_n == 3);
	lost = true;
	happens();
	events_turn();
	CHECK(watchers_n == 0 && !watchers);
	CHECK(written == 6 && ended == 0);
}

TEST(a_stream_that_is_lost_at_its_pulse_is_forgotten_once)
{
	struct exchange x[2];

	begin(x, 2);
	lost = true;
	on_time(&watchers->timer);
	CHECK(watchers_n == 1 && ended == 0);
	lost = false;
	events_end();
	CHECK(watchers_n == 0 && ended == 1);
}

TEST(a_stream_that_is_lost_at_its_start_is_forgotten_once)
{
	struct exchange x;

	begin(&x, 0);
	lost = true;
	x = (struct exchange){ 0 };
	wait_for_news(&x, next_id - 1, 1000, true);
	CHECK(watchers_n == 0 && ended == 0);
}
