/* metrics.c - the nodes' metrics: merged, checked, summed up, sent on
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

#include "applet.h"
#include "ask.h"
#include "clock.h"
#include "die.h"
#include "file.h"
#include "label.h"
#include "metrics/metrics.h"

static struct {
	bool merge, lint, reset, summary, doctor;
	const char *get, *output, *rollup, *textfile, *push, *job, *lock;
	int64_t rate, watch, jitter;
	struct strs by, labels, grouping;
	struct style style;
} o = { .job = "lmc", .style = { .node_label = "node" } };

static const struct opt opts[] = {
	HEAD("What is done"),
	FLAG(0, "merge",    &o.merge,         "the operands are files with metrics, [NAME=]FILE; - is standard input"),
	STR('g', "get", "SELECTOR", &o.get,   "print bare values: NAME{label=\"v\"}"),
	TIME('r', "rate", "TIME", &o.rate, 1, 86400000, "ask twice, so far apart, and print growth per second"),
	TIME('w', "watch", "TIME", &o.watch, 10, 86400000, "do it again and again"),
	FLAG('s', "summary", &o.summary,      "the figures of LMCache, derived, with formula and inputs"),
	FLAG(0, "doctor",   &o.doctor,        "what is wrong or missing, and why that may be"),
	FLAG(0, "lint",     &o.lint,          "check files, standard input or nodes as promtool does"),
	FLAG(0, "reset",    &o.reset,         "let nodes set their metrics to zero"),
	HEAD("Which samples"),
	LIST(0, "name", "NAME", &o.style.names, "only this family or sample"),
	LIST('m', "match", "SELECTOR", &o.style.matches, "only what fits: NAME{label=~\"regex\"}"),
	STR(0, "rollup", "auto|sum|max|min|avg", &o.rollup, "one sample for each family and group; auto: as the family wants it"),
	LIST(0, "by", "LABEL", &o.by,         "with --rollup: the labels that make a group"),
	HEAD("How they are written"),
	STR('o', "output", "raw|table|json|jsonl", &o.output, "the form; raw is exposition, and what samples have by default"),
	FLAG(0, "openmetrics", &o.style.openmetrics, "write OpenMetrics instead of Prometheus's text format"),
	FLAG(0, "underscore", &o.style.underscore, "write lmcache_x instead of lmcache:x"),
	FLAG(0, "drop-created", &o.style.drop_created, "leave out samples named _created"),
	STR(0, "node-label", "NAME", &o.style.node_label, "the label that says which node a sample is of; empty: none"),
	LIST('l', "label", "NAME=VALUE", &o.labels, "a further label for every sample"),
	FLAG('q', "quiet", &call_o.quiet,     "no word about nodes that fail; the exit status tells"),
	FLAG(0, "no-headers", &call_o.no_headers, "no headings above tables"),
	HEAD("Where they go"),
	STR(0, "textfile", "FILE", &o.textfile, "into a file, whole or not at all, for node_exporter's textfile collector"),
	STR(0, "pushgateway", "URL", &o.push, "to a Pushgateway, in place of what the group had"),
	STR(0, "job", "NAME", &o.job,         "the group's job"),
	LIST(0, "grouping", "NAME=VALUE", &o.grouping, "a further label of the group"),
	HEAD("From cron"),
	TIME(0, "jitter", "TIME", &o.jitter, 0, 86400000, "wait a random time up to this first"),
	STR(0, "lock", "FILE", &o.lock,       "end with 1 at once if another has this file locked"),
	MORE(call_node_opts),
	{ 0 }
};

static enum out_form form;

/* ---- options ---- */

static void need_pairs(const struct strs *l, const char *option)
{
	for (int i = 0; i < l->n; i++) {
		const char *eq = strchr(l->v[i], '=');
		char *name = eq ? xstrndup(l->v[i], (size_t)(eq - l->v[i])) : NULL;

		if (!name || !label_name(name))
			die(EXIT_USAGE, "--%s: %s is not NAME=VALUE", option,
			    safe(l->v[i], strlen(l->v[i])));
		free(name);
	}
}

static void take_labels(void)
{
	if (*o.style.node_label && !label_name(o.style.node_label))
		die(EXIT_USAGE, "--node-label: %s is not a label name",
		    safe(o.style.node_label, strlen(o.style.node_label)));
	need_pairs(&o.labels, "label");
	need_pairs(&o.grouping, "grouping");
	if (o.labels.n > EXPO_EXTRAS - 3)
		die(EXIT_USAGE, "--label: %d at most", EXPO_EXTRAS - 3);
	for (int i = 0; i < o.labels.n; i++) {
		const char *l = o.labels.v[i], *eq = strchr(l, '=');

		o.style.extra[o.style.extras++] = (struct expo_extra){
			xstrndup(l, (size_t)(eq - l)), eq + 1, false
		};
	}
}

static void one_of_these(void)
{
	const bool on[] = { o.get != NULL, o.summary, o.doctor, o.lint, o.reset,
			    o.textfile || o.push };
	int n = 0;

	for (size_t i = 0; i < sizeof on / sizeof *on; i++)
		n += on[i];
	if (n > 1)
		die(EXIT_USAGE, "--get, --summary, --doctor, --lint, --reset, and "
		    "--textfile with --pushgateway, exclude each other");
}

static void check_options(int operands)
{
	one_of_these();
	if (operands && !o.merge && !o.lint)
		die(EXIT_USAGE, "operands are files: for --merge or --lint");
	if (o.merge && !operands)
		die(EXIT_USAGE, "--merge: no file is named");
	if (o.merge && (o.rate || o.reset))
		die(EXIT_USAGE, "--%s: files do not change, ask nodes",
		    o.rate ? "rate" : "reset");
	if (o.by.n && !o.rollup)
		die(EXIT_USAGE, "--by is for --rollup");
	if (o.rate && (o.lint || o.reset || o.doctor))
		die(EXIT_USAGE, "--rate is for samples and --summary");
	if (o.style.openmetrics && (o.textfile || o.push))
		die(EXIT_USAGE, "--openmetrics: neither node_exporter nor the "
		    "Pushgateway reads it");
	take_labels();
}

static void choose_form(void)
{
	bool text = o.summary || o.doctor || o.lint || o.reset;

	form = o.output ? out_form(o.output) : text ? OUT_TABLE : OUT_RAW;
	call_o.output = o.output ? o.output : text ? "table" : "raw";
}

/* ---- before it begins ---- */

static void take_lock(void)
{
	int fd;

	if (!o.lock)
		return;
	fd = open(o.lock, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (fd < 0)
		die(EXIT_SYS, "unable to open %s:", o.lock);
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		/* cppcheck-suppress resourceLeak ; held until the end */
		return;
	if (errno == EWOULDBLOCK)
		die(EXIT_NO, "%s is locked: another one is at work", o.lock);
	die(EXIT_SYS, "unable to lock %s:", o.lock);
}

static void wait_a_little(void)
{
	uint64_t dice = 0;

	if (!o.jitter)
		return;
	if (getrandom(&dice, sizeof dice, 0) != sizeof dice)
		die(EXIT_SYS, "unable to draw a random number:");
	ask_sleep((int64_t)(dice % (uint64_t)(o.jitter + 1)));
}

/* ---- asking ---- */

static void answers_free(struct answers *a)
{
	for (int i = 0; i < a->n; i++) {
		free(a->v[i].name);
		free(a->v[i].said);
		free(a->v[i].frontend);
		free(a->v[i].p);
	}
	free(a->v);
	buf_free(&a->own);
	*a = (struct answers){ 0 };
}

static void here(struct call *c)
{
	((int64_t *)c->ctx)[c->node->index] = clock_us();
}

static void take_call(struct answers *a, struct call *c, int64_t at)
{
	struct answer *x = &a->v[a->n++];

	*x = (struct answer){
		.name = xstrdup(c->node->name), .said = xstrdup(call_who(c->node)),
		.frontend = c->node->frontend ? xstrdup(c->node->frontend) : NULL,
		.is_node = true, .up = c->exit == EXIT_OK, .took_us = c->us,
		.at_us = at,
	};
	a->status = worse(a->status, c->exit);
	if (!x->up && !call_o.quiet)
		warn("%s", c->error);
	if (!x->up)
		return;
	x->n = c->answer.len;
	x->p = c->answer.p ? c->answer.p : xstrdup("");
	c->answer = (struct buf){ 0 };
	x->format = expo_sniff(x->p, x->n);
}

static void ask_metrics(struct answers *a, const struct call_nodes *ns)
{
	static const struct way ways[] = {
		{ GEN_ALL, "GET", "/metrics", WAY_ANY }, { 0 }
	};
	static const char *const headers[] = {
		"Accept: text/plain;version=0.0.4;q=1,*/*;q=0.1", NULL
	};
	int64_t *at = xcalloc((size_t)ns->n + 1, sizeof *at);
	struct call proto = { .ways = ways, .headers = headers, .flags = CALL_TEXT,
			      .ctx = at };
	struct call *calls = ask_all(ns, &proto, here);

	*a = (struct answers){ .v = xcalloc((size_t)ns->n + 1, sizeof *a->v) };
	for (int i = 0; i < ns->n; i++)
		take_call(a, &calls[i], at[i]);
	ask_end(calls, ns->n);
	free(at);
}

/* ---- files ---- */

/* "NAME=FILE", or a FILE named by itself; "=" behind a slash is the file's. */
static const char *file_of(const char *operand, char **name)
{
	const char *eq = strchr(operand, '='), *slash = strrchr(operand, '/'), *dot;

	if (eq && eq > operand && !memchr(operand, '/', (size_t)(eq - operand))) {
		*name = xstrndup(operand, (size_t)(eq - operand));
		return eq + 1;
	}
	slash = slash ? slash + 1 : operand;
	dot = strrchr(slash, '.');
	*name = strcmp(operand, "-") == 0 ? xstrdup("stdin") :
		xstrndup(slash, dot && dot > slash ? (size_t)(dot - slash)
						   : strlen(slash));
	return operand;
}

static void take_file(struct answers *a, const char *operand)
{
	struct answer *x = &a->v[a->n++];
	const char *file = file_of(operand, &x->name);
	bool in = strcmp(file, "-") == 0;

	x->said = xstrdup(safe(in ? "stdin" : file, strlen(in ? "stdin" : file)));
	x->p = read_input(file, TEXT_MAX, &x->n);
	x->up = x->p != NULL;
	if (x->up) {
		x->format = expo_sniff(x->p, x->n);
		return;
	}
	warn("unable to read %s:", x->said);
	a->status = worse(a->status, EXIT_NO);
}

static void read_files(struct answers *a, int n, char **file)
{
	*a = (struct answers){ .v = xcalloc((size_t)n + 1, sizeof *a->v) };
	for (int i = 0; i < n; i++)
		take_file(a, file[i]);
}

/* ---- lint ---- */

static int lint_file(const char *operand)
{
	bool in = strcmp(operand, "-") == 0;
	const char *name = in ? "stdin" : operand;
	int fd = in ? 0 : open(operand, O_RDONLY | O_CLOEXEC), rc;

	rc = fd < 0 ? -1 : lint_fd(name, fd);
	if (rc < 0)
		warn("unable to read %s:", name);
	if (fd > 0)
		close(fd);
	return rc < 0 ? EXIT_NO : EXIT_OK;
}

static int lint_nodes(void)
{
	struct call_nodes ns = ask_nodes(false);
	struct answers a;
	int status;

	ask_metrics(&a, &ns);
	for (int i = 0; i < a.n; i++)
		if (a.v[i].up)
			lint_text(a.v[i].name, a.v[i].p, a.v[i].n);
	status = a.status;
	answers_free(&a);
	return status;
}

static int lint(int n, char **file)
{
	bool nodes = call_o.nodes.n || call_o.all || call_o.list || call_o.via;
	int status = EXIT_OK;

	lint_begin(form);
	if (!n && nodes)
		status = lint_nodes();
	else if (!n)
		status = lint_file("-");
	for (int i = 0; i < n; i++)
		status = worse(status, lint_file(file[i]));
	return worse(status, lint_end() ? EXIT_NO : EXIT_OK);
}

/* ---- reset ---- */

static void reset_row(struct table *t, struct call *c)
{
	table_puts(t, c->node->name);
	table_puts(t, "reset");
}

static int reset(void)
{
	static const struct way ways[] = {
		{ GEN_ALL, "POST", "/metrics/reset", WAY_ANY }, { 0 }
	};
	static const char *const heads[] = { "NODE", "METRICS", NULL };

	return ask(&(struct ask){
		.proto = { .ways = ways }, .changes = true, .heads = heads,
		.rows = reset_row,
	});
}

/* ---- one round ---- */

struct round {
	struct answers    answers;
	struct expo      *merge;
	struct series_set series;
};

static void round_free(struct round *r)
{
	series_free(&r->series);
	expo_free(r->merge);
	answers_free(&r->answers);
}

/* What is worked on further is text 0.0.4 until it is printed. */
static bool is_worked_on(void)
{
	return o.rollup || o.rate || o.summary || o.doctor;
}

static void take_round(struct round *r, const struct call_nodes *ns, int n, char **file)
{
	struct style s = o.style;

	*r = (struct round){ 0 };
	if (n)
		read_files(&r->answers, n, file);
	else
		ask_metrics(&r->answers, ns);
	s.openmetrics &= !is_worked_on();
	r->merge = merge_answers(&r->answers, &s);
	if (o.rate || o.summary || o.doctor)
		series_add(&r->series, r->merge, &r->answers);
}

static int send(struct expo *m)
{
	struct buf text = BUF(TEXT_MAX);
	int status = EXIT_OK;

	merge_print(m, &text);
	if (o.textfile && write_file(o.textfile, text.p, text.len, 0644) < 0)
		die(EXIT_SYS, "unable to write %s:", o.textfile);
	if (o.push)
		status = send_push(o.push, o.job, &o.grouping, &text, call_o.timeout);
	buf_free(&text);
	return status;
}

static int put_out(struct expo *m)
{
	if (o.textfile || o.push)
		return send(m);
	if (!o.get) {
		show(m, form);
		return EXIT_OK;
	}
	if (show_values(m))
		return EXIT_OK;
	warn("no sample is %s", safe(o.get, strlen(o.get)));
	return EXIT_NO;
}

/* Rates and roll-ups are expositions of their own, made one from the other. */
static int finish_samples(struct round *r)
{
	struct buf rates = BUF(TEXT_MAX), rolled = BUF(TEXT_MAX);
	struct style text = o.style;
	struct expo *m = r->merge, *was;
	int status;

	text.openmetrics &= !o.rollup;
	if (o.rate) {
		series_print_rates(&r->series, o.style.underscore, &rates);
		m = merge_text(&rates, &text);
	}
	if (o.rollup) {
		was = m;
		m = merge_rolled(m, o.rollup, &o.by, &o.style, &rolled);
		if (was != r->merge)
			expo_free(was);
	}
	status = put_out(m);
	if (m != r->merge)
		expo_free(m);
	buf_free(&rates);
	buf_free(&rolled);
	return status;
}

static int once(const struct call_nodes *ns, int n, char **file)
{
	struct round before = { 0 }, r;
	int status;

	if (o.rate) {
		take_round(&before, ns, n, file);
		ask_sleep(o.rate);
	}
	take_round(&r, ns, n, file);
	if (o.rate)
		series_rate(&r.series, &before.series);
	if (o.summary)
		status = summary(&r.series, r.merge, &r.answers,
				 (double)o.rate / 1e3, form);
	else if (o.doctor)
		status = doctor(&r.series, r.merge, &r.answers, o.style.node_label,
				form);
	else
		status = finish_samples(&r);
	status = worse(worse(status, r.answers.status), before.answers.status);
	round_free(&before);
	round_free(&r);
	return status;
}

static int watch(const struct call_nodes *ns, int n, char **file)
{
	bool clear = isatty(1) && form == OUT_TABLE;
	int status;

	for (;;) {
		if (clear)
			fputs("\033[H\033[J", stdout);
		status = once(ns, n, file);
		if (fflush(stdout) < 0 || ferror(stdout))
			return status;	/* finish() says why */
		ask_sleep(o.watch);
	}
}

static int metrics_run(int argc, char **argv)
{
	struct call_nodes ns = { 0 };

	check_options(argc);
	choose_form();
	take_lock();
	wait_a_little();
	if (o.lint)
		return lint(argc, argv);
	if (o.reset)
		return reset();
	if (o.get)
		o.style.matches = (struct strs){ &o.get, 1 };
	if (!o.merge)
		ns = ask_nodes(false);
	return o.watch ? watch(&ns, argc, argv) : once(&ns, argc, argv);
}

const struct applet metrics_applet = {
	.name  = "metrics",
	.brief = "the nodes' metrics: merged, checked, summed up, sent on",
	.about =
		"Asks the nodes for their metrics at once and prints them as one "
		"exposition: every family's HELP and TYPE once, its samples together, "
		"each with the label node (and role, and frontend). What two nodes have alike stays "
		"apart, what one node says twice is left out and counted, values stay "
		"the bytes they were.\n"
		"\n"
		"With --summary it prints LMCache's own figures instead: hit rates, "
		"tokens, evictions, memory, traffic, latencies, each with its formula, "
		"which is PromQL. With --rate they are given for the last seconds too.\n"
		"\n"
		"A node that fails is named on stderr and has lmc_node_up 0; the others "
		"are printed, and the exit status says what failed.",
	.args  = "[FILE...]",
	.examples =
		"lmc metrics\n"
		"  all nodes known, merged\n"
		"lmc metrics --summary --rate 5s\n"
		"  hit rates and latencies, since the start and of the last 5 seconds\n"
		"lmc metrics --get 'lmcache:num_hit_tokens_total' --rollup sum\n"
		"  one number for a script\n"
		"lmc metrics --textfile /srv/textfile/lmc.prom --lock /run/lmc.lock\n"
		"  from cron, for node_exporter\n"
		"lmc metrics --merge a=one.prom b=two.prom\n"
		"  files instead of nodes\n"
		"curl -s http://127.0.0.1:6999/metrics | lmc metrics --lint\n"
		"  what promtool would find\n",
	.opts  = opts,
	.run   = metrics_run,
};
