/* base64.h - base64 (RFC 4648, 4), with its padding
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef BASE64_H
#define BASE64_H

#include <stddef.h>

#define BASE64_LEN(n) (((n) + 2) / 3 * 4)	/* characters that n bytes make */

/* Into out, BASE64_LEN(n) characters and no NUL; how many. */
size_t base64(char *out, const void *p, size_t n);
/* Into out, at most n / 4 * 3 bytes; it may be p itself. How many, or -1: not
 * base64 (other characters, bits that say nothing, padding missing or amiss). */
long base64_decode(char *out, const char *p, size_t n);

#endif
