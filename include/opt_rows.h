/* opt_rows.h - what the readers of an option table share
 * SPDX-License-Identifier: Apache-2.0
 *
 * For opt.c, opt_help.c, opt_man.c and opt_complete.c only.
 */
#ifndef OPT_ROWS_H
#define OPT_ROWS_H

#include "buf.h"
#include "opt.h"

enum { OPT_DEPTH = 4 };		/* tables within tables */

/* Walks a table and the tables it takes in by OPT_MORE, in order:
 *	struct opt_rows it = OPT_ROWS(a->opts);
 *	while ((o = opt_next(&it))) ... */
struct opt_rows {
	const struct opt *at[OPT_DEPTH];
	int               depth;
};

#define OPT_ROWS(table) { { (table) }, 0 }

const struct opt *opt_next(struct opt_rows *it);

/* --help, which every applet has without a row of its own; its letter is 0
 * when a row of the applet has taken -h. */
struct opt opt_help_row(const struct applet *a);

/* Of "a|b|c" the alternatives in turn: its length, 0 at the end; *arg moves
 * on. One that begins with a capital stands for any value ("all|NAME"). */
size_t opt_word(const char **arg, const char **word);
bool   opt_word_any(const char *word);
bool   opt_is_choice(const char *arg);	/* no alternative stands for any value */

/* The row that a long name (n bytes) means, and in *off whether it turns the
 * flag off; NULL if there is none. */
const struct opt *opt_named(const struct applet *a, const char *name, size_t n,
			    bool *off);
const struct opt *opt_lettered(const struct applet *a, char letter);

/* A flag that is on unless --no-NAME is given. */
bool opt_is_on(const struct opt *o);

/* "1 to 60", "at least 1", or nothing for a row without limits. */
void opt_range(const struct opt *o, struct buf *b);

/* The help text with its range, default and repeatability. */
void opt_text(const struct opt *o, struct buf *b);

#endif
