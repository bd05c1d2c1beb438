/* call.c - any request to any node, the answer as received
 * SPDX-License-Identifier: Apache-2.0
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "applet.h"
#include "ask.h"
#include "die.h"
#include "file.h"

enum { BODY_MAX = 256 << 20, HEADERS = 4 };

static struct {
	struct strs headers;
	const char *type;
} o;

static const struct opt opts[] = {
	LIST('H', "header", "LINE", &o.headers, "a further header line, \"Name: value\""),
	STR('t', "type", "TYPE", &o.type, "the body's Content-Type, unless it is JSON"),
	MORE(call_opts),
	{ 0 }
};

static const char *lines[HEADERS + 1];

static void check_request(const char *method, const char *path)
{
	const char *p;

	for (p = method; isupper((unsigned char)*p); p++)
		;
	if (*p || p == method || p - method > 16)
		die(EXIT_USAGE, "%s is not a method: GET, POST, PUT, DELETE ...",
		    safe(method, strlen(method)));
	for (p = path; *p > ' ' && *p < 0x7f && *p != '#'; p++)
		;
	if (*path != '/' || *p)
		die(EXIT_USAGE, "%s is not a path: it begins with / and has "
		    "blanks and all that is not ASCII percent-encoded",
		    safe(path, strlen(path)));
}

static void take_headers(void)
{
	const char *h, *p;
	int i;

	if (o.headers.n > HEADERS)
		die(EXIT_USAGE, "--header: %d at most", HEADERS);
	for (i = 0; i < o.headers.n; i++) {
		h = o.headers.v[i];
		for (p = h; *p == '\t' || (unsigned char)*p >= ' '; p++)
			;
		if (*p || *h == ':' || !strchr(h, ':'))
			die(EXIT_USAGE, "--header: %s is not \"Name: value\"",
			    safe(h, strlen(h)));
		lines[i] = h;
	}
}

static void take_body(struct call *c, char *word)
{
	const char *p;

	c->body = word;
	c->body_n = strlen(word);
	if (*word == '@') {
		c->body = read_input(word + 1, BODY_MAX, &c->body_n);
		if (!c->body)
			die(EXIT_USAGE, "unable to read %s:", word + 1);
	}
	for (p = c->body; *p == ' ' || *p == '\n' || *p == '\t' || *p == '\r'; p++)
		;
	c->type = o.type ? o.type : *p == '{' || *p == '[' ? "application/json"
		: "application/octet-stream";
}

/* --- the answers ------------------------------------------------------------------ */

static int to_stdout(struct client_req *r, const char *p, size_t n)
{
	(void)r;
	return fwrite(p, 1, n, stdout) == n ? 0 : -1;
}

static void put_json(struct buf *b, const struct call *c)
{
	struct json_error e;
	struct json j;

	js_str(b, "type", c->ctype);
	if (json_parse(&j, c->answer.p ? c->answer.p : "", c->answer.len,
		       CALL_JSON_MAX, JSON_INF | JSON_SURROGATE, &e) == 0) {
		js_value(b, "body", &j, 0);
		json_free(&j);
	} else {
		js_strn(b, "body", c->answer.p ? c->answer.p : "", c->answer.len);
	}
}

static void print(struct report *r, const struct call *c, bool many)
{
	report_call(r, c);
	if (r->form == OUT_JSON || r->form == OUT_JSONL) {
		if (c->status)
			put_json(&r->json, c);
	} else if (c->status) {
		if (many && r->form == OUT_TABLE && !call_o.no_headers)
			printf("==> %s (HTTP %d) <==\n",
			       safe(c->node->name, strlen(c->node->name)), c->status);
		ask_put(&c->answer);
		if (many && r->form == OUT_TABLE && c->answer.len &&
		    c->answer.p[c->answer.len - 1] != '\n')
			putchar('\n');
	}
	report_done(r);
}

static struct report report;

static void each(struct call *c)
{
	if (report.form == OUT_JSONL)
		print(&report, c, true);
}

static int call_run_applet(int argc, char **argv)
{
	static struct way ways[2];
	static const char *const heads[] = { "NODE", NULL };
	struct call proto = { .ways = ways, .flags = CALL_PLAIN404,
			      .headers = lines };
	struct call_nodes ns;
	struct call *calls;
	bool stream;
	int i;

	check_request(argv[0], argv[1]);
	take_headers();
	ways[0] = (struct way){ GEN_ALL, argv[0], argv[1], WAY_ANY };
	if (argc > 2)
		take_body(&proto, argv[2]);
	ns = ask_nodes(strcmp(argv[0], "GET") && strcmp(argv[0], "HEAD") &&
		       strcmp(argv[0], "OPTIONS"));
	report_begin(&report, heads);
	stream = ns.n == 1 && (report.form == OUT_TABLE || report.form == OUT_RAW);
	if (stream)
		proto.write = to_stdout;
	calls = ask_all(&ns, &proto, each);
	for (i = 0; i < ns.n && report.form != OUT_JSONL; i++)
		print(&report, &calls[i], ns.n > 1);
	call_o.no_headers = true;	/* they were printed above */
	return report_end(&report);
}

const struct applet call_applet = {
	.name  = "call",
	.brief = "send any request to nodes and print what they answer",
	.about =
		"Sends one request and prints the answer's body as received; 1 is "
		"returned for a status of 400 and above. With several nodes a line "
		"with the node's name stands before each body. BODY is sent as it "
		"stands, @FILE is a file's content and @- standard input.",
	.args  = "METHOD PATH [BODY]",
	.examples =
		"lmc call GET '/conf?names=chunk_size' -n 127.0.0.1:6999\n"
		"  one key of one node's configuration\n"
		"lmc call POST /conf '{\"min_retrieve_tokens\": 512}' -a\n"
		"  a JSON body, to all nodes\n"
		"lmc call POST /kv/import @tensors.bin -H 'X-Tokens: [1,2]' -n worker0\n"
		"  a file\n",
	.opts  = opts,
	.run   = call_run_applet,
};
