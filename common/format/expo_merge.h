/* expo_merge.h - what a merge consists of, shared by the expo files
 * SPDX-License-Identifier: Apache-2.0
 *
 * An input's samples are not copied: a record says where a line begins and
 * what its name and labels hash to, and a run says what a row of adjacent
 * lines has in common, so that the writer can copy without parsing again.
 */
#ifndef EXPO_MERGE_H
#define EXPO_MERGE_H

#include <string.h>

#include "expo.h"
#include "expo_line.h"

#define NONE UINT32_MAX

/* Which sample of its family a line is, where the formats disagree on that. */
enum expo_part { PART_PLAIN, PART_CREATED, PART_GSUM, PART_GCOUNT };

enum {			/* struct run.flags */
	RUN_SLOW = 1,	/* read each line again with expo_line */
	RUN_BRACES = 2,	/* the name is followed by '{' and a label */
	RUN_TIME = 4,	/* lines end with a timestamp */
	RUN_COLON = 8	/* a name whose colons become '_' */
};

struct rec {
	uint32_t off;	/* of the line, from its input's first byte */
	uint32_t hash;	/* of name and labels, whatever the labels' order */
};

struct run {
	uint32_t family, input;	/* as the input has it */
	uint32_t owner, next;	/* the family that writes it; its next run */
	uint32_t first, count;	/* records */
	uint32_t end;		/* offset behind the last line */
	uint16_t name_len;
	uint8_t  flags, part;
	uint8_t  mask;		/* bit k: has the label of extra k */
};

struct entry {			/* a family's name, as some input knows it */
	struct expo_span name;
	uint32_t hash;
	uint32_t stamp;		/* the input that used or declared it last */
	uint32_t cur;		/* the family it means in that input */
	uint32_t first;		/* the first family of that name, or NONE */
	bool     alias;		/* cur is OpenMetrics' counter: NAME_total here */
};

struct family {
	struct expo_span name, help, unit;
	struct expo_span from, to;	/* samples' names: this start becomes that */
	uint32_t help_by, type_by, unit_by;	/* input + 1 */
	uint32_t variant;	/* the next one of the same name, another type */
	uint32_t next;		/* in the order of the output */
	uint32_t head, tail;	/* runs */
	uint32_t samples;
	enum expo_type   type;
	enum expo_format help_format;
	size_t   perm;		/* into m->perm, when .regroup */
	uint32_t into;		/* whose family its plain samples are */
	uint32_t parts[3];	/* text 0.0.4: families of _created, _gsum... */
	uint32_t input;		/* that declared it first */
	bool declared, type_first;
	bool odd;		/* has le or quantile that is no number */
	bool shared;		/* some of its samples' names are others' too */
	bool hidden;		/* all of it is in another family */
	bool regroup;		/* _created samples must be sorted in */
	bool whole_name;	/* OpenMetrics: an unknown, its name unshortened */
};

struct extra {
	struct expo_span name, value;	/* escaped */
	struct expo_span ladder;	/* exported_exported_...NAME */
	uint64_t hash;
	bool     keep;
};

struct input {
	const char *p;
	size_t      n;
	size_t      samples;
	enum expo_format format;
	struct extra extra[EXPO_EXTRAS];
	unsigned extras;
	bool     lone;	/* its first extra sets it apart from all others */
};

struct block {
	struct block *next;
	size_t        used, size;
	char          data[];
};

struct writer {
	char    *out;
	size_t   len, cap;
	uint32_t family, run, k;	/* where the next line is */
	uint8_t  stage;
	uint64_t inject_key;		/* what inject was made for */
	uint32_t inject_len;
	char    *inject;		/* node="n1",role="worker", */
};

struct expo {
	struct expo_opts  o;
	struct expo_stats stats;
	struct input  *input;
	struct run    *run;
	struct rec    *rec;
	struct family *family;
	struct entry  *entry;
	uint32_t *index;	/* of entries, by hash; a power of two */
	uint64_t *dup;		/* a bit per record, NULL while there are none */
	size_t inputs, runs, recs, families, entries;
	size_t input_cap, run_cap, rec_cap, family_cap, entry_cap, index_cap;
	size_t dup_words;
	uint32_t *perm;		/* records of regrouped families, in order */
	uint32_t order_head, order_tail;
	uint32_t seq;		/* inputs seen, refused ones included */
	size_t   longest;	/* line */
	size_t   extra_max;	/* bytes that extra labels can add to a line */
	bool     sealed;
	struct block *arena;
	struct expo_note *pending;	/* of the input being read */
	size_t   pendings, pending_cap;
	char    *scratch;	/* for a name that is being made */
	size_t   scratch_cap;
	struct writer w;
};

/* expo.c */
void *expo_grow(struct expo *m, void *p, size_t *cap, size_t need, size_t size);
char *expo_arena(struct expo *m, size_t n);
struct entry *expo_entry(struct expo *m, struct expo_span name, bool make);
uint32_t expo_new_family(struct expo *m, struct entry *e, enum expo_type t);
void expo_note(struct expo *m, const struct expo_note *n);

/* expo_family.c: names, types, and who belongs to whom */
struct meta {			/* HELP, TYPE and UNIT of one name, gathered */
	struct expo_span name, help, unit;
	enum expo_type type;
	bool typed, type_first;
};
struct ending {			/* what samples' names have more than families' */
	struct expo_span end;
	unsigned text, om;	/* types that have it in this format, as bits */
	uint8_t  part;
};
extern const struct ending expo_endings[];	/* to .end.p NULL */
int  expo_declare(struct expo *m, const struct meta *d);
/* The family of a sample named so in the input being read, or NONE. */
uint32_t expo_resolve(struct expo *m, struct expo_span name, uint8_t *part);
/* The name without what its type appends: _total, _info. */
struct expo_span expo_base(struct expo_span name, enum expo_type t);
/* A sample's name as it is written, in scratch memory when it differs from
 * raw; .p is NULL: no memory. */
struct expo_span expo_out_name(struct expo *m, const struct family *f,
		struct expo_span raw);

/* Three pieces, colons replaced when asked for, in scratch memory. */
struct expo_span expo_make_name(struct expo *m, struct expo_span a,
		struct expo_span b, struct expo_span c);
/* The free name NAME_conflict_TYPE; samples' names change from's way to to's.
 * NULL: no memory. */
struct entry *expo_conflict_name(struct expo *m, struct expo_span name,
		enum expo_type t, struct expo_span *from, struct expo_span *to);

/* expo_settle.c: part of expo_seal */
int  expo_settle(struct expo *m);
/* expo_group.c: OpenMetrics wants the samples of one metric together */
int  expo_regroup(struct expo *m);

/* The run that a record is of. */
struct run *expo_run_of(const struct expo *m, uint32_t rec);

/* expo_scan.c: reads m->input[m->inputs]. -1: *at is the line, or NULL */
int  expo_scan(struct expo *m, struct expo_error *e, const char **at);

/* expo_relabel.c */
/* Puts in's extra labels among l's. -1: too many exported_. */
int  expo_relabel(struct expo_line *l, const struct input *in);
uint64_t expo_series_hash(struct expo_span name, const struct expo_line *l,
		uint64_t seed);
uint32_t expo_line_hash(struct expo *m, const struct family *f,
		const struct expo_line *l);
/* Reads line k of a run again, with its extra labels. */
void expo_reread(const struct expo *m, const struct run *r, uint32_t k,
		struct expo_line *l);
bool expo_same_series(struct expo *m, const struct run *a, uint32_t ka,
		const struct run *b, uint32_t kb);
struct expo_span expo_run_line(const struct expo *m, const struct run *r,
		uint32_t k);	/* without its newline */

static inline bool expo_is_dup(const struct expo *m, size_t rec)
{
	return m->dup && rec / 64 < m->dup_words &&
		m->dup[rec / 64] >> (rec % 64) & 1;
}

#endif
