/* test_multipart.c - multipart/form-data, read and written
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "multipart.h"
#include "test.h"

static char found[MULTIPART_BOUNDARY + 1];

static int boundary_of(const char *type)
{
	return multipart_boundary(type, strlen(type), found);
}

/* The end that a body comes to, and how many parts before it. The body is
 * given in memory of its own, so that a read past it is seen. */
static int walk(const char *body, size_t n, const char *boundary, int *parts)
{
	char *copy = malloc(n ? n : 1);
	struct multipart m;
	struct part part;
	int r;

	memcpy(copy, body, n);
	multipart_begin(&m, copy, n, boundary);
	for (*parts = 0; (r = multipart_next(&m, &part)) == MULTIPART_PART; ++*parts)
		;
	if (multipart_next(&m, &part) != r)
		r = 99;		/* an end must stay */
	free(copy);
	return r;
}

static int end_of(const char *body)
{
	int parts;

	return walk(body, strlen(body), "b", &parts);
}

TEST(a_boundary_is_found_in_every_spelling)
{
	CHECK_INT(boundary_of("multipart/form-data; boundary=abc"), 3);
	CHECK_STR(found, "abc");
	CHECK_INT(boundary_of("Multipart/Form-Data;BOUNDARY=\"a b:c\"; charset=utf-8"), 5);
	CHECK_STR(found, "a b:c");
	CHECK_INT(boundary_of("multipart/form-data ; charset=x; boundary=--x"), 3);
}

TEST(another_type_is_not_multipart)
{
	CHECK_INT(boundary_of("application/json"), 0);
	CHECK_INT(boundary_of("multipart/form-data2; boundary=a"), 0);
	CHECK_INT(boundary_of("multipart/mixed; boundary=a"), 0);
	CHECK_INT(boundary_of(""), 0);
}

TEST(a_missing_or_odd_boundary_is_refused)
{
	CHECK_INT(boundary_of("multipart/form-data"), -1);
	CHECK_INT(boundary_of("multipart/form-data; boundary="), -1);
	CHECK_INT(boundary_of("multipart/form-data; boundary=\"\""), -1);
	CHECK_INT(boundary_of("multipart/form-data; boundary=\"a "), -1);
	CHECK_INT(boundary_of("multipart/form-data; boundary=\"a \""), -1);
	CHECK_INT(boundary_of("multipart/form-data; boundary=a; boundary=b"), -1);
	CHECK_INT(boundary_of("multipart/form-data; boundary=\"a\x01\""), -1);
	CHECK_INT(boundary_of("multipart/form-data; boundary="
		"12345678901234567890123456789012345678901234567890123456789012345678901"), -1);
	CHECK_INT(boundary_of("multipart/form-data; boundary="
		"1234567890123456789012345678901234567890123456789012345678901234567890"), 70);
}

static const char two[] =
	"--b\r\nContent-Disposition: form-data; name=\"script\"; filename=\"a.py\"\r\n"
	"Content-Type: text/x-python\r\n\r\nx = 1\r\n--c\r\n\r\n"
	"--b\r\ncontent-disposition:form-data; name=note\r\n\r\n\r\n--b--\r\n";

TEST(parts_have_name_file_type_and_body)
{
	struct multipart m;
	struct part p;

	multipart_begin(&m, two, sizeof two - 1, "b");
	CHECK_INT(multipart_next(&m, &p), MULTIPART_PART);
	CHECK(span_is(p.name, "script"));
	CHECK(p.has_filename && span_is(p.filename, "a.py"));
	CHECK(span_is(p.type, "text/x-python"));
	CHECK(span_is(p.body, "x = 1\r\n--c\r\n"));
	CHECK_INT(multipart_next(&m, &p), MULTIPART_PART);
	CHECK(span_is(p.name, "note"));
	CHECK(!p.has_filename);
	CHECK_INT((int)p.type.n, 0);
	CHECK_INT((int)p.body.n, 0);
	CHECK_INT(multipart_next(&m, &p), MULTIPART_END);
	CHECK_INT(multipart_next(&m, &p), MULTIPART_END);
}

TEST(a_body_cut_anywhere_never_looks_whole)
{
	size_t n;
	int parts, r;

	/* the last two bytes are a line end that may be missing */
	for (n = 0; n < sizeof two - 3; n++) {
		r = walk(two, n, "b", &parts);
		if (r == MULTIPART_END)
			printf("# cut at %zu\n", n);
		CHECK(r == MULTIPART_CUT || r == MULTIPART_BAD);
	}
	CHECK_INT(walk(two, sizeof two - 3, "b", &parts), MULTIPART_END);
	CHECK_INT(parts, 2);
}

TEST(what_is_no_multipart_is_refused)
{
	CHECK_INT(end_of("garbage without any boundary\r\n"), MULTIPART_BAD);
	CHECK_INT(end_of("\r\n--b\r\n"), MULTIPART_BAD);
	CHECK_INT(end_of("--b\nContent-Disposition: form-data; name=a\n\n\n--b--"), MULTIPART_BAD);
	CHECK_INT(end_of("--b\r\n\r\nx\r\n--b--\r\n"), MULTIPART_BAD);
	CHECK_INT(end_of("--b\r\nContent-Disposition: attachment; name=a\r\n\r\nx\r\n--b--"), MULTIPART_BAD);
	CHECK_INT(end_of("--b\r\nContent-Disposition: form-data; filename=a\r\n\r\nx\r\n--b--"), MULTIPART_BAD);
	CHECK_INT(end_of("--b\r\nContent-Disposition: form-data; name=a; name=b\r\n\r\nx\r\n--b--"), MULTIPART_BAD);
	CHECK_INT(end_of("--b\r\nContent-Disposition: form-data; name=\"a\r\n\r\nx\r\n--b--"), MULTIPART_BAD);
	CHECK_INT(end_of("--b\r\n folded: x\r\n\r\nx\r\n--b--"), MULTIPART_BAD);
	CHECK_INT(end_of("--b\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--bc\r\n"), MULTIPART_BAD);
	CHECK_INT(end_of("--b\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--b--\r\nmore"), MULTIPART_BAD);
}

TEST(long_header_lines_and_too_many_parts_are_refused)
{
	struct buf b = BUF(1 << 20);
	int i, parts;

	buf_puts(&b, "--b\r\nX: ");
	for (i = 0; i < MULTIPART_HEAD_MAX; i++)
		buf_putc(&b, 'x');
	CHECK_INT(walk(b.p, b.len, "b", &parts), MULTIPART_BAD);
	buf_reset(&b);
	for (i = 0; i <= MULTIPART_PARTS; i++)
		multipart_put(&b, "b", "a", NULL, NULL, "x", 1);
	multipart_close(&b, "b");
	CHECK_INT(walk(b.p, b.len, "b", &parts), MULTIPART_BAD);
	CHECK_INT(parts, MULTIPART_PARTS);
	buf_free(&b);
}

TEST(what_is_written_is_read_back)
{
	static const char body[] = "\r\n--\0binary\r\n--";
	struct buf b = BUF(1 << 16);
	struct multipart m;
	struct part p;

	multipart_put(&b, "xyz", "a\"b\r\nc", "d\"e", "application/octet-stream", body, sizeof body - 1);
	multipart_put(&b, "xyz", "field", NULL, NULL, "", 0);
	CHECK_INT(multipart_close(&b, "xyz"), 0);
	multipart_begin(&m, b.p, b.len, "xyz");
	CHECK_INT(multipart_next(&m, &p), MULTIPART_PART);
	CHECK(span_is(p.name, "a%22b%0D%0Ac"));
	CHECK(span_is(p.filename, "d%22e"));
	CHECK_INT((int)p.body.n, (int)sizeof body - 1);
	CHECK(!memcmp(p.body.p, body, sizeof body - 1));
	CHECK_INT(multipart_next(&m, &p), MULTIPART_PART);
	CHECK(span_is(p.name, "field") && !p.has_filename);
	CHECK_INT(multipart_next(&m, &p), MULTIPART_END);
	buf_free(&b);
}

TEST(a_clash_with_the_boundary_is_seen)
{
	CHECK(multipart_clash("ab--xyz", 7, "xyz"));
	CHECK(!multipart_clash("ab--xy", 6, "xyz"));
}
