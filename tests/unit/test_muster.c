/* test_muster.c - registries' lists, frontends' answers, and the tree of them
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "muster_make.h"
#include "test.h"

/* ---- lists of registries ---- */

static struct supply s;

static int list(const char *text, bool sockets)
{
	const char *why;

	supply_begin(&s);
	if (supply_read(&s, text, strlen(text), sockets, &why) < 0)
		return -1;
	supply_end(&s);
	return s.n;
}

static bool entry(int i, const char *name, const char *host, int port, enum supply_what what)
{
	const struct supply_entry *e = &s.entry[i];

	return i < s.n && (name ? e->name && !strcmp(e->name, name) : !e->name) &&
	       !strcmp(e->addr.host, host) && e->addr.port == port && e->what == what;
}

static const char infos[] =
	"{\"processCount\":2,\"processInfos\":{"
	"\"http://10.0.0.2:8000\":{\"count\":1,\"lmCacheInfoEntities\":[{\"apiAddress\":\"http://10.0.0.2:8000\"}]},"
	"\"http://10.0.0.1:8000\":{},"
	"\"http://10.0.0.3\":{\"lmCacheInfoEntities\":[{\"apiAddress\":\"10.0.0.3\"}]},"
	"\"x\":{\"lmCacheInfoEntities\":[{\"apiAddress\":null},{\"apiAddress\":\"http://[fe80::1]:1\"}]}},"
	"\"versions\":null}";

TEST(a_discovery_services_list)
{
	CHECK(list(infos, false) == 2);
	CHECK(entry(0, NULL, "10.0.0.1", 8000, SUPPLY_ANY));
	CHECK(entry(1, NULL, "10.0.0.2", 8000, SUPPLY_ANY));
	CHECK(s.bad == 3);
	CHECK(strstr(s.why, "10.0.0.3"));
}

static const char instances[] =
	"{\"instances\":[{\"instance_id\":\"a\",\"ip\":\"10.0.0.1\",\"http_port\":80},"
	"{\"instance_id\":\"b\",\"ip\":\"::1\",\"http_port\":81},"
	"{\"instance_id\":\"c\",\"ip\":\"10.0.0.1\",\"http_port\":0},"
	"{\"ip\":\"10.0.0.1\",\"http_port\":82},7]}";

TEST(a_coordinators_list)
{
	CHECK(list(instances, false) == 2);
	CHECK(entry(0, "mp_a", "10.0.0.1", 80, SUPPLY_NODE));
	CHECK(entry(1, "mp_b", "::1", 81, SUPPLY_NODE));
	CHECK(s.bad == 3);
}

static const char tree[] =
	"[\"10.0.0.1:1\",{\"name\":\"n\",\"host\":\"10.0.0.2\",\"port\":2},"
	"{\"name\":\"f\",\"host\":\"10.0.0.3\",\"port\":3,\"nodes\":[{\"name\":\"in\"}]},"
	"{\"name\":\"local_proxy\",\"children\":[{\"name\":\"own\",\"host\":\"h\",\"port\":\"/s.sock\"}]},"
	"{\"name\":\"m\",\"host\":\"169.254.1.1\",\"port\":4},null]";

TEST(a_node_list_where_only_a_file_may_name_sockets)
{
	CHECK(list(tree, false) == 3);
	CHECK(s.bad == 3);
	CHECK(entry(2, "f", "10.0.0.3", 3, SUPPLY_FRONTEND));
	CHECK(list(tree, true) == 4);
	CHECK(entry(0, "own", "/s.sock", 0, SUPPLY_ANY));
	CHECK(entry(2, "n", "10.0.0.2", 2, SUPPLY_ANY));
}

TEST(a_list_that_is_none_changes_nothing)
{
	CHECK(list(instances, false) == 2);
	CHECK(list("{\"nodes\":3}", false) == -1);
	CHECK(list("7", false) == -1);
	CHECK(list("", false) == -1);
	CHECK(s.n == 2);
}

static int changes;

static void changed(struct supply *of)
{
	(void)of;
	changes++;
}

TEST(only_another_list_or_the_end_of_silence_is_a_change)
{
	s.changed = changed;
	changes = 0;
	list("[\"10.0.0.1:1\",\"10.0.0.2:1\"]", false);
	CHECK(changes == 1);
	list("[\"10.0.0.2:1\",\"10.0.0.1:1\",\"10.0.0.1:1\"]", false);
	CHECK(changes == 1 && s.n == 2);
	supply_fail(&s, "gone");
	supply_fail(&s, "gone");
	CHECK(changes == 2 && s.stale && s.n == 2);
	list("[\"10.0.0.2:1\",\"10.0.0.1:1\"]", false);
	CHECK(changes == 3 && !s.stale && !*s.why);
	s.changed = NULL;
}

TEST(lists_cut_anywhere_are_refused_and_change_nothing)
{
	const char *const all[] = { infos, instances, tree };

	CHECK(list("[\"10.0.0.1:1\"]", false) == 1);
	for (int k = 0; k < 3; k++)
		for (size_t n = 0; n + 1 < strlen(all[k]); n++) {
			char *cut = strndup(all[k], n);

			CHECK(list(cut, true) == -1);
			CHECK(s.n == 1);
			free(cut);
		}
}

TEST(one_list_has_a_ceiling)
{
	struct buf b = BUF(1 << 20);

	buf_putc(&b, '[');
	for (int i = 0; i < SUPPLY_MAX + 2; i++)
		buf_printf(&b, "%s\"10.0.%d.%d:1\"", i ? "," : "", i / 256, i % 256);
	buf_putc(&b, ']');
	CHECK(list(b.p, false) == SUPPLY_MAX);
	CHECK(s.bad == 2);
	CHECK(!strcmp(s.why, "more than 4096 entries"));
}

TEST(addresses_of_one_link_are_bad_entries)
{
	CHECK(list("[\"169.254.169.254:80\",\"[fe80::1]:80\",\"[FE9A::1]:80\",\"[febf::]:80\","
		   "\"[fec0::1]:80\",\"feed.example:80\",\"fe:80\"]", false) == 3);
	CHECK(s.bad == 4);
}

/* What the registry of this spec tells at once. */
static struct supply asked(const char *spec)
{
	struct supply one = { 0 };
	int64_t until = clock_ms() + 10000;

	if (supply_open(&one, spec, NULL) == 0)
		while (!one.told && !one.stale && clock_ms() < until)
			supply_tick(&one, clock_ms());
	return one;
}

static char *file_of(const char *text)
{
	static char spec[] = "file:/tmp/test_muster.XXXXXX";
	int fd;

	memcpy(spec + strlen(spec) - 6, "XXXXXX", 6);
	fd = mkstemp(spec + 5);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return NULL;
	close(fd);
	return spec;
}

static int lines(const char *text)
{
	char *spec = file_of(text);
	struct supply one = asked(spec);

	unlink(spec + 5);
	return one.stale ? -1 : one.n;
}

TEST(a_file_of_lines_may_be_blank_and_may_begin_with_IPv6)
{
	CHECK(lines("") == 0);
	CHECK(lines("\n \n") == 0);
	CHECK(lines("[2001:db8::1]:80\n10.0.0.1:80\n") == 2);
	CHECK(lines("  [::1]:80\n") == 1);
	CHECK(lines("[ \"10.0.0.1:80\" ]") == 1);
	CHECK(lines("[\n]") == 0);
	CHECK(lines("[") == -1);
	CHECK(lines("[\"10.0.0.1:80\"") == -1);
}

TEST(a_name_that_leads_to_one_link_only_is_a_bad_entry)
{
	struct supply one = asked("dns:169.254.1.1:80");

	CHECK(one.told && one.n == 0 && one.bad == 1);
	one = asked("dns:[2001:db8::1]:80");
	CHECK(one.told && one.n == 1 && one.bad == 0);
	CHECK(!strcmp(one.entry->addr.host, "2001:db8::1") && one.entry->addr.port == 80);
}

/* Nodes are not asked for nodes: nobody waits for their answer. */
TEST(a_refresh_is_over_when_all_who_are_asked_have_answered)
{
	struct muster_conf c = { .client = client_new(4), .interval = 1000, .timeout = 60000 };
	struct muster *m = muster_new(&c);
	struct buf b = BUF(MUSTER_JSON);
	char *spec = file_of("[{\"name\":\"n\",\"host\":\"h\",\"port\":1,\"is_proxy\":false}]");
	int64_t until = clock_ms() + 10000;
	const char *why;

	CHECK(muster_add(m, spec, &why) == 0);
	while (!muster_turn(m) && clock_ms() < until)
		;
	CHECK(muster_print(m, &b) == 0 && strstr(b.p, "\"n\""));
	muster_refresh(m);
	while (!muster_turn(m) && clock_ms() < until)
		;
	CHECK(clock_ms() < until);
	unlink(spec + 5);
	muster_free(m);
}

/* ---- answers of frontends, and the tree ---- */

static struct muster f;
static struct member members[3];
static struct member *at[3] = { &members[0], &members[1], &members[2] };
static struct nodes ns;

/* Member i of 10.0.0.(i+1):8000 says this. */
static int says(int i, const char *text)
{
	static char where[3][32];
	struct member *m = &members[i];
	const char *why;

	snprintf(where[i], sizeof where[i], "10.0.0.%d:8000", i + 1);
	m->of = &f;
	m->at = where[i];
	m->source = "test:";
	m->asked = true;
	m->addr = (struct addr){ .kind = ADDR_TCP, .port = 8000 };
	snprintf(m->addr.host, sizeof m->addr.host, "10.0.0.%d", i + 1);
	f.member = at;
	if (f.n <= i)
		f.n = i + 1;
	f.conf.self = "me";
	return muster_take(m, text, strlen(text), &why);
}

/* Frontend NAME's way and nodes, "WAY: a b"; NULL: it is not in the tree. */
static const char *shown(const char *name)
{
	static char text[256];
	struct node_error e;
	struct buf b = BUF(MUSTER_JSON);

	nodes_free(&ns);
	if (muster_print(&f, &b) < 0 || nodes_parse(&ns, b.p, b.len, &e) < 0)
		return "bad";
	buf_free(&b);
	for (int i = 0; i < ns.n; i++) {
		const struct proxy *p = &ns.proxies[i];
		size_t n;

		if (strcmp(p->self.name, name))
			continue;
		n = (size_t)snprintf(text, sizeof text, "%s%s:", p->text[PROXY_WAY] ?
				     p->text[PROXY_WAY] : "", p->text[PROXY_STALE] ? "!" : "");
		for (int k = 0; k < p->n; k++)
			n += (size_t)snprintf(text + n, sizeof text - n, " %s", p->nodes[k].name);
		return text;
	}
	return NULL;
}

#define NODE(name) "{\"name\":\"" name "\",\"host\":\"h\",\"port\":1}"
#define OWN(id, nodes) "{\"id\":\"" id "\",\"nodes\":[{\"name\":\"local_proxy\",\"is_proxy\":true," \
	"\"children\":[" nodes "]}"
#define BEHIND(name, ip, way, nodes) ",{\"name\":\"" name "\",\"host\":\"" ip "\",\"port\":8000," \
	"\"is_proxy\":true,\"way\":\"" way "\",\"children\":[" nodes "]}"

static bool same(const char *a, const char *b)
{
	return a && !strcmp(a, b);
}

TEST(own_nodes_stand_under_their_frontend_and_others_behind_it)
{
	CHECK(says(0, OWN("A", NODE("x") "," NODE("y")) BEHIND("r", "10.9.9.9", "R", NODE("z")) "]}") == 1);
	CHECK(same(shown("proxy_10.0.0.1_8000"), "A: x y"));
	CHECK(same(shown("proxy_10.0.0.1_8000/r"), "A R: z"));
	CHECK(same(ns.proxies[1].text[PROXY_PREFIX], "/proxy2/local_proxy"));
	CHECK(same(ns.proxies[2].text[PROXY_PREFIX], "/proxy2/r"));
	CHECK(says(0, OWN("A", NODE("x") "," NODE("y")) BEHIND("r", "10.9.9.9", "R", NODE("z")) "]}") == 0);
}

TEST(a_flat_list_and_a_tree_without_ids_are_read)
{
	f.n = 0;
	CHECK(says(0, "[" NODE("x") "]") == 1);
	CHECK(same(shown("proxy_10.0.0.1_8000"), "10.0.0.1:8000: x"));
	CHECK(same(ns.proxies[1].text[PROXY_PREFIX], ""));
	CHECK(says(0, "{\"nodes\":[" NODE("x") ",{\"name\":\"q\",\"host\":\"10.7.7.7\",\"port\":\"8000\","
		   "\"nodes\":[" NODE("z") "]}]}") == 1);
	CHECK(same(shown("proxy_10.0.0.1_8000/q"), "10.0.0.1:8000 10.7.7.7:8000: z"));
}

TEST(what_leads_back_to_the_reader_is_left_out)
{
	f.n = 0;
	says(0, OWN("A", NODE("x")) BEHIND("r", "10.9.9.9", "me", NODE("mine"))
	     BEHIND("q", "10.9.9.8", "me R", NODE("z")) "]}");
	CHECK(same(shown("proxy_10.0.0.1_8000"), "A: x"));
	CHECK(!shown("proxy_10.0.0.1_8000/r"));
	CHECK(!shown("proxy_10.0.0.1_8000/q"));
	/* by address, where one on the way knows no ids: we were met there */
	says(1, OWN("me", NODE("mine")) "]}");
	says(0, "{\"nodes\":[{\"name\":\"p\",\"host\":\"10.0.0.2\",\"port\":8000,\"nodes\":[" NODE("mine") "]}]}");
	CHECK(!shown("proxy_10.0.0.1_8000/p"));
	CHECK(!shown("proxy_10.0.0.2_8000"));
}

TEST(of_several_ways_the_shortest_that_works_is_taken)
{
	f.n = 0;
	says(0, OWN("A", "") BEHIND("b", "10.0.0.2", "B", NODE("x") "," NODE("ghost")) "]}");
	says(1, OWN("B", NODE("x")) "]}");
	CHECK(same(shown("proxy_10.0.0.2_8000"), "B: x"));
	CHECK(!shown("proxy_10.0.0.1_8000/b"));
	members[1].fails = 1;
	CHECK(same(shown("proxy_10.0.0.1_8000/b"), "A B: x ghost"));
	CHECK(!shown("proxy_10.0.0.2_8000"));
	members[0].fails = 1;
	CHECK(same(shown("proxy_10.0.0.2_8000"), "B!: x"));
	members[0].fails = members[1].fails = 0;
}

TEST(too_many_frontends_in_a_row_are_left_out_and_counted)
{
	struct buf b = BUF(MUSTER_JSON);

	f.n = 0;
	says(0, OWN("A", "") BEHIND("b", "10.9.9.9", "B C", NODE("x") "," NODE("y")) "]}");
	CHECK(!shown("proxy_10.0.0.1_8000/b"));
	muster_print(&f, &b);
	CHECK(strstr(b.p, "\"left_out\":2"));
	buf_free(&b);
}

TEST(what_is_malformed_costs_only_itself)
{
	f.n = 0;
	says(0, OWN("A", NODE("x") "," NODE("x") ",7,{\"name\":\"\\n\",\"host\":\"h\",\"port\":1},"
		    "{\"name\":\"p\",\"host\":\"h\",\"port\":0}," NODE("y"))
	     ",{\"name\":\"bad\",\"children\":[]}]}");
	CHECK(same(shown("proxy_10.0.0.1_8000"), "A: x y"));
	CHECK(members[0].bad == 5);
	/* one that could not be a path would spoil the whole list */
	says(0, OWN("A", NODE("x")) BEHIND("r//s", "10.9.9.9", "R", NODE("z"))
	     BEHIND("../s", "10.9.9.9", "S", NODE("z")) "]}");
	CHECK(same(shown("proxy_10.0.0.1_8000"), "A: x"));
	CHECK(members[0].bad == 2);
	says(0, "{\"id\":\"no \\u00e9 id\",\"nodes\":[" NODE("x") "]}");
	CHECK(same(shown("proxy_10.0.0.1_8000"), "10.0.0.1:8000: x"));
}

TEST(an_answer_cut_anywhere_is_refused_and_the_last_one_stays)
{
	static const char text[] = OWN("A", NODE("x")) BEHIND("r", "10.9.9.9", "R", NODE("z")) "]}";

	f.n = 0;
	CHECK(says(0, text) >= 0);
	for (size_t n = 0; n + 1 < sizeof text; n++) {
		char *cut = strndup(text, n);

		CHECK(says(0, cut) == -1);
		free(cut);
		CHECK(n % 16 || same(shown("proxy_10.0.0.1_8000/r"), "A R: z"));
	}
}

TEST(names_are_told_apart)
{
	f.n = 0;
	says(0, OWN("A", NODE("x")) "]}");
	says(1, OWN("B", NODE("x")) "]}");
	says(2, OWN("C", NODE("x")) "]}");
	members[0].name = members[1].name = (char *)(uintptr_t)"rack";
	members[2].name = (char *)(uintptr_t)"local_proxy";
	CHECK(same(shown("rack@10.0.0.1:8000"), "A: x"));
	CHECK(same(shown("rack@10.0.0.2:8000"), "B: x"));
	CHECK(same(shown("local_proxy@10.0.0.3:8000"), "C: x"));
}
