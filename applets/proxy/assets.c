/* assets.c - the files of the frontend's page, kept in the binary
 * SPDX-License-Identifier: Apache-2.0
 *
 * No generator: the assembler takes the files in, as the makefile compressed
 * them into build/web/. Plain forms are made when the page is first asked for.
 */
#include "assets.h"
#include "gunzip.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define ASSETS(X)							\
	X(asset_index, "/", "index.html", "text/html; charset=utf-8")	\
	X(asset_js, "/static/app.js", "app.js",				\
	  "text/javascript; charset=utf-8")				\
	X(asset_css, "/static/app.css", "app.css",			\
	  "text/css; charset=utf-8")					\
	X(asset_icon, "/static/icon.svg", "icon.svg", "image/svg+xml")

/* The bytes of one file, from label id to label id_end. */
#define TAKE(id, file)							\
	__asm__(".pushsection .rodata\n"				\
		#id ":\n.incbin \"" file "\"\n" #id "_end:\n"		\
		".popsection\n");					\
	extern const unsigned char id[], id##_end[]

#define X(id, where, file, mime)					\
	TAKE(id, "build/web/" file ".gz");
ASSETS(X)
#undef X

static struct asset table[] = {
#define X(id, where, file, mime)					\
	{ .path = where, .type = mime, .gz = id },
ASSETS(X)
#undef X
};

/* Where each file ends: not a constant, so not part of an initializer that
 * subtracts. */
static const unsigned char *const ends[] = {
#define X(id, where, file, mime) id##_end,
ASSETS(X)
#undef X
};

enum { ASSET_COUNT = sizeof table / sizeof *table, ASSET_MAX = 1 << 20 };

/* FNV-1a: a name for the content, not a defence against its author. */
static uint64_t content_hash(const char *p, size_t n)
{
	uint64_t h = 0xcbf29ce484222325;

	while (n--)
		h = (h ^ (unsigned char)*p++) * 0x100000001b3;
	return h;
}

/* Plain forms, lengths and tags, once. False: no memory for them now. */
static bool table_ready(void)
{
	if (table[ASSET_COUNT - 1].etag[0])
		return true;
	for (int i = 0; i < ASSET_COUNT; i++) {
		struct asset *a = &table[i];
		uint64_t h;

		a->gz_len = (size_t)(ends[i] - a->gz);
		a->raw = gunzip(a->gz, a->gz_len, ASSET_MAX, &a->raw_len);
		if (!a->raw)
			return false;
		h = content_hash(a->raw, a->raw_len);
		snprintf(a->etag, sizeof a->etag, "\"%016" PRIx64 "\"", h);
		snprintf(a->gz_etag, sizeof a->gz_etag,
			 "\"%016" PRIx64 "-gz\"", h);
	}
	return true;
}

const struct asset *asset_find(const char *path, size_t n)
{
	if (!table_ready())
		return NULL;
	for (int i = 0; i < ASSET_COUNT; i++)
		if (strlen(table[i].path) == n && !memcmp(table[i].path, path, n))
			return &table[i];
	return NULL;
}
