/* test_roster.c - who is there, over a time that the test makes
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "journal.h"
#include "report.h"
#include "test.h"

static struct roster_conf conf = {
	.late = 50, .ttl = 100, .forget = 1000, .hold = 200, .max = 1000, .per_source = 0
};
static char said[4096];
static struct buf records = BUF(1 << 24);
static struct report rep;

static void on_event(struct roster *r, enum roster_event what, const struct roster_entry *e)
{
	(void)r;
	snprintf(said + strlen(said), sizeof said - strlen(said), "%s%s:%s",
		 said[0] ? " " : "", roster_events[what], roster_text(e, TEXT_KEY) + 7);
}

static void on_record(struct roster *r, const void *p, size_t n)
{
	(void)r;
	journal_frame(&records, p, n);
}

static void begin(struct roster *r)
{
	*r = (struct roster){ .conf = &conf, .on_event = on_event, .on_record = on_record };
	said[0] = '\0';
	buf_reset(&records);
	buf_puts(&records, "lmcjrnl1");
}

static struct roster_entry *beat(struct roster *r, const char *query, int64_t now)
{
	const char *why = NULL;
	bool fresh;
	int status;

	if (report_heartbeat(&rep, query, strlen(query)) < 0)
		return NULL;
	return roster_take(r, &rep.b, now, now + 1000000, &fresh, &status, &why);
}

#define AT(host) "api_address=http://" host ":80"

static int take(void *ctx, const void *p, size_t n)
{
	static int64_t told;

	return roster_replay(ctx, p, n, &told);
}

/* What a reader of the records makes of them, as records again. */
static void again(struct roster *r)
{
	struct journal_found f = { 0 };

	*r = (struct roster){ .conf = &conf };
	journal_read(records.p, records.len, take, r, &f);
}

static bool equal(struct roster *a, struct roster *b)
{
	struct buf x = BUF(1 << 24), y = BUF(1 << 24);
	struct roster_entry **la, **lb;
	bool same;

	if (a->n != b->n)
		return false;
	la = roster_sorted(a);
	lb = roster_sorted(b);
	for (uint32_t i = 0; i < a->n; i++) {
		roster_record(la[i], &x);
		roster_record(lb[i], &y);
	}
	same = x.len == y.len && (!x.len || memcmp(x.p, y.p, x.len) == 0);
	buf_free(&x);
	buf_free(&y);
	return same;
}

TEST(an_entry_ages_in_its_order)
{
	struct roster r;
	struct roster_entry *a, *b;

	begin(&r);
	a = beat(&r, AT("a"), 1000);
	b = beat(&r, AT("b"), 1030);
	CHECK_INT(roster_tick(&r, 1049), 1050);
	CHECK_INT(roster_state(a), ROSTER_ALIVE);
	CHECK_INT(roster_tick(&r, 1050), 1080);
	CHECK_INT(roster_state(a), ROSTER_LATE);
	CHECK(roster_listed(a));
	beat(&r, AT("a"), 1060);
	CHECK_INT(roster_state(a), ROSTER_ALIVE);
	CHECK_INT(roster_tick(&r, 1080), 1110);
	CHECK_INT(roster_tick(&r, 1130), 1160);
	CHECK_INT(roster_state(b), ROSTER_GONE);
	CHECK(!roster_listed(b));
	CHECK_INT(roster_state(a), ROSTER_LATE);
	CHECK_INT(roster_tick(&r, 3000), 0);
	CHECK_INT(r.n, 0);
	CHECK_STR(said, "joined:a:80 joined:b:80 late:a:80 alive:a:80 late:b:80 "
		  "late:a:80 gone:b:80 gone:a:80 forgotten:b:80 forgotten:a:80");
	roster_free(&r);
}

TEST(a_jump_of_time_tells_every_step)
{
	struct roster r;

	begin(&r);
	beat(&r, AT("a"), 1000);
	CHECK_INT(roster_tick(&r, 1500), 2000);
	CHECK_STR(said, "joined:a:80 late:a:80 gone:a:80");
	roster_free(&r);
}

TEST(the_third_return_holds_and_each_further_one_longer)
{
	struct roster_entry *a = NULL;
	struct roster r;
	int64_t now = 0;

	begin(&r);
	beat(&r, AT("a"), now);
	for (int i = 0; i < 3; i++) {
		now += 100;
		roster_tick(&r, now);
		a = beat(&r, AT("a"), now);
	}
	CHECK_INT(roster_state(a), ROSTER_HELD);
	CHECK_INT(a->held - now, 200);
	now += 40;
	beat(&r, AT("a"), now);
	CHECK_INT(roster_state(a), ROSTER_HELD);
	now += 100;
	roster_tick(&r, now);
	CHECK_INT(roster_state(a), ROSTER_GONE);
	beat(&r, AT("a"), now);
	CHECK_INT(roster_state(a), ROSTER_HELD);
	CHECK_INT(a->held - now, 400);
	for (int i = 0; i < 10; i++)
		beat(&r, AT("a"), now += 40);
	CHECK_INT(roster_state(a), ROSTER_ALIVE);
	/* long after, the first return is the first again */
	now += 200 * 6;
	roster_tick(&r, now - 1100);
	a = beat(&r, AT("a"), now);
	CHECK_INT(roster_state(a), ROSTER_ALIVE);
	roster_free(&r);
}

TEST(records_read_again_make_the_same_table)
{
	struct roster r, copy;

	begin(&r);
	srand(7);
	for (int64_t now = 0; now < 20000; now += 10) {
		char query[100];
		struct roster_entry *e;

		snprintf(query, sizeof query, "api_address=http://h%d:80&version=%d&pid=%d",
			 rand() % 200, rand() % 3, rand() % 2);
		e = beat(&r, query, now);
		CHECK(e);
		if (rand() % 8 == 0)
			roster_drain(&r, e, rand() % 2);
		if (rand() % 16 == 0)
			roster_drop(&r, e, ROSTER_LEFT);
		roster_tick(&r, now);
	}
	CHECK(r.n > 20);
	again(&copy);
	CHECK(equal(&r, &copy));
	roster_free(&r);
	roster_free(&copy);
}

TEST(records_cut_anywhere_make_a_table_of_before)
{
	struct roster r, copy;
	struct journal_found f;
	size_t good, whole;
	uint32_t most = 0;

	begin(&r);
	for (int i = 0; i < 3; i++)
		beat(&r, i & 1 ? AT("a") "&version=2" : AT("b"), i);
	roster_drop(&r, beat(&r, AT("c"), 9), ROSTER_LEFT);
	whole = records.len;
	for (size_t cut = 8; cut <= whole; cut++) {
		char *p = malloc(cut);

		memcpy(p, records.p, cut);
		copy = (struct roster){ .conf = &conf };
		f = (struct journal_found){ 0 };
		good = journal_read(p, cut, take, &copy, &f);
		CHECK_INT(f.cut, cut - good);
		CHECK_INT(f.damaged, 0);
		CHECK_INT(f.unknown, 0);
		CHECK(copy.n <= 3);
		if (copy.n > most)
			most = copy.n;
		roster_free(&copy);
		free(p);
	}
	CHECK_INT(most, 3);
	CHECK_INT(good, whole);
	roster_free(&r);
}

TEST(time_away_counts_against_nobody)
{
	struct roster_entry *a, *b;
	struct roster r, copy;

	begin(&r);
	beat(&r, AT("a"), 0);
	beat(&r, AT("b"), 80);
	again(&copy);
	/* told at 90, back at 590: 90 and 10 of silence before, 500 of nobody */
	roster_settle(&copy, 1000090, 5000, 1000590);
	a = roster_find(&copy, ROSTER_FRONTEND, "http://a:80", 11);
	b = roster_find(&copy, ROSTER_FRONTEND, "http://b:80", 11);
	CHECK_INT(a->seen, 4910);
	CHECK_INT(b->seen, 4990);
	CHECK_INT(roster_state(b), ROSTER_LATE);
	CHECK_INT(roster_tick(&copy, 5010), 5090);
	CHECK_INT(roster_state(a), ROSTER_GONE);
	/* a clock that went back makes nobody younger than now */
	roster_settle(&copy, 0, 7000, 0);
	CHECK_INT(a->seen, 7000);
	roster_free(&r);
	roster_free(&copy);
}

TEST(a_full_table_drops_who_is_gone_first)
{
	struct roster r;

	conf.max = 2;
	begin(&r);
	beat(&r, AT("a"), 0);
	beat(&r, AT("b"), 90);
	CHECK(!beat(&r, AT("c"), 95));
	roster_tick(&r, 100);
	CHECK(beat(&r, AT("c"), 100) != NULL);
	CHECK(!roster_find(&r, ROSTER_FRONTEND, "http://a:80", 11));
	conf.max = 1000;
	roster_free(&r);
}

TEST(sources_are_counted_as_entries_come_move_and_go)
{
	static const unsigned char one[16] = { 1 }, two[16] = { 2 };
	struct roster_entry *e;
	struct roster r;

	conf.per_source = 1;
	begin(&r);
	memcpy(rep.b.f.source, one, 16);
	e = beat(&r, AT("a"), 0);
	CHECK(e && !beat(&r, AT("b"), 0));
	memcpy(rep.b.f.source, two, 16);
	CHECK(beat(&r, AT("a"), 1) == e);
	CHECK_INT(peers_count(&r.sources, one), 0);
	CHECK_INT(peers_count(&r.sources, two), 1);
	CHECK_STR(said, "joined:a:80 moved:a:80");
	roster_drop(&r, e, ROSTER_LEFT);
	CHECK_INT(peers_count(&r.sources, two), 0);
	memset(rep.b.f.source, 0, 16);
	CHECK(beat(&r, AT("a"), 2) && beat(&r, AT("b"), 2));
	conf.per_source = 0;
	roster_free(&r);
}

TEST(names_are_those_of_the_frontend)
{
	struct buf b = BUF(1000);
	struct roster r;

	begin(&r);
	roster_name(beat(&r, "api_address=https://[2001:DB8::0:1]:443", 0), &b);
	CHECK_STR(b.p, "proxys_2001:db8::1_443");
	CHECK(roster_named(&r, "[2001:db8::1]:443") != NULL);
	CHECK(roster_named(&r, "proxys_2001:db8::1_443") != NULL);
	CHECK(roster_named(&r, "https://[2001:db8::1]:443") != NULL);
	CHECK(!roster_named(&r, "2001:db8::1"));
	buf_free(&b);
	roster_free(&r);
}

/* ---- what is sent ---- */

TEST(a_heartbeat_cut_anywhere_is_read_or_refused)
{
	static const char whole[] = "x=1&pid=12030&api_address=http%3A%2F%2F192.0.2.2%3A8200"
		"&version=0.3&other_info=%7B%22a+b%22%3A+1%7D&pid=2";
	const struct roster_report *b = &rep.b;

	for (size_t n = 0; n < sizeof whole; n++) {
		char *p = malloc(n + 1);

		memcpy(p, whole, n);
		if (report_heartbeat(&rep, p, n) < 0)
			CHECK(rep.why[0]);
		else
			CHECK(b->text[TEXT_KEY].n && b->text[TEXT_HOST].n && !rep.why[0]);
		free(p);
	}
	CHECK_INT(report_heartbeat(&rep, whole, sizeof whole - 1), 0);
	CHECK_INT(b->f.pid, 12030);
	CHECK_INT(b->f.port, 8200);
	CHECK_MEM(b->text[TEXT_KEY].p, b->text[TEXT_KEY].n, "http://192.0.2.2:8200");
	CHECK_MEM(b->text[TEXT_VERSION].p, b->text[TEXT_VERSION].n, "0.3");
	CHECK_MEM(b->text[TEXT_INFO].p, b->text[TEXT_INFO].n, "{\"a b\": 1}");
}

static const char *refuses(const struct allow *a, const char *host, const char *from, bool trusted)
{
	struct allow source = { 0 };
	const char *why;
	struct addr at;

	if (addr_tcp(&at, host, 80, &why) < 0 || allow_add(&source, from, &why) < 0)
		return "bad test";
	return allow_refuses(a, &at, source.row[0].net, trusted);
}

TEST(networks_end_where_they_say)
{
	struct allow a = { 0 }, none = { 0 };
	const char *why;

	CHECK(!refuses(&none, "10.0.0.1", "10.0.0.1", false));
	CHECK(refuses(&none, "10.0.0.1", "10.0.0.2", false));
	CHECK(!refuses(&none, "10.0.0.1", "10.0.0.2", true));
	CHECK(!refuses(&none, "::1", "::1", false));
	CHECK(refuses(&none, "169.254.1.1", "169.254.1.1", true));
	CHECK(!refuses(&none, "128.0.0.1", "1.1.1.1", true));
	CHECK(!refuses(&none, "fe00::1", "1.1.1.1", true));
	CHECK(refuses(&none, "febf::1", "1.1.1.1", true));
	CHECK_INT(allow_add(&a, "10.1.2.128/25", &why), 0);
	CHECK_INT(allow_add(&a, "fd00:1::/33", &why), 0);
	CHECK_INT(allow_add(&a, "0.0.0.0/0", &why), 0);
	CHECK(!refuses(&a, "169.254.169.254", "1.1.1.1", false));
	a.n = 2;
	CHECK(!refuses(&a, "10.1.2.128", "1.1.1.1", false));
	CHECK(refuses(&a, "10.1.2.127", "10.1.2.127", true));
	CHECK(!refuses(&a, "fd00:1:7fff::1", "1.1.1.1", false));
	CHECK(refuses(&a, "fd00:1:8000::1", "1.1.1.1", false));
	CHECK(allow_add(&a, "::/129", &why) < 0);
	CHECK(allow_add(&a, "1.2.3.4/-1", &why) < 0);
	CHECK(allow_add(&a, "1.2.3.4/x", &why) < 0);
	CHECK(allow_add(&a, ".", &why) < 0);
}
