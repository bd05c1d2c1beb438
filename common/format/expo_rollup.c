/* expo_rollup.c - one sample for many: sum, max, min or avg by labels
 * SPDX-License-Identifier: Apache-2.0
 *
 * A group is known by the text of its series, as it will be written. Groups
 * of one family at a time are held, and the sums behind the rates.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "expo_hash.h"
#include "expo_merge.h"
#include "expo_rule.h"

enum { GROUPS_MAX = 1 << 20, TEXT_MAX = 1 << 30 };

struct group {
	size_t   key, key_n;	/* in table.keys */
	uint64_t hash;
	double   value;
	size_t   n;
	enum expo_strategy how;
};

struct table {
	struct group *g;
	uint32_t     *slot;	/* group + 1, a power of two */
	size_t n, cap, slots, max;
	struct buf keys;
};

struct roll {
	const struct expo_rollup *r;
	struct table now, ratio;	/* this family; counters of the rates */
	struct buf   out, key;
	struct expo_family family;	/* of now */
	size_t lost;
};

/* --- groups ------------------------------------------------------------- */

static int table_grow(struct table *t)
{
	size_t cap = t->cap ? t->cap * 2 : 64, slots = cap * 2, i, at;
	struct group *g;
	uint32_t *slot;

	if (t->cap >= t->max)
		return -1;
	g = realloc(t->g, cap * sizeof *g);
	slot = g ? calloc(slots, sizeof *slot) : NULL;
	if (g)
		t->g = g;
	if (!slot)
		return -1;
	free(t->slot);
	t->slot = slot;
	t->cap = cap;
	t->slots = slots;
	for (i = 0; i < t->n; i++) {
		for (at = g[i].hash & (slots - 1); slot[at];)
			at = (at + 1) & (slots - 1);
		slot[at] = (uint32_t)i + 1;
	}
	return 0;
}

static struct group *table_find(struct table *t, const struct buf *key,
		size_t *at)
{
	uint64_t hash = hash_bytes(key->p, key->len, 0);
	struct group *g;

	if (!t->slots)
		return NULL;
	for (*at = hash & (t->slots - 1); t->slot[*at];
			*at = (*at + 1) & (t->slots - 1)) {
		g = &t->g[t->slot[*at] - 1];
		if (g->hash == hash && g->key_n == key->len &&
				!memcmp(t->keys.p + g->key, key->p, key->len))
			return g;
	}
	return NULL;
}

static struct group *table_get(struct table *t, const struct buf *key,
		enum expo_strategy how)
{
	struct group *g;
	size_t at;

	if (t->n == t->cap && table_grow(t) < 0)
		return NULL;
	g = table_find(t, key, &at);
	if (g)
		return g;
	g = &t->g[t->n++];
	*g = (struct group){ .key = t->keys.len, .key_n = key->len,
		.hash = hash_bytes(key->p, key->len, 0), .how = how };
	t->slot[at] = (uint32_t)t->n;
	return buf_add(&t->keys, key->p, key->len) < 0 ? NULL : g;
}

static void table_clear(struct table *t)
{
	if (t->slots)
		memset(t->slot, 0, t->slots * sizeof *t->slot);
	t->n = 0;
	buf_reset(&t->keys);
}

static void table_free(struct table *t)
{
	free(t->g);
	free(t->slot);
	buf_free(&t->keys);
}

static void group_add(struct group *g, double v)
{
	g->n++;
	if (g->n == 1)
		g->value = v;
	else if (g->how == EXPO_BY_MAX)
		g->value = v > g->value || isnan(g->value) ? v : g->value;
	else if (g->how == EXPO_BY_MIN)
		g->value = v < g->value || isnan(g->value) ? v : g->value;
	else
		g->value += v;
}

/* --- keys --------------------------------------------------------------- */

static void key_label(struct buf *key, const char *name, size_t name_n,
		struct expo_span v)
{
	if (key->p[key->len - 1] != '{')
		buf_putc(key, ',');
	buf_add(key, name, name_n);
	buf_puts(key, "=\"");
	buf_add(key, v.p, v.n);
	buf_putc(key, '"');
}

/* {labels} of the group that s belongs to, nothing when there are none. */
static void key_labels(struct roll *x, const struct expo_sample *s, bool bounds)
{
	static const char *const bound[] = { "le", "quantile" };
	struct buf *key = &x->key;
	struct expo_span v;
	size_t from = key->len;
	unsigned i;

	buf_putc(key, '{');
	for (i = 0; i < x->r->bys && !key->bad; i++) {
		v = expo_label(s, x->r->by[i]);
		if (v.n)
			key_label(key, x->r->by[i], strlen(x->r->by[i]), v);
	}
	for (i = 0; i < 2 && bounds && !key->bad; i++) {
		v = expo_label(s, bound[i]);
		if (v.n)
			key_label(key, bound[i], strlen(bound[i]), v);
	}
	if (!key->bad && key->len == from + 1)
		key->len = from;
	else
		buf_putc(key, '}');
}

/* --- the counters behind the rates -------------------------------------- */

static void ratio_key(struct roll *x, const struct expo_sample *s,
		unsigned rule, bool under)
{
	buf_reset(&x->key);
	buf_printf(&x->key, "%u%c", rule, under ? 'u' : 'o');
	key_labels(x, s, false);
}

static int ratio_add(struct roll *x, const struct expo_sample *s,
		unsigned rule, bool under)
{
	struct group *g;
	double v;

	ratio_key(x, s, rule, under);
	if (expo_number(s->value, &v) < 0)
		return 0;
	g = x->key.bad ? NULL : table_get(&x->ratio, &x->key, EXPO_BY_SUM);
	if (!g)
		return -1;
	group_add(g, v);
	return 0;
}

static int ratio_sample(void *ctx, const struct expo_family *f,
		const struct expo_sample *s)
{
	struct roll *x = ctx;
	const struct expo_rule *rule;
	unsigned i;

	if (f->type != EXPO_COUNTER && f->type != EXPO_UNTYPED)
		return 0;
	for (i = 0; (rule = expo_ratio(i)); i++) {
		if (expo_is_counter(f->name, rule->over) &&
				ratio_add(x, s, i, false) < 0)
			return -1;
		if (expo_is_counter(f->name, rule->under) &&
				ratio_add(x, s, i, true) < 0)
			return -1;
	}
	return 0;
}

/* False: a counter is missing. */
static bool ratio_of(struct roll *x, const struct expo_sample *s,
		const struct expo_rule *rule, double *v)
{
	const struct group *over, *under;
	unsigned i = 0;
	size_t at;

	while (expo_ratio(i) != rule)
		i++;
	ratio_key(x, s, i, false);
	over = table_find(&x->ratio, &x->key, &at);
	ratio_key(x, s, i, true);
	under = table_find(&x->ratio, &x->key, &at);
	if (!over || !under)
		return false;
	*v = over->value / under->value;
	return true;
}

/* --- one family --------------------------------------------------------- */

static bool is_bounded(enum expo_type t)
{
	return t == EXPO_HISTOGRAM || t == EXPO_SUMMARY ||
		t == EXPO_GAUGEHISTOGRAM;
}

static bool is_quantile(const struct expo_family *f,
		const struct expo_sample *s)
{
	return f->type == EXPO_SUMMARY && s->name.n == f->name.n;
}

static enum expo_strategy strategy(const struct expo_rollup *r,
		const struct expo_rule *rule, const struct expo_family *f,
		const struct expo_sample *s)
{
	bool extreme = r->op == EXPO_MAX || r->op == EXPO_MIN;

	if (is_quantile(f, s) && extreme)
		return r->op == EXPO_MAX ? EXPO_BY_MAX : EXPO_BY_MIN;
	if (f->type == EXPO_COUNTER || is_bounded(f->type))
		return EXPO_BY_SUM;
	if (extreme)
		return r->op == EXPO_MAX ? EXPO_BY_MAX : EXPO_BY_MIN;
	if (r->op == EXPO_AVG && rule->how != EXPO_BY_RATIO)
		return EXPO_BY_AVG;
	return rule->how;
}

static int roll_sample(void *ctx, const struct expo_family *f,
		const struct expo_sample *s)
{
	struct roll *x = ctx;
	const struct expo_rule *rule = expo_rule(f->name, f->type);
	enum expo_strategy how = strategy(x->r, rule, f, s);
	struct group *g;
	double v;

	if ((is_quantile(f, s) && how == EXPO_BY_SUM) ||
			expo_number(s->value, &v) < 0 ||
			(how == EXPO_BY_RATIO && !ratio_of(x, s, rule, &v))) {
		x->lost++;
		return 0;
	}
	buf_reset(&x->key);
	if (!expo_plain_name(s->name, true)) {
		x->lost++;	/* a quoted name: no LMCache has one */
		return 0;
	}
	buf_add(&x->key, s->name.p, s->name.n);
	key_labels(x, s, is_bounded(f->type));
	g = x->key.bad ? NULL : table_get(&x->now, &x->key, how);
	if (!g)
		return -1;
	if (how != EXPO_BY_RATIO || !g->n)
		group_add(g, v);
	return 0;
}

static void put_help(struct buf *out, const struct expo_family *f)
{
	buf_puts(out, "# HELP ");
	buf_add(out, f->name.p, f->name.n);
	buf_putc(out, ' ');
	if (buf_room(out, 2 * f->help.n) == 0)
		out->len += expo_put_help(out->p + out->len, f->help,
				f->help_format, EXPO_TEXT);
	buf_putc(out, '\n');
}

static void flush(struct roll *x)
{
	const struct expo_family *f = &x->family;
	const struct table *t = &x->now;
	const struct group *g;
	char number[32];
	size_t i;

	if (f->name.p && f->help.p)
		put_help(&x->out, f);
	if (f->name.p && f->type != EXPO_UNTYPED)
		buf_printf(&x->out, "# TYPE %.*s %s\n", (int)f->name.n,
				f->name.p, expo_text_type(f->type));
	for (i = 0; i < t->n; i++) {
		g = &t->g[i];
		buf_add(&x->out, t->keys.p + g->key, g->key_n);
		buf_putc(&x->out, ' ');
		buf_add(&x->out, number, expo_format_number(number,
			g->how == EXPO_BY_AVG ? g->value / (double)g->n :
			g->value));
		buf_putc(&x->out, '\n');
	}
	table_clear(&x->now);
}

static int roll_family(void *ctx, const struct expo_family *f)
{
	struct roll *x = ctx;

	flush(x);
	x->family = *f;
	return x->out.bad ? -1 : 0;
}

/* --- all of it ---------------------------------------------------------- */

/* The text is read once more: the writer knows what OpenMetrics wants. */
static int convert(const struct buf *text, enum expo_format f,
		int (*sink)(void *ctx, const char *p, size_t n), void *ctx)
{
	struct expo_opts o = { .out = f };
	struct expo_error e;
	struct expo *m;
	int r = -1;

	if (f == EXPO_TEXT)
		return text->len && sink(ctx, text->p, text->len) ? -1 : 0;
	m = expo_new(&o);
	if (m && expo_add(m, text->p ? text->p : "", text->len, EXPO_TEXT,
			NULL, 0, &e) >= 0)
		r = expo_write(m, sink, ctx);
	expo_free(m);
	return r;
}

int expo_roll(struct expo *m, const struct expo_rollup *r, enum expo_format f,
		int (*sink)(void *ctx, const char *p, size_t n), void *ctx,
		size_t *lost)
{
	size_t max = r->max ? r->max : GROUPS_MAX;
	struct roll x = { .r = r, .out = BUF(TEXT_MAX), .key = BUF(EXPO_LINE * 4),
		.now = { .max = max, .keys = BUF(TEXT_MAX) },
		.ratio = { .max = max, .keys = BUF(TEXT_MAX) } };
	int ret;

	ret = expo_each(m, NULL, ratio_sample, &x);
	if (!ret)
		ret = expo_each(m, roll_family, roll_sample, &x);
	if (!ret)
		flush(&x);
	if (!ret)
		ret = x.out.bad ? -1 : convert(&x.out, f, sink, ctx);
	if (lost)
		*lost = x.lost;
	table_free(&x.now);
	table_free(&x.ratio);
	buf_free(&x.out);
	buf_free(&x.key);
	return ret;
}
