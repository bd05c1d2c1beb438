/* stack.c - any bytes as a thread dump: no crash, and nothing read past it
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "stack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *text = malloc(n + 1);
	struct threads t;
	const char *why;
	int i;

	memcpy(text, data, n);
	text[n] = '\0';
	if (threads_parse(&t, text, n, &why) == 0) {
		for (i = 0; i < t.n; i++)
			if (!thread_at(&t.v[i]) || !t.v[i].name || !t.v[i].state ||
			    !thread_same_stack(&t.v[i], &t.v[i]))
				abort();
		threads_free(&t);
	}
	free(text);
	return 0;
}
