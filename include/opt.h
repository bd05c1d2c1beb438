/* opt.h - one table per applet: parser, --help, man page and completion
 * SPDX-License-Identifier: Apache-2.0
 *
 * The value a variable has before parsing is the default that help shows.
 * `arg` is the word shown for the value; "a|b|c" is a choice that is checked
 * and completed; an alternative that begins with a capital ("all|NAME") stands
 * for any value. In INT, TIME and SIZE lo == hi means no limit; a default
 * below lo is not shown, it means "not given". Every row has a long name; -h
 * and --help are added unless a row takes them. Rows are written with the
 * macros below and end with {0}.
 */
#ifndef OPT_H
#define OPT_H

#include <stdbool.h>
#include <stdint.h>

struct strs {			/* a repeatable option's values, in order */
	const char **v;
	int          n;
};

enum opt_kind {
	OPT_END,
	OPT_FLAG,	/* bool *   --name, --no-name; "no-x" is turned off by --x */
	OPT_STR,	/* const char ** */
	OPT_INT,	/* long *   min..max */
	OPT_TIME,	/* int64_t * milliseconds; 5 5s 500ms 1.5s 10m 1h 2d, bare = s */
	OPT_SIZE,	/* int64_t * bytes; 64k 1M 2G, powers of 1024 */
	OPT_LIST,	/* struct strs *, every use appends */
	OPT_MORE,	/* var is a struct opt[] of further rows (shared options) */
	OPT_HEAD	/* help only: a heading in --help and the man page */
};

struct opt {
	enum opt_kind kind;
	char          letter;	/* 0: none */
	const char   *name;
	const char   *arg;	/* NULL for a flag */
	void         *var;
	int64_t       min, max;
	const char   *help;	/* one line, lower case, no full stop */
	bool         *given;	/* set true when the option is used, or NULL */
};

#define FLAG(l, n, v, h)            { OPT_FLAG, l, n, 0, v, 0, 0, h, 0 }
#define STR(l, n, a, v, h)          { OPT_STR,  l, n, a, v, 0, 0, h, 0 }
#define INT(l, n, a, v, lo, hi, h)  { OPT_INT,  l, n, a, v, lo, hi, h, 0 }
#define TIME(l, n, a, v, lo, hi, h) { OPT_TIME, l, n, a, v, lo, hi, h, 0 }
#define SIZE(l, n, a, v, lo, hi, h) { OPT_SIZE, l, n, a, v, lo, hi, h, 0 }
#define LIST(l, n, a, v, h)         { OPT_LIST, l, n, a, v, 0, 0, h, 0 }
#define MORE(rows)                  { OPT_MORE, 0, 0, 0, (void *)(rows), 0, 0, 0, 0 }
#define HEAD(text)                  { OPT_HEAD, 0, 0, 0, 0, 0, 0, text, 0 }

struct applet;

/* argv has no program name. Parses in place: long and short options, --opt=value, --opt value, -ovalue,
 * clustered flags, options after operands, "--" ends them. Answers --help
 * itself (exit 0). Anything wrong dies with EXIT_USAGE and the nearest match.
 * Returns the number of operands, moved to argv[0..]; argv[that] is NULL.
 * Their number is held against a->args (applet.h). */
int opt_parse(const struct applet *a, int argc, char **argv);

/* How many operands stood before "--", or -1 if there was none. */
extern int opt_before_dashes;

/* Text of one value into its unit; 0, or -1 with *why a static phrase. */
int opt_time(const char *s, int64_t *ms, const char **why);
int opt_size(const char *s, int64_t *bytes, const char **why);

void opt_help(const struct applet *a);		/* to stdout */
void opt_man(const struct applet *a);		/* man(7) source, to stdout */
/* One tagged paragraph, and one "lmc-NAME(1)" of a list: for a page that goes
 * on after opt_man(). */
void opt_man_row(const char *tag, const char *text);
void opt_man_see(const char *name, bool more);
/* Candidates for the last of argv's words, one a line: opt_complete.c. */
void opt_complete(const struct applet *a, int argc, char **argv);

/* The candidate nearest to word by edit distance, or NULL if none is near. */
const char *nearest(const char *word, const char *const *candidates);

#endif
