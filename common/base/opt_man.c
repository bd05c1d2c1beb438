/* opt_man.c - an applet's manual page, in the man(7) macros
 * SPDX-License-Identifier: Apache-2.0
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "about.h"
#include "applet.h"
#include "opt_rows.h"

enum { TEXT_MAX = 8192 };

/* Text for roff: every character stands for itself, as ASCII where the
 * terminal would otherwise get a typographic cousin. */
static void put(const char *p, size_t n)
{
	static const struct {
		char        c;
		const char *roff;
	} special[] = {
		{ '\\', "\\e" }, { '-', "\\-" }, { '\'', "\\(aq" },
		{ '`', "\\(ga" }, { '^', "\\(ha" }, { '~', "\\(ti" },
		{ '"', "\\(dq" },
	};
	size_t i;

	if (n && *p == '.')
		fputs("\\&", stdout);
	for (; n; n--, p++) {
		for (i = 0; i < sizeof special / sizeof *special; i++)
			if (special[i].c == *p)
				break;
		if (i < sizeof special / sizeof *special)
			fputs(special[i].roff, stdout);
		else
			putchar(*p);
	}
}

static void put_str(const char *s)
{
	put(s, strlen(s));
}

static void put_line(const char *s)
{
	put_str(s);
	putchar('\n');
}

static void upper(const char *s)
{
	for (; *s; s++)
		putchar(toupper((unsigned char)*s));
}

/* One input line per word group: roff fills, so line breaks do not matter,
 * but a line must not begin with a space or a control character. */
static void fill(const char *p, const char *end)
{
	size_t n;

	while (p < end) {
		n = strcspn(p, "\n");
		if (n > (size_t)(end - p))
			n = (size_t)(end - p);
		put(p, n);
		putchar('\n');
		p += n + 1;
	}
}

static void verbatim(const char *p, const char *end)
{
	puts(".nf");
	fill(p, end);
	puts(".fi");
}

/* As --help has it: filled paragraphs, and lines that begin with a space. */
static void prose(const char *p)
{
	const char *end, *turn;

	while (*p) {
		end = strstr(p, "\n\n");
		end = end ? end : p + strlen(p);
		while (p < end) {
			for (turn = p; turn < end; turn++)
				if (*turn == '\n' && (turn[1] == ' ') != (*p == ' '))
					break;
			if (*p == ' ')
				verbatim(p, turn);
			else
				fill(p, turn);
			p = turn + (turn < end);
		}
		p += strspn(p, "\n");
		if (*p)
			puts(".PP");
	}
}

static void row(const struct opt *o)
{
	struct buf text = BUF(TEXT_MAX);

	puts(".TP");
	if (o->letter)
		printf("\\fB\\-%c\\fR, ", o->letter);
	fputs("\\fB", stdout);
	put_str(opt_is_on(o) ? "--[no-]" : "--");
	put_str(o->name);
	fputs("\\fR", stdout);
	if (o->arg) {
		fputs(opt_is_choice(o->arg) ? " " : " \\fI", stdout);
		put_str(o->arg);
		fputs(opt_is_choice(o->arg) ? "" : "\\fR", stdout);
	}
	putchar('\n');
	opt_text(o, &text);
	fill(text.p, text.p + text.len);
	buf_free(&text);
}

static void options(const struct applet *a)
{
	struct opt_rows it = OPT_ROWS(a->opts);
	struct opt help = opt_help_row(a);
	const struct opt *o = opt_next(&it);
	bool headed = o && o->kind == OPT_HEAD;

	puts(".SH OPTIONS");
	for (; o && o->kind != OPT_HEAD; o = opt_next(&it))
		row(o);
	if (!headed)
		row(&help);
	for (; o; o = opt_next(&it))
		if (o->kind == OPT_HEAD) {
			fputs(".SS ", stdout);
			put_line(o->help);
		} else {
			row(o);
		}
	if (headed) {
		puts(".SS Other");
		row(&help);
	}
}

static void exit_status(void)
{
	static const struct {
		int         status;
		const char *text;
	} rows[] = {
		{ 0,   "all is well" },
		{ 1,   "a node said no, or a condition is false" },
		{ 2,   "the command line or a configuration is wrong" },
		{ 3,   "a node could not be reached" },
		{ 4,   "not allowed" },
		{ 5,   "the time was over" },
		{ 111, "the system refused something lmc needs" },
	};
	size_t i;

	puts(".SH EXIT STATUS");
	for (i = 0; i < sizeof rows / sizeof *rows; i++)
		printf(".TP\n%d\n%s\n", rows[i].status, rows[i].text);
	puts(".PP\nOf several failures the first of 4, 2, 3, 5, 1 is told.");
}

/* Lines without a space at their start are tags of the lines that have one. */
static void tagged(const char *p)
{
	size_t n;

	for (; *p; p += n + (p[n] == '\n')) {
		n = strcspn(p, "\n");
		if (*p == ' ') {
			p += strspn(p, " ");
			n = strcspn(p, "\n");
		} else {
			puts(".TP");
		}
		put(p, n);
		putchar('\n');
	}
}

/* Most variables belong to options: an applet with the option obeys them. */
static void environment(const struct applet *a)
{
	static const struct {
		const char *option, *name, *text;
	} rows[] = {
		{ "nodes", "LMC_NODES",
		  "the nodes, as --nodes takes them, when no option names any" },
		{ "nodes", "LMCACHE_RUNTIME_PLUGIN_CONFIG",
		  "where LMCache tells a plugin about its process; "
		  "read when LMC_NODES is not set" },
		{ "nodes", "LMCACHE_PLUGIN_CONFIG",
		  "the same from older versions of LMCache" },
		{ "nodes", "XDG_CONFIG_HOME",
		  "where lmc/nodes.json is looked for, before /etc" },
		{ "color", "NO_COLOR", "set to anything: no colour" },
	};
	size_t i;
	bool any = a->env != NULL, off;

	if (any)
		puts(".SH ENVIRONMENT");
	for (i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (!opt_named(a, rows[i].option, strlen(rows[i].option), &off))
			continue;
		if (!any)
			puts(".SH ENVIRONMENT");
		any = true;
		printf(".TP\n.B %s\n", rows[i].name);
		put_line(rows[i].text);
	}
	if (a->env)
		tagged(a->env);
}

void opt_man_row(const char *tag, const char *text)
{
	fputs(".TP\n\\fB", stdout);
	put_str(tag);
	fputs("\\fR\n", stdout);
	put_line(text);
}

void opt_man_see(const char *name, bool more)
{
	fputs(".BR lmc\\-", stdout);
	put_str(name);
	printf(" (1)%s\n", more ? "," : "");
}

static void head(const struct applet *a)
{
	const char *args = a->args ? a->args : "";

	fputs(".TH LMC", stdout);
	if (*a->name) {
		fputs("\\-", stdout);
		upper(a->name);
	}
	printf(" 1 \"\" \"lmc %s\" \"lmc manual\"\n", about_version);
	fputs(".SH NAME\nlmc", stdout);
	if (*a->name) {
		fputs("\\-", stdout);
		put_str(a->name);
	}
	fputs(" \\- ", stdout);
	put_str(a->brief);
	fputs("\n.SH SYNOPSIS\n.B lmc", stdout);
	if (*a->name) {
		putchar(' ');
		put_str(a->name);
		fputs("\n[\\fIOPTION\\fR...]", stdout);
	}
	putchar(*a->name && *args ? ' ' : '\n');
	if (*args)
		put_line(args);
}

void opt_man(const struct applet *a)
{
	head(a);
	puts(".SH DESCRIPTION");
	prose(a->about && *a->about ? a->about : a->brief);
	options(a);
	exit_status();
	environment(a);
	if (a->examples && *a->examples) {
		puts(".SH EXAMPLES");
		tagged(a->examples);
	}
	if (*a->name)
		puts(".SH SEE ALSO\n.BR lmc (1)");
}
