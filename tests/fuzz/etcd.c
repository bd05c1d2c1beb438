/* etcd.c - fuzz: what etcd says, cut anywhere, and base64
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "etcd.h"
#include "etcd_table.h"
#include "jsonl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(int holds)
{
	if (!holds)
		abort();
}

/* What decodes is the one spelling of its bytes. */
static void round_trip(const char *p, size_t n)
{
	char *out = malloc(n + 1), *back = malloc(n + 4);
	long len = base64_decode(out, p, n);

	must(len <= (long)n);
	if (len >= 0) {
		must(BASE64_LEN((size_t)len) == n);
		must(base64(back, out, (size_t)len) == n);
		must(!memcmp(back, p, n));
	}
	free(out);
	free(back);
}

static int text(void *ctx, const char *p, size_t n)
{
	struct etcd_table *t = ctx;
	struct json_error e;
	struct json j;
	unsigned what = etcd_table_watched(t, p, n);

	must(t->n <= SUPPLY_MAX);
	for (int i = 1; i < t->n; i++)
		must(strcmp(t->pair[i - 1].key, t->pair[i].key) < 0);
	if (json_parse(&j, p, n, SUPPLY_TEXT, 0, &e) < 0)
		return 0;
	if (what & ETCD_ENDED)
		etcd_table_read(t, &j);
	etcd_table_same(t, &j);
	etcd_said(&j, 0);
	json_free(&j);
	return 0;
}

static void stream(const char *p, size_t n, size_t step)
{
	struct buf part = BUF(SUPPLY_TEXT);
	struct etcd_table t = { 0 };
	struct supply s = { 0 };
	size_t take;

	for (size_t i = 0; i < n; i += take) {
		take = n - i < step ? n - i : step;
		jsonl_feed(&part, p + i, take, text, &t);
	}
	supply_begin(&s);
	etcd_table_list(&t, 3, &s);
	supply_end(&s);
	for (int i = 0; i < s.n; i++)
		must(s.entry[i].addr.kind == ADDR_TCP && !s.entry[i].addr.tls);
	supply_close(&s);	/* no kind: only the lists are freed */
	etcd_table_free(&t);
	buf_free(&part);
}

static void url(const char *p, size_t n)
{
	struct etcd e = { 0 };
	char *spec = strndup(p, n);

	must(etcd_open(&e, spec) == 0 ? e.n > 0 && e.prefix[strlen(e.prefix) - 1] == '/' :
	     e.why[0] != '\0');
	etcd_close(&e);
	free(spec);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *p = (const char *)data;

	if (n > 65536)
		return 0;
	round_trip(p, n);
	stream(p, n, n ? n : 1);
	stream(p, n, 7);
	url(p, n);
	return 0;
}
