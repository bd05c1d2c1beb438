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
	const char *about;	/* paragraphs for --help and the man page */
	const char *args;	/* operand words for the synopsis, or "" */
	const char *examples;	/* "command\n  what it does" pairs or NULL */
	const struct opt *opts;	/* ends with a row of kind OPT_END */
	/* operands only, argv[argc] is NULL; returns the exit status */
	int (*run)(int argc, char **argv);
};

extern const struct applet *const applets[];	/* ends with NULL */

const struct applet *applet_find(const char *name);

#endif
