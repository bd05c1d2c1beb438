/* base64.c - base64 (RFC 4648, 4), with its padding
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "base64.h"

static const char digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t base64(char *out, const void *p, size_t n)
{
	const unsigned char *from = p;
	char *to = out;
	unsigned bits;

	for (size_t i = 0; i < n; i += 3) {
		bits = from[i] * 65536u + (i + 1 < n ? from[i + 1] * 256u : 0) +
		       (i + 2 < n ? from[i + 2] : 0);
		for (int shift = 18; shift >= 0; shift -= 6)
			*to++ = digits[bits >> shift & 63];
	}
	for (size_t i = n; i % 3; i++)
		to[(long)(i % 3) - 3] = '=';
	return (size_t)(to - out);
}

long base64_decode(char *out, const char *p, size_t n)
{
	const char *digit;
	unsigned bits = 0;
	char *to = out;
	size_t pad;

	if (n % 4)
		return -1;
	pad = n && p[n - 1] == '=' ? 1 + (p[n - 2] == '=') : 0;
	for (size_t i = 0; i < n - pad; i++) {
		digit = p[i] ? strchr(digits, p[i]) : NULL;
		if (!digit)
			return -1;
		bits = bits << 6 | (unsigned)(digit - digits);
		if (i % 4)
			*to++ = (char)(bits >> (6 - i % 4 * 2));
	}
	return pad && bits & (pad == 1 ? 3 : 15) ? -1 : to - out;
}
