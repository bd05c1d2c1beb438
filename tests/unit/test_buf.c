/* test_buf.c - bytes that grow up to a ceiling
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "buf.h"
#include "test.h"

TEST(what_is_added_stands_there_and_ends_in_NUL)
{
	struct buf b = BUF(1000);

	CHECK_INT(buf_add(&b, "ab", 2), 0);
	CHECK_INT(buf_puts(&b, "cd"), 0);
	CHECK_INT(buf_putc(&b, '\0'), 0);
	CHECK_INT(buf_printf(&b, "%d-%s", 42, "x"), 0);
	CHECK_MEM(b.p, b.len, "abcd\00042-x");
	CHECK_INT(b.p[b.len], 0);
	buf_free(&b);
}

TEST(an_empty_add_still_gives_a_string)
{
	struct buf b = BUF(10);

	CHECK_INT(buf_add(&b, NULL, 0), 0);
	CHECK_STR(b.p, "");
	buf_free(&b);
}

TEST(the_ceiling_is_reached_and_not_passed)
{
	struct buf b = BUF(5);

	CHECK_INT(buf_puts(&b, "12345"), 0);
	CHECK_STR(b.p, "12345");
	CHECK_INT(buf_putc(&b, '6'), -1);
	CHECK_INT(errno, EFBIG);
	CHECK(b.bad);
	CHECK_STR(b.p, "12345");
	CHECK(b.cap <= 6);
	buf_free(&b);
}

TEST(once_bad_every_add_is_nothing_until_reset)
{
	struct buf b = BUF(3);

	CHECK_INT(buf_puts(&b, "1234"), -1);
	CHECK_INT(buf_puts(&b, "1"), -1);
	CHECK_INT(buf_printf(&b, "%d", 1), -1);
	CHECK_INT(b.len, 0);
	buf_reset(&b);
	CHECK_INT(buf_puts(&b, "123"), 0);
	CHECK_STR(b.p, "123");
	buf_free(&b);
}

TEST(a_printf_over_the_ceiling_leaves_what_was_there)
{
	struct buf b = BUF(8);

	CHECK_INT(buf_puts(&b, "1234"), 0);
	CHECK_INT(buf_printf(&b, "%s", "56789"), -1);
	CHECK_STR(b.p, "1234");
	buf_free(&b);
}

TEST(a_printf_longer_than_the_room_is_whole)
{
	struct buf b = BUF(100000);
	char big[5000];

	memset(big, 'x', sizeof big - 1);
	big[sizeof big - 1] = '\0';
	CHECK_INT(buf_puts(&b, "head "), 0);
	CHECK_INT(buf_printf(&b, "%s", big), 0);
	CHECK_INT(b.len, 5 + sizeof big - 1);
	CHECK_STR(b.p + 5, big);
	buf_free(&b);
}

TEST(a_size_that_would_wrap_around_is_refused)
{
	struct buf b = BUF(100);

	CHECK_INT(buf_puts(&b, "abc"), 0);
	CHECK_INT(buf_room(&b, SIZE_MAX), -1);
	CHECK_INT(errno, EFBIG);
	buf_free(&b);
}

TEST(many_small_adds_are_few_allocations)
{
	struct buf b = BUF(1 << 20);
	size_t cap = 0;
	int i, grown = 0;

	for (i = 0; i < 1 << 20; i++) {
		CHECK_INT(buf_putc(&b, 'x'), 0);
		grown += b.cap != cap;
		cap = b.cap;
	}
	CHECK(grown < 32);
	buf_free(&b);
}

TEST(drop_forgets_the_first_bytes)
{
	struct buf b = BUF(100);

	CHECK_INT(buf_puts(&b, "abcdef"), 0);
	buf_drop(&b, 2);
	CHECK_STR(b.p, "cdef");
	CHECK_INT(b.len, 4);
	buf_drop(&b, 99);
	CHECK_STR(b.p, "");
	CHECK_INT(b.len, 0);
	buf_free(&b);
}

TEST(free_gives_the_memory_back_and_keeps_the_ceiling)
{
	struct buf b = BUF(4);

	CHECK_INT(buf_puts(&b, "12345"), -1);
	buf_free(&b);
	CHECK(!b.p);
	CHECK_INT(b.cap, 0);
	CHECK_INT(buf_puts(&b, "1234"), 0);
	CHECK_INT(buf_putc(&b, '5'), -1);
	buf_free(&b);
}
