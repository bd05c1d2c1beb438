/* expo_lint_name.c - promtool's rules about a family's name and labels
 * SPDX-License-Identifier: Apache-2.0
 *
 * Findings have promtool's wording, so that its users know them.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "expo_line.h"
#include "expo_lint.h"

static const struct {
	const char *unit, *base;
} units[] = {
	{ "amperes", "amperes" }, { "bytes", "bytes" }, { "celsius", "celsius" },
	{ "grams", "grams" }, { "joules", "joules" }, { "kelvin", "kelvin" },
	{ "meters", "meters" }, { "metres", "metres" },
	{ "seconds", "seconds" }, { "volts", "volts" },
	{ "minutes", "seconds" }, { "hours", "seconds" }, { "days", "seconds" },
	{ "weeks", "seconds" }, { "kelvins", "kelvin" },
	{ "fahrenheit", "celsius" }, { "rankine", "celsius" },
	{ "inches", "meters" }, { "yards", "meters" }, { "miles", "meters" },
	{ "bits", "bytes" }, { "calories", "joules" }, { "pounds", "grams" },
	{ "ounces", "grams" },
};

static const char *const prefixes[] = { "", "pico", "nano", "micro", "milli",
	"centi", "deci", "deca", "hecto", "kilo", "kibi", "mega", "mibi",
	"giga", "gibi", "tera", "tebi", "peta", "pebi" };

static const char *const short_units[] = { "s", "ms", "us", "ns", "sec", "b",
	"kb", "mb", "gb", "tb", "pb", "m", "h", "d" };

static const char *const types[] = { "counter", "gauge", "summary", "histogram" };

static bool ends(const struct expo_lint_family *f, const char *end)
{
	size_t n = strlen(end);

	return f->name.n >= n && !memcmp(f->name.p + f->name.n - n, end, n);
}

/* The next part between underscores that begins at or after *at. */
static bool next_part(struct expo_span s, size_t *at, struct expo_span *part)
{
	const char *end;

	if (*at > s.n)
		return false;
	end = memchr(s.p + *at, '_', s.n - *at);
	*part = (struct expo_span){ s.p + *at,
		end ? (size_t)(end - s.p) - *at : s.n - *at };
	*at += part->n + 1;
	return true;
}

static const char *base_of(struct expo_span part)
{
	size_t i, j, n;

	for (i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
		n = strlen(prefixes[i]);
		if (part.n < n || memcmp(part.p, prefixes[i], n))
			continue;
		for (j = 0; j < sizeof units / sizeof *units; j++)
			if (strlen(units[j].unit) == part.n - n &&
					!memcmp(part.p + n, units[j].unit,
						part.n - n))
				return units[j].base;
	}
	return NULL;
}

static const char *unit(const struct expo_lint_family *f, char *room, size_t n)
{
	struct expo_span part;
	const char *base;
	size_t at = 0;

	while (next_part(f->name, &at, &part)) {
		base = base_of(part);
		if (!base || (strlen(base) == part.n &&
				!memcmp(base, part.p, part.n)))
			continue;
		snprintf(room, n, "use base unit \"%s\" instead of \"%.*s\"",
				base, (int)part.n, part.p);
		return room;
	}
	return NULL;
}

/* A whole part of the name, but not its first. */
static bool has_part(const struct expo_lint_family *f, const char *word)
{
	struct expo_span part;
	size_t at = 0, n = strlen(word);
	bool first = true;

	for (; next_part(f->name, &at, &part); first = false)
		if (!first && part.n == n && !strncasecmp(part.p, word, n))
			return true;
	return false;
}

static const char *type_in_name(const struct expo_lint_family *f,
		const char *type, char *room, size_t n)
{
	if (!has_part(f, type))
		return NULL;
	snprintf(room, n, "metric name should not include type '%s'", type);
	return room;
}

static bool abbreviated(const struct expo_lint_family *f)
{
	size_t i;

	for (i = 0; i < sizeof short_units / sizeof *short_units; i++)
		if (has_part(f, short_units[i]))
			return true;
	return false;
}

static bool camel(struct expo_span s)
{
	size_t i;

	for (i = 1; i < s.n; i++)
		if (s.p[i - 1] >= 'a' && s.p[i - 1] <= 'z' &&
				s.p[i] >= 'A' && s.p[i] <= 'Z')
			return true;
	return false;
}

static const char *if_so(bool so, const char *text)
{
	return so ? text : NULL;
}

const char *expo_lint_rule(unsigned i, const struct expo_lint_family *f,
		char *room, size_t n)
{
	enum expo_type t = f->type;
	bool hist = t == EXPO_HISTOGRAM || t == EXPO_GAUGEHISTOGRAM;
	bool summary = t == EXPO_SUMMARY, plain = !hist && !summary;
	bool typed = t != EXPO_UNTYPED;

	switch (i) {
	case 0:
		return if_so(!f->help, "no help text");
	case 1:
		return unit(f, room, n);
	case 2:
		return if_so(t == EXPO_COUNTER && !f->om && !ends(f, "_total"),
			"counter metrics should have \"_total\" suffix");
	case 3:
		return if_so(typed && (t != EXPO_COUNTER || f->om) &&
			ends(f, "_total"),
			"non-counter metrics should not have \"_total\" suffix");
	case 4:
		return if_so(typed && !hist && ends(f, "_bucket"),
			"non-histogram metrics should not have \"_bucket\" suffix");
	case 5:
		return if_so(typed && plain && ends(f, "_count"),
			"non-histogram and non-summary metrics should not have "
			"\"_count\" suffix");
	case 6:
		return if_so(typed && plain && ends(f, "_sum"),
			"non-histogram and non-summary metrics should not have "
			"\"_sum\" suffix");
	case 7:
		return if_so(typed && !hist && f->le,
			"non-histogram metrics should not have \"le\" label");
	case 8:
		return if_so(typed && !summary && f->quantile,
			"non-summary metrics should not have \"quantile\" label");
	case 9: case 10: case 11: case 12:
		return type_in_name(f, types[i - 9], room, n);
	case 13:
		return if_so(memchr(f->name.p, ':', f->name.n),
			"metric names should not contain ':'");
	case 14:
		return if_so(camel(f->name), "metric names should be written "
			"in 'snake_case' not 'camelCase'");
	case 15:
		return if_so(f->camel, "label names should be written in "
			"'snake_case' not 'camelCase'");
	default:
		return if_so(abbreviated(f),
			"metric names should not contain abbreviated units");
	}
}
