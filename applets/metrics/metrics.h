/* metrics.h - the parts of lmc metrics to each other
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef METRICS_H
#define METRICS_H

#include "buf.h"
#include "expo.h"
#include "opt.h"
#include "out.h"

enum { TEXT_MAX = 1 << 30 };	/* bytes of what is made here */

/* One who was asked: a node, or a file. */
struct answer {
	char  *name;		/* the label's value */
	char  *said;		/* as messages call it */
	char  *frontend;	/* that it is behind, as a label too; or NULL */
	char  *p;		/* what it answered */
	size_t n;
	enum expo_format format;
	bool   is_node, up;
	int64_t at_us;		/* monotonic: when the answer was there */
	int64_t took_us;
	size_t samples, duplicates;
};

/* All of them, asked once. */
struct answers {
	struct answer *v;
	int n;
	int status;		/* exit status so far */
	struct buf own;		/* what lmc says itself, while a merge holds it */
};

/* How samples are labelled and what is left out. */
struct style {
	const char *node_label;		/* "": none */
	struct expo_extra extra[EXPO_EXTRAS];	/* for every sample */
	unsigned extras;
	struct strs names, matches;
	bool openmetrics, underscore, drop_created;
};

/* ---- merge.c ---- */

/* Merges, with what lmc says about nodes itself; trouble is warned about and
 * makes a->status worse. The answers must live as long as the merge. */
struct expo *merge_answers(struct answers *a, const struct style *s);
/* A merge of text that is our own. */
struct expo *merge_text(const struct buf *text, const struct style *s);
/* The same samples rolled up; op: auto sum max min avg. The text goes into
 * hold, which must live as long as the answer. */
struct expo *merge_rolled(struct expo *m, const char *op, const struct strs *by,
			  const struct style *s, struct buf *hold);
/* Appends all of m's text. */
void merge_print(struct expo *m, struct buf *out);
/* One value of a label, or of a string like it: escaped for exposition. */
void merge_put_label(struct buf *b, const char *name, const char *p, size_t n);

/* ---- series.c: samples by name and labels ---- */

struct series {
	const char *name;
	const struct expo_label *label;	/* in order of their names */
	unsigned    labels;
	enum expo_type type;
	bool    grows;		/* a counter, or a part of a histogram that is one */
	bool    rated;
	double  value, rate;	/* rate: per second */
	int64_t at_us;
	uint64_t hash;
};

struct series_set {
	struct series *v;
	size_t    n, cap;
	uint32_t *index;
	size_t    index_n;
};

void series_add(struct series_set *s, struct expo *m, const struct answers *a);
/* Fills rate for what grows and is in both. A counter that fell was reset:
 * what it shows now was counted since. */
void series_rate(struct series_set *now, const struct series_set *before);
/* The rates as exposition: NAME:per_second, or NAME_per_second. */
void series_print_rates(const struct series_set *s, bool underscore,
			struct buf *out);
void series_free(struct series_set *s);
/* A label's value, or "" */
struct expo_span series_label(const struct series *x, const char *name);

/* ---- show.c ---- */

/* Objects as the elements of one JSON array, or one a line. */
struct items {
	enum out_form form;
	struct buf    b;	/* the object that is being made */
	bool          any;
};
void items_begin(struct items *i, enum out_form form);
void items_next(struct items *i);	/* prints it, b is empty again */
void items_end(struct items *i);
void show_table(struct table *t);	/* prints and frees */

/* Writes the samples to stdout; raw: as exposition. */
void show(struct expo *m, enum out_form form);
/* The bare values, one a line: how many there were. */
size_t show_values(struct expo *m);

/* ---- summary.c ---- */

/* now is of m; its rates, if any, are over secs. The exit status. */
int summary(const struct series_set *now, struct expo *m, const struct answers *a,
	    double secs, enum out_form form);

/* ---- doctor.c ---- */

/* What is wrong, and what is missing and why. EXIT_NO if anything is wrong.
 * label: the one that says whose a sample is. */
int doctor(const struct series_set *now, struct expo *m, const struct answers *a,
	   const char *label, enum out_form form);

/* ---- lint.c ---- */

/* Findings to stdout, "NAME:LINE: FAMILY TEXT". */
void lint_begin(enum out_form form);
void lint_text(const char *name, const char *p, size_t n);
/* From a descriptor, in constant memory; 0, or -1 with errno. */
int  lint_fd(const char *name, int fd);
size_t lint_end(void);		/* how many findings there were */

/* ---- send.c ---- */

/* To a Pushgateway, replacing the group. Returns the exit status. */
int send_push(const char *url, const char *job, const struct strs *grouping,
	      const struct buf *text, int64_t timeout_ms);

#endif
