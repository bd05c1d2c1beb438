/* expo_rule.c - how LMCache's families are rolled up over nodes
 * SPDX-License-Identifier: Apache-2.0
 *
 * Usage and counts add up, which is what a gauge does that no row names. A
 * rate of several nodes is neither the sum nor the mean of theirs: it is
 * worked out again from the counters behind it, over the nodes' lifetimes.
 */
#include <string.h>

#include "expo_line.h"
#include "expo_rule.h"

/* Names without lmcache: and the like; '*' in front: any name that ends so.
 * The first row that fits counts. */
static const struct expo_rule rules[] = {
	{ "retrieve_hit_rate", EXPO_BY_RATIO, "num_hit_tokens", "num_requested_tokens" },
	{ "lookup_hit_rate", EXPO_BY_RATIO, "num_lookup_hits", "num_lookup_tokens" },
	{ .name = "remote_ping_latency",    .how = EXPO_BY_MAX },
	{ .name = "remote_ping_error_code", .how = EXPO_BY_MAX },
	{ .name = "chunk_statistics_enabled", .how = EXPO_BY_MAX },
	{ .name = "lmc_node_up",            .how = EXPO_BY_SUM },
	{ .name = "lmc_node_scrape_duration_seconds", .how = EXPO_BY_MAX },
	{ .name = "*is_healthy",            .how = EXPO_BY_MIN },
	{ .name = "*_created",              .how = EXPO_BY_MIN },
	{ .name = "*_start_time_seconds",   .how = EXPO_BY_MIN },
	{ .name = "*_info",                 .how = EXPO_BY_MAX },
	{ .name = "*_lag_seconds",          .how = EXPO_BY_MAX },
	{ .name = "*_latency",              .how = EXPO_BY_MAX },
	{ .name = "*_latency_seconds",      .how = EXPO_BY_MAX },
	{ .name = "*_rate",                 .how = EXPO_BY_AVG },
	{ .name = "*_ratio",                .how = EXPO_BY_AVG },
	{ .name = "*_percent",              .how = EXPO_BY_AVG },
};

static const struct expo_rule sum = { .name = "*", .how = EXPO_BY_SUM };
static const struct expo_rule max = { .name = "*", .how = EXPO_BY_MAX };

static struct expo_span unprefixed(struct expo_span s)
{
	static const struct expo_span prefix[] = {
		SPAN_INIT("lmcache:"), SPAN_INIT("lmcache_mp_"),
		SPAN_INIT("lmcache_"),
	};
	size_t i;

	for (i = 0; i < sizeof prefix / sizeof *prefix; i++)
		if (s.n > prefix[i].n &&
				!memcmp(s.p, prefix[i].p, prefix[i].n))
			return (struct expo_span){ s.p + prefix[i].n,
				s.n - prefix[i].n };
	return s;
}

static bool fits(const char *name, struct expo_span s)
{
	size_t n = strlen(name);

	if (*name == '*')
		return s.n >= n - 1 && !memcmp(s.p + s.n - (n - 1), name + 1,
				n - 1);
	return s.n == n && !memcmp(s.p, name, n);
}

const struct expo_rule *expo_rule(struct expo_span name, enum expo_type t)
{
	struct expo_span s = unprefixed(name);
	size_t i;

	if (t == EXPO_COUNTER || t == EXPO_HISTOGRAM || t == EXPO_SUMMARY)
		return &sum;
	if (t == EXPO_INFO)
		return &max;
	for (i = 0; i < sizeof rules / sizeof *rules; i++)
		if (fits(rules[i].name, s))
			return &rules[i];
	return &sum;
}

bool expo_is_counter(struct expo_span family, const char *name)
{
	struct expo_span s = unprefixed(family);

	if (expo_ends(s, SPAN("_total")))
		s.n -= 6;
	return fits(name, s);
}

const struct expo_rule *expo_ratio(unsigned i)
{
	return i < sizeof rules / sizeof *rules &&
		rules[i].how == EXPO_BY_RATIO ? &rules[i] : NULL;
}
