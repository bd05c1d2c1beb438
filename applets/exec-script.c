/* exec-script.c - run a Python script inside nodes
 * SPDX-License-Identifier: Apache-2.0
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "applet.h"
#include "ask.h"
#include "die.h"

enum { STDIN_MAX = 256 << 20, FRAME = 4 << 20, RANDOM = 16 };

static struct {
	const char *expr;
	struct strs args;
} o;

static const struct opt opts[] = {
	STR('e', "expr", "EXPRESSION", &o.expr, "evaluate this instead of a file"),
	LIST(0, "arg", "NAME=VALUE", &o.args, "the script finds this string under this name"),
	MORE(call_opts),
	{ 0 }
};

static const struct way ways[] = { { GEN_ALL, "POST", "/run_script", WAY_ANY }, { 0 } };
static const char *const heads[] = { "NODE", "RESULT", NULL };

/* --- the body: what goes before, the script, what goes after ----------------------- */

static struct {
	struct buf  before, after, text;	/* text: a script that is no file */
	int         fd;				/* the file, or -1 */
	int64_t     size;			/* of the script */
	char        type[128];
} form = {
	.before = BUF(FRAME), .after = BUF(256), .text = BUF(STDIN_MAX), .fd = -1,
};

struct upload {
	int64_t at;
};

static long copy(const char *from, int64_t n, int64_t *at, char *p, size_t room)
{
	size_t take = (size_t)(n - *at) < room ? (size_t)(n - *at) : room;

	memcpy(p, from + *at, take);
	return (long)take;
}

/* Every node reads the file at its own place: nothing is held in memory. */
static long script_bytes(int64_t at, char *p, size_t room)
{
	int64_t left = form.size - at;
	ssize_t got;

	if (form.fd < 0)
		return copy(form.text.p, form.size, &at, p, room);
	if ((int64_t)room > left)
		room = (size_t)left;
	do {
		got = pread(form.fd, p, room, at);
	} while (got < 0 && errno == EINTR);
	return got > 0 ? (long)got : -1;	/* it has become shorter */
}

static long read_form(struct client_req *r, char *p, size_t room)
{
	struct call *c = r->ctx;
	struct upload *u = c->ctx;
	int64_t a = (int64_t)form.before.len, b = a + form.size, at;
	long n;

	if (u->at < a) {
		n = copy(form.before.p, a, &u->at, p, room);
	} else if (u->at < b) {
		n = script_bytes(u->at - a, p, room);
	} else {
		at = u->at - b;
		n = copy(form.after.p, (int64_t)form.after.len, &at, p, room);
	}
	if (n > 0)
		u->at += n;
	return n;
}

static int read_again(struct client_req *r)
{
	struct call *c = r->ctx;

	((struct upload *)c->ctx)->at = 0;
	return 0;
}

/* --- what the script is ---------------------------------------------------------------- */

static bool is_name(const char *p, size_t n)
{
	static const char *const keywords[] = {
		"False", "None", "True", "and", "as", "assert", "async", "await",
		"break", "class", "continue", "def", "del", "elif", "else", "except",
		"finally", "for", "from", "global", "if", "import", "in", "is",
		"lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try",
		"while", "with", "yield",
	};
	size_t i;

	if (!n || isdigit((unsigned char)*p))
		return false;
	for (i = 0; i < n; i++)
		if (!isalnum((unsigned char)p[i]) && p[i] != '_')
			return false;
	for (i = 0; i < sizeof keywords / sizeof *keywords; i++)
		if (strlen(keywords[i]) == n && !memcmp(keywords[i], p, n))
			return false;
	return true;
}

/* A Python string literal that nothing in s can end. */
static void put_literal(struct buf *b, const char *s)
{
	size_t len;

	buf_putc(b, '\'');
	for (; *s; s += len) {
		len = json_utf8(s, strlen(s));
		if (!len)
			die(EXIT_USAGE, "--arg: the value is not UTF-8");
		if (*s == '\'' || *s == '\\')
			buf_printf(b, "\\%c", *s);
		else if ((unsigned char)*s < 0x20 || *s == 0x7f)
			buf_printf(b, "\\x%02x", (unsigned char)*s);
		else
			buf_add(b, s, len);
	}
	buf_putc(b, '\'');
}

static void put_args(struct buf *b)
{
	const char *a, *eq;
	int i;

	for (i = 0; i < o.args.n; i++) {
		a = o.args.v[i];
		eq = strchr(a, '=');
		if (!eq || !is_name(a, (size_t)(eq - a)))
			die(EXIT_USAGE, "--arg: %s is not NAME=VALUE with a name that "
			    "Python takes", safe(a, strlen(a)));
		buf_add(b, a, (size_t)(eq - a));
		buf_puts(b, " = ");
		put_literal(b, eq + 1);
		buf_puts(b, i + 1 < o.args.n ? "; " : "\n");
	}
}

static void read_stdin(void)
{
	ssize_t got;

	do {
		if (buf_room(&form.text, 1 << 16) < 0)
			die(EXIT_SYS, "unable to read the script:");
		got = read(0, form.text.p + form.text.len, 1 << 16);
		if (got < 0)
			die(EXIT_SYS, "unable to read the script:");
		form.text.len += (size_t)got;
	} while (got);
	form.size = (int64_t)form.text.len;
}

static void open_file(const char *path)
{
	struct stat st;

	form.fd = open(path, O_RDONLY | O_CLOEXEC);
	if (form.fd < 0 || fstat(form.fd, &st) < 0)
		die(EXIT_USAGE, "unable to read %s:", safe(path, strlen(path)));
	if (!S_ISREG(st.st_mode)) {
		if (dup2(form.fd, 0) < 0)
			die(EXIT_SYS, "unable to read %s:", path);
		form.fd = -1;
		read_stdin();
		return;
	}
	form.size = st.st_size;
}

/* Random enough that no script holds it by chance or by intent. */
static void make_form(void)
{
	unsigned char r[RANDOM];
	char boundary[2 * RANDOM + 1];
	int i;

	if (getrandom(r, sizeof r, 0) != sizeof r)
		die(EXIT_SYS, "unable to get random bytes:");
	for (i = 0; i < RANDOM; i++)
		snprintf(boundary + 2 * i, 3, "%02x", r[i]);
	snprintf(form.type, sizeof form.type, "multipart/form-data; boundary=%s", boundary);
	buf_printf(&form.before, "--%s\r\nContent-Disposition: form-data; "
		   "name=\"script\"; filename=\"script.py\"\r\n"
		   "Content-Type: text/x-python\r\n\r\n", boundary);
	put_args(&form.before);
	buf_printf(&form.after, "\r\n--%s--\r\n", boundary);
	if (form.before.bad)
		die(EXIT_USAGE, "--arg: more than %d bytes", FRAME);
}

static void take_script(int argc, char **argv)
{
	if (o.expr ? argc || !*o.expr : !argc)
		die(EXIT_USAGE, "one of FILE, - and --expr is needed");
	if (o.expr) {
		/* On a line of its own a comment at the end does no harm. */
		buf_printf(&form.text, "result = (\n%s\n)\n", o.expr);
		form.size = (int64_t)form.text.len;
	} else if (!strcmp(argv[0], "-")) {
		read_stdin();
	} else {
		open_file(argv[0]);
	}
}

/* --- the answers -------------------------------------------------------------------------- */

static bool said(const struct call *c, const char *what)
{
	return c->answer.len && memmem(c->answer.p, c->answer.len, what, strlen(what));
}

static void failed(struct call *c)
{
	const char *hint = NULL;
	char *error;

	if (c->status == 404 && said(c, "API is disabled"))
		hint = "run_script_api_enabled: true in its configuration, or "
		       "LMCACHE_RUN_SCRIPT_API_ENABLED=true, or lmcache server "
		       "--run-script-api-enabled switches it on";
	else if (said(c, "Import of "))
		hint = "script_allowed_imports in its configuration names what may "
		       "be imported";
	else if (said(c, "__import__ not found"))
		hint = "this version allows no import at all";
	if (!hint)
		return;
	error = c->error;
	c->error = NULL;
	call_fail(c, c->exit, "%s: %s", error, hint);
	free(error);
}

static void rows(struct table *t, const struct call *c)
{
	const char *p = c->answer.p ? c->answer.p : "", *end = p + c->answer.len, *eol;

	do {
		eol = memchr(p, '\n', (size_t)(end - p));
		eol = eol ? eol : end;
		table_puts(t, c->node->name);
		table_add(t, p, (size_t)(eol - p));
		p = eol + 1;
	} while (p < end);
}

static void json(struct buf *b, const struct call *c)
{
	js_strn(b, "result", c->answer.p ? c->answer.p : "", c->answer.len);
}

static struct report report;

static void print(struct call *c)
{
	if (c->exit)
		failed(c);
	report_call(&report, c);
	if (report.form == OUT_RAW)
		ask_put(&c->answer);
	else if (!c->exit && report.form == OUT_TABLE)
		rows(&report.table, c);
	else if (!c->exit)
		json(&report.json, c);
	report_done(&report);
}

static void each(struct call *c)
{
	if (report.form == OUT_JSONL)
		print(c);
}

static int exec_script_run(int argc, char **argv)
{
	struct call_nodes ns;
	struct upload *up;
	struct call *calls;
	int i;

	take_script(argc, argv);
	make_form();
	ns = ask_nodes(true);
	report_begin(&report, heads);
	calls = xcalloc((size_t)ns.n, sizeof *calls);
	up = xcalloc((size_t)ns.n, sizeof *up);
	for (i = 0; i < ns.n; i++)
		calls[i] = (struct call){
			.node = &ns.node[i], .ways = ways, .type = form.type,
			.read = read_form, .again = read_again, .ctx = &up[i],
			.upload = (int64_t)(form.before.len + form.after.len) + form.size,
			.done = each,
		};
	for (i = 0; i < ns.n; i++)
		call_start(&calls[i]);
	ask_wait(ns.n);
	for (i = 0; i < ns.n && report.form != OUT_JSONL; i++)
		print(&calls[i]);
	return report_end(&report);
}

const struct applet exec_script_applet = {
	.name  = "exec-script",
	.brief = "run a Python script inside nodes",
	.about =
		"Uploads a script to each node, which runs it inside its process and "
		"answers with str(result), where result is what the script leaves under "
		"that name; print() goes to the node's own output. A script that runs "
		"long stops everything else in that process: --timeout ends the waiting, "
		"not the script.\n"
		"\n"
		"LMCache gives scripts app and a few builtins (print str int float list "
		"dict tuple set), imports only what script_allowed_imports names, and "
		"functions in them do not see the script's other names. --arg puts one "
		"line before the script.",
	.args  = "[FILE|-]",
	.examples =
		"lmc exec-script probe.py -a\n"
		"  on all nodes\n"
		"lmc exec-script -e 'app.state.lmcache_adapter' -n worker0\n"
		"  one expression\n"
		"echo 'result = int(a) * 2' | lmc exec-script - --arg a=21 -n worker0 -o raw\n"
		"  from a pipe, with a value\n",
	.opts  = opts,
	.run   = exec_script_run,
};
