/* auth.c - a secret that peers show to a server of ours
 * SPDX-License-Identifier: Apache-2.0
 */
#include <bearssl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "auth.h"
#include "base64.h"
#include "file.h"

static void digest(unsigned char out[32], const char *p, size_t n)
{
	br_sha256_context c;

	br_sha256_init(&c);
	br_sha256_update(&c, p, n);
	br_sha256_out(&c, out);
}

static void take(struct auth *a, const char *secret)
{
	char word[AUTH_LONGEST + 8], text[2 * AUTH_LONGEST];
	int n = snprintf(text, sizeof text, "Bearer %s", secret);

	digest(a->bearer, text, (size_t)n);
	n = snprintf(word, sizeof word, "lmc:%s", secret);
	memcpy(text, "Basic ", 6);
	digest(a->basic, text, 6 + base64(text + 6, word, (size_t)n));
	a->on = true;
}

static int wrong(char *why, size_t n, const char *what)
{
	snprintf(why, n, "%s", what);
	return -1;
}

int auth_load(struct auth *a, const char *path, char *why, size_t why_n)
{
	struct stat st;
	size_t n, i = 0;
	char *text;

	if (stat(path, &st) < 0 || !(text = read_file(path, AUTH_LONGEST + 2, &n)))
		return wrong(why, why_n, strerror(errno));
	while (n && (text[n - 1] == '\n' || text[n - 1] == '\r'))
		text[--n] = '\0';
	while (i < n && text[i] > ' ' && text[i] < 0x7f)
		i++;
	if (S_ISREG(st.st_mode) && st.st_mode & 077)
		wrong(why, why_n, "others than its owner may open it; chmod 600 it");
	else if (i < n || n > AUTH_LONGEST)
		wrong(why, why_n, "it must hold one word of printable characters");
	else if (n < AUTH_SHORTEST)
		wrong(why, why_n, "a token has at least 16 characters");
	else
		why = NULL;
	if (!why)
		take(a, text);
	memset(text, 0, n);
	free(text);
	return why ? -1 : 0;
}

static int differs(const unsigned char *a, const unsigned char *b)
{
	int d = 0;

	for (int i = 0; i < 32; i++)
		d |= a[i] ^ b[i];
	return d;
}

bool auth_shown(const struct auth *a, const struct http_head *h)
{
	const struct http_field *f = http_find(h, F_AUTHORIZATION);
	unsigned char sum[32];

	if (!f)
		return false;
	digest(sum, f->value.p, f->value.n);
	return (int)!differs(sum, a->bearer) | (int)!differs(sum, a->basic);
}
