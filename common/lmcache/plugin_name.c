/* plugin_name.c - what a plugin's file name says (protocol.md 1.3)
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "plugin.h"
#include "pytext.h"

/* pathlib: a dot that is neither first nor last begins the suffix. */
static void split_suffix(struct plugin_name *out, const char *base, size_t n)
{
	const char *dot = memrchr(base, '.', n);
	size_t at = dot ? (size_t)(dot - base) : 0;

	if (at == 0 || at == n - 1)
		at = n;
	out->stem = (struct span){ base, at };
	out->suffix = (struct span){ base + at, n - at };
}

static struct span word(struct span *rest)
{
	const char *cut = memchr(rest->p, '_', rest->n);
	struct span w = { rest->p, cut ? (size_t)(cut - rest->p) : rest->n };

	rest->p += w.n;
	rest->n -= w.n;
	if (rest->n) {
		rest->p++;
		rest->n--;
	}
	return w;
}

/* str.isdigit() and int(). */
static void read_id(struct plugin_name *out)
{
	struct span d = out->digits;
	size_t i, n = 0;
	uint32_t c;
	int digit;

	out->for_id = d.n > 0;
	for (i = 0; i < d.n; ) {
		i += py_char(d.p + i, d.n - i, &c);
		digit = py_digit(c);
		if (digit < 0) {
			out->for_id = out->odd_id = false;
			return;
		}
		if (digit == PY_ODD_DIGIT)
			out->odd_id = true;
		else if ((n || digit) && n < PLUGIN_WORD)
			out->id[n++] = (char)('0' + digit);
	}
	if (n == 0)
		out->id[n++] = '0';
	out->id[n] = 0;
}

void plugin_name(struct plugin_name *out, const char *base, size_t n)
{
	struct buf role = BUF(PLUGIN_WORD);
	struct span rest, first;

	memset(out, 0, sizeof *out);
	split_suffix(out, base, n);
	rest = out->stem;
	if (!rest.n || !memchr(rest.p, '_', rest.n)) {
		out->anywhere = true;
		return;
	}
	first = word(&rest);
	if (py_upper_text(first, &role) == 0 && role.len)
		memcpy(out->role, role.p, role.len);
	buf_free(&role);
	if (memchr(rest.p, '_', rest.n)) {
		out->digits = word(&rest);
		read_id(out);
	}
}
