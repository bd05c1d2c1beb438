/* assets.c - the files of the frontend's page, kept in the binary
 * SPDX-License-Identifier: Apache-2.0
 *
 * No generator: the assembler takes the files in. The makefile compresses
 * them into build/web/ before this file is compiled.
 */
#include "assets.h"

#include <inttypes.h>
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
	TAKE(id, "applets/proxy/web/" file);				\
	TAKE(id##_gz, "build/web/" file ".gz");
ASSETS(X)
#undef X

static struct asset table[] = {
#define X(id, where, file, mime)					\
	{ .path = where, .type = mime, .raw = id, .gz = id##_gz },
ASSETS(X)
#undef X
};

/* Where each file ends: not a constant, so not part of an initializer that
 * subtracts. */
static const struct {
	const unsigned char *raw, *gz;
} ends[] = {
#define X(id, where, file, mime) { id##_end, id##_gz_end },
ASSETS(X)
#undef X
};

enum { ASSET_COUNT = sizeof table / sizeof *table };

/* FNV-1a: a name for the content, not a defence against its author. */
static uint64_t content_hash(const unsigned char *p, size_t n)
{
	uint64_t h = 0xcbf29ce484222325;

	while (n--)
		h = (h ^ *p++) * 0x100000001b3;
	return h;
}

/* Lengths and tags, once. */
static void table_ready(void)
{
	if (table[0].etag[0])
		return;
	for (int i = 0; i < ASSET_COUNT; i++) {
		struct asset *a = &table[i];
		uint64_t h;

		a->raw_len = (size_t)(ends[i].raw - a->raw);
		a->gz_len = (size_t)(ends[i].gz - a->gz);
		h = content_hash(a->raw, a->raw_len);
		snprintf(a->etag, sizeof a->etag, "\"%016" PRIx64 "\"", h);
		snprintf(a->gz_etag, sizeof a->gz_etag,
			 "\"%016" PRIx64 "-gz\"", h);
	}
}

const struct asset *asset_find(const char *path, size_t n)
{
	table_ready();
	for (int i = 0; i < ASSET_COUNT; i++)
		if (strlen(table[i].path) == n && !memcmp(table[i].path, path, n))
			return &table[i];
	return NULL;
}
