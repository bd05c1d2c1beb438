/* label.c - labels that tell nodes' samples apart
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "label.h"

static const char alnum[] = "abcdefghijklmnopqrstuvwxyz0123456789"
	"ABCDEFGHIJKLMNOPQRSTUVWXYZ";

bool label_name(const char *s)
{
	size_t n = 0;

	while (s[n] == '_' || (s[n] && strchr(alnum, s[n])))
		n++;
	return n && !s[n] && !(s[0] >= '0' && s[0] <= '9');
}

/* One word of a name: "worker", "worker12"; but "workers" is something else. */
static const char *role_word(const char *p, size_t n)
{
	static const char worker[] = "worker", scheduler[] = "scheduler";

	if (n == sizeof scheduler - 1 && !memcmp(p, scheduler, n))
		return scheduler;
	if (n < sizeof worker - 1 || memcmp(p, worker, sizeof worker - 1))
		return "";
	for (size_t i = sizeof worker - 1; i < n; i++)
		if (p[i] < '0' || p[i] > '9')
			return "";
	return worker;
}

const char *label_role(const char *node)
{
	const char *role = "", *word;

	for (const char *p = node; *p; p += strcspn(p, alnum)) {
		size_t n = strspn(p, alnum);

		word = role_word(p, n);
		if (*word)
			role = word;	/* the last one counts */
		p += n;
		if (!*p)
			break;
	}
	return role;
}
