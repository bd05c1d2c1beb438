/* k8s.c - fuzz: what the Kubernetes API says, as a list and as a watch
 * SPDX-License-Identifier: Apache-2.0
 *
 * The first byte is what is asked for; the rest comes whole as a list, and as
 * a watch whole and byte by byte, of which the same has to come.
 */
#include <stdint.h>

#include "../../common/lmcache/supply_k8s.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char *const ports[] = { NULL, "http", "80", "x" };

static void must(int holds)
{
	if (!holds)
		abort();
}

static void begin(struct supply *s, uint8_t how)
{
	struct k8s *k = xcalloc(1, sizeof *k);

	*s = (struct supply){ .state = k };
	k->part.max = EVENT;
	k->want.pods = how & 4;
	k->want.port = ports[how & 3];
}

static void end(struct supply *s)
{
	free_k8s(s->state);
	supply_close(s);	/* no kind: only the lists are freed */
}

static void check(struct supply *s)
{
	struct k8s *k = s->state;
	size_t bytes = 0;

	for (int i = 0; i < k->n; i++) {
		bytes += k->object[i].rows.len;
		must(k->object[i].rows.len);
	}
	must(bytes == k->bytes && bytes <= ROWS);
	must(memchr(k->version, '\0', sizeof k->version) != NULL);
	publish(s, k);
	for (int i = 0; i < s->n; i++) {
		must(s->entry[i].addr.kind == ADDR_TCP && !s->entry[i].addr.tls);
		must(!s->entry[i].name || !node_name_wrong(s->entry[i].name));
	}
}

static void list(uint8_t how, const char *p, size_t n)
{
	struct buf text = BUF(SUPPLY_TEXT);
	struct supply s;

	begin(&s, how);
	buf_add(&text, p, n);
	take_list(s.state, &text);
	check(&s);
	buf_free(&text);
	end(&s);
}

static void watch(struct supply *s, uint8_t how, const char *p, size_t n, size_t step)
{
	struct client_req r = { .status = 200, .ctx = s };
	size_t take;
	char *piece;
	int rc = 0;

	begin(s, how);
	for (size_t i = 0; i < n && rc == 0; i += take) {
		take = n - i < step ? n - i : step;
		/* memory of its own, so that a read beyond it is seen */
		piece = xmalloc(take);
		memcpy(piece, p + i, take);
		rc = on_event(&r, piece, take);
		free(piece);
	}
	check(s);
}

static void same(const struct supply *a, const struct supply *b)
{
	const struct k8s *k = a->state, *l = b->state;

	must(k->n == l->n && k->gone == l->gone && k->full == l->full);
	must(!strcmp(k->version, l->version) && !strcmp(k->why, l->why));
	must(a->n == b->n && a->bad == b->bad && !strcmp(a->why, b->why));
	for (int i = 0; i < a->n; i++)
		must(addr_equal(&a->entry[i].addr, &b->entry[i].addr));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *p = (const char *)data + 1;
	struct supply whole, bytes;

	if (n < 2)
		return 0;
	list(data[0], p, n - 1);
	watch(&whole, data[0], p, n - 1, n);
	watch(&bytes, data[0], p, n - 1, 1);
	same(&whole, &bytes);
	end(&whole);
	end(&bytes);
	return 0;
}
