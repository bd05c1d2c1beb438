/* doctor.c - what is wrong with the metrics, and what may be the reason
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "die.h"
#include "figure.h"

enum level { NOTE, WARNING, FAULT };

struct visit {
	struct items items;
	struct table table;
	bool json, bad;
	const struct fleet   *fleet;
	const struct answers *a;
};

static void say(struct visit *v, enum level level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void say(struct visit *v, enum level level, const char *fmt, ...)
{
	static const char *const name[] = { "note", "warning", "fault" };
	struct buf *b = &v->items.b;
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	v->bad |= level != NOTE;
	if (v->json) {
		js_open(b, NULL, '{');
		js_str(b, "level", name[level]);
		js_str(b, "text", text);
		js_close(b, '}');
		items_next(&v->items);
	} else {
		table_puts(&v->table, name[level]);
		table_puts(&v->table, text);
	}
}

/* ---- one node ---- */

static bool of(const struct series *x, const struct answer *a, const char *label)
{
	struct expo_span s = series_label(x, label);

	return s.n == strlen(a->name) && !memcmp(s.p, a->name, s.n);
}

static void node(struct visit *v, const struct answer *a, const char *label)
{
	const struct series_set *s = v->fleet->now;
	bool lmcache = false;

	if (!a->up) {
		say(v, FAULT, "%s: its metrics were not read", a->said);
		return;
	}
	for (size_t i = 0; i < s->n && !lmcache; i++)
		lmcache = !strncmp(s->v[i].name, "lmcache", 7) && of(&s->v[i], a, label);
	if (!lmcache && a->samples)
		say(v, FAULT, "%s: answers, but has no metric of LMCache: nothing was "
		    "cached yet, observability is off, or this process is not the one "
		    "that counts (an MP server may serve its metrics on port 9090, vLLM "
		    "its workers' through PROMETHEUS_MULTIPROC_DIR only)", a->said);
	else if (!lmcache)
		say(v, FAULT, "%s: answers without a single sample", a->said);
	if (a->duplicates)
		say(v, WARNING, "%s: %zu samples were there already and were left out: "
		    "is the node listed twice?", a->said, a->duplicates);
}

/* ---- figures that contradict each other ---- */

static double total(const struct visit *v, const char *name)
{
	return figure_sum(v->fleet->now, name).total;
}

static bool there(const struct visit *v, const char *name)
{
	return figure_sum(v->fleet->now, name).series > 0;
}

static void more_hits(struct visit *v, const char *hits, const char *asked)
{
	if (total(v, hits) > total(v, asked))
		say(v, FAULT, "%s is %.15g, more than %s with %.15g: a hit rate above "
		    "100 %% is not one", hits, total(v, hits), asked, total(v, asked));
	else if (total(v, asked) > 0 && total(v, hits) == 0)
		say(v, WARNING, "%s is 0 although %s is %.15g: everything missed", hits,
		    asked, total(v, asked));
}

static void idle(struct visit *v, const char *asked)
{
	if (there(v, asked) && total(v, asked) == 0)
		say(v, NOTE, "%s is 0: no request came so far, or the counters were "
		    "reset", asked);
}

static void not_zero(struct visit *v, const char *name, const char *means)
{
	if (total(v, name) > 0)
		say(v, WARNING, "%s is %.15g: %s", name, total(v, name), means);
}

static void embedded(struct visit *v)
{
	more_hits(v, "lmcache:num_hit_tokens_total", "lmcache:num_requested_tokens_total");
	more_hits(v, "lmcache:num_lookup_hits_total", "lmcache:num_lookup_tokens_total");
	idle(v, "lmcache:num_lookup_tokens_total");
	not_zero(v, "lmcache:local_cpu_evict_failed_count_total",
		 "CPU memory was full of pinned objects");
	not_zero(v, "lmcache:forced_unpin_count_total",
		 "objects stayed pinned until their time was up");
	not_zero(v, "lmcache:remote_ping_errors_total",
		 "the remote backend did not answer each time");
	not_zero(v, "lmcache:num_slow_retrieval_by_time_total",
		 "retrievals took longer than the threshold");
	for (size_t i = 0; i < v->fleet->now->n; i++) {
		const struct series *x = &v->fleet->now->v[i];
		struct expo_span who = series_label(x, "node");

		if (figure_is(x, "lmcache:lmcache_is_healthy") && x->value == 0)
			say(v, FAULT, "%s says that it is not healthy",
			    who.n ? safe(who.p, who.n) : "a node");
	}
}

static void server(struct visit *v)
{
	more_hits(v, "lmcache_mp_lookup_hit_tokens_total",
		  "lmcache_mp_lookup_requested_tokens_total");
	idle(v, "lmcache_mp_lookup_requested_tokens_total");
	not_zero(v, "lmcache_mp_l1_allocation_failure_chunks_total",
		 "L1 was full when room was needed");
	not_zero(v, "lmcache_mp_l1_read_failure_chunks_total",
		 "chunks were gone when they were read");
	not_zero(v, "lmcache_mp_l2_prefetch_failure_chunks_total",
		 "chunks of L2 did not arrive in L1");
	not_zero(v, "lmcache_mp_event_bus_dropped_events_total",
		 "metrics built from events are too low");
}

/* ---- what is not there ---- */

static void absent(struct visit *v, const struct figure *f, const char *family)
{
	if (family && !figure_has(v->fleet->now, f, family))
		say(v, NOTE, "%s is missing: %s", family, figure_why(v->fleet, f, family));
}

/* A family may be in several figures: it is missing once. */
static bool seen_before(const struct figure *at, const char *family)
{
	for (const struct figure *f = figures; f < at; f++)
		if (!strcmp(f->family, family) || (f->other && !strcmp(f->other, family)))
			return true;
	return false;
}

static void missing(struct visit *v)
{
	for (const struct figure *f = figures; f->id; f++) {
		if (!v->fleet->speaks[f->dialect])
			continue;
		if (!seen_before(f, f->family))
			absent(v, f, f->family);
		if (f->other && !seen_before(f, f->other))
			absent(v, f, f->other);
	}
}

int doctor(const struct series_set *now, struct expo *m, const struct answers *a,
	   const char *label, enum out_form form)
{
	static const char *const heads[] = { "LEVEL", "FINDING", NULL };
	struct expo_stats st;
	struct fleet fleet;
	struct visit v = { .fleet = &fleet, .a = a };

	v.json = form == OUT_JSON || form == OUT_JSONL;
	fleet_look(&fleet, now, m, a);
	expo_stats(m, &st);
	items_begin(&v.items, form);
	table_init(&v.table, heads);
	for (int i = 0; i < a->n; i++)
		node(&v, &a->v[i], label);
	if (st.type_conflicts)
		say(&v, WARNING, "nodes do not agree on the type of %zu families: do "
		    "they run one version?", st.type_conflicts);
	if (fleet.speaks[EMBEDDED])
		embedded(&v);
	if (fleet.speaks[SERVER])
		server(&v);
	missing(&v);
	items_end(&v.items);
	if (!v.json && !v.table.n)
		puts("nothing is wrong, and nothing is missing");
	else if (!v.json)
		show_table(&v.table);
	fleet_free(&fleet);
	return v.bad ? EXIT_NO : EXIT_OK;
}
