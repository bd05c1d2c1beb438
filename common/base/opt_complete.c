/* opt_complete.c - what may stand where the cursor is
 * SPDX-License-Identifier: Apache-2.0
 *
 * One candidate a line, a tab and a few words after it where they help.
 * "@FILE" and "@DIR" ask the shell for its own files and directories.
 */
#include <stdio.h>
#include <string.h>

#include "applet.h"
#include "opt_rows.h"

static bool has(const char *p, size_t n, const char *what)
{
	return memmem(p, n, what, strlen(what)) != NULL;
}

/* The values of an "a|b|FILE" word that begin with what is typed. prefix is
 * what stands before the value in the same word ("--set="). */
static void values(const char *arg, size_t len, const char *typed,
		   const char *prefix, size_t prefix_len)
{
	const char *p = arg, *end = arg + len;
	bool file = false, dir = false;
	size_t n;

	for (; p < end; p += n + 1) {
		n = strcspn(p, "|");
		if (n > (size_t)(end - p))
			n = (size_t)(end - p);
		if (opt_word_any(p)) {
			file |= has(p, n, "FILE") || has(p, n, "PATH") ||
				has(p, n, "SOCK");
			dir |= has(p, n, "DIR");
		} else if (len > n && !strncmp(p, typed, strlen(typed)) &&
			   strlen(typed) <= n) {
			printf("%.*s%.*s\n", (int)prefix_len, prefix, (int)n, p);
		}
	}
	if (file)
		puts("@FILE");
	else if (dir)
		puts("@DIR");
}

static void offer(const char *dashes, const struct opt *o, const char *cur)
{
	char name[128];
	int n = snprintf(name, sizeof name, "%s%s", dashes, o->name);

	if (n < (int)sizeof name && !strncmp(name, cur, strlen(cur)))
		printf("%s\t%s\n", name, o->help);
}

static void names(const struct applet *a, const char *cur)
{
	struct opt_rows it = OPT_ROWS(a->opts);
	struct opt help = opt_help_row(a);
	const struct opt *o;

	while ((o = opt_next(&it))) {
		if (o->kind == OPT_HEAD)
			continue;
		offer("--", o, cur);
		if (o->kind == OPT_FLAG && strncmp(o->name, "no-", 3) &&
		    (opt_is_on(o) || !strncmp(cur, "--no-", 5)))
			offer("--no-", o, cur);
	}
	offer("--", &help, cur);
}

/* The option whose value the word after `word` is, if any. */
static const struct opt *awaits(const struct applet *a, const char *word)
{
	const struct opt *o = NULL;
	bool off;

	if (word[0] != '-' || !word[1])
		return NULL;
	if (word[1] == '-') {
		o = opt_named(a, word + 2, strlen(word + 2), &off);
		return o && o->kind != OPT_FLAG ? o : NULL;
	}
	for (word++; *word; word++) {
		o = opt_lettered(a, *word);
		if (!o || o->kind != OPT_FLAG)
			return o && !word[1] ? o : NULL;
	}
	return NULL;
}

/* The i-th synopsis word without its brackets; the last one again if it
 * repeats. */
static void operand(const struct applet *a, int i, const char *cur)
{
	const char *p = a->args ? a->args : "", *last = NULL;
	size_t n = 0, last_n = 0;
	bool repeats = false;

	if (strstr(p, " | "))
		return;
	for (p += strspn(p, " ["); *p; p += n, p += strspn(p, "] [.")) {
		n = strcspn(p, " [].");
		if (n == 2 && !strncmp(p, "--", 2))
			continue;
		last = p;
		last_n = n;
		repeats = !strncmp(p + n + strspn(p + n, "]"), "...", 3);
		if (!i--)
			break;
	}
	if (last && (i < 0 || repeats))
		values(last, last_n, cur, "", 0);
}

void opt_complete(const struct applet *a, int argc, char **argv)
{
	const char *cur = argc > 0 ? argv[argc - 1] : "";
	const struct opt *o = NULL;
	bool dashes = false, off;
	int i, operands = 0;
	size_t n;

	for (i = 0; i < argc - 1; i++) {
		if (o)
			o = NULL;
		else if (dashes || argv[i][0] != '-' || !argv[i][1])
			operands++;
		else if (!strcmp(argv[i], "--"))
			dashes = true;
		else
			o = awaits(a, argv[i]);
	}
	n = strcspn(cur, "=");
	if (o) {
		if (o->arg)
			values(o->arg, strlen(o->arg), cur, "", 0);
	} else if (!dashes && !strncmp(cur, "--", 2) && cur[n]) {
		o = opt_named(a, cur + 2, n - 2, &off);
		if (o && o->arg)
			values(o->arg, strlen(o->arg), cur + n + 1, cur, n + 1);
	} else if (!dashes && *cur == '-') {
		names(a, cur);
	} else {
		operand(a, operands, cur);
	}
}
