/* health.c - asks nodes that are silent or down whether they are there
 * SPDX-License-Identifier: Apache-2.0
 *
 * Requests mark a node's state as they pass. A node that nobody asked for a
 * while, or that is not healthy, is asked for /version, which every dialect
 * answers; any HTTP answer will do.
 */
#include <string.h>

#include "fetch.h"
#include "log.h"
#include "proxy.h"

enum {
	TICK_MS    = 500,
	PROBE_MS   = 2000,	/* a probe's deadline */
	ANSWER_MAX = 64 << 10,
	AT_ONCE    = 64		/* probes under way */
};

static struct timer timer;
static int64_t interval;	/* of healthy nodes; 0: no probing */
static int under_way;

static void probed(struct fetch *f)
{
	(void)f;	/* the origin has been told */
	under_way--;
}

static bool due(const struct origin *o)
{
	struct origin_view v;

	origin_look(o, &v);
	if (v.probing || v.open > v.idle)
		return false;	/* a request under way will tell */
	if (v.state == ORIGIN_HEALTHY || v.state == ORIGIN_UNKNOWN)
		return v.age_ms < 0 || v.age_ms >= interval;
	return true;
}

static void tick(struct timer *t)
{
	const struct leaf *l;

	for (int i = 0; (l = table_any(i)) && under_way < AT_ONCE; i++) {
		if (l->origin && due(l->origin) &&
		    fetch_start(l->origin, "/version", "", PROBE_MS, ANSWER_MAX,
				probed, NULL))
			under_way++;
	}
	timer_set(t, loop_now() + TICK_MS, tick);
}

void health_start(int64_t interval_ms)
{
	interval = interval_ms;
	if (interval)
		timer_set(&timer, loop_now() + TICK_MS, tick);
}
