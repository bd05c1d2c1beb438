/* target.c - fuzz: what a path costs; the first byte picks the method
 * SPDX-License-Identifier: Apache-2.0
 *
 * METHOD byte, path (as sent, still encoded), '?', query. A path that costs
 * less than an admin's must be one that can be read in one way only.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../applets/proxy/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(int holds)
{
	if (!holds)
		abort();
}

/* Nothing that another reader could decode, cut, fold or climb with. */
static void one_way(const char *p, size_t n)
{
	must(n > 0 && p[0] == '/');
	for (size_t i = 0; i < n; i++) {
		must(p[i] > ' ' && (unsigned char)p[i] < 0x7f &&
		     !strchr("%\\;?#", p[i]));
		must(p[i] != '/' || i + 1 == n ||
		     (p[i + 1] != '/' && p[i + 1] != '.'));
	}
}

static bool ends_with(const char *p, size_t n, const char *text)
{
	size_t k = strlen(text);

	return n >= k && !memcmp(p + n - k, text, k);
}

static enum role behind(enum http_method m, const char *p, size_t n,
			struct span query)
{
	static const char door[] = "/proxy2/w0";
	size_t k = sizeof door - 1;
	char *longer = malloc(k + n);
	enum role role;

	must(longer != NULL);
	memcpy(longer, door, k);
	memcpy(longer + k, p, n);
	role = node_role(m, longer, k + n, query);
	free(longer);
	return role;
}

static void judge(enum http_method m, const char *p, size_t n, struct span query)
{
	enum role role = node_role(m, p, n, query);

	must(role == VIEWER || role == OPERATOR || role == ADMIN);
	if (role < ADMIN)
		one_way(p, n);
	if (role == VIEWER)
		must(m == M_GET || m == M_HEAD || m == M_OPTIONS);
	if (n > 1 && (ends_with(p, n, "/env") || ends_with(p, n, "/run_script")))
		must(role == ADMIN || ends_with(p, n, "s/env") ||
		     ends_with(p, n, "a/env") || ends_with(p, n, "s/run_script") ||
		     ends_with(p, n, "a/run_script"));	/* names of threads, … */
	/* a frontend in between makes nothing cheaper */
	if (n > 0 && p[0] == '/')
		must(behind(m, p, n, query) >= role);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span query = { NULL, 0 };
	const char *mark;
	char *path, *text;
	size_t path_n;
	long got;

	if (n < 2 || n > HTTP_HEAD_MAX)
		return 0;
	text = malloc(n);
	path = malloc(n);
	must(text && path);
	memcpy(text, data, n);
	n--;
	mark = memchr(text + 1, '?', n);
	path_n = mark ? (size_t)(mark - text) - 1 : n;
	if (mark)
		query = (struct span){ mark + 1, n - path_n - 1 };
	got = url_decode(text + 1, path_n, path);
	if (got >= 0)
		judge((enum http_method)(data[0] % M_OTHER), path, (size_t)got, query);
	free(path);
	free(text);
	return 0;
}
