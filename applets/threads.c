/* threads.c - what the threads of nodes are doing, and which of them are stuck
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "applet.h"
#include "ask.h"
#include "clock.h"
#include "die.h"
#include "stack.h"

enum { STACKS_MAX = 200000, HZ_MAX = 100, LOOK_MS = 50 };

static struct {
	const char *name, *level;
	int64_t     sample, diff;
	long        id, hz;
	bool        group, folded, periodic, stacks;
} o = { .hz = 5 };

static const struct opt opts[] = {
	STR(0,    "name",     "TEXT", &o.name,  "only threads with this in their name"),
	INT(0,    "id",       "N",    &o.id, 1, INT64_MAX, "only the thread of this number"),
	FLAG('s', "stacks",           &o.stacks, "whole stacks, not only the innermost frame"),
	FLAG('g', "group",            &o.group,  "identical stacks together, the most frequent first"),
	TIME(0,   "sample",   "TIME", &o.sample, 1, 3600000, "take stacks again and again for this long and count them"),
	INT(0,    "hz",       "N",    &o.hz, 1, HZ_MAX, "samples a second"),
	FLAG(0,   "folded",           &o.folded, "one line a stack and its count, for flame graphs"),
	TIME(0,   "diff",     "TIME", &o.diff, 1, 3600000, "take stacks twice, this far apart, and show what moved"),
	FLAG('p', "periodic",         &o.periodic, "LMCache's periodic threads and their health"),
	STR(0,    "level",    "critical|high|medium|low", &o.level, "with --periodic: only these"),
	MORE(call_opts),
	{ 0 }
};

static const struct way dump[] = { { GEN_ALL, "GET", "/threads", WAY_ANY }, { 0 } };

/* --- one node's answer ------------------------------------------------------------- */

static struct threads parse(struct call *c)
{
	struct threads t = { 0 };
	const char *why;

	if (!c->exit && threads_parse(&t, c->answer.p, c->answer.len, &why) < 0)
		call_fail(c, EXIT_NO, "%s: its answer is no thread dump: %s",
			  call_who(c->node), why);
	return t;
}

static void put_frames(struct buf *b, const struct thread *t)
{
	const struct frame *f;
	int i;

	js_open(b, "frames", '[');
	for (i = 0; i < t->frames; i++) {
		f = &t->frame[i];
		js_open(b, NULL, '{');
		js_str(b, "file", f->file);
		js_int(b, "line", f->line);
		js_str(b, "function", f->func);
		js_str(b, "code", f->code);
		js_close(b, '}');
	}
	js_close(b, ']');
}

static void open_thread(struct buf *b, const struct thread *t)
{
	js_open(b, NULL, '{');
	js_str(b, "name", t->name);
	if (t->id)
		js_int(b, "id", t->id);
	else
		js_null(b, "id");
	js_str(b, "state", t->state);
}

static void print_stack(const struct thread *t)
{
	struct buf b = BUF(OUT_MAX);
	const struct frame *f;
	int i;

	for (i = 0; i < t->frames; i++) {
		f = &t->frame[i];
		buf_puts(&b, "  ");
		out_text(&b, f->func, strlen(f->func), "");
		buf_puts(&b, "  ");
		out_text(&b, f->file, strlen(f->file), "");
		buf_printf(&b, ":%d\n", f->line);
		if (*f->code) {
			buf_puts(&b, "      ");
			out_text(&b, f->code, strlen(f->code), "\t");
			buf_putc(&b, '\n');
		}
	}
	if (!t->frames)
		buf_puts(&b, "  no stack\n");
	buf_putc(&b, '\n');
	ask_put(&b);
	buf_free(&b);
}

static void print_thread(const char *node, const struct thread *t)
{
	printf("%s: %s", safe(node, strlen(node)), safe(t->name, strlen(t->name)));
	if (t->id)
		printf(" (%s, %lld)", safe(t->state, strlen(t->state)), (long long)t->id);
	putchar('\n');
	print_stack(t);
}

/* --- the list ------------------------------------------------------------------------ */

static const char *const list_heads[] = {
	"NODE", "THREAD", "STATE", ">ID", ">DEPTH", "AT", NULL
};

static void check(struct call *c)
{
	struct threads t = parse(c);

	threads_free(&t);
}

static void list_rows(struct table *t, struct call *c)
{
	struct threads ts = parse(c);
	const struct thread *th;

	for (th = ts.v; th < ts.v + ts.n; th++) {
		if (o.stacks) {
			print_thread(c->node->name, th);
			continue;
		}
		table_puts(t, c->node->name);
		table_puts(t, th->name);
		table_puts(t, th->state);
		table_printf(t, "%lld", (long long)th->id);
		table_printf(t, "%d", th->frames);
		table_puts(t, thread_at(th));
	}
	threads_free(&ts);
}

static void list_json(struct buf *b, struct call *c)
{
	struct threads ts = parse(c);
	const struct thread *th;

	js_open(b, "threads", '[');
	for (th = ts.v; th < ts.v + ts.n; th++) {
		open_thread(b, th);
		put_frames(b, th);
		js_close(b, '}');
	}
	js_close(b, ']');
	threads_free(&ts);
}

static int list(const struct call *proto)
{
	struct ask a = { .proto = *proto, .heads = list_heads, .check = check,
			 .rows = list_rows, .json = list_json };

	if (o.stacks)
		call_o.no_headers = true;
	return ask(&a);
}

/* --- stacks counted ---------------------------------------------------------------------- */

struct stack {
	struct thread    *thread;	/* one that has it */
	struct call_node *node;		/* its node; folded: stacks of other nodes are others */
	struct strs       who;		/* "node/thread", the first few */
	long              count;
	uint64_t          hash;
};

enum { WHO = 16, BUCKETS = 4096 };

static struct {
	struct stack **v;
	int            n;
	int            bucket[BUCKETS];	/* index + 1 of the newest */
	int           *next;
	long           samples;
} seen;

static uint64_t mix(uint64_t h, const char *s)
{
	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 1099511628211u;
	return h;
}

static uint64_t hash_of(const struct thread *t, const struct call_node *n)
{
	uint64_t h = 14695981039346656037u;
	int i;

	if (o.folded)
		h = mix(mix(h, n->name), t->name);
	for (i = 0; i < t->frames; i++)
		h = mix(mix(h, t->frame[i].func), t->frame[i].file) +
		    (uint64_t)t->frame[i].line;
	return h;
}

static bool same(const struct stack *s, const struct thread *t, const struct call_node *n)
{
	if (o.folded && (s->node != n || strcmp(s->thread->name, t->name)))
		return false;
	return thread_same_stack(s->thread, t);
}

static void add_who(struct stack *s, const struct call_node *n, const struct thread *t)
{
	size_t len = strlen(n->name) + strlen(t->name) + 2;
	char *who = xmalloc(len);
	int i;

	snprintf(who, len, "%s/%s", n->name, t->name);
	for (i = 0; i < s->who.n && strcmp(s->who.v[i], who); i++)
		;
	if (i < s->who.n || i == WHO) {
		free(who);
		return;
	}
	s->who.v = xrealloc(s->who.v, (size_t)(i + 1) * sizeof *s->who.v);
	s->who.v[s->who.n++] = who;
}

static struct stack *stack_of(struct thread *t, struct call_node *n)
{
	uint64_t h = hash_of(t, n);
	int *b = &seen.bucket[h % BUCKETS], i;

	for (i = *b; i; i = seen.next[i - 1])
		if (seen.v[i - 1]->hash == h && same(seen.v[i - 1], t, n))
			return seen.v[i - 1];
	if (seen.n == STACKS_MAX)
		die(EXIT_NO, "more than %d different stacks", STACKS_MAX);
	if (!(seen.n & (seen.n - 1))) {
		size_t room = seen.n ? 2 * (size_t)seen.n : 1;

		seen.v = xrealloc(seen.v, room * sizeof *seen.v);
		seen.next = xrealloc(seen.next, room * sizeof *seen.next);
	}
	seen.v[seen.n] = xcalloc(1, sizeof **seen.v);
	*seen.v[seen.n] = (struct stack){ .thread = t, .node = n, .hash = h };
	seen.next[seen.n] = *b;
	*b = ++seen.n;
	return seen.v[seen.n - 1];
}

/* Keeps the threads: stacks point at them. */
static void count(struct call *c, const struct threads *ts)
{
	struct stack *s;
	int i;

	for (i = 0; i < ts->n; i++) {
		s = stack_of(&ts->v[i], c->node);
		s->count++;
		add_who(s, c->node, &ts->v[i]);
		seen.samples++;
	}
}

static int by_count(const void *a, const void *b)
{
	const struct stack *x = *(struct stack *const *)a, *y = *(struct stack *const *)b;

	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	return x->hash < y->hash ? -1 : x->hash > y->hash;
}

/* In folded text ';' parts frames and the last blank parts the count. */
static void fold_word(struct buf *b, const char *s)
{
	size_t at = b->len;

	out_text(b, s, strlen(s), "");
	for (; at < b->len; at++)
		if (b->p[at] == ';' || b->p[at] == ' ')
			b->p[at] = b->p[at] == ';' ? ',' : '_';
}

static void print_folded(const struct stack *s)
{
	struct buf b = BUF(OUT_MAX);
	int i;

	fold_word(&b, s->node->name);
	buf_putc(&b, ';');
	fold_word(&b, s->thread->name);
	for (i = 0; i < s->thread->frames; i++) {
		buf_putc(&b, ';');
		fold_word(&b, s->thread->frame[i].func);
		buf_puts(&b, "_(");
		fold_word(&b, frame_base(&s->thread->frame[i]));
		buf_printf(&b, ":%d)", s->thread->frame[i].line);
	}
	buf_printf(&b, " %ld\n", s->count);
	ask_put(&b);
	buf_free(&b);
}

static void print_group(const struct stack *s)
{
	int i;

	if (o.sample)
		printf("%ld of %ld samples (%.1f%%): ", s->count, seen.samples,
		       100.0 * (double)s->count / (double)seen.samples);
	else
		printf("%ld thread%s: ", s->count, s->count == 1 ? "" : "s");
	for (i = 0; i < s->who.n; i++)
		printf("%s%s", i ? ", " : "", safe(s->who.v[i], strlen(s->who.v[i])));
	puts(s->who.n == WHO ? ", ..." : "");
	print_stack(s->thread);
}

/* A group is about many nodes: its node is null. */
static void group_json(struct buf *b, const struct stack *s)
{
	int i;

	js_open(b, NULL, '{');
	js_null(b, "node");
	js_null(b, "status");
	js_null(b, "error");
	js_int(b, "count", s->count);
	js_open(b, "threads", '[');
	for (i = 0; i < s->who.n; i++)
		js_str(b, NULL, s->who.v[i]);
	js_close(b, ']');
	put_frames(b, s->thread);
}

static int print_seen(struct report *r)
{
	int i;

	if (seen.n)
		qsort(seen.v, (size_t)seen.n, sizeof *seen.v, by_count);
	for (i = 0; i < seen.n; i++) {
		if (r->form == OUT_TABLE && o.folded) {
			print_folded(seen.v[i]);
		} else if (r->form == OUT_TABLE) {
			print_group(seen.v[i]);
		} else {
			group_json(&r->json, seen.v[i]);
			report_done(r);
		}
	}
	call_o.no_headers = true;
	return report_end(r);
}

static struct report report;

struct probe {
	struct call first, second;	/* --sample needs one, --diff two */
	int64_t     due;		/* when to ask again; 0: not answered yet */
	bool        asked, failed;
};

/* An error of a node is told once, however often it is asked. */
static void take(struct call *c)
{
	struct threads ts = parse(c);
	struct probe *p = c->ctx;

	if (!c->exit) {
		count(c, &ts);
	} else if (!p->failed) {
		p->failed = true;
		report_call(&report, c);
		report_done(&report);
	}
	call_free(c);
}

static void sampled(struct call *c)
{
	((struct probe *)c->ctx)->asked = false;
	take(c);
}

static void later(struct call *c)
{
	(void)c;
}

static void ask_probe(struct call *c, const struct call *proto, struct call_node *n,
		      struct probe *p, void (*done)(struct call *c))
{
	*c = *proto;
	c->node = n;
	c->ctx = p;
	c->done = done;
	call_start(c);
}

/* Who has not answered yet misses samples; the others do not wait for it. */
static void sample(const struct call_nodes *ns, struct probe *all, const struct call *proto)
{
	int64_t next = clock_ms(), end = next + o.sample;
	int i;

	do {
		for (i = 0; i < ns->n; i++) {
			if (all[i].asked)
				continue;
			all[i].asked = true;
			ask_probe(&all[i].first, proto, &ns->node[i], &all[i], sampled);
		}
		next += 1000 / o.hz;
	} while (ask_until(next < end ? next : end, end) && next < end);
	if (!ask_signal())
		ask_wait(call_left());
}

static int group(const struct call *proto)
{
	struct call_nodes ns = ask_nodes(false);
	struct probe *all = xcalloc((size_t)ns.n, sizeof *all);
	int i;

	report_begin(&report, list_heads);
	if (o.sample) {
		/* Interrupted, it shows what it has so far. */
		ask_signals();
		sample(&ns, all, proto);
		i = print_seen(&report);
		return i ? i : ask_signal() ? 128 + ask_signal() : EXIT_OK;
	}
	for (i = 0; i < ns.n; i++)
		ask_probe(&all[i].first, proto, &ns.node[i], &all[i], later);
	ask_wait(ns.n);
	for (i = 0; i < ns.n; i++)
		take(&all[i].first);
	return print_seen(&report);
}

/* --- two dumps ------------------------------------------------------------------------------ */

static const char *const diff_heads[] = { "NODE", "THREAD", "CHANGE", "AT", "BEFORE", NULL };

static const struct thread *find(const struct threads *ts, const struct thread *t)
{
	const struct thread *k;

	for (k = ts->v; k < ts->v + ts->n; k++)
		if (k->id == t->id && !strcmp(k->name, t->name))
			return k;
	return NULL;
}

static void diff_one(struct report *r, const struct call *c, const struct thread *now,
		     const struct thread *before)
{
	bool still = now && before && thread_same_stack(now, before);
	const char *change = !before ? "new" : !now ? "gone" : still ? "stuck" : "moved";
	const struct thread *t = now ? now : before;

	if (r->form == OUT_TABLE) {
		table_puts(&r->table, c->node->name);
		table_puts(&r->table, t->name);
		if (still)
			table_printf(&r->table, "stuck for %g s in", (double)o.diff / 1000);
		else
			table_puts(&r->table, change);
		table_puts(&r->table, now ? thread_at(now) : NULL);
		table_puts(&r->table, before && !still ? thread_at(before) : NULL);
		return;
	}
	open_thread(&r->json, t);
	js_str(&r->json, "change", change);
	js_str(&r->json, "at", now ? thread_at(now) : NULL);
	js_str(&r->json, "before", before ? thread_at(before) : NULL);
	put_frames(&r->json, t);
	js_close(&r->json, '}');
}

static void diff_node(struct report *r, struct probe *p)
{
	struct threads was = parse(&p->first), is = { 0 };
	struct call *c;
	const struct thread *t;

	if (!p->first.exit)
		is = parse(&p->second);
	c = p->first.exit ? &p->first : &p->second;
	report_call(r, c);
	if (!c->exit && r->form != OUT_TABLE)
		js_open(&r->json, "threads", '[');
	for (t = is.v; !c->exit && t < is.v + is.n; t++)
		diff_one(r, c, t, find(&was, t));
	for (t = was.v; !c->exit && t < was.v + was.n; t++)
		if (!find(&is, t))
			diff_one(r, c, NULL, t);
	if (!c->exit && r->form != OUT_TABLE)
		js_close(&r->json, ']');
	report_done(r);
	threads_free(&was);
	threads_free(&is);
}

static void twice(struct call *c)
{
	struct probe *p = c->ctx;

	if (c == &p->first && !c->exit)
		p->due = clock_ms() + o.diff;
	else if (report.form == OUT_JSONL)
		diff_node(&report, p);
	if (c == &p->first && c->exit)
		p->asked = true;
}

/* Each node's own dumps are so far apart, however slow another is. */
static int diff(const struct call *proto)
{
	struct call_nodes ns = ask_nodes(false);
	struct probe *all = xcalloc((size_t)ns.n, sizeof *all), *p;
	int64_t soonest, end = clock_ms() + o.diff;
	int i, left;

	report_begin(&report, diff_heads);
	for (i = 0; i < ns.n; i++)
		ask_probe(&all[i].first, proto, &ns.node[i], &all[i], twice);
	do {
		soonest = clock_ms() + LOOK_MS;
		for (i = left = 0, p = all; i < ns.n; i++, p++) {
			if (!p->asked && p->due && p->due <= clock_ms()) {
				p->asked = true;
				ask_probe(&p->second, proto, &ns.node[i], p, twice);
			}
			left += !p->asked;
			if (!p->asked && p->due && p->due < soonest)
				soonest = p->due;
		}
		if (left)
			ask_until(soonest, end);
	} while (left);
	ask_wait(call_left());
	for (i = 0; report.form != OUT_JSONL && i < ns.n; i++)
		diff_node(&report, &all[i]);
	return report_end(&report);
}

/* --- periodic threads -------------------------------------------------------------------------- */

static const struct way periodic_ways[] = {
	{ GEN_ALL, "GET", "/periodic-threads", WAY_ANY }, { 0 }
};
static const char *const periodic_heads[] = {
	"NODE", "THREAD", "LEVEL", "HEALTH", ">LAST RUN", ">EVERY", ">RUNS", ">FAILED",
	"LAST SUMMARY", NULL
};

/* As LMCache sees it: one that runs but is late, of the two higher levels. */
static const char *health_of(const struct json *j, jv t)
{
	bool runs = json_true(j, json_get(j, t, "is_running"));
	bool active = json_true(j, json_get(j, t, "is_active"));
	jv level = json_get(j, t, "level");

	if (!runs)
		return "stopped";
	if (active)
		return "good";
	return json_is(j, level, "critical") || json_is(j, level, "high") ?
		"unhealthy" : "late";
}

static void put_seconds(struct table *t, const struct json *j, jv v)
{
	double s;

	if (json_num(j, v, &s) < 0)
		table_puts(t, NULL);
	else
		table_printf(t, "%.1f s", s);
}

static void periodic_rows(struct table *t, struct call *c)
{
	const struct json *j = &c->json;
	jv list = json_get(j, 0, "threads"), v;

	for (v = json_first(j, list); v >= 0; v = json_next(j, list, v)) {
		table_puts(t, c->node->name);
		table_json(t, j, json_get(j, v, "name"));
		table_json(t, j, json_get(j, v, "level"));
		table_puts(t, health_of(j, v));
		put_seconds(t, j, json_get(j, v, "last_run_ago"));
		put_seconds(t, j, json_get(j, v, "interval"));
		table_json(t, j, json_get(j, v, "total_runs"));
		table_json(t, j, json_get(j, v, "failed_runs"));
		table_json(t, j, json_get(j, json_get(j, v, "last_summary"), "message"));
	}
}

static void periodic_json(struct buf *b, struct call *c)
{
	static const char *const keys[] = {
		"name", "level", "last_run_ago", "interval", "total_runs",
		"failed_runs", "last_summary"
	};
	const struct json *j = &c->json;
	jv list = json_get(j, 0, "threads"), v;
	size_t i;

	js_open(b, "periodic", '[');
	for (v = json_first(j, list); v >= 0; v = json_next(j, list, v)) {
		js_open(b, NULL, '{');
		for (i = 0; i < sizeof keys / sizeof *keys; i++)
			js_value(b, keys[i], j, json_get(j, v, keys[i]));
		js_str(b, "health", health_of(j, v));
		js_close(b, '}');
	}
	js_close(b, ']');
}

static int periodic(void)
{
	struct ask a = { .proto = { .ways = periodic_ways, .flags = CALL_OBJECT },
			 .heads = periodic_heads, .rows = periodic_rows,
			 .json = periodic_json };
	struct buf q = BUF(CALL_PATH);

	if (o.level)
		call_param(&q, "level", o.level);
	a.proto.query = q.p;
	return ask(&a);
}

/* --- the applet ---------------------------------------------------------------------------------- */

static void check_options(void)
{
	int modes = (o.group || o.sample) + (o.diff != 0) + o.periodic;

	if (modes > 1)
		die(EXIT_USAGE, "one of --group or --sample, --diff and --periodic "
		    "at a time");
	if (o.folded && !o.sample && !o.group)
		die(EXIT_USAGE, "--folded goes with --sample or --group");
	if (o.level && !o.periodic)
		die(EXIT_USAGE, "--level goes with --periodic");
	if (o.periodic && (o.name || o.id))
		die(EXIT_USAGE, "--name and --id do not go with --periodic");
	if (modes || o.stacks)
		ask_not_raw();
}

static int threads_run(int argc, char **argv)
{
	struct call proto = { .ways = dump };
	struct buf q = BUF(CALL_PATH);
	char id[24];

	(void)argc;
	(void)argv;
	check_options();
	if (o.periodic)
		return periodic();
	if (o.name)
		call_param(&q, "name", o.name);
	if (o.id) {
		snprintf(id, sizeof id, "%ld", o.id);
		call_param(&q, "thread_id", id);
	}
	if (q.bad)
		die(EXIT_USAGE, "--name is too long");
	proto.query = q.p;
	if (o.diff)
		return diff(&proto);
	return o.group || o.sample ? group(&proto) : list(&proto);
}

const struct applet threads_applet = {
	.name  = "threads",
	.brief = "what the threads of nodes are doing, and which are stuck",
	.about =
		"Asks the nodes for their Python threads and shows where each one is. "
		"--group puts identical stacks of all threads and nodes together, "
		"--sample builds a profile without a profiler, --diff names the threads "
		"that did not move. A thread that waits for work does not move either: "
		"the frame tells which it is.",
	.args  = "",
	.examples =
		"lmc threads --name lmcache\n"
		"  where they are\n"
		"lmc threads --group\n"
		"  is it the same on all workers?\n"
		"lmc threads --sample 10s --folded -n worker0 >out.folded\n"
		"  a profile, for a flame graph\n"
		"lmc threads --diff 3s -a\n"
		"  what is stuck\n"
		"lmc threads --periodic --level critical\n"
		"  LMCache's own watchmen\n",
	.opts  = opts,
	.run   = threads_run,
};
