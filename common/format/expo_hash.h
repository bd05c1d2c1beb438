/* expo_hash.h - a keyed hash of short strings, and 16-byte steps
 * SPDX-License-Identifier: Apache-2.0
 *
 * A hit is always verified by comparing, so the hash need not be strong;
 * with a random seed a peer cannot aim at one slot of a table.
 */
#ifndef EXPO_HASH_H
#define EXPO_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define HASH_K0 0x9e3779b97f4a7c15u	/* 2^64 / golden ratio */
#define HASH_K1 0xd6e8feb86659fd93u

__extension__ typedef unsigned __int128 hash_wide;

static inline uint64_t hash_mix(uint64_t a, uint64_t b)
{
	hash_wide r = (hash_wide)a * b;

	return (uint64_t)r ^ (uint64_t)(r >> 64);
}

static inline uint64_t load8(const char *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	return v;
}

static inline uint64_t load4(const char *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return v;
}

/* n <= 16 bytes as two words, never reading outside of them. */
static inline void hash_tail(const char *p, size_t n, uint64_t *a, uint64_t *b)
{
	if (n >= 8) {
		*a = load8(p);
		*b = load8(p + n - 8);
	} else if (n >= 4) {
		*a = load4(p);
		*b = load4(p + n - 4);
	} else if (n) {
		*a = (uint64_t)(unsigned char)p[0] << 16 |
			(uint64_t)(unsigned char)p[n / 2] << 8 |
			(unsigned char)p[n - 1];
		*b = 0;
	} else {
		*a = *b = 0;
	}
}

static inline uint64_t hash_bytes(const char *p, size_t n, uint64_t h)
{
	uint64_t a, b;
	size_t left = n;

	for (h += n * HASH_K0; left > 16; left -= 16, p += 16)
		h = hash_mix(load8(p) ^ HASH_K0 ^ h, load8(p + 8) ^ HASH_K1);
	hash_tail(p, left, &a, &b);
	return hash_mix(a ^ h, b ^ HASH_K1);
}

/* A label's share of a series' hash: they are added up, so that the order
 * of labels does not matter. A label without a value is no label. */
static inline uint64_t hash_label(const char *name, size_t name_n,
		const char *value, size_t value_n, uint64_t seed)
{
	return value_n ? hash_bytes(value, value_n,
			hash_bytes(name, name_n, seed)) : 0;
}

static inline uint32_t hash_finish(uint64_t sum)
{
	return (uint32_t)hash_mix(sum ^ HASH_K1, HASH_K0);
}

#if defined(__SSE2__)
#include <emmintrin.h>

/* Which of 16 bytes end a plain stretch of a quoted value: bit i is byte i.
 * *high collects whether a byte was not ASCII. */
static inline unsigned value_stops(const char *p, unsigned *high)
{
	__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
	__m128i quote = _mm_cmpeq_epi8(v, _mm_set1_epi8('"'));
	__m128i slash = _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'));
	__m128i line = _mm_cmpeq_epi8(v, _mm_set1_epi8('\n'));
	__m128i nul = _mm_cmpeq_epi8(v, _mm_setzero_si128());

	*high |= (unsigned)_mm_movemask_epi8(v);
	return (unsigned)_mm_movemask_epi8(_mm_or_si128(
			_mm_or_si128(quote, slash), _mm_or_si128(line, nul)));
}

static inline bool same16(const char *a, const char *b)
{
	__m128i x = _mm_loadu_si128((const __m128i *)(const void *)a);
	__m128i y = _mm_loadu_si128((const __m128i *)(const void *)b);

	return _mm_movemask_epi8(_mm_cmpeq_epi8(x, y)) == 0xffff;
}

static inline void copy16(char *to, const char *from)
{
	_mm_storeu_si128((__m128i *)(void *)to,
			_mm_loadu_si128((const __m128i *)(const void *)from));
}

#else

static inline unsigned value_stops(const char *p, unsigned *high)
{
	unsigned i, stops = 0;

	for (i = 0; i < 16; i++) {
		*high |= (unsigned)(unsigned char)p[i] >> 7;
		if (p[i] == '"' || p[i] == '\\' || p[i] == '\n' || !p[i])
			stops |= 1u << i;
	}
	return stops;
}

static inline bool same16(const char *a, const char *b)
{
	return load8(a) == load8(b) && load8(a + 8) == load8(b + 8);
}

static inline void copy16(char *to, const char *from)
{
	memcpy(to, from, 16);
}

#endif

/* n bytes of a and b are equal; both have them. */
static inline bool same_bytes(const char *a, const char *b, size_t n)
{
	size_t i;

	if (n >= 16) {
		for (i = 0; i + 16 <= n; i += 16)
			if (!same16(a + i, b + i))
				return false;
		return same16(a + n - 16, b + n - 16);
	}
	if (n >= 8)
		return load8(a) == load8(b) && load8(a + n - 8) == load8(b + n - 8);
	if (n >= 4)
		return load4(a) == load4(b) && load4(a + n - 4) == load4(b + n - 4);
	for (i = 0; i < n; i++)
		if (a[i] != b[i])
			return false;
	return true;
}

#endif
