/* cache.c - the cache of nodes: clear, checksums, freeze, mock traffic
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "applet.h"
#include "die.h"
#include "endpoint.h"

enum { BLOCKS = 100000, BODY = 2 << 20 };

static struct {
	bool yes, layerwise;
	long chunk;
	const char *adapter;
} o;

static const struct opt opts[] = {
	FLAG('y', "yes", &o.yes, "clear without asking"),
	INT(0, "chunk-size", "N", &o.chunk, 1, 1 << 30, "with checksums: slots or blocks in a chunk"),
	FLAG(0, "layerwise", &o.layerwise, "with checksums: of each layer by itself"),
	STR(0, "adapter", "NAME", &o.adapter, "with objects: of this adapter"),
	MORE(call_opts), { 0 }
};

static const struct way clear[] = {
	{ GEN_EMBEDDED, "DELETE", "/cache/clear", WAY_QUERY },
	{ GEN_MP3, "POST", "/cache/clear", WAY_BODY },
	{ GEN_MP2, "POST", "/clear-cache", WAY_BODY },
	{ GEN_MP1, "POST", "/api/clear-cache", WAY_BODY },
	{ 0 }
};
static const struct way checksums[] = {
	{ GEN_EMBEDDED, "GET", "/cache/kvcache/check?slot_mapping={}", WAY_QUERY },
	{ GEN_MP3, "POST", "/cache/checksums", WAY_BODY },
	{ GEN_MP2, "GET", "/kvcache/check?block_ids={}", WAY_QUERY },
	{ 0 }
};
static const struct way objects[] = { { GEN_MP3, "GET", "/cache/objects", WAY_ANY }, { 0 } };
#define TWO_WAYS(name, method, word) \
	static const struct way name[] = { \
		{ GEN_EMBEDDED, method, "/freeze/" word, WAY_ANY }, \
		{ GEN_EMBEDDED, method, "/hot_cache_freeze_mode/" word, WAY_ANY }, \
		{ 0 } \
	}
TWO_WAYS(freeze_on, "PUT", "enable");
TWO_WAYS(freeze_off, "PUT", "disable");
TWO_WAYS(freeze, "GET", "status");
#define WAY(name, method, path) \
	static const struct way name[] = { { GEN_EMBEDDED, method, path, WAY_ANY }, { 0 } }
WAY(store, "POST", "/cache/store?tokens_mock={}");
WAY(retrieve, "POST", "/cache/retrieve?tokens_mock={}");
WAY(info, "GET", "/cache/kvcache/info");
WAY(record_on, "POST", "/cache/kvcache/record_slot?enabled=true");
WAY(record_off, "POST", "/cache/kvcache/record_slot?enabled=false");
WAY(record, "POST", "/cache/kvcache/record_slot");
WAY(load, "POST", "/cache/load-fs-chunks");
WAY(hot_on, "PUT", "/hot_cache/enable");
WAY(hot_off, "PUT", "/hot_cache/disable");
WAY(hot, "GET", "/hot_cache/status");

/* --- operands ---------------------------------------------------------------------- */

static void locations(struct call *c, int argc, char **argv)
{
	static struct buf query = BUF(CALL_PATH);
	int i;

	for (i = 0; i < argc; i++)
		call_param(&query, "locations", argv[i]);
	c->query = query.p;
	c->body = "{\"tier\":\"l1\"}";
	c->body_n = strlen(c->body);
}

static void no_list(const char *all)
{
	die(EXIT_USAGE, "%s is not a list of numbers and ranges such as 0,2,[5,9]",
	    safe(all, strlen(all)));
}

static long number(const char **p, const char *all)
{
	char *end = NULL;
	long v = **p >= '0' && **p <= '9' ? strtol(*p, &end, 10) : -1;

	if (v < 0 || v > INT32_MAX)
		no_list(all);
	*p = end;
	return v;
}

static void range(struct buf *b, const char **p, const char *all, int *n)
{
	bool pair = **p == '[';
	long from, to;

	*p += pair;
	from = to = number(p, all);
	if (pair) {
		if (*(*p)++ != ',')
			no_list(all);
		to = number(p, all);
		if (*(*p)++ != ']' || to < from)
			no_list(all);
	}
	for (; from <= to; from++) {
		if (++*n > BLOCKS)
			die(EXIT_USAGE, "more than %d blocks", BLOCKS);
		js_int(b, NULL, from);
	}
}

static void list(struct buf *b, const char *all)
{
	const char *p = all;
	int n = 0;

	js_open(b, "block_ids", '[');
	range(b, &p, all, &n);
	while (*p == ',') {
		p++;
		range(b, &p, all, &n);
	}
	if (*p)
		no_list(all);
	js_close(b, ']');
}

/* The older ones take the list in the query, the newest a JSON body. */
static void blocks(struct call *c, int argc, char **argv)
{
	static struct buf query = BUF(CALL_PATH), body = BUF(BODY);

	(void)argc;
	js_open(&body, NULL, '{');
	list(&body, argv[0]);
	if (o.chunk) {
		js_int(&body, "chunk_size", o.chunk);
		buf_printf(&query, "chunk_size=%ld", o.chunk);
	}
	if (o.layerwise) {
		js_bool(&body, "layerwise", true);
		call_param(&query, "layerwise", "true");
	}
	js_close(&body, '}');
	c->arg = argv[0];
	c->query = query.p;
	c->body = body.p;
	c->body_n = body.len;
}

static void config_path(struct call *c, int argc, char **argv)
{
	static struct buf body = BUF(BODY);

	(void)argc;
	js_open(&body, NULL, '{');
	js_str(&body, "config_path", argv[0]);
	js_close(&body, '}');
	c->body = body.p;
	c->body_n = body.len;
}

static void of_adapter(struct call *c, int argc, char **argv)
{
	static struct buf query = BUF(CALL_PATH);

	(void)argc;
	(void)argv;
	if (o.adapter)
		call_param(&query, "adapter", o.adapter);
	c->query = query.p;
}

static const struct endpoint rows[] = {
	{ "freeze",     freeze,     0, 0, 0, NULL, NULL, NULL },
	{ "freeze on",  freeze_on,  ENDPOINT_CHANGES, 0, 0, NULL, NULL, NULL },
	{ "freeze off", freeze_off, ENDPOINT_CHANGES, 0, 0, NULL, NULL, NULL },
	{ "hot-cache",     hot,     0, 0, 0, NULL, NULL, NULL },
	{ "hot-cache on",  hot_on,  ENDPOINT_CHANGES, 0, 0, NULL, NULL, NULL },
	{ "hot-cache off", hot_off, ENDPOINT_CHANGES, 0, 0, NULL, NULL, NULL },
	{ "clear",      clear,      ENDPOINT_DESTROYS, 0, 64, "BACKEND...", "clear the cache", locations },
	{ "checksums",  checksums,  0, 1, 1, "BLOCKS", NULL, blocks },
	{ "info",       info,       0, 0, 0, NULL, NULL, NULL },
	{ "objects",    objects,    0, 0, 0, NULL, NULL, of_adapter },
	{ "store",      store,      ENDPOINT_CHANGES, 1, 1, "FIRST,LAST", NULL, NULL },
	{ "retrieve",   retrieve,   ENDPOINT_CHANGES, 1, 1, "FIRST,LAST", NULL, NULL },
	{ "record",     record,     0, 0, 0, NULL, NULL, NULL },
	{ "record on",  record_on,  ENDPOINT_CHANGES, 0, 0, NULL, NULL, NULL },
	{ "record off", record_off, ENDPOINT_CHANGES, 0, 0, NULL, NULL, NULL },
	{ "load",       load,       ENDPOINT_CHANGES, 1, 1, "CONFIG_PATH", NULL, config_path },
	{ 0 }
};
static const struct endpoints cache = { .rows = rows, .key = "answer", .yes = &o.yes };

static int cache_run(int argc, char **argv)
{
	return endpoint_run(&cache, argc, argv);
}

const struct applet cache_applet = {
	.name  = "cache",
	.brief = "the cache of nodes: clear, checksums, freeze, mock traffic",
	.about =
		"Each word is one thing to see or to do; none means freeze.\n"
		" freeze [on|off]      no new entries; without a word: is it?\n"
		" hot-cache [on|off]   the CPU's hot cache\n"
		" clear [BACKEND]...   forget everything, or what is in these\n"
		" checksums BLOCKS     of KV slots or blocks: 0,2,[5,9]\n"
		" info                 layers, shapes and types of the KV caches\n"
		" objects              what an MP server's adapter holds\n"
		" store FIRST,LAST     store made-up tokens of these numbers\n"
		" retrieve FIRST,LAST  and get them back\n"
		" record [on|off]      whether slots are logged for checks\n"
		" load CONFIG_PATH     load chunks from the file system of the node",
	.args  = "[freeze|hot-cache|clear|checksums|info] [WORD]...",
	.examples =
		"lmc cache clear -n worker0 --yes\n"
		"  all of one node\n"
		"lmc cache checksums '0,[4,9]' --chunk-size 4 -a\n"
		"  do the nodes hold the same?\n"
		"lmc cache freeze on -a\n"
		"  no new entries, everywhere\n",
	.opts  = opts,
	.run   = cache_run,
};
