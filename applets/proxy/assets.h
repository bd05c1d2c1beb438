/* assets.h - the files of the frontend's page, kept in the binary
 * SPDX-License-Identifier: Apache-2.0
 *
 * The whole "file system" of the web server is one table, matched exactly:
 * there is no path to climb out of (threats.md T10). Bytes live as long as
 * the program does.
 */
#ifndef ASSETS_H
#define ASSETS_H

#include <stddef.h>

enum { ASSET_ETAG = 24 };	/* bytes of an entity tag, NUL included */

struct asset {
	const char *path;		/* as asked for: "/", "/static/app.js" */
	const char *type;		/* Content-Type */
	const char *raw;
	size_t raw_len;
	const unsigned char *gz;	/* the same, gzip */
	size_t gz_len;
	/* Strong, quotes included, from the content alone. The two encodings
	 * differ in their tags, as RFC 9110 8.8.3.3 asks: an If-None-Match
	 * with either one means that the client's copy is fresh. */
	char etag[ASSET_ETAG];
	char gz_etag[ASSET_ETAG];
};

/* The asset of this very path (decoded, without a query), or NULL. */
const struct asset *asset_find(const char *path, size_t n);

#endif
