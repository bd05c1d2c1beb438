/* applet.h - what a command of lmc declares about itself
 * SPDX-License-Identifier: Apache-2.0
 *
 * An applet is one file: an option table, a run function, and one exported
 * `const struct applet NAME_applet` that closes the file. applets.def lists
 * them all; main.c finds one by argv[0] or argv[1], opt_parse()s its
 * arguments and calls run() with what is left.
 */
#ifndef APPLET_H
#define APPLET_H

#include "opt.h"

struct applet {
	const char *name;	/* as typed: "exec-script" */
	const char *brief;	/* one line, lower case, no full stop */
	/* Paragraphs for --help and the man page, filled; lines that begin
	 * with a space stand as they are. */
	const char *about;
	/* Operand words for the synopsis, or "" for none: "FILE" is needed,
	 * "[FILE]" is not, "..." repeats; opt_parse() refuses too few and too
	 * many, unless " | " parts alternatives (the applet checks those).
	 * "a|b" in a word is completed, FILE, PATH and DIR are by the shell. */
	const char *args;
	const char *examples;	/* "command\n  what it does" pairs or NULL */
	/* "NAME\n  what it does" pairs or NULL; those that come with options
	 * (--nodes, --color) are known. */
	const char *env;
	const struct opt *opts;	/* ends with a row of kind OPT_END */
	/* operands only, argv[argc] is NULL; returns the exit status */
	int (*run)(int argc, char **argv);
};

extern const struct applet *const applets[];	/* ends with NULL */

const struct applet *applet_find(const char *name);

#endif
