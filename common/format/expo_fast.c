/* expo_fast.c - a plain sample's line, read in a hurry
 * SPDX-License-Identifier: Apache-2.0
 *
 * Most lines are like the line before: the same name, the same labels but
 * one. So each label of the line before is kept with its hash, and a label
 * that is byte for byte the same is neither read nor hashed again. A line
 * that is in any way unusual (blanks, quotes, exemplars, errors) is left to
 * the slow way. Measured: see docs/metrics-engine.md.
 *
 * NULL anywhere below: not a line for the fast way. All of it relies on a
 * newline before s->end, which stops every loop.
 */
#include "expo_hash.h"
#include "expo_scan.h"

static const unsigned char name_char[256] = {	/* 1: may begin, 2: may follow */
	[':'] = 3, ['_'] = 3,
	['0'] = 2, ['1'] = 2, ['2'] = 2, ['3'] = 2, ['4'] = 2, ['5'] = 2,
	['6'] = 2, ['7'] = 2, ['8'] = 2, ['9'] = 2,
	['A'] = 3, ['B'] = 3, ['C'] = 3, ['D'] = 3, ['E'] = 3, ['F'] = 3,
	['G'] = 3, ['H'] = 3, ['I'] = 3, ['J'] = 3, ['K'] = 3, ['L'] = 3,
	['M'] = 3, ['N'] = 3, ['O'] = 3, ['P'] = 3, ['Q'] = 3, ['R'] = 3,
	['S'] = 3, ['T'] = 3, ['U'] = 3, ['V'] = 3, ['W'] = 3, ['X'] = 3,
	['Y'] = 3, ['Z'] = 3,
	['a'] = 3, ['b'] = 3, ['c'] = 3, ['d'] = 3, ['e'] = 3, ['f'] = 3,
	['g'] = 3, ['h'] = 3, ['i'] = 3, ['j'] = 3, ['k'] = 3, ['l'] = 3,
	['m'] = 3, ['n'] = 3, ['o'] = 3, ['p'] = 3, ['q'] = 3, ['r'] = 3,
	['s'] = 3, ['t'] = 3, ['u'] = 3, ['v'] = 3, ['w'] = 3, ['x'] = 3,
	['y'] = 3, ['z'] = 3,
};

static inline bool in_name(char c)
{
	return name_char[(unsigned char)c] & 2;
}

bool expo_begins_name(char c)
{
	return name_char[(unsigned char)c] & 1;
}


static unsigned what_extra(const struct scan *s, struct expo_span name,
		size_t value_n)
{
	const struct extra *x = s->in->extra;
	unsigned i;

	for (i = 0; i < s->in->extras; i++)
		if (span_is(x[i].name, name))
			return x[i].keep && value_n ? 1u << i : WHAT_CLASH;
	return 0;
}

static unsigned what_label(const struct scan *s, struct expo_span name,
		struct expo_span value)
{
	unsigned what = s->in->extras ? what_extra(s, name, value.n) : 0;
	unsigned bad = span_is(name, SPAN("le")) ? WHAT_LE :
		span_is(name, SPAN("quantile")) ? WHAT_QUANTILE : 0;

	if (bad && expo_number_end(value.p, value.p + value.n) !=
			value.p + value.n)
		what |= bad;
	return what;
}

/* The closing quote of a value. */
static const char *value_end(const struct scan *s, const char *p, bool *ascii)
{
	unsigned high = 0, stops;

	for (;;) {
		if (s->end - p >= 16) {
			stops = value_stops(p, &high);
			if (!stops) {
				p += 16;
				continue;
			}
			p += __builtin_ctz(stops);
		} else {
			high = 1;
			while (*p != '"' && *p != '\\' && *p != '\n' && *p)
				p++;
		}
		if (*p != '\\')
			break;
		if (p[1] != '\\' && p[1] != '"' && p[1] != 'n')
			return NULL;
		p += 2;
	}
	*ascii = !high;
	return *p == '"' ? p : NULL;
}

static const char *read_label(struct scan *s, unsigned i, const char *p)
{
	struct slot *slot = &s->slot[i];
	struct expo_span name = { p, 0 }, value;
	const char *q = p, *end;
	bool ascii;

	while (in_name(*q))
		q++;
	if (q == p || q[0] != '=' || q[1] != '"' || *p == ':' ||
			!(name_char[(unsigned char)*p] & 1))
		return NULL;
	name.n = (size_t)(q - p);
	end = value_end(s, q + 2, &ascii);
	if (!end)
		return NULL;
	value = (struct expo_span){ q + 2, (size_t)(end - q - 2) };
	if (!ascii && !expo_utf8(value.p, value.n))
		return NULL;
	if (i >= s->slots || slot->name_n != name.n ||
			memcmp(slot->p, name.p, name.n)) {
		if (memchr(name.p, ':', name.n) ||
				span_is(name, SPAN("__name__")))
			return NULL;
		if (s->distinct > i)
			s->distinct = i;
	}
	*slot = (struct slot){ .p = p, .n = (uint32_t)(end + 1 - p),
		.name_n = (uint32_t)name.n,
		.hash = hash_label(name.p, name.n, value.p, value.n,
				s->m->o.seed),
		.what = what_label(s, name, value) };
	if (i >= s->slots)
		s->slots = i + 1;
	return end + 1;
}

static bool distinct(struct scan *s, unsigned n)
{
	unsigned i, j;

	for (i = s->distinct; i < n; i++)
		for (j = 0; j < i; j++)
			if (s->slot[i].name_n == s->slot[j].name_n &&
					!memcmp(s->slot[i].p, s->slot[j].p,
						s->slot[i].name_n))
				return false;
	s->distinct = n;
	return true;
}

/* From '{' to behind '}'. */
static inline const char *read_labels(struct scan *s, const char *p,
		uint64_t *sum, unsigned *what)
{
	const struct slot *slot = s->slot;
	unsigned i = 0;

	do {
		p++;
		if (i < s->slots && (size_t)(s->end - p) > slot->n &&
				same_bytes(p, slot->p, slot->n)) {
			p += slot->n;
		} else {
			if (i == EXPO_LABELS - EXPO_EXTRAS)
				return NULL;
			p = read_label(s, i, p);
			if (!p)
				return NULL;
		}
		*sum += slot->hash;
		*what |= slot->what;
		slot++;
		i++;
	} while (*p == ',');
	if (i > s->distinct && !distinct(s, i))
		return NULL;
	return *p == '}' ? p + 1 : NULL;
}

static inline bool digit(char c)
{
	return (unsigned char)(c - '0') < 10;
}

/* Most numbers; the others are the slow way's. */
static inline const char *read_number(const char *p)
{
	const char *from, *q = p;
	size_t digits;

	if (*q == '-' || *q == '+')
		q++;
	for (from = q; digit(*q);)
		q++;
	digits = (size_t)(q - from);
	if (*q == '.') {
		for (from = ++q; digit(*q);)
			q++;
		digits += (size_t)(q - from);
	}
	if (!digits)
		return *q == 'N' || *q == 'I' ? expo_number_end(p, p + 4) : NULL;
	if ((*q | 32) == 'e') {
		q++;
		if (*q == '-' || *q == '+')
			q++;
		if (!digit(*q++))
			return NULL;
		q += digit(*q);
	}
	return q - p < 64 ? q : NULL;
}

static const char *read_time(const char *p)
{
	const char *q = p + (*p == '-');
	const char *from = q;

	while (digit(*q))
		q++;
	return q == from || q - from > 18 ? NULL : q;
}

static uint64_t extra_hash(struct scan *s, unsigned mask)
{
	unsigned i;

	if (mask == s->mask)
		return s->mask_hash;
	s->mask = mask;
	s->mask_hash = 0;
	for (i = 0; i < s->in->extras; i++)
		if (!(mask >> i & 1))
			s->mask_hash += s->in->extra[i].hash;
	return s->mask_hash;
}

/* The name at p, made the current one; its length, or 0. */
static size_t read_name(struct scan *s, const char *p)
{
	const char *q = p;

	while (in_name(*q))
		q++;
	if ((*q != '{' && *q != ' ') || q - p > UINT16_MAX)
		return 0;
	return expo_scan_name(s, (struct expo_span){ p, (size_t)(q - p) }) < 0 ? 0 :
		(size_t)(q - p);
}

static inline bool same_name(const struct scan *s, const char *p)
{
	return s->name_n && (size_t)(s->end - p) > s->name_n &&
		same_bytes(p, s->name, s->name_n) && !in_name(p[s->name_n]);
}

/* A line in the plainest form. NULL: not one, and nothing was kept of it;
 * otherwise behind its newline. */
const char *expo_fast_sample(struct scan *s, const char *line)
{
	const char *p = line;
	uint64_t sum = 0;
	unsigned what = 0, flags = 0;

	if (!same_name(s, p) && !read_name(s, p))
		return NULL;
	p += s->name_n;
	if (*p == '{') {
		p = read_labels(s, p, &sum, &what);
		if (!p)
			return NULL;
		flags = RUN_BRACES;
	}
	if (what >> 8 || *p != ' ')
		return NULL;
	p = read_number(p + 1);
	if (!p)
		return NULL;
	if (*p == ' ' && s->in->format == EXPO_TEXT) {
		flags |= RUN_TIME;
		p = read_time(p + 1);
	}
	if (!p || *p != '\n' || p - line >= EXPO_LINE)
		return NULL;
	s->in->samples++;
	if (!s->keep)
		return p + 1;
	if (s->colon)
		flags |= RUN_COLON;
	sum += s->name_hash + extra_hash(s, what);
	return expo_push(s, line, p + 1, hash_finish(sum), flags, what) < 0 ?
		NULL : p + 1;
}
