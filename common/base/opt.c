/* opt.c - an applet's arguments, parsed by its option table
 * SPDX-License-Identifier: Apache-2.0
 */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "applet.h"
#include "die.h"
#include "opt_rows.h"

enum {
	NEAR_MAX    = 128,	/* names looked at for the nearest match */
	CHOICES_MAX = 512,	/* bytes of a choice's alternatives */
	WORD_CAP    = 63	/* longest word with a nearest match */
};

int opt_before_dashes = -1;

const struct opt *opt_next(struct opt_rows *it)
{
	const struct opt *o;

	while (it->depth >= 0) {
		o = it->at[it->depth];
		if (!o || o->kind == OPT_END) {
			it->depth--;
			continue;
		}
		it->at[it->depth]++;
		if (o->kind != OPT_MORE)
			return o;
		if (it->depth + 1 < OPT_DEPTH)
			it->at[++it->depth] = o->var;
	}
	return NULL;
}

struct opt opt_help_row(const struct applet *a)
{
	struct opt help = {
		.kind = OPT_FLAG, .name = "help",
		.help = "show this help and exit",
	};

	help.letter = opt_lettered(a, 'h') ? 0 : 'h';
	return help;
}

size_t opt_word(const char **arg, const char **word)
{
	size_t n = strcspn(*arg, "|");

	*word = *arg;
	*arg += n + ((*arg)[n] == '|');
	return n;
}

bool opt_word_any(const char *word)
{
	return isupper((unsigned char)*word) || *word == '<';
}

bool opt_is_choice(const char *arg)
{
	const char *word;

	if (!arg || !strchr(arg, '|'))
		return false;
	while (opt_word(&arg, &word))
		if (opt_word_any(word))
			return false;
	return true;
}

static bool same(const char *name, const char *s, size_t n)
{
	return !strncmp(name, s, n) && !name[n];
}

/* --X turns off a flag that is called no-X, as --no-X does one called X. */
static bool negates(const struct opt *o, const char *name, size_t n)
{
	if (o->kind != OPT_FLAG)
		return false;
	if (!strncmp(o->name, "no-", 3))
		return same(o->name + 3, name, n);
	return n > 3 && !strncmp(name, "no-", 3) &&
	       same(o->name, name + 3, n - 3);
}

const struct opt *opt_named(const struct applet *a, const char *name, size_t n,
			    bool *off)
{
	const struct opt *o, *turned = NULL;
	struct opt_rows it = OPT_ROWS(a->opts);

	while ((o = opt_next(&it))) {
		if (!o->name)
			continue;
		if (same(o->name, name, n)) {
			*off = false;
			return o;
		}
		if (!turned && negates(o, name, n))
			turned = o;
	}
	*off = true;
	return turned;
}

const struct opt *opt_lettered(const struct applet *a, char letter)
{
	const struct opt *o;
	struct opt_rows it = OPT_ROWS(a->opts);

	while ((o = opt_next(&it)))
		if (o->letter && o->letter == letter)
			return o;
	return NULL;
}

/* The number at the start of s: digits, and for a time or a size up to nine
 * of a fraction. Its value times unit, or -1 when it does not fit. */
static int64_t scaled(const char *s, size_t n, int64_t unit)
{
	int64_t whole = 0, part = 0, one = 1;
	size_t i = 0;

	for (; i < n && s[i] != '.'; i++)
		if (__builtin_mul_overflow(whole, 10, &whole) ||
		    __builtin_add_overflow(whole, s[i] - '0', &whole))
			return -1;
	for (i++; i < n && one < 1000000000; i++, one *= 10)
		part = part * 10 + (s[i] - '0');
	if (__builtin_mul_overflow(whole, unit, &whole) ||
	    __builtin_mul_overflow(part, unit, &part) ||
	    __builtin_add_overflow(whole, part / one, &whole))
		return -1;
	return whole;
}

static size_t number_len(const char *s)
{
	size_t n = strspn(s, "0123456789"), m;

	if (!n || s[n] != '.')
		return n;
	m = strspn(s + n + 1, "0123456789");
	return m ? n + 1 + m : 0;
}

struct unit {
	const char *name;
	int64_t     is;
};

static int measure(const char *s, const struct unit *units, int64_t *out,
		   const char *what, const char **why)
{
	size_t n = number_len(s);

	*why = what;
	if (!n)
		return -1;
	for (; units->name; units++)
		if (!strcmp(s + n, units->name))
			break;
	if (!units->name)
		return -1;
	*why = "is too large";
	*out = scaled(s, n, units->is);
	return *out < 0 ? -1 : 0;
}

int opt_time(const char *s, int64_t *ms, const char **why)
{
	static const struct unit units[] = {
		{ "", 1000 }, { "ms", 1 }, { "s", 1000 }, { "m", 60000 },
		{ "h", 3600000 }, { "d", 86400000 }, { 0 }
	};

	return measure(s, units, ms,
		       "is not a time (use 500ms, 5s, 10m, 1h)", why);
}

int opt_size(const char *s, int64_t *bytes, const char **why)
{
	static const struct unit units[] = {
		{ "", 1 }, { "k", 1 << 10 }, { "K", 1 << 10 },
		{ "M", 1 << 20 }, { "G", 1 << 30 }, { 0 }
	};

	return measure(s, units, bytes,
		       "is not a size (use 4096, 64k, 1M, 2G)", why);
}

static int integer(const char *s, int64_t *out, const char **why)
{
	char *end;

	*why = "is not a whole number";
	if (!isdigit((unsigned char)s[*s == '-']))
		return -1;
	errno = 0;
	*out = strtol(s, &end, 10);
	if (*end)
		return -1;
	*why = "is too large";
	return errno ? -1 : 0;
}

/* The user's word, quoted back. */
static const char *quoted(const char *s)
{
	return *s ? safe(s, strlen(s)) : "\"\"";
}

static void check_choice(const struct opt *o, const char *val)
{
	const char *near[NEAR_MAX + 1] = { NULL }, *rest = o->arg, *word, *best;
	char names[CHOICES_MAX];
	size_t n, at = 0, k = 0;

	if (!opt_is_choice(o->arg))
		return;
	while ((n = opt_word(&rest, &word))) {
		if (same(val, word, n))
			return;
		if (k == NEAR_MAX || at + n >= sizeof names)
			continue;
		near[k++] = memcpy(names + at, word, n);
		names[at + n] = '\0';
		at += n + 1;
	}
	best = nearest(val, near);
	die(EXIT_USAGE, "--%s: %s is not one of %s%s%s", o->name, quoted(val),
	    o->arg, best ? "; the nearest is " : "", best ? best : "");
}

static void append(struct strs *list, const char *val)
{
	size_t n = (size_t)list->n + 1;

	list->v = xrealloc(list->v, n * sizeof *list->v);
	list->v[list->n++] = val;
}

static int64_t number(const struct opt *o, const char *val)
{
	struct buf range = BUF(256);
	const char *why = NULL;
	int64_t v = 0;
	int bad;

	if (o->kind == OPT_TIME)
		bad = opt_time(val, &v, &why);
	else if (o->kind == OPT_SIZE)
		bad = opt_size(val, &v, &why);
	else
		bad = integer(val, &v, &why);
	if (bad)
		die(EXIT_USAGE, "--%s: %s %s", o->name, quoted(val), why);
	if (o->min != o->max && (v < o->min || v > o->max)) {
		opt_range(o, &range);
		die(EXIT_USAGE, "--%s: %s is out of range (%s)", o->name,
		    quoted(val), range.p);
	}
	return v;
}

/* One option as the user wrote it. */
struct use {
	const struct opt *o;
	const char       *val;
	bool              off;	/* --no-X */
};

static void store(const struct use *u)
{
	const struct opt *o = u->o;

	if (o->given)
		*o->given = true;
	if (o->kind == OPT_FLAG) {
		*(bool *)o->var = !u->off;
	} else if (o->kind == OPT_INT) {
		*(long *)o->var = (long)number(o, u->val);
	} else if (o->kind == OPT_TIME || o->kind == OPT_SIZE) {
		*(int64_t *)o->var = number(o, u->val);
	} else {
		check_choice(o, u->val);
		if (o->kind == OPT_LIST)
			append(o->var, u->val);
		else
			*(const char **)o->var = u->val;
	}
}

/* Nothing is stored before the last word is read, so that a --help anywhere
 * still finds the defaults in the variables. */
struct walk {
	const struct applet *a;
	struct use          *uses;
	size_t               n;
};

static void used(struct walk *w, const struct opt *o, const char *val, bool off)
{
	w->uses = xrealloc(w->uses, (w->n + 1) * sizeof *w->uses);
	w->uses[w->n++] = (struct use){ o, val, off };
	/* A wrong word after it is told in that way already. */
	if (o->var == &die_plugin)
		die_plugin = true;
}

static void help_and_exit(const struct applet *a)
{
	opt_help(a);
	exit(finish(EXIT_OK));
}

static void unknown_long(const struct applet *a, const char *name, size_t n)
{
	const char *names[NEAR_MAX + 1] = { "help" }, *best;
	struct opt_rows it = OPT_ROWS(a->opts);
	const struct opt *o;
	char *word = xstrndup(name, n);
	size_t k = 1;

	while (k < NEAR_MAX && (o = opt_next(&it)))
		if (o->name)
			names[k++] = o->name;
	best = nearest(word, names);
	if (best)
		die(EXIT_USAGE, "unknown option --%s; the nearest is --%s",
		    safe(name, n), best);
	die(EXIT_USAGE, "unknown option --%s; see %s --help", safe(name, n),
	    prog);
}

/* Both return how many of the following words they took. */
static int long_option(struct walk *w, const char *name, const char *next)
{
	size_t n = strcspn(name, "=");
	const struct opt *o;
	bool off;

	o = opt_named(w->a, name, n, &off);
	if (!o && same("help", name, n))
		help_and_exit(w->a);
	if (!o)
		unknown_long(w->a, name, n);
	if (o->kind == OPT_FLAG) {
		if (name[n])
			die(EXIT_USAGE, "--%s takes no value", o->name);
		used(w, o, NULL, off);
		return 0;
	}
	if (name[n]) {
		used(w, o, name + n + 1, false);
		return 0;
	}
	if (!next)
		die(EXIT_USAGE, "--%s needs a value: %s", o->name, o->arg);
	used(w, o, next, false);
	return 1;
}

static int short_options(struct walk *w, const char *p, const char *next)
{
	const struct opt *o;

	for (; *p; p++) {
		o = opt_lettered(w->a, *p);
		if (!o && *p == 'h')
			help_and_exit(w->a);
		if (!o)
			die(EXIT_USAGE, "unknown option -%s; see %s --help",
			    safe(p, 1), prog);
		if (o->kind == OPT_FLAG) {
			used(w, o, NULL, false);
			continue;
		}
		if (p[1])
			next = p + 1;
		if (!next)
			die(EXIT_USAGE, "-%c needs a value: %s", *p, o->arg);
		used(w, o, next, false);
		return !p[1];
	}
	return 0;
}

static int count(const char *p, size_t n, char c)
{
	int found = 0;

	while (n--)
		found += *p++ == c;
	return found;
}

/* What the synopsis words promise: "FILE" must be there, "[FILE]" may, "..."
 * repeats. Synopses with alternatives are for the applet to check. */
static void check_operands(const struct applet *a, int n, char **argv)
{
	const char *p = a->args ? a->args : "", *missing = NULL;
	int needed = 0, most = 0, depth = 0;
	size_t len, missing_len = 0;

	if (strstr(p, " | "))
		return;
	for (p += strspn(p, " "); *p; p += len + strspn(p + len, " ")) {
		len = strcspn(p, " ");
		if (same("--", p, len))
			continue;
		depth += count(p, len, '[');
		if (memmem(p, len, "...", 3))
			most = INT_MAX;
		else if (most < INT_MAX)
			most++;
		if (!depth && n == needed++) {
			missing = p;
			missing_len = len;
		}
		depth -= count(p, len, ']');
	}
	if (missing)
		die(EXIT_USAGE, "missing operand %.*s; see %s --help",
		    (int)missing_len, missing, prog);
	if (n > most)
		die(EXIT_USAGE, "unexpected operand %s; see %s --help",
		    quoted(argv[most]), prog);
}

int opt_parse(const struct applet *a, int argc, char **argv)
{
	struct walk w = { .a = a };
	size_t u;
	int i, n = 0;

	opt_before_dashes = -1;
	for (i = 0; i < argc; i++) {
		const char *word = argv[i];

		if (opt_before_dashes >= 0 || word[0] != '-' || !word[1])
			argv[n++] = argv[i];
		else if (word[1] != '-')
			i += short_options(&w, word + 1, argv[i + 1]);
		else if (word[2])
			i += long_option(&w, word + 2, argv[i + 1]);
		else
			opt_before_dashes = n;
	}
	argv[n] = NULL;
	for (u = 0; u < w.n; u++)
		store(&w.uses[u]);
	free(w.uses);
	check_operands(a, n, argv);
	return n;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Edits from a to b: insert, delete, replace, swap of neighbours. */
static size_t distance(const char *a, const char *b)
{
	size_t row[3][WORD_CAP + 1], la = strlen(a), lb = strlen(b), i, j, d;

	if (la > WORD_CAP || lb > WORD_CAP)
		return SIZE_MAX;
	for (j = 0; j <= lb; j++)
		row[0][j] = j;
	for (i = 1; i <= la; i++) {
		size_t *now = row[i % 3], *last = row[(i + 2) % 3];

		now[0] = i;
		for (j = 1; j <= lb; j++) {
			d = last[j - 1] + (a[i - 1] != b[j - 1]);
			d = least(d, least(last[j], now[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1])
				d = least(d, row[(i + 1) % 3][j - 2] + 1);
			now[j] = d;
		}
	}
	return row[la % 3][lb];
}

const char *nearest(const char *word, const char *const *candidates)
{
	size_t len = strlen(word), best = 2 + len / 4, d;
	const char *found = NULL;

	for (; *candidates; candidates++) {
		d = distance(word, *candidates);
		if (len > 1 && !strncmp(word, *candidates, len))
			d = 1;
		if (d < best && d < len) {
			best = d;
			found = *candidates;
		}
	}
	return found;
}
