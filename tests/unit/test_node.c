/* test_node.c - lists of nodes: read, refused, written, found
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "file.h"
#include "node.h"
#include "test.h"

static int parse(struct nodes *ns, const char *text, struct node_error *e)
{
	return nodes_parse(ns, text, strlen(text), e);
}

/* "NAME(HOST PORT[#][=ADDR]) { NODE, NODE }; ...": '#' marks a port that was
 * a number, ADDR is where it connects. */
static void show_node(const struct node *nd, struct buf *b)
{
	buf_printf(b, "%s(%s %s%s", nd->name, nd->host, nd->port,
		   nd->port_number ? "#" : "");
	if (nd->addr.kind != ADDR_NONE) {
		buf_puts(b, " ");
		addr_print(&nd->addr, b);
	}
	if (nd->proxy_id)
		buf_printf(b, " of %s", nd->proxy_id);
	buf_puts(b, ")");
}

static void show(const struct nodes *ns, struct buf *b)
{
	int i, k;

	buf_reset(b);
	buf_puts(b, "");
	for (i = 0; i < ns->n; i++) {
		if (i)
			buf_puts(b, "; ");
		show_node(&ns->proxies[i].self, b);
		for (k = 0; k < ns->proxies[i].n; k++) {
			buf_puts(b, k ? ", " : ": ");
			show_node(&ns->proxies[i].nodes[k], b);
		}
	}
}

#define SELF "local_proxy(127.0.0.1 0#)"

static const struct { const char *in, *want; } lists[] = {
	{ "[]", "" },
	{ " {\"nodes\": []} ", "" },
	/* flat: what --nodes takes, and the README's file with numbers */
	{ "[{\"name\":\"a\",\"host\":\"127.0.0.1\",\"port\":\"8001\"}]",
	  SELF ": a(127.0.0.1 8001 127.0.0.1:8001)" },
	{ "[{\"name\":\"a\",\"host\":\"localhost\",\"port\":9090},"
	  "{\"name\":\"b\",\"host\":\"x.example\",\"port\":9091}]",
	  SELF ": a(localhost 9090# localhost:9090), b(x.example 9091# x.example:9091)" },
	{ "[{\"name\":\"a\",\"host\":\"localhost\",\"port\":\"/run/a.sock\"}]",
	  SELF ": a(localhost /run/a.sock unix:/run/a.sock)" },
	{ "[{\"name\":\"a\",\"host\":\"not a host!\",\"port\":\"/run/a.sock\"}]",
	  SELF ": a(not a host! /run/a.sock unix:/run/a.sock)" },
	{ "{\"nodes\":[{\"name\":\"a\",\"host\":\"h\",\"port\":1}]}",
	  SELF ": a(h 1# h:1)" },
	{ "[{\"name\":\"a\",\"host\":\"h\",\"port\":65535,\"colour\":[{}],\"id\":7}]",
	  SELF ": a(h 65535# h:65535)" },
	{ "[{\"name\":\"caf\\u00e9 /%\",\"host\":\"h\",\"port\":1}]",
	  SELF ": caf\xc3\xa9 /%(h 1# h:1)" },
	{ "[{\"name\":\"a\",\"host\":\"h\",\"port\":1,\"port\":2}]",
	  SELF ": a(h 2# h:2)" },
	/* hosts that listen everywhere, IPv6 in both spellings */
	{ "[{\"name\":\"a\",\"host\":\"0.0.0.0\",\"port\":1},"
	  "{\"name\":\"b\",\"host\":\"::\",\"port\":2},"
	  "{\"name\":\"c\",\"host\":\"[::]\",\"port\":3},"
	  "{\"name\":\"d\",\"host\":\"2001:DB8::1\",\"port\":\"4\"},"
	  "{\"name\":\"e\",\"host\":\"[::1]\",\"port\":\"5\"}]",
	  SELF ": a(0.0.0.0 1# 127.0.0.1:1), b(:: 2# [::1]:2), c([::] 3# [::1]:3), "
	  "d(2001:DB8::1 4 [2001:db8::1]:4), e([::1] 5 [::1]:5)" },
	/* trees */
	{ "[{\"name\":\"p\",\"host\":\"10.0.0.1\",\"port\":\"8000\",\"nodes\":["
	  "{\"name\":\"a\",\"host\":\"h\",\"port\":1,\"proxy_id\":\"p\"}]}]",
	  "p(10.0.0.1 8000 10.0.0.1:8000): a(h 1# h:1 of p)" },
	{ "{\"nodes\":[{\"id\":\"proxy_p\",\"name\":\"p\",\"host\":\"h\",\"port\":8000,"
	  "\"is_proxy\":true,\"children\":[{\"name\":\"a\",\"host\":\"h\",\"port\":1,"
	  "\"is_proxy\":false,\"proxy_id\":null,\"children\":[]}]}]}",
	  "p(h 8000# h:8000): a(h 1# h:1)" },
	{ "[{\"name\":\"p\",\"host\":\"h\",\"port\":1,\"is_proxy\":true}]", "p(h 1# h:1)" },
	{ "[{\"name\":\"p\",\"host\":\"h\",\"port\":1,\"children\":null}]", "p(h 1# h:1)" },
	{ "[{\"name\":\"p\",\"host\":\"h\",\"port\":\"/run/fe.sock\",\"nodes\":[]}]",
	  "p(h /run/fe.sock unix:/run/fe.sock)" },
	{ "[{\"name\":\"a\",\"host\":\"h\",\"port\":1,\"is_proxy\":false,\"proxy_id\":\"\"}]",
	  SELF ": a(h 1# h:1)" },
	{ "{\"name\":\"p\",\"host\":\"h\",\"port\":1,\"nodes\":["
	  "{\"name\":\"a\",\"host\":\"h\",\"port\":2}]}",
	  "p(h 1# h:1): a(h 2# h:2)" },
	/* the same name in two frontends is two nodes */
	{ "[{\"name\":\"p\",\"host\":\"h\",\"port\":1,\"nodes\":[{\"name\":\"a\",\"host\":\"h\",\"port\":2}]},"
	  "{\"name\":\"q\",\"host\":\"h\",\"port\":3,\"nodes\":[{\"name\":\"a\",\"host\":\"h\",\"port\":2}]}]",
	  "p(h 1# h:1): a(h 2# h:2); q(h 3# h:3): a(h 2# h:2)" },
	/* mixed: lone nodes are our own */
	{ "[{\"name\":\"a\",\"host\":\"h\",\"port\":1},"
	  "{\"name\":\"p\",\"host\":\"h\",\"port\":2,\"nodes\":[{\"name\":\"a\",\"host\":\"h\",\"port\":3}]},"
	  "{\"name\":\"b\",\"host\":\"h\",\"port\":4}]",
	  SELF ": a(h 1# h:1), b(h 4# h:4); p(h 2# h:2): a(h 3# h:3)" },
	/* local_proxy, named in the list, with and without an address */
	{ "[{\"name\":\"local_proxy\",\"nodes\":[{\"name\":\"a\",\"host\":\"h\",\"port\":1}]}]",
	  SELF ": a(h 1# h:1)" },
	{ "[{\"name\":\"local_proxy\",\"host\":\"0.0.0.0\",\"port\":8000,\"nodes\":[]},"
	  "{\"name\":\"a\",\"host\":\"h\",\"port\":1}]",
	  "local_proxy(0.0.0.0 8000# 127.0.0.1:8000): a(h 1# h:1)" },
	{ "[{\"name\":\"a\",\"host\":\"h\",\"port\":1},"
	  "{\"name\":\"local_proxy\",\"host\":\"h\",\"port\":8,\"nodes\":[{\"name\":\"b\",\"host\":\"h\",\"port\":2}]}]",
	  "local_proxy(h 8# h:8): a(h 1# h:1), b(h 2# h:2)" },
	{ "[{\"name\":\"local_proxy\",\"host\":\"h\",\"port\":0,\"nodes\":[]}]",
	  "local_proxy(h 0#)" },
};

TEST(a_list_is_read_in_every_form_that_is_around)
{
	struct buf b = BUF(4096);
	struct node_error e;
	struct nodes ns;
	size_t i, wrong = 0;

	for (i = 0; i < sizeof lists / sizeof *lists; i++) {
		int rc = parse(&ns, lists[i].in, &e);

		show(&ns, &b);
		if (rc < 0 || strcmp(b.p, lists[i].want) != 0) {
			printf("# %s\n# -> %s\n", lists[i].in, rc < 0 ? e.what : b.p);
			wrong++;
		}
		nodes_free(&ns);
	}
	buf_free(&b);
	CHECK(wrong == 0);
}

#define OK "\"name\":\"a\",\"host\":\"h\",\"port\":1"
#define NODE(fields) "[{" fields "}]"
#define N_A "\"name\":\"a\",\"host\":\"h\","

static const struct { const char *in; int line, column; const char *what; } refusals[] = {
	{ "", 1, 1, "expected a value but the text is empty" },
	{ "[{" OK "},]", 1, 35, "expected a value but found ']'" },
	{ "5", 1, 1, "nodes: 5 is not a list of nodes" },
	{ "\"a\"", 1, 1, "nodes: \"a\" is not a list of nodes" },
	{ "{}", 1, 1, "nodes: missing" },
	{ "{\"nodes\":{}}", 1, 10, "nodes: an object is not a list of nodes" },
	{ "{\"nodes\":null}", 1, 10, "nodes: null is not a list of nodes" },
	{ "[1]", 1, 2, "nodes[0]: 1 is not an object with name, host and port" },
	{ "[{" OK "},[]]", 1, 35, "nodes[1]: an array is not an object with name, host and port" },
	{ "[{}]", 1, 2, "nodes[0].name: missing" },
	{ NODE("\"name\":\"a\",\"port\":1"), 1, 2, "nodes[0].host: missing" },
	{ NODE("\"name\":\"a\",\"host\":\"h\""), 1, 2, "nodes[0].port: missing" },
	{ "[\n  {" OK "},\n  {" OK "}\n]", 3, 11,
	  "nodes[1].name: \"a\" is the name of a node before it" },
	{ NODE(N_A "\"port\":70000"), 1, 32, "nodes[0].port: 70000 is not a port" },
	{ NODE(N_A "\"port\":0"), 1, 32, "nodes[0].port: 0 is not a port" },
	{ NODE(N_A "\"port\":-1"), 1, 32, "nodes[0].port: -1 is not a port" },
	{ NODE(N_A "\"port\":80.0"), 1, 32, "nodes[0].port: 80.0 is not a port" },
	{ NODE(N_A "\"port\":8e3"), 1, 32, "nodes[0].port: 8e3 is not a port" },
	{ NODE(N_A "\"port\":\"\""), 1, 32, "nodes[0].port: \"\" is not a port" },
	{ NODE(N_A "\"port\":\" 80\""), 1, 32, "nodes[0].port: \" 80\" is not a port" },
	{ NODE(N_A "\"port\":\"080\""), 1, 32, "nodes[0].port: \"080\" is not a port" },
	{ NODE(N_A "\"port\":\"http\""), 1, 32, "nodes[0].port: \"http\" is not a port" },
	{ NODE(N_A "\"port\":true"), 1, 32,
	  "nodes[0].port: true is neither a port nor a socket path" },
	{ NODE(N_A "\"port\":null"), 1, 32,
	  "nodes[0].port: null is neither a port nor a socket path" },
	{ NODE(N_A "\"port\":[80]"), 1, 32,
	  "nodes[0].port: an array is neither a port nor a socket path" },
	{ NODE(N_A "\"port\":\"run/x.sock\""), 1, 32,
	  "nodes[0].port: \"run/x.sock\" is not a socket: a socket path begins with /" },
	{ NODE(N_A "\"port\":\"/tmp/\""), 1, 32,
	  "nodes[0].port: \"/tmp/\" is not a socket: a socket path does not end with /" },
	{ NODE(N_A "\"port\":\"/a\\u0000b\""), 1, 32,
	  "nodes[0].port: \"/a\\u0000b\" has a control character" },
	{ NODE(N_A "\"port\":NaN"), 1, 32, "NaN is not JSON" },
	{ NODE("\"name\":7,\"host\":\"h\",\"port\":1"), 1, 10, "nodes[0].name: 7 is not text" },
	{ NODE("\"name\":\"\",\"host\":\"h\",\"port\":1"), 1, 10, "nodes[0].name: \"\" is empty" },
	{ NODE("\"name\":\".\",\"host\":\"h\",\"port\":1"), 1, 10, "nodes[0].name: \".\" is not a name" },
	{ NODE("\"name\":\"..\",\"host\":\"h\",\"port\":1"), 1, 10, "nodes[0].name: \"..\" is not a name" },
	{ NODE("\"name\":\"a\\nb\",\"host\":\"h\",\"port\":1"), 1, 10,
	  "nodes[0].name: \"a\\nb\" has a control character" },
	{ NODE("\"name\":\"a\\u0000b\",\"host\":\"h\",\"port\":1"), 1, 10,
	  "nodes[0].name: \"a\\u0000b\" has a control character" },
	{ NODE("\"name\":\"\\u009b\",\"host\":\"h\",\"port\":1"), 1, 10,
	  "nodes[0].name: \"\\u009b\" has a control character" },
	{ NODE("\"name\":\"\\u007f\",\"host\":\"h\",\"port\":1"), 1, 10,
	  "nodes[0].name: \"\\u007f\" has a control character" },
	{ NODE("\"name\":\"a\",\"host\":5,\"port\":1"), 1, 21, "nodes[0].host: 5 is not text" },
	{ NODE("\"name\":\"a\",\"host\":\"\",\"port\":1"), 1, 21,
	  "nodes[0].host: \"\" is not a host: an empty host" },
	{ NODE("\"name\":\"a\",\"host\":\"h:80\",\"port\":1"), 1, 21,
	  "nodes[0].host: \"h:80\" is not a host: not an IPv6 address" },
	{ NODE("\"name\":\"a\",\"host\":\"http://h\",\"port\":1"), 1, 21,
	  "nodes[0].host: \"http://h\" is not a host: not an IPv6 address" },
	{ NODE("\"name\":\"a\",\"host\":\"u@h\",\"port\":1"), 1, 21,
	  "nodes[0].host: \"u@h\" is not a host: a user name is not part of an address" },
	{ NODE("\"name\":\"a\",\"host\":\"2130706433\",\"port\":1"), 1, 21,
	  "nodes[0].host: \"2130706433\" is not a host: an IPv4 address is four decimal numbers" },
	{ NODE("\"name\":\"a\",\"host\":\"a\\tb\",\"port\":\"/s\""), 1, 21,
	  "nodes[0].host: \"a\\tb\" has a control character" },
	{ NODE(OK ",\"proxy_id\":5"), 1, 45, "nodes[0].proxy_id: 5 is not text" },
	{ NODE(OK ",\"proxy_id\":\"\\n\""), 1, 45, "nodes[0].proxy_id: \"\\n\" has a control character" },
	{ NODE(OK ",\"is_proxy\":\"yes\""), 1, 45, "nodes[0].is_proxy: \"yes\" is neither true nor false" },
	{ NODE(OK ",\"nodes\":{}"), 1, 42, "nodes[0].nodes: an object is not a list of nodes" },
	{ NODE(OK ",\"children\":[{" N_A "\"port\":0}]"), 1, 76,
	  "nodes[0].children[0].port: 0 is not a port" },
	{ NODE(OK ",\"nodes\":[{" OK "},\n{" OK "}]"), 2, 9,
	  "nodes[0].nodes[1].name: \"a\" is the name of a node before it" },
	{ "[{" OK ",\"nodes\":[]},\n{" OK ",\"nodes\":[]}]", 2, 9,
	  "nodes[1].name: \"a\" is the name of a frontend before it" },
	{ NODE(OK ",\"nodes\":[{" OK ",\"is_proxy\":true}]"), 1, 43,
	  "nodes[0].nodes[0]: an object is a frontend inside a frontend" },
	{ NODE(OK ",\"nodes\":[{" OK ",\"nodes\":[{" OK "}]}]"), 1, 43,
	  "nodes[0].nodes[0]: an object is a frontend inside a frontend" },
	{ "[{\"name\":\"p\",\"nodes\":[]}]", 1, 2, "nodes[0].host: missing" },
	{ "[{\"name\":\"p\",\"host\":\"h\",\"port\":0,\"nodes\":[]}]", 1, 32,
	  "nodes[0].port: 0 is not a port" },
	{ "[{\"name\":\"local_proxy\",\"nodes\":[]},{\"name\":\"local_proxy\",\"nodes\":[]}]", 1, 44,
	  "nodes[1].name: \"local_proxy\" is the name of a frontend before it" },
	{ "{" OK ",\"nodes\":[{" OK "},{" OK "}]}", 1, 83,
	  "nodes[1].name: \"a\" is the name of a node before it" },
};

TEST(a_wrong_field_is_named_with_its_value_and_its_place)
{
	struct node_error e;
	struct nodes ns;
	size_t i, wrong = 0;

	for (i = 0; i < sizeof refusals / sizeof *refusals; i++) {
		memset(&e, 0, sizeof e);
		memset(&ns, 'x', sizeof ns);
		if (parse(&ns, refusals[i].in, &e) < 0 && !ns.n && !ns.proxies
		    && e.line == refusals[i].line && e.column == refusals[i].column
		    && strcmp(e.what, refusals[i].what) == 0)
			continue;
		printf("# %s\n# -> %d:%d: %s\n", refusals[i].in, e.line, e.column, e.what);
		wrong++;
	}
	CHECK(wrong == 0);
}

TEST(a_value_is_escaped_and_cut_before_it_is_shown)
{
	struct buf b = BUF(4096);
	struct node_error e;
	struct nodes ns;
	int i;

	buf_puts(&b, "[{\"name\":\"a\",\"host\":\"h\",\"port\":\"\xc2\x9b");
	for (i = 0; i < 2000; i++)
		buf_puts(&b, "8");
	buf_puts(&b, "\"}]");
	CHECK(parse(&ns, b.p, &e) < 0);
	CHECK(strlen(e.what) < 300);
	CHECK(!strstr(e.what, "\xc2\x9b"));
	buf_free(&b);
}

static int list_of(struct buf *b, int n, const char *tail)
{
	int i;

	buf_reset(b);
	buf_puts(b, "[");
	for (i = 0; i < n; i++)
		buf_printf(b, "%s{\"name\":\"n%d\",\"host\":\"h\",\"port\":1%s}",
			   i ? "," : "", i, tail);
	return buf_puts(b, "]");
}

TEST(nodes_and_frontends_are_counted)
{
	struct buf b = BUF(1 << 20);
	struct node_error e;
	struct nodes ns;

	CHECK(list_of(&b, NODES_MAX, "") == 0);
	CHECK(parse(&ns, b.p, &e) == 0);
	CHECK(ns.proxies[0].n == NODES_MAX);
	nodes_free(&ns);
	CHECK(list_of(&b, NODES_MAX + 1, "") == 0);
	CHECK(parse(&ns, b.p, &e) < 0);
	CHECK_STR(e.what, "nodes[4096]: an object is one too many: the limit is 4096");
	CHECK(list_of(&b, PROXIES_MAX, ",\"nodes\":[]") == 0);
	CHECK(parse(&ns, b.p, &e) == 0);
	CHECK(ns.n == PROXIES_MAX);
	nodes_free(&ns);
	CHECK(list_of(&b, PROXIES_MAX + 1, ",\"nodes\":[]") == 0);
	CHECK(parse(&ns, b.p, &e) < 0);
	CHECK_STR(e.what, "nodes[1024]: an object is one too many: the limit is 1024");
	buf_free(&b);
}

TEST(a_name_has_up_to_255_bytes)
{
	char text[400], name[NODE_NAME + 2];
	struct node_error e;
	struct nodes ns;

	memset(name, 'a', sizeof name);
	name[NODE_NAME] = '\0';
	snprintf(text, sizeof text, "[{\"name\":\"%s\",\"host\":\"h\",\"port\":1}]", name);
	CHECK(parse(&ns, text, &e) == 0);
	nodes_free(&ns);
	snprintf(text, sizeof text, "[{\"name\":\"%sa\",\"host\":\"h\",\"port\":1}]", name);
	CHECK(parse(&ns, text, &e) < 0);
	CHECK(strstr(e.what, "is longer than 255 bytes"));
}

TEST(one_node_and_one_frontend_are_read_by_themselves)
{
	static const char node[] = "{\"name\":\"n\",\"host\":\"::\",\"port\":7}";
	static const char proxy[] = "{\"name\":\"p\",\"host\":\"h\",\"port\":\"8000\","
		"\"nodes\":[{\"name\":\"n\",\"host\":\"h\",\"port\":0}]}";
	struct json_error je;
	struct node_error e;
	struct proxy p;
	struct node nd;
	struct json j;

	CHECK(json_parse(&j, node, sizeof node - 1, JSON_MAX, 0, &je) == 0);
	CHECK(node_parse(&nd, &j, 0, &e) == 0);
	CHECK_STR(nd.name, "n");
	CHECK_STR(nd.addr.host, "::1");
	node_free(&nd);
	CHECK(node_parse(&nd, &j, 2, &e) < 0);
	CHECK_STR(e.what, "node: \"n\" is not an object with name, host and port");
	CHECK(nd.name == NULL);
	CHECK(proxy_parse(&p, &j, 0, &e) == 0);
	CHECK(p.n == 0);
	proxy_free(&p);
	json_free(&j);
	CHECK(json_parse(&j, proxy, sizeof proxy - 1, JSON_MAX, 0, &je) == 0);
	CHECK(proxy_parse(&p, &j, 0, &e) < 0);
	CHECK_STR(e.what, "nodes[0].port: 0 is not a port");
	CHECK(p.n == 0 && p.nodes == NULL && p.self.name == NULL);
	json_free(&j);
}

/* --- the peer's own answers --- */

static int parse_file(struct nodes *ns, const char *name, struct node_error *e)
{
	char path[100];
	char *text;
	size_t n;
	int rc;

	snprintf(path, sizeof path, "tests/fixtures/nodes/%s", name);
	text = read_file(path, 1 << 20, &n);
	if (!text)
		return -1;
	rc = nodes_parse(ns, text, n, e);
	free(text);
	return rc;
}

TEST(what_lmcache_frontend_answers_is_read)
{
	struct buf b = BUF(4096);
	struct node_error e;
	struct nodes ns;

	CHECK(parse_file(&ns, "tree_tcp.json", &e) == 0);
	show(&ns, &b);
	CHECK_STR(b.p, "local_proxy(127.0.0.1 8201# 127.0.0.1:8201): "
		  "tcp_scheduler(127.0.0.1 8225# 127.0.0.1:8225 of local_proxy), "
		  "tcp_worker0(127.0.0.1 8226# 127.0.0.1:8226 of local_proxy)");
	nodes_free(&ns);
	CHECK(parse_file(&ns, "tree_empty.json", &e) == 0);
	CHECK(ns.n == 1 && ns.proxies[0].n == 0);
	nodes_free(&ns);
	CHECK(parse_file(&ns, "tree_supplier.json", &e) == 0);
	CHECK(ns.n == 1 && ns.proxies[0].n == 8);
	CHECK_STR(ns.proxies[0].self.port, "8200");
	CHECK(!ns.proxies[0].self.port_number);
	CHECK_STR(ns.proxies[0].nodes[6].name, "odd name");
	CHECK(ns.proxies[0].nodes[0].addr.kind == ADDR_UNIX);
	CHECK(ns.proxies[0].nodes[7].port_number);
	nodes_free(&ns);
	buf_free(&b);
}

/* --- written and read again --- */

static bool same_node(const struct node *a, const struct node *b)
{
	bool ids = !a->proxy_id == !b->proxy_id
		&& (!a->proxy_id || strcmp(a->proxy_id, b->proxy_id) == 0);

	return ids && strcmp(a->name, b->name) == 0 && strcmp(a->host, b->host) == 0
		&& strcmp(a->port, b->port) == 0 && a->port_number == b->port_number
		&& addr_equal(&a->addr, &b->addr);
}

static bool same(const struct nodes *a, const struct nodes *b)
{
	int i, k;

	if (a->n != b->n)
		return false;
	for (i = 0; i < a->n; i++) {
		const struct proxy *p = &a->proxies[i], *q = &b->proxies[i];

		if (!same_node(&p->self, &q->self) || p->n != q->n)
			return false;
		for (k = 0; k < p->n; k++)
			if (!same_node(&p->nodes[k], &q->nodes[k]))
				return false;
	}
	return true;
}

static bool survives(const struct nodes *ns)
{
	struct buf b = BUF(1 << 20);
	struct node_error e;
	struct nodes again;
	bool ok = nodes_print(ns, &b) == 0
		&& nodes_parse(&again, b.p, b.len, &e) == 0;

	ok = ok && same(ns, &again);
	if (ok)
		nodes_free(&again);
	buf_free(&b);
	return ok;
}

static unsigned seed;

static unsigned pick(unsigned n)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % n;
}

static void random_node(struct buf *b, int number, const char *close)
{
	static const char *const names[] = { "n", "a b", "\\\"q\\\"", "\\u00e9", "x/y", "%2F" };
	static const char *const hosts[] = { "h", "0.0.0.0", "::1", "[::]", "10.1.2.3" };
	static const char *const ports[] = { "1", "\"80\"", "65535", "\"/run/a b\"", "\"/s\\\\x\"" };
	static const char *const ids[] = { "", "", ",\"proxy_id\":\"p\"", ",\"proxy_id\":null" };

	buf_printf(b, "{\"port\":%s,\"name\":\"%s%d\",\"host\":\"%s\"%s%s",
		   ports[pick(5)], names[pick(6)], number, hosts[pick(5)],
		   ids[pick(4)], close);
}

/* A list of lone nodes and frontends, with any of the fields' forms. */
static void random_list(struct buf *b)
{
	unsigned i, k, n = pick(6), m;

	buf_reset(b);
	buf_puts(b, "[");
	for (i = 0; i < n; i++) {
		buf_puts(b, i ? "," : "");
		if (pick(2)) {
			random_node(b, (int)i, "}");
			continue;
		}
		random_node(b, (int)i, pick(2) ? ",\"nodes\":[" : ",\"children\":[");
		m = pick(5);
		for (k = 0; k < m; k++) {
			buf_puts(b, k ? "," : "");
			random_node(b, (int)k, "}");
		}
		buf_puts(b, "]}");
	}
	buf_puts(b, "]");
}

TEST(a_list_written_and_read_again_is_the_same_list)
{
	struct buf b = BUF(1 << 16);
	struct node_error e;
	struct nodes ns;
	size_t i;
	int full = 0;

	for (i = 0; i < sizeof lists / sizeof *lists; i++) {
		CHECK(parse(&ns, lists[i].in, &e) == 0);
		CHECK(survives(&ns));
		nodes_free(&ns);
	}
	for (seed = 1, i = 0; i < 2000; i++) {
		random_list(&b);
		CHECK(parse(&ns, b.p, &e) == 0);
		full += ns.n > 1;
		CHECK(survives(&ns));
		nodes_free(&ns);
	}
	CHECK(full > 500);
	buf_free(&b);
}

TEST(a_node_is_written_as_the_peer_writes_it)
{
	struct buf b = BUF(200);
	struct node_error e;
	struct nodes ns;

	CHECK(parse(&ns, "[{\"port\":\"80\",\"host\":\"h\",\"name\":\"\\u00e9\\\"\","
		    "\"proxy_id\":\"p\"}]", &e) == 0);
	CHECK(node_print(&ns.proxies[0].nodes[0], &b) == 0);
	CHECK_STR(b.p, "{\"name\":\"\xc3\xa9\\\"\",\"host\":\"h\",\"port\":\"80\",\"proxy_id\":\"p\"}");
	buf_reset(&b);
	CHECK(nodes_print(&ns, &b) == 0);
	CHECK_STR(b.p, "[{\"name\":\"local_proxy\",\"host\":\"127.0.0.1\",\"port\":0,\"nodes\":["
		  "{\"name\":\"\xc3\xa9\\\"\",\"host\":\"h\",\"port\":\"80\",\"proxy_id\":\"p\"}]}]");
	nodes_free(&ns);
	buf_free(&b);
}

TEST(writing_over_the_ceiling_fails)
{
	struct buf b = BUF(30);
	struct node_error e;
	struct nodes ns;

	CHECK(parse(&ns, "[{" OK "}]", &e) == 0);
	CHECK(nodes_print(&ns, &b) == -1);
	nodes_free(&ns);
	buf_free(&b);
}

/* --- a plugin's configuration --- */

#define ON "\"internal_api_server_enabled\":true"

static const struct { const char *in; int workers; const char *want; } configs[] = {
	{ "{" ON "}", 1, SELF ": None_scheduler(0.0.0.0 6999# 127.0.0.1:6999), "
	  "None_worker0(0.0.0.0 7000# 127.0.0.1:7000)" },
	{ "{" ON ",\"lmcache_instance_id\":null,\"internal_api_server_host\":null,"
	  "\"internal_api_server_port_start\":null,\"extra_config\":null,"
	  "\"internal_api_server_include_index_list\":null,"
	  "\"internal_api_server_socket_path_prefix\":null,"
	  "\"pd_allocation_timeout_sec\": Infinity,\"x\":-Infinity,\"y\":NaN}", 0,
	  SELF ": None_scheduler(0.0.0.0 6999# 127.0.0.1:6999)" },
	{ "{" ON ",\"lmcache_instance_id\":\"i\",\"internal_api_server_host\":\"::1\","
	  "\"internal_api_server_port_start\":9000}", 2,
	  SELF ": i_scheduler(::1 9000# [::1]:9000), i_worker0(::1 9001# [::1]:9001), "
	  "i_worker1(::1 9002# [::1]:9002)" },
	{ "{" ON ",\"internal_api_server_socket_path_prefix\":\"/run/lm/socket\"}", 1,
	  SELF ": None_scheduler(0.0.0.0 /run/lm/socket_6999 unix:/run/lm/socket_6999), "
	  "None_worker0(0.0.0.0 /run/lm/socket_7000 unix:/run/lm/socket_7000)" },
	{ "{" ON ",\"internal_api_server_socket_path_prefix\":\"\"}", 0,
	  SELF ": None_scheduler(0.0.0.0 6999# 127.0.0.1:6999)" },
	{ "{" ON ",\"internal_api_server_include_index_list\":[2,0,2,99,-1]}", 3,
	  SELF ": None_scheduler(0.0.0.0 6999# 127.0.0.1:6999), "
	  "None_worker1(0.0.0.0 7001# 127.0.0.1:7001)" },
	{ "{" ON ",\"internal_api_server_include_index_list\":[]}", 0,
	  SELF ": None_scheduler(0.0.0.0 6999# 127.0.0.1:6999)" },
	{ "{" ON ",\"internal_api_server_include_index_list\":[7]}", 1, "" },
	{ "{" ON ",\"lmcache_instance_id\":17}", 0,
	  SELF ": 17_scheduler(0.0.0.0 6999# 127.0.0.1:6999)" },
	{ "{" ON ",\"internal_api_server_port_start\":65534}", 1,
	  SELF ": None_scheduler(0.0.0.0 65534# 127.0.0.1:65534), "
	  "None_worker0(0.0.0.0 65535# 127.0.0.1:65535)" },
	{ "{\"internal_api_server_enabled\":false}", 1, "" },
	{ "{\"internal_api_server_enabled\":null}", 1, "" },
	{ "{}", 1, "" },
	/* `lmcache server` */
	{ "{\"mp_config\":{}}", 1, SELF ": lmcache_server(0.0.0.0 8080 127.0.0.1:8080)" },
	{ "{\"mp_config\":{},\"http_config\":{\"http_host\":\"h\",\"http_port\":9}}", 1,
	  SELF ": lmcache_server(h 9 h:9)" },
	{ "{\"mp_config\":{},\"http_frontend_config\":{\"http_host\":\"h\",\"http_port\":\"9\"},"
	  "\"http_config\":{\"http_port\":10}}", 1, SELF ": lmcache_server(h 9 h:9)" },
	{ "{\"mp_config\":{},\"http_config\":{\"http_port\":9,\"http_socket_path\":\"/run/s\"}}", 1,
	  SELF ": lmcache_server(0.0.0.0 /run/s unix:/run/s)" },
	{ "{\"mp_config\":{},\"http_config\":{\"http_port\":9,\"http_socket_path\":\"\"}}", 1,
	  SELF ": lmcache_server(0.0.0.0 9 127.0.0.1:9)" },
	{ "{\"mp_config\":{},\"http_config\":{\"http_port\":9,\"http_socket_path\":null}}", 1,
	  SELF ": lmcache_server(0.0.0.0 9 127.0.0.1:9)" },
	{ "{\"mp_config\":{},\"http_config\":null}", 1,
	  SELF ": lmcache_server(0.0.0.0 8080 127.0.0.1:8080)" },
	{ "{\"mp_config\":{}," ON "}", 4, SELF ": lmcache_server(0.0.0.0 8080 127.0.0.1:8080)" },
};

TEST(a_plugins_configuration_tells_its_nodes)
{
	struct buf b = BUF(4096);
	struct node_error e;
	struct nodes ns;
	size_t i, wrong = 0;

	for (i = 0; i < sizeof configs / sizeof *configs; i++) {
		const char *in = configs[i].in;
		int rc = nodes_from_plugin(&ns, in, strlen(in), configs[i].workers, &e);

		show(&ns, &b);
		if (rc < 0 || strcmp(b.p, configs[i].want) != 0) {
			printf("# %s\n# -> %s\n", in, rc < 0 ? e.what : b.p);
			wrong++;
		}
		if (rc == 0 && !survives(&ns))
			wrong++;
		nodes_free(&ns);
	}
	buf_free(&b);
	CHECK(wrong == 0);
}

static const struct { const char *in; int workers; const char *what; } bad_configs[] = {
	{ "[]", 1, "configuration: an array is not an object" },
	{ "{" ON "", 1, "expected ',' or '}' but found the end" },
	{ "{\"internal_api_server_enabled\":\"true\"}", 1,
	  "internal_api_server_enabled: \"true\" is neither true nor false" },
	{ "{" ON "}", -1, "-1 is not a number of workers" },
	{ "{" ON "}", NODES_MAX, "4096 is not a number of workers" },
	{ "{" ON ",\"internal_api_server_port_start\":0}", 1,
	  "internal_api_server_port_start: 0 is not a port" },
	{ "{" ON ",\"internal_api_server_port_start\":\"6999\"}", 1,
	  "internal_api_server_port_start: \"6999\" is not a port" },
	{ "{" ON ",\"internal_api_server_port_start\":Infinity}", 1,
	  "internal_api_server_port_start: Infinity is not a port" },
	{ "{" ON ",\"internal_api_server_port_start\":65535}", 1,
	  "internal_api_server_port_start: 65535 leaves no port for the last worker" },
	{ "{" ON ",\"internal_api_server_include_index_list\":\"0,1\"}", 1,
	  "internal_api_server_include_index_list: \"0,1\" is not a list of numbers" },
	{ "{" ON ",\"internal_api_server_include_index_list\":[0,\"1\"]}", 1,
	  "internal_api_server_include_index_list: \"1\" is not a whole number" },
	{ "{" ON ",\"internal_api_server_host\":\"a b\"}", 1,
	  "internal_api_server_host: \"a b\" is not a host: a blank or control character in a host" },
	{ "{" ON ",\"internal_api_server_host\":[]}", 1,
	  "internal_api_server_host: an array is not text" },
	{ "{" ON ",\"lmcache_instance_id\":\"a\\nb\"}", 1,
	  "lmcache_instance_id: \"a\\nb\" has a control character" },
	{ "{" ON ",\"lmcache_instance_id\":\"caf\\udce9\"}", 1,
	  "lmcache_instance_id: \"caf\\udce9\" is not UTF-8" },
	{ "{" ON ",\"internal_api_server_socket_path_prefix\":\"/caf\\udce9\"}", 1,
	  "internal_api_server_socket_path_prefix: \"/caf\\udce9\" is not UTF-8" },
	{ "{" ON ",\"internal_api_server_socket_path_prefix\":\"run/socket\"}", 1,
	  "internal_api_server_socket_path_prefix: \"run/socket\" is not an absolute path" },
	{ "{\"mp_config\":{},\"http_config\":[]}", 1, "http_config: an array is not an object" },
	{ "{\"mp_config\":{},\"http_config\":{\"http_port\":0}}", 1,
	  "http_config.http_port: 0 is not a port" },
	{ "{\"mp_config\":{},\"http_frontend_config\":{\"http_host\":\"u@h\"}}", 1,
	  "http_frontend_config.http_host: \"u@h\" is not a host: a user name is not part of an address" },
	{ "{\"mp_config\":{},\"http_config\":{\"http_socket_path\":\"s\"}}", 1,
	  "http_config.http_socket_path: \"s\" is not an absolute path" },
	{ "{\"mp_config\":{},\"http_config\":{\"http_socket_path\":7}}", 1,
	  "http_config.http_socket_path: 7 is not text" },
	{ "{\"mp_config\":{},\"http_config\":{\"http_port\":true}}", 1,
	  "http_config.http_port: true is not a port" },
};

TEST(a_wrong_configuration_is_refused_by_the_name_of_its_key)
{
	struct node_error e;
	struct nodes ns;
	size_t i, wrong = 0;

	for (i = 0; i < sizeof bad_configs / sizeof *bad_configs; i++) {
		const char *in = bad_configs[i].in;
		int rc = nodes_from_plugin(&ns, in, strlen(in), bad_configs[i].workers, &e);

		if (rc < 0 && !ns.n && strcmp(e.what, bad_configs[i].what) == 0)
			continue;
		printf("# %s\n# -> %s\n", in, rc < 0 ? e.what : "accepted");
		wrong++;
	}
	CHECK(wrong == 0);
}

TEST(a_real_engines_configuration_is_read)
{
	struct node_error e;
	struct nodes ns;
	size_t n;
	char *text = read_file("tests/fixtures/nodes/engine_config.json", 1 << 20, &n);

	CHECK(text);
	CHECK(strstr(text, "Infinity"));
	CHECK(nodes_from_plugin(&ns, text, n, 2, &e) == 0);
	CHECK(ns.n == 1 && ns.proxies[0].n == 3);
	CHECK_STR(ns.proxies[0].nodes[2].name, "lmcache_demo_worker1");
	CHECK_STR(ns.proxies[0].nodes[2].host, "127.0.0.1");
	CHECK(strstr(ns.proxies[0].nodes[2].port, "rec_8232"));
	CHECK(ns.proxies[0].nodes[2].addr.kind == ADDR_UNIX);
	nodes_free(&ns);
	free(text);
}

TEST(a_socket_prefix_too_long_for_a_socket_is_refused)
{
	char text[400], prefix[110];
	struct node_error e;
	struct nodes ns;

	memset(prefix, 'a', sizeof prefix);
	prefix[0] = '/';
	prefix[103] = '\0';	/* and "_6999" are 108 bytes */
	snprintf(text, sizeof text, "{" ON ",\"internal_api_server_socket_path_prefix\":\"%s\"}", prefix);
	CHECK(nodes_from_plugin(&ns, text, strlen(text), 0, &e) < 0);
	CHECK(strstr(e.what, "a socket path has at most 107 bytes"));
	prefix[102] = '\0';
	snprintf(text, sizeof text, "{" ON ",\"internal_api_server_socket_path_prefix\":\"%s\"}", prefix);
	CHECK(nodes_from_plugin(&ns, text, strlen(text), 0, &e) == 0);
	nodes_free(&ns);
}

/* --- live sockets --- */

static int listen_at(const char *dir, const char *name, int backlog)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(un.sun_path, sizeof un.sun_path, "%.60s/%.40s", dir, name);
	if (fd < 0 || bind(fd, (struct sockaddr *)&un, sizeof un) < 0)
		return -1;
	return backlog >= 0 && listen(fd, backlog) < 0 ? -1 : fd;
}

static void remove_all(const char *dir, const char *const *names, size_t n)
{
	char path[128];
	size_t i;

	for (i = 0; i < n; i++) {
		snprintf(path, sizeof path, "%.60s/%.40s", dir, names[i]);
		unlink(path);
	}
	rmdir(dir);
}

TEST(live_sockets_are_found_in_numerical_order_and_others_left_out)
{
	static const char *const names[] = {
		"socket_10000", "socket_7000", "socket_6999", "other_1",
		"socket_dead", "socket_file", "socket_caf\xe9", "socket_link",
	};
	char dir[] = "/tmp/lmc-test-XXXXXX", prefix[64], path[128];
	struct buf b = BUF(4096);
	struct node_error e;
	struct nodes ns;
	int fd[7];
	size_t i;

	CHECK(mkdtemp(dir));
	for (i = 0; i < 4; i++)
		CHECK((fd[i] = listen_at(dir, names[i], 8)) >= 0);
	CHECK((fd[4] = listen_at(dir, names[4], -1)) >= 0);
	CHECK((fd[6] = listen_at(dir, names[6], 8)) >= 0);
	snprintf(path, sizeof path, "%s/%s", dir, names[5]);
	CHECK(write_file(path, "x", 1, 0600) == 0);
	snprintf(path, sizeof path, "%s/%s", dir, names[7]);
	CHECK(symlink("socket_6999", path) == 0);
	snprintf(prefix, sizeof prefix, "%s/socket_", dir);
	CHECK(nodes_from_sockets(&ns, prefix, &e) == 0);
	CHECK(ns.n == 1 && ns.proxies[0].n == 3);
	CHECK_STR(ns.proxies[0].nodes[0].name, "socket_6999");
	CHECK_STR(ns.proxies[0].nodes[1].name, "socket_7000");
	CHECK_STR(ns.proxies[0].nodes[2].name, "socket_10000");
	CHECK(ns.proxies[0].nodes[0].addr.kind == ADDR_UNIX);
	CHECK(strncmp(ns.proxies[0].nodes[0].port, prefix, strlen(prefix)) == 0);
	CHECK(!ns.proxies[0].nodes[0].port_number);
	CHECK(survives(&ns));
	nodes_free(&ns);
	for (i = 0; i < 7; i++)
		if (i != 5)
			close(fd[i]);
	/* all dead now */
	CHECK(nodes_from_sockets(&ns, prefix, &e) == 0);
	CHECK(ns.n == 0);
	remove_all(dir, names, sizeof names / sizeof *names);
	buf_free(&b);
}

TEST(a_socket_whose_queue_is_full_is_live)
{
	static const char *const names[] = { "s_1" };
	char dir[] = "/tmp/lmc-test-XXXXXX", prefix[64];
	struct node_error e;
	struct nodes ns;
	int fd, i;

	CHECK(mkdtemp(dir));
	CHECK((fd = listen_at(dir, names[0], 0)) >= 0);
	snprintf(prefix, sizeof prefix, "%s/s_", dir);
	for (i = 0; i < 4; i++) {
		CHECK(nodes_from_sockets(&ns, prefix, &e) == 0);
		CHECK(ns.n == 1 && ns.proxies[0].n == 1);
		nodes_free(&ns);
	}
	close(fd);
	remove_all(dir, names, 1);
}

TEST(no_directory_is_no_node_and_a_relative_prefix_an_error)
{
	struct node_error e;
	struct nodes ns;

	CHECK(nodes_from_sockets(&ns, "/tmp/lmc-test-no-such-directory/s_", &e) == 0);
	CHECK(ns.n == 0);
	CHECK(nodes_from_sockets(&ns, "/dev/null/s_", &e) == 0);
	CHECK(nodes_from_sockets(&ns, "socket_", &e) < 0);
	CHECK_STR(e.what, "socket_: a prefix of sockets begins with /");
	CHECK(nodes_from_sockets(&ns, "", &e) < 0);
}
