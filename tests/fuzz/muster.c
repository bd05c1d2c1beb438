/* muster.c - fuzz: what registries and frontends say, and the tree made of it
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "muster_make.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(int holds)
{
	if (!holds)
		abort();
}

static void read_list(const char *p, size_t n)
{
	struct supply s = { 0 };
	const char *why = "";

	supply_begin(&s);
	if (supply_read(&s, p, n, false, &why) < 0)
		must(*why);
	else
		supply_end(&s);
	for (int i = 0; i < s.n; i++) {
		must(s.entry[i].addr.kind == ADDR_TCP && !s.entry[i].addr.tls);
		must(!s.entry[i].name || !node_name_wrong(s.entry[i].name));
	}
	/* no kind: only the lists are freed */
	supply_close(&s);
}

/* Whatever a frontend says, what is printed is a list that can be read. */
static void take(const char *p, size_t n)
{
	struct muster f = { .conf.self = "me" };
	struct member m = { .of = &f, .at = (char *)(uintptr_t)"10.0.0.1:8000",
			    .source = "fuzz:", .asked = true,
			    .addr = { .kind = ADDR_TCP, .port = 8000, .host = "10.0.0.1" } };
	struct member *all[] = { &m };
	struct buf b = BUF(MUSTER_JSON);
	struct node_error e = { 0 };
	struct nodes ns;
	const char *why;

	f.member = all;
	f.n = 1;
	if (muster_take(&m, p, n, &why) < 0)
		must(*why);
	if (muster_print(&f, &b) == 0) {
		must(nodes_parse(&ns, b.p, b.len, &e) == 0);
		nodes_free(&ns);
	}
	buf_free(&b);
	branches_free(&m);
	free(m.id);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	read_list((const char *)data, n);
	take((const char *)data, n);
	return 0;
}
