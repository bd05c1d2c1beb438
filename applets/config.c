/* config.c - the configuration of nodes: shown, compared, set, kept in a file
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "applet.h"
#include "config/config.h"
#include "die.h"
#include "endpoint.h"
#include "file.h"
#include "yaml.h"

enum { FILE_MAX = 8 << 20, VERIFY_MS = 10000 };

struct config_options config_o = { .verify = VERIFY_MS };

static const struct opt opts[] = {
	FLAG(0, "dry-run", &config_o.dry, "say what would change and change nothing"),
	INT(0, "canary", "N", &config_o.canary, 1, 4096, "change this many nodes first, the others after --verify"),
	TIME(0, "verify", "TIME", &config_o.verify, 0, 86400000, "how long changed nodes must stay healthy"),
	MORE(call_opts),
	{ 0 }
};

const struct way config_get[] = {
	{ GEN_EMBEDDED | GEN_MP2, "GET", "/conf", WAY_ANY },
	{ GEN_MP3, "GET", "/config", WAY_ANY },
	{ 0 }
};
const struct way config_post[] = { { GEN_ALL, "POST", "/conf", WAY_BODY }, { 0 } };
const char *const config_heads[] = { "NODE", "KEY", "BEFORE", "AFTER", NULL };

static char **keys;
static int    keys_n;

jv config_find(const struct json *j, const char *key)
{
	jv v = json_get(j, 0, key);
	const char *dot = key;
	char part[256];
	size_t n;

	if (v >= 0)
		return v;
	for (v = 0; v >= 0 && *key; key = dot + (*dot == '.')) {
		dot = strchr(key, '.');
		dot = dot ? dot : key + strlen(key);
		n = (size_t)(dot - key);
		if (n >= sizeof part)
			return -1;
		memcpy(part, key, n);
		part[n] = '\0';
		v = json_get(j, v, part);
	}
	return v;
}

bool config_is_mp(const struct json *j)
{
	return json_get(j, 0, "mp") >= 0;
}

bool config_nan(const struct json *j)
{
	double d;
	jv v;

	for (v = 0; v < j->n; v++)
		if (json_type(j, v) == JSON_NUMBER && !json_num(j, v, &d) && isnan(d))
			return true;
	return false;
}

void config_file(const char *path, struct json *j)
{
	struct buf text = BUF(FILE_MAX);
	struct json_error e;
	struct yaml_error ye;
	size_t n;
	char *p = read_input(path, FILE_MAX, &n);

	if (!p)
		die(EXIT_USAGE, "unable to read %s:", safe(path, strlen(path)));
	if (strchr("{[", p[strspn(p, " \t\r\n")])) {
		if (json_parse(j, p, n, FILE_MAX, JSON_INF | JSON_SURROGATE, &e) < 0)
			die(EXIT_USAGE, "%s:%d:%d: %s", path, e.line, e.column, e.what);
	} else if (yaml_json(p, n, &text, &ye) < 0) {
		die(EXIT_USAGE, "%s:%d: %s", path, ye.line, ye.what);
	} else if (json_parse(j, text.p, text.len, FILE_MAX, JSON_INF, &e) < 0) {
		die(EXIT_USAGE, "%s: %s", path, e.what);
	}
	if (json_type(j, 0) != JSON_OBJECT || config_nan(j))
		die(EXIT_USAGE, "%s is no object of keys and values that a node can "
		    "keep (NaN is none)", path);
}

/* --- showing --------------------------------------------------------------------- */

/* A node leaves out unknown names without a word; here they are an error. */
static void check(struct call *c)
{
	int i;

	for (i = 0; i < keys_n; i++)
		if (config_find(&c->json, keys[i]) < 0) {
			call_fail(c, EXIT_NO, "%s has no key %s", call_who(c->node),
				  safe(keys[i], strlen(keys[i])));
			return;
		}
}

static void rows(struct table *t, struct call *c)
{
	int i;

	if (!keys_n)
		endpoint_pairs(t, c, &c->json, 0);
	for (i = 0; i < keys_n; i++) {
		table_puts(t, c->node->name);
		table_puts(t, keys[i]);
		table_json(t, &c->json, config_find(&c->json, keys[i]));
	}
}

static void json(struct buf *b, struct call *c)
{
	int i;

	if (!keys_n) {
		js_value(b, "config", &c->json, 0);
		return;
	}
	js_open(b, "config", '{');
	for (i = 0; i < keys_n; i++)
		js_value(b, keys[i], &c->json, config_find(&c->json, keys[i]));
	js_close(b, '}');
}

static int show(int n, char **names)
{
	struct ask a = { .proto = { .ways = config_get, .flags = CALL_OBJECT },
			 .heads = endpoint_heads, .check = check, .rows = rows,
			 .json = json };
	struct buf list = BUF(CALL_PATH), query = BUF(CALL_PATH);
	int i;

	keys = names;
	keys_n = n;
	for (i = 0; i < n; i++)
		buf_printf(&list, "%s%s", i ? "," : "", names[i]);
	if (n)
		call_param(&query, "names", list.p);
	if (query.bad)
		die(EXIT_USAGE, "too many keys");
	a.proto.query = query.p;
	return ask(&a);
}

/* The file of one node; as JSON, so that apply reads it back. */
static int export(void)
{
	if (call_o.nodes.n != 1)
		die(EXIT_USAGE, "export needs one node: -n");
	call_o.output = "raw";
	return show(0, NULL);
}

static int config_run(int argc, char **argv)
{
	const char *verb = argc ? argv[0] : "get";

	if (strcmp(verb, "set") && strcmp(verb, "apply") && (config_o.dry || config_o.canary))
		die(EXIT_USAGE, "--dry-run and --canary go with set and apply");
	if (config_o.verify != VERIFY_MS && !config_o.canary)
		die(EXIT_USAGE, "--verify goes with --canary");
	if (!strcmp(verb, "get"))
		return show(argc ? argc - 1 : 0, argv + (argc > 0));
	if (!strcmp(verb, "diff") && argc < 3)
		return config_diff(argv[1]);
	if (!strcmp(verb, "set") && argc > 1)
		return config_set(argc - 1, argv + 1);
	if (!strcmp(verb, "export") && argc == 1)
		return export();
	if (!strcmp(verb, "apply") && argc == 2)
		return config_apply(argv[1]);
	die(EXIT_USAGE, "get [KEY]..., diff [FILE], set KEY=VALUE..., export or "
	    "apply FILE is needed");
}

const struct applet config_applet = {
	.name  = "config",
	.brief = "the configuration of nodes: show, compare, set, keep in a file",
	.about =
		"Reads all nodes, and changes those that -n or -a name.\n"
		" get [KEY]...       all of it, or these keys\n"
		" diff [FILE|-]      where nodes differ from the first, or from a file\n"
		" set KEY=VALUE...   with the type that the key's value has now\n"
		" set KEY:=JSON...   with exactly this value\n"
		" export             one node's configuration as a file\n"
		" apply FILE|-       set what differs from a JSON or YAML file\n"
		"\n"
		"What is set is read back and shown. Only the node's configuration "
		"object changes: a component that took a value at its start goes on with "
		"that, and the next start knows nothing of it. With --canary some nodes "
		"are changed first, watched for --verify, and changed back with all "
		"others at the first failure or signal. lmcache server's configuration can be read "
		"but not set.",
	.args  = "[get|diff|set|export|apply] [WORD]...",
	.examples =
		"lmc config get chunk_size remote_url\n"
		"  two keys of all nodes\n"
		"lmc config diff\n"
		"  do the nodes agree? 1 if not\n"
		"lmc config set min_retrieve_tokens=512 -a --canary 1 --verify 30s\n"
		"  one node first\n"
		"lmc config export -n worker0 >conf.json\n"
		"  kept in a file\n",
	.opts  = opts,
	.run   = config_run,
};
