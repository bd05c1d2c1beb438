/* expo_token.c - names, numbers and UTF-8: the words of an exposition
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "expo_line.h"

static const char *const type_names[EXPO_TYPES] = {
	[EXPO_UNTYPED]   = "untyped",   [EXPO_COUNTER]  = "counter",
	[EXPO_GAUGE]     = "gauge",     [EXPO_HISTOGRAM] = "histogram",
	[EXPO_SUMMARY]   = "summary",   [EXPO_INFO]     = "info",
	[EXPO_STATESET]  = "stateset",
	[EXPO_GAUGEHISTOGRAM] = "gaugehistogram",
};

const char *expo_type_name(enum expo_type t)
{
	return type_names[t];
}

bool expo_plain_name(struct expo_span s, bool colons)
{
	size_t i;

	if (!s.n || is_digit(*s.p))
		return false;
	for (i = 0; i < s.n; i++)
		if (!is_name(s.p[i], colons))
			return false;
	return true;
}

static bool utf8_more(const unsigned char *p, const unsigned char *end, int n)
{
	if (end - p <= n)
		return false;
	while (n--)
		if ((*++p & 0xc0) != 0x80)
			return false;
	return true;
}

/* RFC 3629: no surrogates, nothing overlong, nothing above 10ffff. */
static int utf8_one(const unsigned char *p, const unsigned char *end)
{
	if (*p < 0x80)
		return 1;
	if (*p >= 0xc2 && *p <= 0xdf)
		return utf8_more(p, end, 1) ? 2 : 0;
	if (*p >= 0xe0 && *p <= 0xef) {
		if (!utf8_more(p, end, 2) || (*p == 0xe0 && p[1] < 0xa0) ||
				(*p == 0xed && p[1] > 0x9f))
			return 0;
		return 3;
	}
	if (*p >= 0xf0 && *p <= 0xf4) {
		if (!utf8_more(p, end, 3) || (*p == 0xf0 && p[1] < 0x90) ||
				(*p == 0xf4 && p[1] > 0x8f))
			return 0;
		return 4;
	}
	return 0;
}

bool expo_utf8(const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s, *end = p + n;
	uint64_t w;
	int step;

	while (p < end) {
		if (end - p >= 8) {
			memcpy(&w, p, 8);
			if (!(w & 0x8080808080808080u)) {
				p += 8;
				continue;
			}
		}
		step = utf8_one(p, end);
		if (!step)
			return false;
		p += step;
	}
	return true;
}

static const char *word_end(const char *p, const char *end, const char *word)
{
	for (; *word; p++, word++)
		if (p >= end || (*p | 32) != *word)
			return NULL;
	return p;
}

const char *expo_digits_end(const char *p, const char *end)
{
	while (p < end && is_digit(*p))
		p++;
	return p;
}

/* Go's reader, which both Prometheus parsers use, refuses what overflows. */
static bool overflows(const char *p, const char *end)
{
	char text[EXPO_NUMBER + 1];
	size_t n = (size_t)(end - p);

	memcpy(text, p, n);
	text[n] = 0;
	return isinf(strtod(text, NULL));
}

const char *expo_decimal_end(const char *p, const char *end)
{
	const char *from = p, *q, *d;
	size_t digits;
	bool big = false;

	q = expo_digits_end(p, end);
	digits = (size_t)(q - p);
	if (q < end && *q == '.') {
		d = ++q;
		q = expo_digits_end(q, end);
		digits += (size_t)(q - d);
	}
	if (!digits)
		return NULL;
	if (q < end && (*q | 32) == 'e') {
		q++;
		if (q < end && (*q == '+' || *q == '-'))
			q++;
		d = q;
		q = expo_digits_end(q, end);
		if (q == d)
			return NULL;
		big = q - d > 2;
	}
	if (q - from > EXPO_NUMBER - 1)
		return NULL;
	return (big || q - from > 200) && overflows(from, q) ? NULL : q;
}

const char *expo_number_end(const char *p, const char *end)
{
	const char *q;

	if ((q = word_end(p, end, "nan")))
		return q;
	if (p < end && (*p == '+' || *p == '-'))
		p++;
	if ((q = word_end(p, end, "infinity")) || (q = word_end(p, end, "inf")))
		return q;
	return expo_decimal_end(p, end);
}

int expo_number(struct expo_span s, double *out)
{
	char text[EXPO_NUMBER + 1];

	if (!s.n || s.n > EXPO_NUMBER ||
			expo_number_end(s.p, s.p + s.n) != s.p + s.n)
		return -1;
	memcpy(text, s.p, s.n);
	text[s.n] = 0;
	*out = strtod(text, NULL);
	return 0;
}
