/* expo.h - Prometheus text 0.0.4 and OpenMetrics 1.0: read, merge, write
 * SPDX-License-Identifier: Apache-2.0
 *
 * Bytes in, values out: no sockets, no clock, no globals. A merge takes any
 * number of expositions, gives each its own extra labels, and writes one
 * exposition in which every family's HELP and TYPE stand once and its samples
 * together, in the order in which they were first seen. Values and timestamps
 * are never parsed and printed again: they pass through as the bytes they
 * were (docs/metrics-engine.md has every rule).
 *
 *	m = expo_new(&opts);
 *	expo_add(m, body, len, EXPO_TEXT, extra, 2, &err);	(again and again)
 *	expo_seal(m);		conflicts and duplicates are now counted
 *	expo_write(m, sink, ctx);
 *	expo_free(m);
 *
 * The bytes given to expo_add stay the caller's and must live until
 * expo_free, unless expo_add refused them: then nothing of them is kept.
 */
#ifndef EXPO_H
#define EXPO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	EXPO_LABELS    = 128,	/* labels of one sample, extra ones included */
	EXPO_EXTRAS    = 8,	/* extra labels of one input */
	EXPO_MATCHERS  = 16,	/* label matchers of one selector */
	EXPO_SELECTORS = 32,	/* match[] of one request */
	EXPO_REGEX     = 256,	/* bytes of one regular expression */
	EXPO_NUMBER    = 400,	/* characters of one number */
	EXPO_LINE      = 1 << 20	/* bytes of one line */
};

enum expo_format { EXPO_TEXT, EXPO_OPENMETRICS };

enum expo_type {
	EXPO_UNTYPED, EXPO_COUNTER, EXPO_GAUGE, EXPO_HISTOGRAM, EXPO_SUMMARY,
	EXPO_INFO, EXPO_STATESET, EXPO_GAUGEHISTOGRAM, EXPO_TYPES
};

struct expo_span {
	const char *p;
	size_t      n;
};

struct expo_error {
	size_t line, column;	/* from 1; columns in bytes */
	char   what[120];	/* "expected a label name but found '='" */
};

struct expo_label {
	struct expo_span name, value;	/* the value as it is written: escaped */
};

struct expo_sample {
	struct expo_span name;
	const struct expo_label *label;
	unsigned labels;
	struct expo_span value, time, exemplar;	/* .n is 0: there is none */
	unsigned input;
	enum expo_format format;	/* of its input: time is in ms, or s */
};

struct expo_family {
	struct expo_span name;	/* as text 0.0.4 calls it: counters end _total */
	enum expo_type   type;
	struct expo_span help;	/* as it is written; .p is NULL: no HELP line */
	enum expo_format help_format;
	struct expo_span unit;	/* .p is NULL: no UNIT line */
	size_t           samples;
};

const char *expo_type_name(enum expo_type t);	/* "untyped", "counter"... */

/* --- selectors ---------------------------------------------------------- */

/* NAME{label="v",label!="v",label=~"re",label!~"re"} as Prometheus writes
 * it; either part may be missing. Regular expressions are POSIX extended,
 * anchored at both ends; at most one {n,m}, no (?...). Matching sees labels
 * as they are after the extra ones were added, a missing label as "". */
struct expo_selector;

/* NULL with *e filled (the column; line is 1). */
struct expo_selector *expo_selector_new(const char *p, size_t n,
		struct expo_error *e);
void expo_selector_free(struct expo_selector *s);
bool expo_selects(const struct expo_selector *s, const struct expo_sample *x);

struct expo_filter {
	const char *const *name;	/* families or samples; none: all */
	unsigned names;
	struct expo_selector *const *select;	/* any of them; none: all */
	unsigned selects;
};

/* --- merge -------------------------------------------------------------- */

enum expo_event {
	EXPO_TYPE_CONFLICT,	/* a second TYPE: kept apart as NAME_conflict_TYPE */
	EXPO_HELP_CONFLICT,	/* a second HELP text: the first was kept */
	EXPO_DUPLICATE		/* name and labels were there already */
};

struct expo_note {
	enum expo_event  event;
	struct expo_span family;	/* its name before any renaming */
	unsigned         input;		/* what expo_add returned, or will */
	enum expo_type   first, second;	/* EXPO_TYPE_CONFLICT */
	struct expo_span line;		/* EXPO_DUPLICATE: the sample's line */
};

/* Ceilings; 0 is the default in parentheses. */
struct expo_max {
	size_t bytes;		/* of one input (1 GiB; never above 4 GiB) */
	size_t samples;		/* of one input (16 Mi) */
	size_t families;	/* of all inputs (1 Mi) */
};

struct expo_opts {
	enum expo_format out;
	bool underscore;	/* ':' in metric names becomes '_' */
	bool drop_created;	/* leave _created samples out, counted filtered */
	bool no_fast;		/* tests only: every line takes the slow way */
	struct expo_filter filter;
	struct expo_max    max;
	uint64_t seed;		/* random, where peers may choose the names */
	void   (*note)(void *ctx, const struct expo_note *n);	/* may be NULL */
	void    *ctx;
};

/* A label for every sample of an input. keep: only where the sample has none
 * of that name; otherwise a label of that name is renamed to exported_NAME. */
struct expo_extra {
	const char *name, *value;	/* an empty value: no label */
	bool        keep;
};

/* samples == written + duplicates + filtered, always */
struct expo_stats {
	size_t inputs, families, samples, written, duplicates, filtered;
	size_t type_conflicts, help_conflicts;
	size_t memory;		/* bytes held now, the inputs not counted */
};

struct expo;

struct expo *expo_new(const struct expo_opts *o);	/* NULL: no memory */
void expo_free(struct expo *m);

/* Reads one input whole. Returns its number, from 0, or -1 with *e filled:
 * then the merge is as it was before. e->line 0: not the text's fault
 * (memory, a ceiling, an extra label that cannot be one). */
int expo_add(struct expo *m, const char *p, size_t n, enum expo_format f,
		const struct expo_extra *extra, unsigned extras,
		struct expo_error *e);

/* Settles conflicts and finds duplicates. Called by the writers when it was
 * not; more inputs may be added after it, which can change what was settled:
 * a later note, or a sample told to be a duplicate that is none any more
 * (then it is written). 0, or -1: no memory. */
int  expo_seal(struct expo *m);
/* After expo_seal the counts are final. */
void expo_stats(const struct expo *m, struct expo_stats *s);
/* The samples of one input that its text had, duplicates included. */
size_t expo_input_samples(const struct expo *m, unsigned input);

/* The next piece of the output: *n is 0 at the end. The piece is good until
 * the next call. 0, or -1: no memory. expo_rewind starts again. */
int  expo_read(struct expo *m, const char **p, size_t *n);
void expo_rewind(struct expo *m);
/* All pieces. 0, or -1: the sink's non-zero answer, or no memory. */
int  expo_write(struct expo *m,
		int (*sink)(void *ctx, const char *p, size_t n), void *ctx);

/* Every family and its samples, in order, as they would be written. Either
 * callback may be NULL; a non-zero answer ends the walk and is returned.
 * -1: no memory. */
int expo_each(struct expo *m,
		int (*family)(void *ctx, const struct expo_family *f),
		int (*sample)(void *ctx, const struct expo_family *f,
			const struct expo_sample *s), void *ctx);

/* What a Content-Type says, EXPO_TEXT unless it is application/openmetrics-
 * text; expo_sniff: what the bytes themselves say by ending with # EOF. */
enum expo_format expo_format_of(const char *content_type, size_t n);
enum expo_format expo_sniff(const char *p, size_t n);
/* The Content-Type to answer with. */
const char *expo_content_type(enum expo_format f);
/* The format that an Accept header prefers; EXPO_TEXT when it is silent. */
enum expo_format expo_accept(const char *accept, size_t n);

/* --- values ------------------------------------------------------------- */

/* 0, or -1: not a number of either format. */
int    expo_number(struct expo_span s, double *out);
/* Shortest text that reads back as v; NaN, +Inf, -Inf. Returns its length. */
size_t expo_format_number(char out[32], double v);
/* A label's value, still escaped; .p is NULL when there is none. */
struct expo_span expo_label(const struct expo_sample *s, const char *name);
/* The unescaped bytes in out (at least s.n of room); returns their number. */
size_t expo_unescape(struct expo_span s, char *out);
/* The first sample that the selector matches. 1 found, 0 none, -1 memory. */
int    expo_find(struct expo *m, const struct expo_selector *sel, double *out);

struct expo_bucket {
	double le, count;	/* cumulative, as exposed */
};
/* Prometheus's histogram_quantile over n buckets, which it sorts. NaN when
 * it would answer NaN. */
double expo_quantile(double q, struct expo_bucket *b, size_t n);

/* --- roll-up ------------------------------------------------------------ */

enum expo_op { EXPO_AUTO, EXPO_SUM, EXPO_MAX, EXPO_MIN, EXPO_AVG };

/* How a family is rolled up when nothing else was asked (EXPO_AUTO). */
enum expo_strategy {
	EXPO_BY_SUM, EXPO_BY_MAX, EXPO_BY_MIN, EXPO_BY_AVG,
	EXPO_BY_RATIO	/* of two counters' sums, never of rates */
};
struct expo_rule {
	const char *name;		/* the family, with lmcache: or the like */
	enum expo_strategy how;
	const char *over, *under;	/* EXPO_BY_RATIO: counters' families */
};
/* The rule for a family; never NULL. */
const struct expo_rule *expo_rule(struct expo_span name, enum expo_type t);

struct expo_rollup {
	enum expo_op op;
	const char *const *by;	/* labels that are kept */
	unsigned bys;
	size_t max;		/* groups; 0 is 1 Mi */
};

/* Writes one sample per family, name and group in format f; m itself must be
 * one that writes EXPO_TEXT. Counters and histograms are summed whatever op
 * says, and sum never sums what its rule says not to. *lost counts the
 * samples that cannot be rolled up (a summary's quantiles, unless op is max
 * or min, and rates whose counters are missing); may be NULL. 0, or -1. */
int expo_roll(struct expo *m, const struct expo_rollup *r, enum expo_format f,
		int (*sink)(void *ctx, const char *p, size_t n), void *ctx,
		size_t *lost);

/* --- lint and filter: streams, constant memory -------------------------- */

struct expo_finding {
	size_t line;
	struct expo_span family;
	const char *text;	/* promtool's wording where it has one */
	bool error;		/* promtool exits 1, not 3; a scrape may fail */
};

struct expo_lint;

struct expo_lint *expo_lint_new(enum expo_format f, uint64_t seed,
		void (*found)(void *ctx, const struct expo_finding *x),
		void *ctx);
void expo_lint_feed(struct expo_lint *l, const char *p, size_t n);
/* The end of the text; the number of findings, and frees l. */
size_t expo_lint_end(struct expo_lint *l);

struct expo_strain;

/* Passes on the families and samples that the filter takes, as they are.
 * A malformed line is an error. */
struct expo_strain *expo_strain_new(enum expo_format f,
		const struct expo_filter *filter,
		int (*sink)(void *ctx, const char *p, size_t n), void *ctx);
/* 0, or -1 with *e filled (line 0: the sink's answer, or memory). */
int  expo_strain_feed(struct expo_strain *s, const char *p, size_t n,
		struct expo_error *e);
int  expo_strain_end(struct expo_strain *s, struct expo_error *e);
void expo_strain_free(struct expo_strain *s);

#endif
