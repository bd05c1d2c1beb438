/* expo_value.c - what applets ask of samples: numbers, labels, quantiles
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expo_line.h"

size_t expo_format_number(char out[32], double v)
{
	int digits, n = 0;

	if (isnan(v))
		return (size_t)snprintf(out, 32, "NaN");
	if (isinf(v))
		return (size_t)snprintf(out, 32, v < 0 ? "-Inf" : "+Inf");
	for (digits = 1; digits <= 17; digits++) {
		n = snprintf(out, 32, "%.*g", digits, v);
		if (strtod(out, NULL) == v)
			break;
	}
	/* 100000 is easier to read than 1e+05 */
	if (fabs(v) < 1e15 && v == floor(v))
		n = snprintf(out, 32, "%.0f", v);
	return (size_t)n;
}

struct expo_span expo_label(const struct expo_sample *s, const char *name)
{
	size_t n = strlen(name);
	unsigned i;

	for (i = 0; i < s->labels; i++)
		if (s->label[i].name.n == n &&
				!memcmp(s->label[i].name.p, name, n))
			return s->label[i].value;
	return (struct expo_span){ NULL, 0 };
}

/* --- find --------------------------------------------------------------- */

struct find {
	const struct expo_selector *sel;
	double *out;
};

static int found(void *ctx, const struct expo_family *f,
		const struct expo_sample *s)
{
	struct find *x = ctx;

	(void)f;
	return expo_selects(x->sel, s) && expo_number(s->value, x->out) == 0;
}

int expo_find(struct expo *m, const struct expo_selector *sel, double *out)
{
	struct find x = { sel, out };

	return expo_each(m, NULL, found, &x);
}

/* --- quantiles ---------------------------------------------------------- */

static int by_bound(const void *a, const void *b)
{
	const struct expo_bucket *x = a, *y = b;

	return x->le < y->le ? -1 : x->le > y->le;
}

/* Equal bounds become one bucket, and no count is below the one before. */
static size_t tidy(struct expo_bucket *b, size_t n)
{
	size_t i, to = 0;

	qsort(b, n, sizeof *b, by_bound);
	for (i = 1; i < n; i++) {
		if (b[i].le == b[to].le)
			b[to].count += b[i].count;
		else
			b[++to] = b[i];
	}
	for (i = 1; i <= to; i++)
		if (!(b[i].count >= b[i - 1].count))
			b[i].count = b[i - 1].count;
	return to + 1;
}

/* The steps of Prometheus's function of that name, so that both answer the
 * same: linear inside a bucket, the last finite bound above all. */
double expo_quantile(double q, struct expo_bucket *b, size_t n)
{
	double rank, from = 0, below = 0;
	size_t i = 0;

	if (isnan(q) || !n)
		return NAN;
	if (q < 0 || q > 1)
		return q < 0 ? -INFINITY : INFINITY;
	n = tidy(b, n);
	if (n < 2 || b[n - 1].le != INFINITY || !(b[n - 1].count > 0))
		return NAN;
	rank = q * b[n - 1].count;
	while (i < n - 1 && b[i].count < rank)
		i++;
	if (i == n - 1)
		return b[n - 2].le;
	if (i == 0 && b[0].le <= 0)
		return b[0].le;
	if (i > 0) {
		from = b[i - 1].le;
		below = b[i - 1].count;
	}
	return from + (b[i].le - from) * ((rank - below) / (b[i].count - below));
}
