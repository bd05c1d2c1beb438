/* url.c - fuzz: percent-encoding and addresses, there and back
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(int holds)
{
	if (!holds)
		abort();
}

static void codes(const char *p, size_t n)
{
	struct buf b = BUF(1 << 20);
	char *out = malloc(n + 1), *place = malloc(n + 1);
	long len;

	must(out && place);
	memcpy(place, p, n);
	len = url_decode(p, n, out);
	must(url_decode(place, n, place) == len);
	if (len >= 0) {
		must(!memcmp(out, place, (size_t)len) && !memchr(out, 0, (size_t)len));
		must(url_encode(&b, out, (size_t)len) == 0);
		must(b.len == 0 || url_decode(b.p, b.len, b.p) == len);
		must(len == 0 || !memcmp(b.p, out, (size_t)len));
	}
	free(out);
	free(place);
	buf_free(&b);
}

/* What an address is printed as is the same address, printed the same. */
static void same_again(const struct addr *a)
{
	struct buf first = BUF(400), second = BUF(400);
	struct addr again;
	const char *why;

	must(addr_print(a, &first) == 0);
	must(addr_parse(&again, first.p, -1, &why) == 0);
	again.tls = a->tls;
	must(addr_equal(a, &again));
	must(addr_loopback(a) == addr_loopback(&again));
	must(addr_print(&again, &second) == 0);
	must(strcmp(first.p, second.p) == 0);
	buf_free(&first);
	buf_free(&second);
}

static void addresses(const char *s)
{
	struct addr a;
	const char *why = NULL;
	int port;

	for (port = -1; port < 2; port++) {
		if (addr_parse(&a, s, port, &why) == 0)
			same_again(&a);
		else
			must(a.kind == ADDR_NONE && why && *why);
	}
	if (addr_tcp(&a, s, 80, &why) == 0)
		same_again(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *s;

	if (n > 4096)
		return 0;
	s = malloc(n + 1);
	must(s != NULL);
	memcpy(s, data, n);
	s[n] = '\0';
	codes(s, n);
	addresses(s);
	free(s);
	return 0;
}
