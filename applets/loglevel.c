/* loglevel.c - list, read and set the log levels of nodes
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "applet.h"
#include "ask.h"
#include "clock.h"
#include "die.h"
#include "undo.h"

static struct {
	const char *filter;
	int64_t     duration;
	bool        restore;
} o = { .duration = 0 };

static const struct opt opts[] = {
	STR('f', "filter", "TEXT", &o.filter, "only loggers with this in their name"),
	TIME(0, "for", "TIME", &o.duration, 1, 7 * 86400000LL,
	     "set, wait this long, and set back what was before"),
	FLAG(0, "restore", &o.restore,
	     "set back what a killed lmc loglevel --for has left"),
	MORE(call_opts),
	{ 0 }
};

static const struct way ways[] = {
	{ GEN_ALL, "GET", "/loglevel", WAY_ANY }, { 0 }
};
static const char *const heads[] = { "NODE", "LOGGER", "LEVEL", "BEFORE", NULL };

static const char *const levels[] = {
	"CRITICAL", "FATAL", "ERROR", "WARNING", "WARN", "INFO", "DEBUG",
	"NOTSET", NULL
};

static const char *level_named(const char *s, size_t n)
{
	int i;

	for (i = 0; levels[i]; i++)
		if (strlen(levels[i]) == n && !strncasecmp(levels[i], s, n))
			return levels[i];
	return NULL;
}

/* What stands behind "NAME: "; numeric levels have a name of their own. */
static bool is_level(const char *s, size_t n)
{
	return level_named(s, n) || (n > 6 && !memcmp(s, "Level ", 6) &&
				     strspn(s + 6, "0123456789") >= n - 6);
}

/* --- the answer -------------------------------------------------------------------- */

struct logger {
	const char *name, *level;
	size_t name_n, level_n;
};

/* The next "NAME: LEVEL" at *p; a name may hold colons and line ends, so a
 * line that does not end in a level goes on. */
static bool next_logger(const char **p, const char *end, struct logger *l)
{
	const char *eol, *colon, *from = *p;

	for (; *p < end; *p = eol + (eol < end)) {
		eol = memchr(*p, '\n', (size_t)(end - *p));
		eol = eol ? eol : end;
		colon = memrchr(*p, ':', (size_t)(eol - *p));
		if (!colon || colon + 2 > eol || colon[1] != ' ' ||
		    !is_level(colon + 2, (size_t)(eol - colon - 2)))
			continue;
		*l = (struct logger){ from, colon + 2, (size_t)(colon - from),
				      (size_t)(eol - colon - 2) };
		*p = eol + (eol < end);
		return true;
	}
	return false;
}

static bool wanted(const struct logger *l)
{
	size_t n = o.filter ? strlen(o.filter) : 0, i;

	for (i = 0; i + n <= l->name_n; i++)
		if (!n || !strncasecmp(l->name + i, o.filter, n))
			return true;
	return false;
}

static const char *list_of(const struct call *c, const char **end)
{
	static const char title[] = "=== Loggers and Levels ===\n";
	const char *p = c->answer.p ? c->answer.p : "";

	*end = p + c->answer.len;
	return c->answer.len >= sizeof title - 1 &&
	       !memcmp(p, title, sizeof title - 1) ? p + sizeof title - 1 : p;
}

static void put_row(struct table *t, const struct call *c,
		    const struct logger *l, const char *before)
{
	table_puts(t, c->node->name);
	table_add(t, l->name, l->name_n);
	table_add(t, l->level, l->level_n);
	table_puts(t, before);
}

static void put_object(struct buf *b, const struct logger *l, const char *before)
{
	js_open(b, NULL, '{');
	js_strn(b, "name", l->name, l->name_n);
	js_strn(b, "level", l->level, l->level_n);
	js_str(b, "before", before);
	js_close(b, '}');
}

static void rows(struct table *t, struct call *c)
{
	const char *end, *p = list_of(c, &end);
	struct logger l;

	while (next_logger(&p, end, &l))
		if (wanted(&l))
			put_row(t, c, &l, NULL);
}

static void json(struct buf *b, struct call *c)
{
	const char *end, *p = list_of(c, &end);
	struct logger l;

	js_open(b, "loggers", '[');
	while (next_logger(&p, end, &l))
		if (wanted(&l))
			put_object(b, &l, NULL);
	js_close(b, ']');
}

/* A list may be empty; an answer about one logger has one line. */
static void check(struct call *c)
{
	const char *end, *p = list_of(c, &end);
	struct logger l;

	if (p == c->answer.p && !next_logger(&p, end, &l))
		call_fail(c, EXIT_NO, "%s: its answer is no list of log levels: %s",
			  call_who(c->node), safe(c->answer.p ? c->answer.p : "",
						  c->answer.len));
}

/* --- setting ---------------------------------------------------------------------------- */

static void check_set(struct call *c)
{
	if (c->answer.len < 4 || memcmp(c->answer.p, "Set ", 4))
		call_fail(c, EXIT_NO, "%s: it did not say that the level is set: %s",
			  call_who(c->node), safe(c->answer.p ? c->answer.p : "",
						  c->answer.len));
}

static char *query_for(const char *logger, const char *level)
{
	struct buf q = BUF(CALL_PATH);

	call_param(&q, "logger_name", logger);
	if (level)
		call_param(&q, "level", level);
	if (q.bad)
		die(EXIT_USAGE, "the logger's name is too long");
	return q.p;
}

static struct report report;

static void print_set(struct call *c, const char *logger, const char *level,
		      const char *before)
{
	struct report *r = &report;
	struct logger l = { logger, level, strlen(logger), strlen(level) };

	report_call(r, c);
	if (r->form == OUT_RAW) {
		ask_put(&c->answer);
	} else if (!c->exit && r->form == OUT_TABLE) {
		put_row(&r->table, c, &l, before);
	} else if (!c->exit) {
		js_open(&r->json, "loggers", '[');
		put_object(&r->json, &l, before);
		js_close(&r->json, ']');
	}
	report_done(r);
}

/* --- for a while ---------------------------------------------------------------------------- */

static void on_restored(struct call *c)
{
	if (!c->exit)
		check_set(c);
}

/* What another one will set back when its time is over is left to that. tell:
 * each level that is back is a row as if it had been set. */
static int restore(struct undos *u, const struct undos *all, int n, bool tell)
{
	struct call *calls = xcalloc((size_t)u->n, sizeof *calls);
	int i, exit = EXIT_OK;

	for (i = 0; i < u->n; i++) {
		calls[i] = (struct call){
			.node = &u->v[i].node, .ways = ways, .done = on_restored,
			.query = query_for(u->v[i].logger, u->v[i].level),
		};
		u->v[i].done = undo_other(all, n, true, &u->v[i].node, u->v[i].logger);
		if (!u->v[i].done)
			call_start(&calls[i]);
	}
	while (call_run(-1))
		;
	for (i = 0; i < u->n; i++) {
		if (u->v[i].done)
			continue;
		u->v[i].done = !calls[i].exit;
		exit = worse(exit, calls[i].exit);
		if (tell)
			print_set(&calls[i], u->v[i].logger, u->v[i].level, NULL);
		else if (calls[i].error)
			warn("%s", calls[i].error);
	}
	if (undo_write(u) < 0) {
		warn("unable to write %s:", u->path);
		exit = worse(exit, EXIT_SYS);
	} else if (exit) {
		warn("not all levels are back: lmc loglevel --restore tries again");
	}
	ask_end(calls, u->n);
	return exit;
}

static int restore_all(void)
{
	struct undos *all;
	const char *dir, *given = call_o.token_file;
	struct call_error e;
	int n = undo_find(&all, &dir), i, exit = EXIT_OK;

	if (n < 0)
		die(EXIT_SYS, "unable to read %s:", dir);
	report_begin(&report, heads);
	for (i = 0; i < n; i++) {
		if (all[i].alive) {
			if (!call_o.quiet)
				warn("process %ld still runs: it sets its own levels back",
				     (long)all[i].pid);
			continue;
		}
		call_o.token_file = all[i].token_file ? all[i].token_file : given;
		if (call_read_token(&e) == 0) {
			exit = worse(exit, restore(&all[i], all, n, true));
			continue;
		}
		warn("%s", e.what);
		exit = worse(exit, e.exit);
	}
	call_o.no_headers |= !n;
	return worse(exit, report_end(&report));
}

/* A numeric level has no name that /loglevel would take. What another one has
 * set for a while only is not what was before. */
static void remember(struct undos *u, const struct call_nodes *ns,
		     const char *logger, char **before, const struct undos *all, int n)
{
	const struct undo *other;
	int i;

	for (i = 0; i < ns->n; i++) {
		other = undo_other(all, n, false, &ns->node[i], logger);
		if (!other && !level_named(before[i], strlen(before[i])))
			die(EXIT_NO, "%s: %s has the level \"%s\" now, which can "
			    "be read but not set: it could not be set back",
			    call_who(&ns->node[i]), safe(logger, strlen(logger)),
			    before[i]);
		undo_add(u, &ns->node[i], logger, other ? other->level : before[i]);
	}
	if (undo_write(u) < 0)
		die(EXIT_SYS, "unable to write the journal %s:", u->path);
}

/* --- the applet ------------------------------------------------------------------------------- */

static struct {
	const char  *logger, *level;
	struct call *calls;		/* these two by the node's index */
	char       **before;
} to_set;

static void print_one(struct call *c)
{
	print_set(c, to_set.logger, to_set.level, to_set.before[c->node->index]);
}

static void on_set(struct call *c)
{
	if (!c->exit)
		check_set(c);
	if (report.form == OUT_JSONL)
		print_one(c);
}

static void start_set(struct call_node *n)
{
	to_set.calls[n->index] = (struct call){ .node = n, .ways = ways, .done = on_set,
		.query = query_for(to_set.logger, to_set.level) };
	call_start(&to_set.calls[n->index]);
}

/* The level before; with --for nothing is set until all are known. */
static void on_read(struct call *c)
{
	const char *p = c->answer.p;
	struct logger l;

	if (!c->exit)
		check(c);
	if (!c->exit) {
		next_logger(&p, p + c->answer.len, &l);
		to_set.before[c->node->index] = xstrndup(l.level, l.level_n);
		if (!o.duration)
			start_set(c->node);
	} else if (report.form == OUT_JSONL) {
		print_one(c);
	}
}

/* Who has set it for a while is looked up before the levels are read: one that
 * ends in between has set back what is read. */
static void set_for_a_while(struct call_nodes *ns, struct call *reads,
			    struct undos *mine, const struct undos *all, int n)
{
	int i, exit = EXIT_OK;

	for (i = 0; i < ns->n; i++) {
		if (reads[i].exit && report.form != OUT_JSONL)
			print_one(&reads[i]);
		exit = worse(exit, reads[i].exit);
	}
	if (exit)
		die(exit, "nothing was set: not every node could be asked for its level");
	ask_signals();
	remember(mine, ns, to_set.logger, to_set.before, all, n);
	for (i = 0; i < ns->n; i++)
		start_set(&ns->node[i]);
	ask_wait(ns->n);
}

static int wait_and_restore(struct undos *mine, int exit)
{
	int64_t end = clock_ms() + o.duration;
	struct undos *all;
	const char *dir;
	int n;

	fflush(stdout);
	ask_until(end, end);
	n = undo_find(&all, &dir);
	exit = worse(exit, restore(mine, all, n, false));
	return exit ? exit : ask_signal() ? 128 + ask_signal() : EXIT_OK;
}

static int set(const char *logger, const char *level)
{
	struct call_nodes ns = ask_nodes(true);
	struct call proto = { .ways = ways, .query = query_for(logger, NULL) };
	struct undos mine = { 0 }, *all = NULL;
	struct call *reads;
	const char *dir;
	int i, exit, n;

	to_set.logger = logger;
	to_set.level = level;
	to_set.calls = xcalloc((size_t)ns.n, sizeof *to_set.calls);
	to_set.before = xcalloc((size_t)ns.n, sizeof *to_set.before);
	report_begin(&report, heads);
	n = o.duration ? undo_find(&all, &dir) : 0;
	reads = ask_all(&ns, &proto, on_read);
	if (o.duration)
		set_for_a_while(&ns, reads, &mine, all, n);
	for (i = 0; report.form != OUT_JSONL && i < ns.n; i++)
		print_one(reads[i].exit ? &reads[i] : &to_set.calls[i]);
	exit = report_end(&report);
	return o.duration ? wait_and_restore(&mine, exit) : exit;
}

static int loglevel_run(int argc, char **argv)
{
	struct ask a = { .proto = { .ways = ways }, .heads = heads,
			 .rows = rows, .json = json, .check = check };
	const char *level;

	if (o.restore) {
		if (argc || o.duration)
			die(EXIT_USAGE, "--restore stands alone");
		return restore_all();
	}
	if (argc == 2) {
		level = level_named(argv[1], strlen(argv[1]));
		if (!level)
			die(EXIT_USAGE, "%s is not one of Python's levels: CRITICAL, "
			    "FATAL, ERROR, WARNING, WARN, INFO, DEBUG, NOTSET",
			    safe(argv[1], strlen(argv[1])));
		if (!*argv[0])
			die(EXIT_USAGE, "the logger has no name; the root is root");
		return set(argv[0], level);
	}
	if (o.duration)
		die(EXIT_USAGE, "--for needs a logger and a level to set");
	if (argc == 1)
		a.proto.query = query_for(argv[0], NULL);
	return ask(&a);
}

const struct applet loglevel_applet = {
	.name  = "loglevel",
	.brief = "list, read and set the log levels of nodes",
	.about =
		"Without operands it lists the loggers of each node with their own "
		"levels; with LOGGER it reads one; with LEVEL it sets one, its handlers "
		"included. NOTSET means that the logger follows its parent. A node makes "
		"a logger that it does not have when it is asked for it.\n"
		"\n"
		"With --for the levels from before are set back after that time or after "
		"a signal. They are kept in a file until then, so that lmc loglevel "
		"--restore can do it when lmc was killed. The levels of a logger's "
		"handlers cannot be read: setting back sets them as the logger.",
	.args  = "[LOGGER] [LEVEL]",
	.examples =
		"lmc loglevel --filter lmcache\n"
		"  LMCache's loggers, on all nodes\n"
		"lmc loglevel lmcache.v1.cache_engine DEBUG -a --for 10m\n"
		"  ten minutes of detail\n"
		"lmc loglevel --restore\n"
		"  finish what a killed one has left\n",
	.opts  = opts,
	.run   = loglevel_run,
};
