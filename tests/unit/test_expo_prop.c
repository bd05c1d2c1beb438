/* test_expo_prop.c - what must hold for any inputs, tried on random ones
 * SPDX-License-Identifier: Apache-2.0
 *
 * Few names, labels and types, so that everything clashes with everything.
 * Every sample has a value of its own: what went where can be told.
 */
#include "expo_help.h"

enum { VALUES = 4096, ROUNDS = 3000 };

static uint32_t dice = 1;

static unsigned roll(unsigned sides)
{
	dice = dice * 1664525u + 1013904223u;
	return (dice >> 16) % sides;
}

static unsigned value;			/* the next sample's */
static unsigned char fate[VALUES];	/* 1 in, 2 duplicate, 4 out */

static const char *const names[] = { "a", "a_total", "a_created", "h",
	"h_sum", "h_count", "h_bucket", "h_count_sum", "x:y", "x_y",
	"a_conflict_gauge", "a_info" };
static const char *const types[] = { "counter", "gauge", "histogram",
	"summary", "untyped" };
static const char *const om_types[] = { "counter", "gauge", "histogram",
	"summary", "unknown", "info", "stateset", "gaugehistogram" };
static const char *const om_ends[] = { "", "_total", "_created", "_bucket",
	"_sum", "_count", "_gsum", "_gcount", "_info" };

static void random_labels(struct buf *b, bool om)
{
	static const char *const label[] = { "node=\"x\"", "node=\"\"",
		"role=\"r\"", "role=\"\"", "exported_node=\"x\"", "le=\"1\"",
		"le=\"+Inf\"", "quantile=\"0.5\"", "q=\"\\\\n\\n\\\"\"",
		"q=\"\"", "u=\"\xc3\xbc\"", "long=\"0123456789abcdef0\"" };
	static const unsigned char kind[] = { 0, 0, 1, 1, 2, 3, 3, 4, 5, 5, 6, 7 };
	unsigned n = roll(4), used = 0, i, k, put = 0;

	if (!n && roll(3))
		return;
	buf_putc(b, '{');
	for (i = 0; i < n; i++) {
		k = roll(sizeof kind);
		if (used >> kind[k] & 1)
			continue;
		used |= 1u << kind[k];
		if (put++)
			buf_puts(b, roll(8) || om ? "," : " , ");
		buf_puts(b, label[k]);
	}
	buf_putc(b, '}');
}

static void random_sample(struct buf *b, const char *name, const char *end,
		bool om)
{
	buf_printf(b, "%s%s", name, end);
	random_labels(b, om);
	buf_printf(b, " %u", value);
	fate[value++] |= 1;
	if (!roll(6))
		buf_puts(b, om ? " 1.5" : " 1500");
	if (om && !roll(6))
		buf_puts(b, " # {t=\"1\"} 2");
	buf_putc(b, '\n');
}

static void random_text(struct buf *b)
{
	unsigned lines = roll(14), i;
	const char *name;

	for (i = 0; i < lines; i++) {
		name = names[roll(sizeof names / sizeof *names)];
		if (!roll(3))
			buf_printf(b, "# TYPE %s %s\n", name, types[roll(5)]);
		else if (!roll(6))
			buf_printf(b, "# HELP %s h\\e\"%u\n", name, roll(2));
		else
			random_sample(b, name, "", false);
		if (!roll(20))
			buf_puts(b, "# nothing\n\n");
	}
}

static void random_om(struct buf *b)
{
	unsigned lines = roll(14), i;
	const char *name;

	for (i = 0; i < lines; i++) {
		name = names[roll(sizeof names / sizeof *names)];
		if (!roll(3))
			buf_printf(b, "# TYPE %s %s\n", name, om_types[roll(8)]);
		else if (!roll(6))
			buf_printf(b, "# HELP %s h\\e\\\"%u\n", name, roll(2));
		else if (!roll(9))
			buf_printf(b, "# UNIT %s s\n", name);
		else
			random_sample(b, name, om_ends[roll(9)], true);
	}
	buf_puts(b, "# EOF\n");
}

/* --- checks ------------------------------------------------------------- */

/* The value of a sample's line: no label here has a '}' in it. */
static unsigned value_of(const char *p, size_t n)
{
	const char *brace = memchr(p, '{', n), *space = memchr(p, ' ', n);

	if (brace && brace < space)
		space = memchr(p, '}', n) + 1;
	return (unsigned)strtoul(space, NULL, 10) % VALUES;
}

static size_t told;
static bool resealed;	/* some were told that are none any more */

static void on_note(void *ctx, const struct expo_note *n)
{
	(void)ctx;
	if (n->event != EXPO_DUPLICATE)
		return;
	told++;
	fate[value_of(n->line.p, n->line.n)] |= 2;
}

/* Lines that are samples; their values are marked as gone out. */
static size_t count_out(const char *p)
{
	const char *nl;
	size_t n = 0;

	for (; *p; p = nl + 1) {
		nl = strchr(p, '\n');
		if (*p == '#')
			continue;
		n++;
		fate[value_of(p, (size_t)(nl - p))] |= 4;
	}
	return n;
}

struct made {
	struct buf text[5];
	enum expo_format f[5];
	const char *node[5];
	unsigned n;
};

static void make(struct made *x)
{
	static const char *const node[] = { "n1", "n2", "n3", "n1", NULL };
	unsigned i;

	memset(fate, 0, sizeof fate);
	value = 0;
	x->n = 1 + roll(4);
	for (i = 0; i < x->n; i++) {
		x->text[i].max = 1 << 20;
		x->text[i].len = 0;
		x->f[i] = roll(3) ? EXPO_TEXT : EXPO_OPENMETRICS;
		x->node[i] = roll(3) ? node[i] : node[roll(5)];
		if (x->f[i] == EXPO_TEXT)
			random_text(&x->text[i]);
		else
			random_om(&x->text[i]);
	}
}

static struct expo *merge(const struct made *x, struct expo_opts o, bool *ok)
{
	struct expo *m = expo_new(&o);
	struct expo_extra extra[2] = { { .name = "node" },
		{ "role", "worker", true } };
	struct expo_error e;
	unsigned i;

	*ok = true;
	for (i = 0; i < x->n; i++) {
		extra[0].value = x->node[i] ? x->node[i] : "";
		if (expo_add(m, x->text[i].p ? x->text[i].p : "",
				x->text[i].len, x->f[i], extra,
				x->node[i] ? 2 : 0, &e) < 0)
			*ok = false;
		if (roll(9) == 0) {
			expo_seal(m);
			resealed = true;
		}
	}
	return m;
}

static void show(const struct made *x, const char *out)
{
	unsigned i;

	for (i = 0; i < x->n; i++)
		printf("# --- %s\n%s\n", x->node[i] ? x->node[i] : "-",
			x->text[i].p ? x->text[i].p : "");
	printf("# --- out\n%s\n", out);
}

/* Every sample went out, or was told to be a duplicate: never both. */
static bool all_accounted_for(void)
{
	unsigned i;

	for (i = 0; i < value; i++)
		if (fate[i] != (1 | 2) && fate[i] != (1 | 4) &&
				!(resealed && fate[i] == (1 | 2 | 4)))
			return false;
	return true;
}

static size_t bad_findings;

static void on_finding(void *ctx, const struct expo_finding *x)
{
	(void)ctx;
	if (!x->error && !strstr(x->text, "was there before"))
		return;
	bad_findings++;
	printf("# line %zu: %.*s %s\n", x->line, (int)x->family.n,
			x->family.p, x->text);
}

static bool valid(const char *out, enum expo_format f)
{
	struct expo_lint *l = expo_lint_new(f, 1, on_finding, NULL);
	size_t i, n = strlen(out);

	bad_findings = 0;
	for (i = 0; i < n; i += 7)
		expo_lint_feed(l, out + i, n - i < 7 ? n - i : 7);
	expo_lint_end(l);
	return !bad_findings;
}

/* What was written is read again: as many samples, none twice. */
static bool reads_again(const char *out, enum expo_format f, size_t samples)
{
	struct expo *m = expo_new(&(struct expo_opts){ .out = f });
	bool ok = add(m, out, f, NULL) == 0 && expo_seal(m) == 0 &&
		stats(m).duplicates == 0 && stats(m).samples == samples;

	expo_free(m);
	return ok;
}

static bool holds(const struct made *x, struct expo_opts o)
{
	struct expo_opts slow = o;
	struct expo *m, *m2;
	struct expo_stats s;
	uint32_t keep = dice;
	const char *out, *out2;
	bool ok, ok2;

	told = 0;
	resealed = false;
	o.note = on_note;
	m = merge(x, o, &ok);
	out = written(m);
	s = stats(m);
	slow.no_fast = true;
	dice = keep;
	m2 = merge(x, slow, &ok2);
	out2 = written(m2);
	ok2 = ok == ok2 && !strcmp(out, out2);
	if (!ok)	/* an input with two meanings of le was refused */
		return ok2 && s.samples == s.written + s.duplicates;
	ok = ok2 && s.samples == value && (s.duplicates == told || resealed) &&
		s.filtered == 0 && count_out(out) == s.written &&
		s.written + s.duplicates == value && all_accounted_for() &&
		valid(out, o.out) && reads_again(out, o.out, s.written);
	if (!ok) {
		show(x, out);
		printf("# same %d samples %zu/%u told %zu/%zu out %zu/%zu all %d "
			"valid %d again %d\n", ok2, s.samples, value, told,
			s.duplicates, count_out(out), s.written,
			all_accounted_for(), valid(out, o.out),
			reads_again(out, o.out, s.written));
	}
	expo_free(m);
	expo_free(m2);
	return ok;
}

static void tries(enum expo_format f, bool underscore)
{
	static struct made x;
	struct expo_opts o = { .out = f, .underscore = underscore };
	unsigned i;

	for (i = 0; i < ROUNDS; i++) {
		make(&x);
		CHECK(holds(&x, o));
	}
}

TEST(text_loses_no_sample_and_writes_none_twice)
{
	tries(EXPO_TEXT, false);
}

TEST(openmetrics_loses_no_sample_and_writes_none_twice)
{
	tries(EXPO_OPENMETRICS, false);
}

TEST(underscores_for_colons_lose_no_sample_either)
{
	tries(EXPO_TEXT, true);
}
