/* ask.c - how an applet that asks nodes runs: nodes, waiting, printing
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ask.h"
#include "clock.h"
#include "die.h"

enum { PATIENCE_MS = 1000, TICK_MS = 250 };

static const char clear_line[] = "\r\033[K";

static int lacking = EXIT_OK;

int ask_lacks(const struct call_nodes *ns)
{
	if (ns->lacks && !call_o.quiet)
		warn("%s", ns->lacks);
	if (ns->lacks)
		lacking = EXIT_REACH;
	return lacking;
}

struct call_nodes ask_nodes(bool changes)
{
	struct call_nodes ns;
	struct call_error e;

	if (call_resolve(&ns, changes, &e) < 0)
		die(e.exit, "%s", e.what);
	ask_lacks(&ns);
	return ns;
}

/* --- waiting --------------------------------------------------------------------- */

static bool is_watched(void)
{
	return !call_o.quiet && isatty(2);
}

void ask_wait(int total)
{
	if (!is_watched()) {
		while (call_run(-1))
			;
		return;
	}
	if (!call_run(PATIENCE_MS))
		return;
	do {
		fprintf(stderr, "\r%s: %d of %d answered ", prog,
			total - call_left(), total);
		fflush(stderr);
	} while (call_run(TICK_MS));
	fputs(clear_line, stderr);
}

void ask_sleep(int64_t ms)
{
	struct timespec left = { ms / 1000, ms % 1000 * 1000000L };

	while (ms > 0 && nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

static volatile sig_atomic_t got_signal;

static void on_signal(int sig)
{
	got_signal = sig;
}

void ask_signals(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	struct sigaction sa = { .sa_handler = on_signal }, was;
	size_t i;

	for (i = 0; i < sizeof signals / sizeof *signals; i++)
		if (sigaction(signals[i], NULL, &was) == 0 && was.sa_handler != SIG_IGN)
			sigaction(signals[i], &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
}

int ask_signal(void)
{
	return got_signal;
}

/* A signal between the look at the flag and the sleep costs one slice. */
bool ask_until(int64_t until, int64_t end)
{
	static int64_t patience;
	static bool told;
	int64_t now = clock_ms(), slice;

	patience = patience ? patience : now + PATIENCE_MS;
	for (; !got_signal && now < until; now = clock_ms()) {
		if (now >= patience && end > now && is_watched()) {
			fprintf(stderr, "\r%s: %lld s to go\033[K", prog,
				(long long)(end - now + 999) / 1000);
			told = true;
		}
		slice = until - now < TICK_MS ? until - now : TICK_MS;
		if (!call_run(slice))
			ask_sleep(slice + now - clock_ms());
	}
	if (told && (got_signal || now >= end)) {
		fputs(clear_line, stderr);
		told = false;
		patience = 0;
	}
	return !got_signal;
}

static void kept(struct call *c)
{
	(void)c;
}

struct call *ask_all(const struct call_nodes *ns, const struct call *proto,
		     void (*each)(struct call *c))
{
	struct call *calls = xcalloc((size_t)ns->n, sizeof *calls);
	int i;

	for (i = 0; i < ns->n; i++) {
		calls[i] = *proto;
		calls[i].node = &ns->node[i];
		calls[i].done = each ? each : kept;
	}
	for (i = 0; i < ns->n; i++)
		call_start(&calls[i]);
	ask_wait(ns->n);
	return calls;
}

void ask_end(struct call *calls, int n)
{
	int i;

	for (i = 0; i < n; i++)
		call_free(&calls[i]);
	free(calls);
}

/* --- printing ---------------------------------------------------------------------- */

void ask_put(const struct buf *b)
{
	if (b->bad)
		die(EXIT_SYS, "out of memory, or more than %d MiB of output",
		    OUT_MAX >> 20);
	if (b->len)
		fwrite(b->p, 1, b->len, stdout);
}

static bool bold(void)
{
	const char *no = getenv("NO_COLOR");

	if (strcmp(call_o.color, "auto"))
		return !strcmp(call_o.color, "always");
	return isatty(1) && !(no && *no);
}

void report_begin(struct report *r, const char *const *heads)
{
	*r = (struct report){ .form = out_form(call_o.output),
			      .json = BUF(OUT_MAX) };
	table_init(&r->table, heads);
	if (r->form == OUT_JSON)
		buf_puts(&r->json, "[\n");
}

void report_node(struct report *r, const struct call_node *n, int status,
		 int exit, const char *error)
{
	r->exit = worse(r->exit, exit);
	if (error && !call_o.quiet)
		warn("%s", error);
	if (r->form != OUT_JSON && r->form != OUT_JSONL)
		return;
	js_open(&r->json, NULL, '{');
	js_str(&r->json, "node", n->name);
	if (status)
		js_int(&r->json, "status", status);
	else
		js_null(&r->json, "status");
	js_str(&r->json, "error", error);
}

void report_call(struct report *r, const struct call *c)
{
	report_node(r, c->node, c->status, c->exit, c->error);
}

void report_done(struct report *r)
{
	if (r->form == OUT_JSON) {
		js_close(&r->json, '}');
	} else if (r->form == OUT_JSONL) {
		buf_puts(&r->json, "}\n");
		ask_put(&r->json);
		fflush(stdout);
		buf_reset(&r->json);
	}
}

int report_end(struct report *r)
{
	struct buf text = BUF(OUT_MAX);

	if (r->form == OUT_JSON) {
		buf_puts(&r->json, "\n]\n");
		ask_put(&r->json);
	} else if (r->form == OUT_TABLE && (r->table.n || !r->exit)) {
		table_print(&r->table, !call_o.no_headers, bold(), &text);
		ask_put(&text);
	}
	buf_free(&text);
	buf_free(&r->json);
	table_free(&r->table);
	return worse(r->exit, lacking);
}

/* --- the common case ----------------------------------------------------------------- */

static struct report report;
static const struct ask *asked;

static void one(struct call *c)
{
	bool json = report.form == OUT_JSON || report.form == OUT_JSONL;

	if (!c->exit && asked->check)
		asked->check(c);
	report_call(&report, c);
	if (report.form == OUT_RAW) {
		ask_put(&c->answer);
	} else if (!c->exit) {
		if (json && asked->json)
			asked->json(&report.json, c);
		if (!json && asked->rows)
			asked->rows(&report.table, c);
	}
	report_done(&report);
}

int ask(const struct ask *a)
{
	struct call_nodes ns = ask_nodes(a->changes);
	struct call *calls;
	int i;

	asked = a;
	report_begin(&report, a->heads);
	calls = ask_all(&ns, &a->proto, report.form == OUT_JSONL ? one : NULL);
	for (i = 0; report.form != OUT_JSONL && i < ns.n; i++)
		one(&calls[i]);
	ask_end(calls, ns.n);
	return report_end(&report);
}

void ask_not_raw(void)
{
	if (out_form(call_o.output) == OUT_RAW)
		die(EXIT_USAGE, "-o raw: this is made of several answers; see lmc call");
}

void ask_sure(bool yes, const char *what)
{
	char line[64];

	if (yes)
		return;
	if (!isatty(0) || !isatty(2))
		die(EXIT_USAGE, "this will %s: say --yes if that is meant", what);
	fprintf(stderr, "This will %s. Type yes to go on: ", what);
	fflush(stderr);
	if (!fgets(line, sizeof line, stdin) || strcmp(line, "yes\n"))
		die(EXIT_NO, "nothing was done");
}
