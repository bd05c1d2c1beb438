/* sim_py.c - numbers and JSON as Python writes them
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

/* The shortest decimal digits that read back as v; v is finite and not 0.
 * Returns how many, *exp is the power of ten after the first digit. */
static int digits(double v, char *out, int *exp)
{
	char text[40], *e;
	int precision, n = 0;
	char *p;

	for (precision = 14; precision < 17; precision++) {
		snprintf(text, sizeof text, "%.*e", precision, v);
		if (strtod(text, NULL) == v)
			break;
	}
	e = strchr(text, 'e');
	*exp = (int)strtol(e + 1, NULL, 10);
	for (p = text; p < e; p++)
		if (*p >= '0' && *p <= '9')
			out[n++] = *p;
	while (n > 1 && out[n - 1] == '0')
		n--;
	out[n] = '\0';
	return n;
}

static void zeros(struct buf *b, int n)
{
	while (n-- > 0)
		buf_putc(b, '0');
}

static void plain(struct buf *b, const char *d, int n, int exp)
{
	if (exp < 0) {
		buf_puts(b, "0.");
		zeros(b, -exp - 1);
		buf_add(b, d, (size_t)n);
	} else if (n <= exp + 1) {
		buf_add(b, d, (size_t)n);
		zeros(b, exp + 1 - n);
		buf_puts(b, ".0");
	} else {
		buf_add(b, d, (size_t)exp + 1);
		buf_putc(b, '.');
		buf_add(b, d + exp + 1, (size_t)(n - exp - 1));
	}
}

static void scientific(struct buf *b, const char *d, int n, int exp)
{
	buf_putc(b, d[0]);
	if (n > 1) {
		buf_putc(b, '.');
		buf_add(b, d + 1, (size_t)n - 1);
	}
	buf_printf(b, "e%c%02d", exp < 0 ? '-' : '+', abs(exp));
}

void py_put_float(struct buf *b, double v)
{
	char d[40];
	int n, exp;

	if (isnan(v)) {
		buf_puts(b, "nan");
		return;
	}
	if (signbit(v))
		buf_putc(b, '-');
	v = fabs(v);
	if (isinf(v)) {
		buf_puts(b, "inf");
	} else if (v == 0) {
		buf_puts(b, "0.0");
	} else {
		n = digits(v, d, &exp);
		if (exp < -4 || exp >= 16)
			scientific(b, d, n, exp);
		else
			plain(b, d, n, exp);
	}
}

void py_put_json_float(struct buf *b, double v)
{
	if (isnan(v))
		buf_puts(b, "NaN");
	else if (isinf(v))
		buf_puts(b, v < 0 ? "-Infinity" : "Infinity");
	else
		py_put_float(b, v);
}

/* Whole parts of more than six digits get an exponent, as in Go; and its
 * exponent has a 0 in front even when it has two digits. */
void prom_put_float(struct buf *b, double v)
{
	char d[40];
	int n, exp;

	if (isinf(v) || isnan(v)) {
		buf_puts(b, isnan(v) ? "NaN" : v < 0 ? "-Inf" : "+Inf");
	} else if (v < 1e6) {
		if (v >= 0 && v == floor(v))
			buf_printf(b, "%ld.0", (long)v);
		else
			py_put_float(b, v);
	} else {
		n = digits(v, d, &exp);
		if (exp >= 16) {
			scientific(b, d, n, exp);
			return;
		}
		buf_putc(b, d[0]);
		if (n > 1) {
			buf_putc(b, '.');
			buf_add(b, d + 1, (size_t)n - 1);
		}
		buf_printf(b, "e+0%d", exp);
	}
}

/* --- json.dumps(indent=2) -------------------------------------------------- */

static size_t utf8_units(const unsigned char *p, size_t n, uint32_t *c)
{
	size_t len = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4, i;

	if (len > n)
		len = n;
	*c = len == 1 ? p[0] : p[0] & (0x7fu >> len);
	for (i = 1; i < len; i++)
		*c = *c << 6 | (p[i] & 0x3f);
	return len;
}

/* A string token as it stands, quotes included, in ASCII. Returns its end. */
static size_t ascii_string(struct buf *b, const char *p, size_t n)
{
	size_t i = 1;
	uint32_t c;

	buf_putc(b, '"');
	while (i < n && p[i] != '"') {
		if (p[i] == '\\' && i + 1 < n) {
			buf_add(b, p + i, 2);
			i += 2;
			continue;
		}
		i += utf8_units((const unsigned char *)p + i, n - i, &c);
		if (c < 0x80)
			buf_putc(b, (char)c);
		else if (c < 0x10000)
			buf_printf(b, "\\u%04x", (unsigned)c);
		else
			buf_printf(b, "\\u%04x\\u%04x",
				   (unsigned)(0xd800 + ((c - 0x10000) >> 10)),
				   (unsigned)(0xdc00 + ((c - 0x10000) & 0x3ff)));
	}
	buf_putc(b, '"');
	return i + 1;
}

static void new_line(struct buf *b, int depth)
{
	buf_putc(b, '\n');
	while (depth-- > 0)
		buf_puts(b, "  ");
}

void py_put_indented(struct buf *b, const char *p, size_t n)
{
	int depth = 0;
	size_t i = 0;

	while (i < n) {
		char c = p[i];

		if (c == '"') {
			i += ascii_string(b, p + i, n - i);
			continue;
		}
		i++;
		if (c == ' ' || c == '\n' || c == '\t' || c == '\r')
			continue;
		if (c == '}' || c == ']')
			new_line(b, --depth);
		buf_putc(b, c);
		if (c == ':')
			buf_putc(b, ' ');
		if (c == ',')
			new_line(b, depth);
		if (c != '{' && c != '[')
			continue;
		if (i < n && (p[i] == '}' || p[i] == ']'))
			buf_putc(b, p[i++]);
		else
			new_line(b, ++depth);
	}
}

/* --- values out of a parsed document ---------------------------------------- */

static uint32_t hex4(const char *p)
{
	uint32_t c = 0;
	int i;

	for (i = 0; i < 4; i++) {
		char d = p[i];

		c = c << 4 | (uint32_t)(d <= '9' ? d - '0' : (d | 32) - 'a' + 10);
	}
	return c;
}

void py_put_utf8(struct buf *b, uint32_t c)
{
	if (c < 0x80) {
		buf_putc(b, (char)c);
		return;
	}
	if (c < 0x800) {
		buf_putc(b, (char)(0xc0 | c >> 6));
	} else {
		if (c < 0x10000) {
			buf_putc(b, (char)(0xe0 | c >> 12));
		} else {
			buf_putc(b, (char)(0xf0 | c >> 18));
			buf_putc(b, (char)(0x80 | (c >> 12 & 0x3f)));
		}
		buf_putc(b, (char)(0x80 | (c >> 6 & 0x3f)));
	}
	buf_putc(b, (char)(0x80 | (c & 0x3f)));
}

/* One \uXXXX (or a pair) at p: bytes used; *lone when half of a pair. */
static size_t unescape(struct buf *b, const char *p, size_t n, bool *lone)
{
	static const char from[] = "\b\f\n\r\t\"\\", to[] = "bfnrt\"\\";
	uint32_t c = hex4(p + 2), low;
	const char *known = c && c < 0x80 ? strchr(from, (int)c) : NULL;

	if (c >= 0xd800 && c < 0xdc00 && n >= 12 && p[6] == '\\' && p[7] == 'u') {
		low = hex4(p + 8);
		if (low >= 0xdc00 && low < 0xe000) {
			py_put_utf8(b, 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00));
			return 12;
		}
	}
	if (c >= 0xd800 && c < 0xe000) {
		*lone = true;
		buf_printf(b, "\\u%04x", (unsigned)c);
	} else if (known) {
		buf_printf(b, "\\%c", to[known - from]);
	} else if (c < ' ') {
		buf_printf(b, "\\u%04x", (unsigned)c);
	} else {
		py_put_utf8(b, c);
	}
	return 6;
}

/* The same string with no more escapes than Python would write. */
static bool string(struct buf *b, const char *p, size_t n)
{
	bool lone = false;
	size_t i = 0;

	while (i < n) {
		if (p[i] != '\\') {
			buf_putc(b, p[i++]);
		} else if (p[i + 1] == 'u') {
			i += unescape(b, p + i, n - i, &lone);
		} else {
			if (p[i + 1] != '/')
				buf_putc(b, '\\');
			buf_putc(b, p[i + 1]);
			i += 2;
		}
	}
	return !lone;
}

static bool number(struct buf *b, const char *p, size_t n)
{
	double v;
	char text[40];

	if (memchr(p, 'I', n) || memchr(p, 'N', n)) {
		buf_add(b, p, n);
		return false;
	}
	if (n == 2 && !memcmp(p, "-0", 2)) {
		buf_putc(b, '0');
		return true;
	}
	if (n >= sizeof text || (!memchr(p, '.', n) && !memchr(p, 'e', n) && !memchr(p, 'E', n))) {
		buf_add(b, p, n);
		return true;
	}
	memcpy(text, p, n);
	text[n] = '\0';
	v = strtod(text, NULL);
	py_put_json_float(b, v);
	return isfinite(v);
}

bool py_put_value(struct buf *b, const struct json *j, jv v)
{
	enum json_type type = json_type(j, v);
	bool good = true, first = true;
	const char *p;
	size_t n;
	jv k;

	if (type == JSON_ARRAY || type == JSON_OBJECT) {
		buf_putc(b, type == JSON_ARRAY ? '[' : '{');
		for (k = json_first(j, v); k >= 0; k = json_next(j, v, k)) {
			if (!first)
				buf_putc(b, ',');
			first = false;
			if (type == JSON_OBJECT) {
				good &= py_put_value(b, j, json_key(j, k));
				buf_putc(b, ':');
			}
			good &= py_put_value(b, j, k);
		}
		buf_putc(b, type == JSON_ARRAY ? ']' : '}');
		return good;
	}
	json_raw(j, v, &p, &n);
	return type == JSON_STRING ? string(b, p, n) :
	       type == JSON_NUMBER ? number(b, p, n) : (buf_add(b, p, n), true);
}
