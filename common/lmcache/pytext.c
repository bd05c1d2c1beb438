/* pytext.c - see pytext.h
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "pytext.h"

/* The first of ten decimal digits in a row (general category Nd). */
static const uint32_t zeros[] = {
	0x30, 0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6,
	0xc66, 0xce6, 0xd66, 0xde6, 0xe50, 0xed0, 0xf20, 0x1040, 0x1090,
	0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0,
	0x1c40, 0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50,
	0xabf0, 0xff10, 0x104a0, 0x10d30, 0x11066, 0x110f0, 0x11136, 0x111d0,
	0x112f0, 0x11450, 0x114d0, 0x11650, 0x116c0, 0x11730, 0x118e0,
	0x11950, 0x11c50, 0x11d50, 0x11da0, 0x16a60, 0x16ac0, 0x16b50,
	0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6, 0x1e140, 0x1e2f0,
	0x1e950, 0x1fbf0,
};

/* isdigit() without isdecimal(). */
static const struct { uint32_t lo, hi; } odd_digits[] = {
	{ 0xb2, 0xb3 }, { 0xb9, 0xb9 }, { 0x1369, 0x1371 },
	{ 0x19da, 0x19da }, { 0x2070, 0x2070 }, { 0x2074, 0x2079 },
	{ 0x2080, 0x2089 }, { 0x2460, 0x2468 }, { 0x2474, 0x247c },
	{ 0x2488, 0x2490 }, { 0x24ea, 0x24ea }, { 0x24f5, 0x24fd },
	{ 0x24ff, 0x24ff }, { 0x2776, 0x277e }, { 0x2780, 0x2788 },
	{ 0x278a, 0x2792 }, { 0x10a40, 0x10a43 }, { 0x10e60, 0x10e68 },
	{ 0x11052, 0x1105a }, { 0x1f100, 0x1f10a },
};

/* lower() then upper() where it changes a character into one other: n
 * characters from lo on, step apart, move by delta. Beyond ASCII. */
static const struct move {
	uint32_t lo;
	uint8_t  n, step;
	int32_t  delta;
} moves[] = {
	{ 0xb5, 1, 1, 743 }, { 0xe0, 23, 1, -32 }, { 0xf8, 7, 1, -32 }, { 0xff, 1, 1, 121 },
	{ 0x101, 24, 2, -1 }, { 0x131, 1, 1, -232 }, { 0x133, 3, 2, -1 }, { 0x13a, 8, 2, -1 },
	{ 0x14b, 23, 2, -1 }, { 0x17a, 3, 2, -1 }, { 0x17f, 1, 1, -300 }, { 0x180, 1, 1, 195 },
	{ 0x183, 2, 2, -1 }, { 0x188, 1, 1, -1 }, { 0x18c, 1, 1, -1 }, { 0x192, 1, 1, -1 },
	{ 0x195, 1, 1, 97 }, { 0x199, 1, 1, -1 }, { 0x19a, 1, 1, 163 }, { 0x19e, 1, 1, 130 },
	{ 0x1a1, 3, 2, -1 }, { 0x1a8, 1, 1, -1 }, { 0x1ad, 1, 1, -1 }, { 0x1b0, 1, 1, -1 },
	{ 0x1b4, 2, 2, -1 }, { 0x1b9, 1, 1, -1 }, { 0x1bd, 1, 1, -1 }, { 0x1bf, 1, 1, 56 },
	{ 0x1c5, 1, 1, -1 }, { 0x1c6, 1, 1, -2 }, { 0x1c8, 1, 1, -1 }, { 0x1c9, 1, 1, -2 },
	{ 0x1cb, 1, 1, -1 }, { 0x1cc, 1, 1, -2 }, { 0x1ce, 8, 2, -1 }, { 0x1dd, 1, 1, -79 },
	{ 0x1df, 9, 2, -1 }, { 0x1f2, 1, 1, -1 }, { 0x1f3, 1, 1, -2 }, { 0x1f5, 1, 1, -1 },
	{ 0x1f9, 20, 2, -1 }, { 0x223, 9, 2, -1 }, { 0x23c, 1, 1, -1 }, { 0x23f, 2, 1, 10815 },
	{ 0x242, 1, 1, -1 }, { 0x247, 5, 2, -1 }, { 0x250, 1, 1, 10783 }, { 0x251, 1, 1, 10780 },
	{ 0x252, 1, 1, 10782 }, { 0x253, 1, 1, -210 }, { 0x254, 1, 1, -206 },
	{ 0x256, 2, 1, -205 }, { 0x259, 1, 1, -202 }, { 0x25b, 1, 1, -203 },
	{ 0x25c, 1, 1, 42319 }, { 0x260, 1, 1, -205 }, { 0x261, 1, 1, 42315 },
	{ 0x263, 1, 1, -207 }, { 0x265, 1, 1, 42280 }, { 0x266, 1, 1, 42308 },
	{ 0x268, 1, 1, -209 }, { 0x269, 1, 1, -211 }, { 0x26a, 1, 1, 42308 },
	{ 0x26b, 1, 1, 10743 }, { 0x26c, 1, 1, 42305 }, { 0x26f, 1, 1, -211 },
	{ 0x271, 1, 1, 10749 }, { 0x272, 1, 1, -213 }, { 0x275, 1, 1, -214 },
	{ 0x27d, 1, 1, 10727 }, { 0x280, 1, 1, -218 }, { 0x282, 1, 1, 42307 },
	{ 0x283, 1, 1, -218 }, { 0x287, 1, 1, 42282 }, { 0x288, 1, 1, -218 },
	{ 0x289, 1, 1, -69 }, { 0x28a, 2, 1, -217 }, { 0x28c, 1, 1, -71 }, { 0x292, 1, 1, -219 },
	{ 0x29d, 1, 1, 42261 }, { 0x29e, 1, 1, 42258 }, { 0x345, 1, 1, 84 }, { 0x371, 2, 2, -1 },
	{ 0x377, 1, 1, -1 }, { 0x37b, 3, 1, 130 }, { 0x3ac, 1, 1, -38 }, { 0x3ad, 3, 1, -37 },
	{ 0x3b1, 17, 1, -32 }, { 0x3c2, 1, 1, -31 }, { 0x3c3, 9, 1, -32 }, { 0x3cc, 1, 1, -64 },
	{ 0x3cd, 2, 1, -63 }, { 0x3d0, 1, 1, -62 }, { 0x3d1, 1, 1, -57 }, { 0x3d5, 1, 1, -47 },
	{ 0x3d6, 1, 1, -54 }, { 0x3d7, 1, 1, -8 }, { 0x3d9, 12, 2, -1 }, { 0x3f0, 1, 1, -86 },
	{ 0x3f1, 1, 1, -80 }, { 0x3f2, 1, 1, 7 }, { 0x3f3, 1, 1, -116 }, { 0x3f4, 1, 1, -92 },
	{ 0x3f5, 1, 1, -96 }, { 0x3f8, 1, 1, -1 }, { 0x3fb, 1, 1, -1 }, { 0x430, 32, 1, -32 },
	{ 0x450, 16, 1, -80 }, { 0x461, 17, 2, -1 }, { 0x48b, 27, 2, -1 }, { 0x4c2, 7, 2, -1 },
	{ 0x4cf, 1, 1, -15 }, { 0x4d1, 48, 2, -1 }, { 0x561, 38, 1, -48 },
	{ 0x10d0, 43, 1, 3008 }, { 0x10fd, 3, 1, 3008 }, { 0x13f8, 6, 1, -8 },
	{ 0x1c80, 1, 1, -6254 }, { 0x1c81, 1, 1, -6253 }, { 0x1c82, 1, 1, -6244 },
	{ 0x1c83, 2, 1, -6242 }, { 0x1c85, 1, 1, -6243 }, { 0x1c86, 1, 1, -6236 },
	{ 0x1c87, 1, 1, -6181 }, { 0x1c88, 1, 1, 35266 }, { 0x1d79, 1, 1, 35332 },
	{ 0x1d7d, 1, 1, 3814 }, { 0x1d8e, 1, 1, 35384 }, { 0x1e01, 75, 2, -1 },
	{ 0x1e9b, 1, 1, -59 }, { 0x1ea1, 48, 2, -1 }, { 0x1f00, 8, 1, 8 }, { 0x1f10, 6, 1, 8 },
	{ 0x1f20, 8, 1, 8 }, { 0x1f30, 8, 1, 8 }, { 0x1f40, 6, 1, 8 }, { 0x1f51, 4, 2, 8 },
	{ 0x1f60, 8, 1, 8 }, { 0x1f70, 2, 1, 74 }, { 0x1f72, 4, 1, 86 }, { 0x1f76, 2, 1, 100 },
	{ 0x1f78, 2, 1, 128 }, { 0x1f7a, 2, 1, 112 }, { 0x1f7c, 2, 1, 126 }, { 0x1fb0, 2, 1, 8 },
	{ 0x1fbe, 1, 1, -7205 }, { 0x1fd0, 2, 1, 8 }, { 0x1fe0, 2, 1, 8 }, { 0x1fe5, 1, 1, 7 },
	{ 0x2126, 1, 1, -7549 }, { 0x212a, 1, 1, -8415 }, { 0x212b, 1, 1, -8294 },
	{ 0x214e, 1, 1, -28 }, { 0x2170, 16, 1, -16 }, { 0x2184, 1, 1, -1 },
	{ 0x24d0, 26, 1, -26 }, { 0x2c30, 48, 1, -48 }, { 0x2c61, 1, 1, -1 },
	{ 0x2c65, 1, 1, -10795 }, { 0x2c66, 1, 1, -10792 }, { 0x2c68, 3, 2, -1 },
	{ 0x2c73, 1, 1, -1 }, { 0x2c76, 1, 1, -1 }, { 0x2c81, 50, 2, -1 }, { 0x2cec, 2, 2, -1 },
	{ 0x2cf3, 1, 1, -1 }, { 0x2d00, 38, 1, -7264 }, { 0x2d27, 1, 1, -7264 },
	{ 0x2d2d, 1, 1, -7264 }, { 0xa641, 23, 2, -1 }, { 0xa681, 14, 2, -1 },
	{ 0xa723, 7, 2, -1 }, { 0xa733, 31, 2, -1 }, { 0xa77a, 2, 2, -1 }, { 0xa77f, 5, 2, -1 },
	{ 0xa78c, 1, 1, -1 }, { 0xa791, 2, 2, -1 }, { 0xa794, 1, 1, 48 }, { 0xa797, 10, 2, -1 },
	{ 0xa7b5, 8, 2, -1 }, { 0xa7c8, 2, 2, -1 }, { 0xa7d1, 1, 1, -1 }, { 0xa7d7, 2, 2, -1 },
	{ 0xa7f6, 1, 1, -1 }, { 0xab53, 1, 1, -928 }, { 0xab70, 80, 1, -38864 },
	{ 0xff41, 26, 1, -32 }, { 0x10428, 40, 1, -40 }, { 0x104d8, 36, 1, -40 },
	{ 0x10597, 11, 1, -39 }, { 0x105a3, 15, 1, -39 }, { 0x105b3, 7, 1, -39 },
	{ 0x105bb, 2, 1, -39 }, { 0x10cc0, 51, 1, -64 }, { 0x118c0, 32, 1, -32 },
	{ 0x16e60, 32, 1, -32 }, { 0x1e922, 34, 1, -34 },
};

/* ... and into more than one. U+1F80..1FAF are computed. */
static const struct { uint32_t from, to[3]; } splits[] = {
	{ 0xdf, { 0x53, 0x53 } }, { 0x130, { 0x49, 0x307 } }, { 0x149, { 0x2bc, 0x4e } },
	{ 0x1f0, { 0x4a, 0x30c } }, { 0x390, { 0x399, 0x308, 0x301 } },
	{ 0x3b0, { 0x3a5, 0x308, 0x301 } }, { 0x587, { 0x535, 0x552 } },
	{ 0x1e96, { 0x48, 0x331 } }, { 0x1e97, { 0x54, 0x308 } }, { 0x1e98, { 0x57, 0x30a } },
	{ 0x1e99, { 0x59, 0x30a } }, { 0x1e9a, { 0x41, 0x2be } }, { 0x1e9e, { 0x53, 0x53 } },
	{ 0x1f50, { 0x3a5, 0x313 } }, { 0x1f52, { 0x3a5, 0x313, 0x300 } },
	{ 0x1f54, { 0x3a5, 0x313, 0x301 } }, { 0x1f56, { 0x3a5, 0x313, 0x342 } },
	{ 0x1fb2, { 0x1fba, 0x399 } }, { 0x1fb3, { 0x391, 0x399 } },
	{ 0x1fb4, { 0x386, 0x399 } }, { 0x1fb6, { 0x391, 0x342 } },
	{ 0x1fb7, { 0x391, 0x342, 0x399 } }, { 0x1fbc, { 0x391, 0x399 } },
	{ 0x1fc2, { 0x1fca, 0x399 } }, { 0x1fc3, { 0x397, 0x399 } },
	{ 0x1fc4, { 0x389, 0x399 } }, { 0x1fc6, { 0x397, 0x342 } },
	{ 0x1fc7, { 0x397, 0x342, 0x399 } }, { 0x1fcc, { 0x397, 0x399 } },
	{ 0x1fd2, { 0x399, 0x308, 0x300 } }, { 0x1fd3, { 0x399, 0x308, 0x301 } },
	{ 0x1fd6, { 0x399, 0x342 } }, { 0x1fd7, { 0x399, 0x308, 0x342 } },
	{ 0x1fe2, { 0x3a5, 0x308, 0x300 } }, { 0x1fe3, { 0x3a5, 0x308, 0x301 } },
	{ 0x1fe4, { 0x3a1, 0x313 } }, { 0x1fe6, { 0x3a5, 0x342 } },
	{ 0x1fe7, { 0x3a5, 0x308, 0x342 } }, { 0x1ff2, { 0x1ffa, 0x399 } },
	{ 0x1ff3, { 0x3a9, 0x399 } }, { 0x1ff4, { 0x38f, 0x399 } }, { 0x1ff6, { 0x3a9, 0x342 } },
	{ 0x1ff7, { 0x3a9, 0x342, 0x399 } }, { 0x1ffc, { 0x3a9, 0x399 } },
	{ 0xfb00, { 0x46, 0x46 } }, { 0xfb01, { 0x46, 0x49 } }, { 0xfb02, { 0x46, 0x4c } },
	{ 0xfb03, { 0x46, 0x46, 0x49 } }, { 0xfb04, { 0x46, 0x46, 0x4c } },
	{ 0xfb05, { 0x53, 0x54 } }, { 0xfb06, { 0x53, 0x54 } }, { 0xfb13, { 0x544, 0x546 } },
	{ 0xfb14, { 0x544, 0x535 } }, { 0xfb15, { 0x544, 0x53b } }, { 0xfb16, { 0x54e, 0x546 } },
	{ 0xfb17, { 0x544, 0x53d } },
};

enum { IOTA = 0x399 };

#define LEN(a) (sizeof (a) / sizeof (a)[0])

static bool trail(unsigned char b)
{
	return (b & 0xc0) == 0x80;
}

size_t py_char(const char *p, size_t n, uint32_t *c)
{
	const unsigned char *b = (const unsigned char *)p;
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t want = b[0] < 0x80 ? 1 : b[0] < 0xc2 ? 0 : b[0] < 0xe0 ? 2 :
		b[0] < 0xf0 ? 3 : b[0] < 0xf5 ? 4 : 0;
	uint32_t u;
	size_t i;

	*c = b[0] < 0x80 ? b[0] : 0xdc00u + b[0];
	if (want <= 1 || want > n)
		return 1;
	u = b[0] & (0x7fu >> want);
	for (i = 1; i < want; i++) {
		if (!trail(b[i]))
			return 1;
		u = u << 6 | (b[i] & 0x3fu);
	}
	if (u < least[want] || u > 0x10ffff || (u >= 0xd800 && u < 0xe000))
		return 1;
	*c = u;
	return want;
}

bool py_utf8(const char *p, size_t n)
{
	uint32_t c;
	size_t i, step;

	for (i = 0; i < n; i += step) {
		step = py_char(p + i, n - i, &c);
		if (c >= 0xdc80 && c <= 0xdcff)
			return false;
	}
	return true;
}

static void put(struct buf *out, uint32_t c)
{
	char b[4];
	size_t n = 0;

	if (c < 0x80) {
		b[n++] = (char)c;
	} else if (c >= 0xdc80 && c <= 0xdcff) {
		b[n++] = (char)(c - 0xdc00);
	} else {
		if (c >= 0x10000) {
			b[n++] = (char)(0xf0 | c >> 18);
			b[n++] = (char)(0x80 | (c >> 12 & 0x3f));
		} else if (c >= 0x800) {
			b[n++] = (char)(0xe0 | c >> 12);
		}
		b[n] = (char)(n ? 0x80 | (c >> 6 & 0x3f) : 0xc0 | c >> 6);
		n++;
		b[n++] = (char)(0x80 | (c & 0x3f));
	}
	buf_add(out, b, n);
}

bool py_isspace(uint32_t c)
{
	return (c >= 9 && c <= 13) || (c >= 0x1c && c <= 0x20) || c == 0x85 ||
		c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) ||
		c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
		c == 0x3000;
}

int py_digit(uint32_t c)
{
	size_t i;

	for (i = 0; i < LEN(zeros); i++)
		if (c >= zeros[i] && c < zeros[i] + 10)
			return (int)(c - zeros[i]);
	for (i = 0; i < LEN(odd_digits); i++)
		if (c >= odd_digits[i].lo && c <= odd_digits[i].hi)
			return PY_ODD_DIGIT;
	return -1;
}

static int greek(uint32_t c, uint32_t out[3])
{
	static const uint32_t row[] = { 0x1f08, 0x1f28, 0x1f68 };

	out[0] = row[(c - 0x1f80) >> 4] + (c & 7);
	out[1] = IOTA;
	return 2;
}

static uint32_t move(uint32_t c)
{
	const struct move *m;

	for (m = moves; m < moves + LEN(moves) && m->lo <= c; m++)
		if ((c - m->lo) % m->step == 0 && (c - m->lo) / m->step < m->n)
			return c + (uint32_t)m->delta;
	return c;
}

int py_upper(uint32_t c, uint32_t out[3])
{
	size_t i;
	int n;

	out[0] = c;
	if (c < 0x80) {
		out[0] = c >= 'a' && c <= 'z' ? c - 32 : c;
		return 1;
	}
	if (c >= 0x1f80 && c <= 0x1faf)
		return greek(c, out);
	for (i = 0; i < LEN(splits); i++) {
		if (splits[i].from != c)
			continue;
		memcpy(out, splits[i].to, sizeof splits[i].to);
		for (n = 2; n < 3 && out[n]; n++)
			;
		return n;
	}
	out[0] = move(c);
	return 1;
}

int py_upper_text(struct span s, struct buf *out)
{
	uint32_t c, up[3];
	size_t i;
	int k, n;

	for (i = 0; i < s.n; ) {
		i += py_char(s.p + i, s.n - i, &c);
		n = py_upper(c, up);
		for (k = 0; k < n; k++)
			put(out, up[k]);
	}
	return out->bad ? -1 : 0;
}

static size_t last_char(struct span s, uint32_t *c)
{
	size_t n;

	for (n = s.n < 4 ? s.n : 4; n > 1; n--)
		if (py_char(s.p + s.n - n, n, c) == n)
			return n;
	return py_char(s.p + s.n - 1, 1, c);
}

struct span py_strip(struct span s)
{
	uint32_t c;
	size_t n;

	while (s.n && (n = py_char(s.p, s.n, &c), py_isspace(c))) {
		s.p += n;
		s.n -= n;
	}
	while (s.n && (n = last_char(s, &c), py_isspace(c)))
		s.n -= n;
	return s;
}

static void repr_char(uint32_t c, char quote, struct buf *out)
{
	if (c == (unsigned char)quote || c == '\\')
		buf_printf(out, "\\%c", (int)c);
	else if (c == '\n' || c == '\r' || c == '\t')
		buf_printf(out, "\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
	else if (c < 0x20 || (c >= 0x7f && c <= 0xa0) || c == 0xad)
		buf_printf(out, "\\x%02x", (unsigned)c);
	else if ((c >= 0xd800 && c < 0xe000) || (c > 0x7f && py_isspace(c)))
		buf_printf(out, "\\u%04x", (unsigned)c);
	else
		put(out, c);
}

int py_repr(struct span s, struct buf *out)
{
	char quote = '\'';
	uint32_t c;
	size_t i;

	if (s.n && memchr(s.p, '\'', s.n) && !memchr(s.p, '"', s.n))
		quote = '"';
	buf_putc(out, quote);
	for (i = 0; i < s.n; ) {
		i += py_char(s.p + i, s.n - i, &c);
		repr_char(c, quote, out);
	}
	return buf_putc(out, quote);
}
