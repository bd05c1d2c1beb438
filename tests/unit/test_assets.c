/* test_assets.c - the page's files in the binary
 * SPDX-License-Identifier: Apache-2.0
 */
#include "../../applets/proxy/assets.h"
#include "test.h"

static const char *const paths[] = {
	"/", "/static/app.js", "/static/app.css", "/static/icon.svg"
};

enum { PATHS = sizeof paths / sizeof *paths };

static const struct asset *find(const char *path)
{
	return asset_find(path, strlen(path));
}

/* The first and the last bytes show that no file is cut or runs into the
 * next one. */
static bool framed(const struct asset *a, const char *first, const char *last)
{
	size_t f = strlen(first), l = strlen(last);

	return a && a->raw_len > f + l && !memcmp(a->raw, first, f) &&
	       !memcmp(a->raw + a->raw_len - l, last, l);
}

TEST(every_file_is_whole)
{
	CHECK(framed(find("/"), "<!doctype html>\n", "</html>\n"));
	CHECK(framed(find("/static/app.js"), "/* app.js", "});\n"));
	CHECK(framed(find("/static/app.css"), "/* app.css", "}\n"));
	CHECK(framed(find("/static/icon.svg"), "<svg ", "</svg>\n"));
}

/* RFC 1952: magic, deflate, no name and no time (gzip -n keeps builds equal);
 * the last four bytes are the length of what is inside. */
TEST(compressed_forms_are_gzip_of_the_same)
{
	for (int i = 0; i < PATHS; i++) {
		const struct asset *a = find(paths[i]);
		const unsigned char *end;
		unsigned long n;

		CHECK(a);
		CHECK(a->gz_len > 20);
		CHECK(!memcmp(a->gz, "\x1f\x8b\x08\0\0\0\0\0", 8));
		end = a->gz + a->gz_len;
		n = end[-4] | end[-3] << 8 | end[-2] << 16 |
		    (unsigned long)end[-1] << 24;
		CHECK_INT(n, a->raw_len);
	}
}

TEST(only_the_exact_path_is_found)
{
	static const char *const wrong[] = {
		"", "//", "/index.html", "/static", "/static/", "/static/app",
		"/static/app.jsx", "/static/../static/app.js", "/STATIC/app.js",
		"/static//app.js", "/static/app.js/", "static/app.js",
		"/../etc/passwd", "/static/%61pp.js"
	};

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		CHECK(!find(wrong[i]));
	CHECK(!asset_find("/static/app.js\0x", 16));
	CHECK(asset_find("/static/app.js?q", 14));
}

TEST(every_encoding_of_every_file_has_its_own_strong_tag)
{
	const char *tags[2 * PATHS];

	for (int i = 0; i < PATHS; i++) {
		const struct asset *a = find(paths[i]);

		CHECK(a);
		tags[2 * i] = a->etag;
		tags[2 * i + 1] = a->gz_etag;
	}
	for (int i = 0; i < 2 * PATHS; i++) {
		CHECK(tags[i][0] == '"');
		CHECK(strlen(tags[i]) >= 18);
		CHECK(tags[i][strlen(tags[i]) - 1] == '"');
		for (int j = 0; j < i; j++)
			CHECK(strcmp(tags[i], tags[j]));
	}
}

/* docs/page.md promises it. */
TEST(the_whole_page_is_under_20_kB)
{
	size_t sum = 0;

	for (int i = 0; i < PATHS; i++) {
		CHECK(find(paths[i]));
		sum += find(paths[i])->gz_len;
	}
	CHECK(sum < 20000);
}
