/* test_die.c - what is shown of a peer's bytes, and how failures rank
 * SPDX-License-Identifier: Apache-2.0
 */
#include "die.h"
#include "test.h"

#define SAFE(s) safe(s, sizeof s - 1)

TEST(plain_text_and_UTF8_stand_as_they_are)
{
	CHECK_STR(SAFE("worker1 ~/x \\ \"q\""), "worker1 ~/x \\ \"q\"");
	CHECK_STR(SAFE("gr\303\274n \342\202\254 \360\237\230\200"),
		  "gr\303\274n \342\202\254 \360\237\230\200");
	CHECK_STR(SAFE(""), "");
}

TEST(controls_are_shown_not_sent)
{
	CHECK_STR(SAFE("\033[31m\r\n\t\0\177"),
		  "\\x1b[31m\\x0d\\x0a\\x09\\x00\\x7f");
	CHECK_STR(SAFE("\302\233" "31m"), "\\xc2\\x9b31m");
}

TEST(marks_that_reorder_text_are_shown)
{
	CHECK_STR(SAFE("a\342\200\256b"), "a\\xe2\\x80\\xaeb");
	CHECK_STR(SAFE("a\342\201\246b"), "a\\xe2\\x81\\xa6b");
	CHECK_STR(SAFE("a\342\200\250b"), "a\\xe2\\x80\\xa8b");
}

TEST(invalid_UTF8_is_shown_byte_by_byte)
{
	CHECK_STR(SAFE("\377"), "\\xff");
	CHECK_STR(SAFE("\300\200"), "\\xc0\\x80");		/* overlong */
	CHECK_STR(SAFE("\340\200\200"), "\\xe0\\x80\\x80");
	CHECK_STR(SAFE("\340\202\240"), "\\xe0\\x82\\xa0");
	CHECK_STR(SAFE("\355\240\200"), "\\xed\\xa0\\x80");	/* surrogate */
	CHECK_STR(SAFE("\364\220\200\200"), "\\xf4\\x90\\x80\\x80");
	CHECK_STR(SAFE("\342\202"), "\\xe2\\x82");		/* cut off */
	CHECK_STR(SAFE("\342(x"), "\\xe2(x");
}

TEST(what_is_long_is_cut_after_200_bytes_and_never_inside_a_character)
{
	char in[400], want[204];

	memset(in, 'x', sizeof in);
	memset(want, 'x', 200);
	memcpy(want + 200, "...", 4);
	CHECK_STR(safe(in, 200) + 199, "x");
	CHECK_STR(safe(in, 201), want);
	memcpy(in + 199, "\303\274", 2);
	memcpy(want + 199, "...", 4);
	CHECK_STR(safe(in, sizeof in), want);
	in[198] = '\033';
	memcpy(want + 198, "...", 4);
	CHECK_STR(safe(in, sizeof in), want);
}

TEST(a_password_in_a_URL_is_not_shown)
{
	CHECK_STR(SAFE("http://u:secret@h:1/x"), "http://u:*@h:1/x");
	CHECK_STR(SAFE("http://u:a@b@h"), "http://u:*@h");
	CHECK_STR(SAFE("etcd://:p@h?x=a@b"), "etcd://:*@h?x=a@b");
	CHECK_STR(SAFE("http://u@h:1/x:y@z"), "http://u@h:1/x:y@z");
	CHECK_STR(SAFE("http://h:1/x:y@z"), "http://h:1/x:y@z");
	CHECK_STR(SAFE("u:p@h"), "u:p@h");
}

TEST(four_results_live_side_by_side)
{
	const char *a = SAFE("a"), *b = SAFE("b"), *c = SAFE("c"), *d = SAFE("d");

	CHECK_STR(a, "a");
	CHECK_STR(b, "b");
	CHECK_STR(c, "c");
	CHECK_STR(d, "d");
}

TEST(failures_rank_111_4_2_3_5_1_0)
{
	static const int order[] = { 0, 1, 5, 3, 2, 4, 111 };
	int i, j;

	for (i = 0; i < 7; i++)
		for (j = 0; j < 7; j++) {
			int want = order[i > j ? i : j];

			CHECK_INT(worse(order[i], order[j]), want);
		}
	CHECK_INT(worse(0, 127), 127);
	CHECK_INT(worse(127, 5), 5);
}
