/* test_etcd.c - base64, streams of JSON texts, what etcd says of keys, its URLs
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "base64.h"
#include "etcd.h"
#include "etcd_table.h"
#include "jsonl.h"
#include "test.h"

static const char *decoded(const char *text)
{
	static char out[256];
	long n = base64_decode(out, text, strlen(text));

	if (n < 0)
		return "no";
	out[n] = '\0';
	return out;
}

static const char *encoded(const char *text)
{
	static char out[256];

	out[base64(out, text, strlen(text))] = '\0';
	return out;
}

/* RFC 4648, 10 */
TEST(base64_both_ways)
{
	static const char *const rows[][2] = {
		{ "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" },
		{ "\xff\xfe\xfb", "//77" }, { "/lmc/nodes0", "L2xtYy9ub2RlczA=" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		CHECK_STR(encoded(rows[i][0]), rows[i][1]);
		CHECK_STR(decoded(rows[i][1]), rows[i][0]);
	}
}

TEST(what_is_not_base64_is_refused)
{
	static const char *const bad[] = {
		"Z", "Zg", "Zg=", "=", "==", "====", "Zg=a", "Z===", "Zm9v=", "Zm9vZg",
		"Zh==", "Zm9=", "Zm 9", "Zm9v\n", "Zm-_", "Zm9vZ===",
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		CHECK_STR(decoded(bad[i]), "no");
}

TEST(base64_goes_back_in_place)
{
	char text[] = "Zm9vYmE=";

	CHECK_INT(base64_decode(text, text, 8), 5);
	CHECK(!memcmp(text, "fooba", 5));
}

/* ---- streams ---- */

static char got[4096];

static int note(void *ctx, const char *p, size_t n)
{
	(void)ctx;
	snprintf(got + strlen(got), sizeof got - strlen(got), "<%.*s>", (int)n, p);
	return n == 4 && !memcmp(p, "stop", 4) ? -1 : 0;
}

static int feed(const char *text, size_t step, size_t max)
{
	struct buf part = BUF(max);
	size_t n = strlen(text), take;
	int rc = 0;

	got[0] = '\0';
	for (size_t i = 0; i < n && rc == 0; i += take) {
		take = n - i < step ? n - i : step;
		rc = jsonl_feed(&part, text + i, take, note, NULL);
	}
	buf_free(&part);
	return rc;
}

TEST(texts_come_whole_however_they_are_cut)
{
	for (size_t step = 1; step < 40; step++) {
		CHECK_INT(feed("{\"a\":1}\n{\"b\":2}\r\n\n \n{\"c\":\"\\n\"}\n{\"unfinished", step, 64), 0);
		CHECK_STR(got, "<{\"a\":1}><{\"b\":2}\r><{\"c\":\"\\n\"}>");
		CHECK_INT(feed("a\nstop\nb\n", step, 64), -1);
		CHECK_STR(got, "<a><stop>");
	}
}

TEST(a_text_over_the_ceiling_ends_the_stream)
{
	for (size_t step = 1; step < 40; step++) {
		CHECK_INT(feed("12345678\n123456789\nc\n", step, 8), -1);
		CHECK_STR(got, "<12345678>");
		CHECK_INT(feed("123456789", step, 8), -1);
	}
}

/* ---- the table ---- */

static struct etcd_table table;
static struct supply s;

static const char *listed(void)
{
	static char out[2048];

	supply_begin(&s);
	etcd_table_list(&table, 3, &s);
	supply_end(&s);
	out[0] = '\0';
	for (int i = 0; i < s.n; i++)
		snprintf(out + strlen(out), sizeof out - strlen(out), "%s=%s:%d ",
			 s.entry[i].name ? s.entry[i].name : "-", s.entry[i].addr.host,
			 s.entry[i].addr.port);
	return out;
}

/* Two of them at a time. */
static const char *b64(const char *text)
{
	static char out[2][512];
	static int turn;

	turn = !turn;
	out[turn][base64(out[turn], text, strlen(text))] = '\0';
	return out[turn];
}

static unsigned event(const char *key, const char *value, int revision)
{
	char text[1024];

	snprintf(text, sizeof text, value ?
		 "{\"result\":{\"header\":{\"revision\":\"%d\"},\"events\":[{\"kv\":{\"key\":\"%s\","
		 "\"mod_revision\":\"%d\",\"value\":\"%s\"}}]}}" :
		 "{\"result\":{\"header\":{\"revision\":\"%d\"},\"events\":[{\"type\":\"DELETE\","
		 "\"kv\":{\"key\":\"%s\",\"mod_revision\":\"%d\"}}]}}",
		 revision, b64(key), revision, value ? b64(value) : "");
	return etcd_table_watched(&table, text, strlen(text));
}

static struct json parsed(const char *text)
{
	struct json_error e;
	struct json j = { 0 };

	json_parse(&j, text, strlen(text), JSON_MAX, 0, &e);
	return j;
}

static bool same(int revision, int count, int newest)
{
	char text[256];
	struct json j;
	bool yes;

	snprintf(text, sizeof text, "{\"header\":{\"revision\":\"%d\"},\"kvs\":"
		 "[{\"mod_revision\":\"%d\"}],\"count\":\"%d\"}", revision, newest, count);
	j = parsed(text);
	yes = etcd_table_same(&table, &j);
	json_free(&j);
	return yes;
}

TEST(keys_come_change_and_go)
{
	etcd_table_free(&table);
	CHECK_INT(event("/p/b", "{\"api_address\":\"http://10.0.0.2:80\",\"pid\":1}", 5), ETCD_CHANGED);
	CHECK_INT(event("/p/a", "10.0.0.1:80 \n", 6), ETCD_CHANGED);
	CHECK_STR(listed(), "a=10.0.0.1:80 b=10.0.0.2:80 ");
	CHECK_INT(event("/p/b", "http://10.0.0.3:81", 7), ETCD_CHANGED);
	CHECK_STR(listed(), "a=10.0.0.1:80 b=10.0.0.3:81 ");
	CHECK_INT(event("/p/a", NULL, 8), ETCD_CHANGED);
	CHECK_INT(event("/p/none", NULL, 9), ETCD_CHANGED);
	CHECK_STR(listed(), "b=10.0.0.3:81 ");
	CHECK_INT(s.bad, 0);
	CHECK_INT(table.revision, 9);
}

TEST(a_look_tells_whether_anything_was_missed)
{
	etcd_table_free(&table);
	event("/p/a", "10.0.0.1:80", 5);
	event("/p/b", "10.0.0.2:80", 7);
	CHECK(same(7, 2, 7));
	CHECK(!same(9, 3, 9));		/* one came */
	CHECK(!same(9, 2, 8));		/* one is another */
	CHECK(!same(9, 1, 7));		/* one went */
	CHECK(!same(6, 2, 7));		/* another past */
	CHECK_INT(table.revision, 7);
	CHECK(same(20, 2, 7));
	CHECK_INT(table.revision, 20);
}

TEST(one_bad_entry_costs_only_itself)
{
	static const char *const bad[] = {
		"", " ", "{", "{\"api_address\":7}", "{\"pid\":1}", "javascript:alert(1)",
		"file:///etc/passwd", "169.254.169.254:80", "https://10.0.0.1:1",
		"unix:/x.sock", "/x.sock", "10.0.0.1", "10.0.0.1:0x50", "[]",
	};

	etcd_table_free(&table);
	event("/p/good", "10.0.0.1:80", 1);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		event("/p/x", bad[i], 2);
		CHECK_STR(listed(), "good=10.0.0.1:80 ");
		CHECK_INT(s.bad, 1);
		CHECK(s.why[0]);
	}
}

TEST(a_value_is_at_most_4096_bytes)
{
	static char value[ETCD_VALUE + 2], text[3 * ETCD_VALUE];
	char b[2 * ETCD_VALUE];

	for (size_t n = ETCD_VALUE; n <= ETCD_VALUE + 1; n++) {
		memset(value, ' ', n);
		memcpy(value, "10.0.0.9:80", 11);
		b[base64(b, value, n)] = '\0';
		snprintf(text, sizeof text, "{\"result\":{\"events\":[{\"kv\":{\"key\":\"L3AveA==\","
			 "\"value\":\"%s\"}}]}}", b);
		etcd_table_free(&table);
		etcd_table_watched(&table, text, strlen(text));
		CHECK_STR(listed(), n == ETCD_VALUE ? "x=10.0.0.9:80 " : "");
		CHECK_INT(s.bad, n != ETCD_VALUE);
	}
}

TEST(more_keys_than_are_taken_are_told_and_read_again_when_there_is_room)
{
	char key[32], value[32];

	etcd_table_free(&table);
	for (int i = 0; i <= SUPPLY_MAX; i++) {
		snprintf(key, sizeof key, "/p/k%d", i);
		snprintf(value, sizeof value, "10.0.%d.%d:80", i / 250, 1 + i % 250);
		event(key, value, i + 1);
	}
	CHECK_INT(table.n, SUPPLY_MAX);
	CHECK(table.more);
	listed();
	CHECK_INT(s.n, SUPPLY_MAX);
	CHECK_INT(s.bad, 1);
	CHECK(same(SUPPLY_MAX + 1, SUPPLY_MAX + 1, SUPPLY_MAX + 1));
	event("/p/k5", NULL, SUPPLY_MAX + 2);
	CHECK(!same(SUPPLY_MAX + 2, SUPPLY_MAX, SUPPLY_MAX + 1));
	etcd_table_free(&table);
}

TEST(the_end_of_a_watch_is_seen)
{
	static const struct { const char *text; unsigned what; } rows[] = {
		{ "{\"result\":{\"header\":{},\"created\":true}}", 0 },
		{ "{\"result\":{\"canceled\":true,\"compact_revision\":\"4\"}}",
		  ETCD_ENDED | ETCD_COMPACTED },
		{ "{\"result\":{\"watch_id\":\"-1\",\"created\":true,\"canceled\":true}}", ETCD_ENDED },
		{ "{\"error\":{\"http_code\":503,\"message\":\"gone\"}}", ETCD_ENDED },
		{ "not JSON", ETCD_ENDED }, { "[]", ETCD_ENDED }, { "7", ETCD_ENDED },
		{ "{\"result\":{\"events\":7}}", 0 },
		{ "{\"result\":{\"events\":[7,{},{\"kv\":[]},{\"kv\":{\"key\":7}}]}}", ETCD_CHANGED },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		CHECK_INT(etcd_table_watched(&table, rows[i].text, strlen(rows[i].text)), rows[i].what);
}

TEST(an_int64_is_a_string_or_a_number_or_left_out)
{
	struct json j = parsed("{\"a\":\"9223372036854775807\",\"b\":-5,\"c\":\"x\",\"d\":\"\","
			       "\"e\":\"92233720368547758079\",\"f\":null,\"g\":\"12 \"}");

	CHECK(etcd_int(&j, 0, "a") == INT64_MAX);
	CHECK_INT(etcd_int(&j, 0, "b"), -5);
	for (const char *p = "cdefgh"; *p; p++)
		CHECK_INT(etcd_int(&j, 0, (char [2]){ *p }), 0);
	CHECK_INT(etcd_int(&j, -1, "a"), 0);
	json_free(&j);
}

/* ---- URLs ---- */

TEST(a_url_names_endpoints_a_prefix_and_who_we_are)
{
	struct etcd e = { 0 };

	CHECK_INT(etcd_open(&e, "etcd://h"), 0);
	CHECK_INT(e.at[0].port, 2379);
	CHECK_STR(e.prefix, "/lmc/nodes/");
	e = (struct etcd){ 0 };
	CHECK_INT(etcd_open(&e, "etcds://lmc@h:1,[2001:db8::1]:2,i/a/b//?password-file=/x"), 0);
	CHECK_INT(e.n, 3);
	CHECK_STR(e.at[1].host, "2001:db8::1");
	CHECK_INT(e.at[1].port, 2);
	CHECK_INT(e.at[2].port, 2379);
	CHECK(e.at[0].tls && e.at[2].tls);
	CHECK_STR(e.prefix, "/a/b/");
	CHECK_INT(e.user_n, 3);
	CHECK_STR(e.secret, "/x");
}

TEST(what_is_no_such_url_is_refused)
{
	static const char *const bad[] = {
		"etcd", "etcds", "etcd:", "etcd:h", "etcd://", "etcd:///p", "etcd://h,/p", "etcd://,h", "etcdx://h",
		"etcd://u:secret@h/p", "etcd://h:0x1", "etcd://h/p?x=1", "etcd://h/p?password-file=",
		"etcd://h/p?password-file=/x", "etcd://h/%2f", "etcd://h/p#x", "etcd://unix:/x",
		"etcd://h,h,h,h,h,h,h,h,h,h,h,h,h,h,h,h,h",
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct etcd e = { 0 };

		CHECK_INT(etcd_open(&e, bad[i]), -1);
		CHECK(e.why[0]);
		CHECK(!strstr(e.why, "secret"));
		etcd_close(&e);
	}
}
