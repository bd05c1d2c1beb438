/* heartbeat.c - fuzz: heartbeats and registrations
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(int holds)
{
	if (!holds)
		abort();
}

/* What the table and its lists rely on. */
static void check(int rc, const struct report *r, bool id)
{
	if (rc < 0) {
		must(r->why[0]);
		return;
	}
	must(!r->why[0] && r->b.f.port && r->b.text[TEXT_HOST].n && r->at.kind == ADDR_TCP);
	must(id || r->b.text[TEXT_KEY].n);
	must(r->b.text[TEXT_KEY].n <= ROSTER_KEY && r->b.text[TEXT_INFO].n <= ROSTER_INFO &&
	     r->b.text[TEXT_VERSION].n <= ROSTER_VERSION && r->b.text[TEXT_URL].n <= ROSTER_URL);
	for (int t = 0; t < TEXTS; t++) {
		struct span s = r->b.text[t];

		must(s.p && !memchr(s.p, '\0', s.n));
		for (size_t i = 0, k; i < s.n; i += k)
			must((k = json_utf8(s.p + i, s.n - i)) > 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct report r;
	struct allow a = { 0 };
	const char *text = (const char *)data, *why;
	char *copy;

	check(report_heartbeat(&r, text, n), &r, false);
	check(report_instance(&r, text, n), &r, true);
	copy = strndup(text, n);
	if (allow_add(&a, copy, &why) == 0 && r.at.kind == ADDR_TCP)
		allow_refuses(&a, &r.at, r.b.f.source, false);
	free(copy);
	return 0;
}
