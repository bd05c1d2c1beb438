/* test_plugin_name.c - file names as Python's str and the launcher read them
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>

#include "plugin.h"
#include "pytext.h"
#include "test.h"

/* What python3 says of every character, one a line, in hexadecimal. */
static const char ask_python[] =
	"python3 -c '\n"
	"import sys, unicodedata\n"
	"print(unicodedata.unidata_version.split(\".\")[0])\n"
	"for c in range(0x110000):\n"
	"    if 0xd800 <= c < 0xe000: continue\n"
	"    s = chr(c); d = -1\n"
	"    if s.isdigit():\n"
	"        try: d = int(s)\n"
	"        except ValueError: d = 10\n"
	"    u = [ord(x) for x in s.lower().upper()] + [0, 0]\n"
	"    print(\"%x %d %d %x %x %x\" % (c, d, s.isspace(), *u[:3]))\n"
	"'";

static bool same(const char *line)
{
	unsigned c, up[3];
	uint32_t ours[3] = { 0 };
	int digit, space, n;

	if (sscanf(line, "%x %d %d %x %x %x", &c, &digit, &space, up, up + 1, up + 2) != 6)
		return false;
	n = py_upper(c, ours);
	for (; n < 3; n++)
		ours[n] = 0;
	return py_digit(c) == digit && py_isspace(c) == (space != 0) &&
		ours[0] == up[0] && ours[1] == up[1] && ours[2] == up[2];
}

TEST(every_character_is_digit_space_and_upper_case_as_in_python)
{
	FILE *f = popen(ask_python, "r");
	char line[128];
	long n = 0, bad = 0;

	CHECK(f);
	CHECK(fgets(line, sizeof line, f));
	if (atoll(line) != 14) {
		printf("# python3 has Unicode %s", line);
		pclose(f);
		return;
	}
	for (; fgets(line, sizeof line, f); n++) {
		if (same(line))
			continue;
		printf("# differs: %s", line);
		bad++;
	}
	CHECK_INT(pclose(f), 0);
	CHECK_INT(n, 0x110000 - 0x800);
	CHECK_INT(bad, 0);
	printf("# %ld characters equal\n", n);
}

TEST(bytes_that_are_not_utf8_are_lone_surrogates)
{
	static const struct { const char *p; size_t used; uint32_t c; } rows[] = {
		{ "a", 1, 'a' }, { "\xc3\xa9", 2, 0xe9 }, { "\xf0\x9f\x9a\x80", 4, 0x1f680 },
		{ "\xff", 1, 0xdcff }, { "\xc0\x80", 1, 0xdcc0 }, { "\xed\xa0\x80", 1, 0xdced },
		{ "\xe2\x82", 1, 0xdce2 }, { "\xf4\x90\x80\x80", 1, 0xdcf4 },
		{ "\xe0\x80\x80", 1, 0xdce0 }, { "\x80", 1, 0xdc80 },
	};
	uint32_t c;
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		CHECK_INT(py_char(rows[i].p, strlen(rows[i].p), &c), rows[i].used);
		CHECK_INT(c, rows[i].c);
	}
}

static struct plugin_name named(const char *base)
{
	struct plugin_name nm;

	plugin_name(&nm, base, strlen(base));
	return nm;
}

TEST(a_name_is_split_as_pathlib_and_the_launcher_do)
{
	static const struct {
		const char *base, *role, *id, *suffix;
		bool anywhere, for_id, odd;
	} rows[] = {
		{ "plugin.py", "", "", ".py", true, false, false },
		{ "worker.sh", "", "", ".sh", true, false, false },
		{ "worker_0.sh", "WORKER", "", ".sh", false, false, false },
		{ "worker_0_x.sh", "WORKER", "0", ".sh", false, true, false },
		{ "Worker_007_x.sh", "WORKER", "7", ".sh", false, true, false },
		{ "worker_-1_x.sh", "WORKER", NULL, ".sh", false, false, false },
		{ "all__x.py", "ALL", NULL, ".py", false, false, false },
		{ "worker_0_a.b.py", "WORKER", "0", ".py", false, true, false },
		{ "_x.sh", "", "", ".sh", false, false, false },
		{ ".py", "", "", "", true, false, false },
		{ "x.", "", "", "", true, false, false },
		{ "worker_\xd9\xa1_x.sh", "WORKER", "1", ".sh", false, true, false },
		{ "worker_1\xc2\xb2_x.sh", "WORKER", NULL, ".sh", false, true, true },
		{ "\xc5\xbf" "cheduler_x.sh", "SCHEDULER", "", ".sh", false, false, false },
		{ "wor\xe2\x84\xaa" "er_x.sh", "WORKER", "", ".sh", false, false, false },
		{ "stra\xc3\x9f" "e_x.sh", "STRASSE", "", ".sh", false, false, false },
		{ "worker_18446744073709551616_x.sh", "WORKER", "18446744073709551616",
		  ".sh", false, true, false },
	};
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct plugin_name nm = named(rows[i].base);

		CHECK_STR(nm.role, rows[i].role);
		if (rows[i].id)
			CHECK_STR(nm.id, rows[i].id);
		CHECK_INT(nm.anywhere, rows[i].anywhere);
		CHECK_INT(nm.for_id, rows[i].for_id);
		CHECK_INT(nm.odd_id, rows[i].odd);
		CHECK_INT(nm.suffix.n, strlen(rows[i].suffix));
		CHECK(memcmp(nm.suffix.p, rows[i].suffix, nm.suffix.n) == 0);
	}
}

TEST(repr_and_strip_are_pythons)
{
	struct buf b = BUF(100);
	struct span s = py_strip((struct span){ "\xc2\xa0 \tx y\x1f\xe3\x80\x80", 11 });

	CHECK_MEM(s.p, s.n, "x y");
	CHECK_INT(py_strip((struct span){ " \n", 2 }).n, 0);
	py_repr((struct span){ "it's\n\xff", 6 }, &b);
	CHECK_STR(b.p, "\"it's\\n\\udcff\"");
	buf_free(&b);
}
