/* test_opt.c - numbers with units, nearest matches, the walk over a table
 * SPDX-License-Identifier: Apache-2.0
 *
 * What ends the program is done in a child and read through a pipe.
 */
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "applet.h"
#include "opt_rows.h"
#include "test.h"

static int64_t ms(const char *s)
{
	const char *why;
	int64_t v = -2;

	return opt_time(s, &v, &why) < 0 ? -1 : v;
}

static int64_t bytes(const char *s)
{
	const char *why;
	int64_t v = -2;

	return opt_size(s, &v, &why) < 0 ? -1 : v;
}

TEST(times_have_units_and_are_seconds_without)
{
	CHECK_INT(ms("5"), 5000);
	CHECK_INT(ms("0"), 0);
	CHECK_INT(ms("500ms"), 500);
	CHECK_INT(ms("1.5s"), 1500);
	CHECK_INT(ms("0.25"), 250);
	CHECK_INT(ms("10m"), 600000);
	CHECK_INT(ms("1h"), 3600000);
	CHECK_INT(ms("2d"), 172800000);
	CHECK_INT(ms("0.0000000000000000000000005s"), 0);
}

TEST(what_is_no_time_is_refused)
{
	static const char *const bad[] = {
		"", "s", "-1", "+1", " 1", "1 s", "1S", "1.", ".5", "1..5s",
		"1e3", "0x10", "5x", "1s5", "inf", "nan",
		"9223372036854775807", "99999999999999999999d",
	};
	size_t i;

	for (i = 0; i < sizeof bad / sizeof *bad; i++)
		if (ms(bad[i]) != -1)
			CHECK_STR(bad[i], "refused");
}

TEST(sizes_are_powers_of_1024)
{
	CHECK_INT(bytes("4096"), 4096);
	CHECK_INT(bytes("64k"), 65536);
	CHECK_INT(bytes("64K"), 65536);
	CHECK_INT(bytes("1M"), 1048576);
	CHECK_INT(bytes("1.5M"), 1572864);
	CHECK_INT(bytes("2G"), 2147483648);
	CHECK_INT(bytes("9223372036854775807"), INT64_MAX);
	CHECK_INT(bytes("9223372036854775808"), -1);
	CHECK_INT(bytes("8589934592G"), -1);
	CHECK_INT(bytes("1kb"), -1);
	CHECK_INT(bytes("64m"), -1);
}

TEST(the_reason_tells_a_wrong_word_from_a_large_one)
{
	const char *why = NULL;
	int64_t v;

	CHECK_INT(opt_time("5x", &v, &why), -1);
	CHECK_STR(why, "is not a time (use 500ms, 5s, 10m, 1h)");
	CHECK_INT(opt_time("99999999999999999999", &v, &why), -1);
	CHECK_STR(why, "is too large");
	CHECK_INT(opt_size("5x", &v, &why), -1);
	CHECK_STR(why, "is not a size (use 4096, 64k, 1M, 2G)");
}

TEST(nearest_finds_one_slip_and_a_beginning)
{
	static const char *const names[] = {
		"metrics", "proxy", "list", "loglevel", NULL
	};

	CHECK_STR(nearest("metrcs", names), "metrics");
	CHECK_STR(nearest("porxy", names), "proxy");
	CHECK_STR(nearest("lsit", names), "list");
	CHECK_STR(nearest("log", names), "loglevel");
	CHECK_STR(nearest("loglevle", names), "loglevel");
}

TEST(nearest_stays_silent_when_nothing_is_near)
{
	static const char *const names[] = { "metrics", "proxy", NULL };
	static const char *const none[] = { NULL };
	char big[200];

	CHECK_STR(nearest("zebra", names), NULL);
	CHECK_STR(nearest("prunes", names), NULL);
	CHECK_STR(nearest("", names), NULL);
	CHECK_STR(nearest("x", names), NULL);
	CHECK_STR(nearest("metrics", none), NULL);
	memset(big, 'a', sizeof big - 1);
	big[sizeof big - 1] = '\0';
	CHECK_STR(nearest(big, names), NULL);
}

static bool flag, on = true, no_head;
static long number = 5;
static int64_t ms_value = 1500, size_value = 65536;
static const char *word = "w", *choice, *file;
static struct strs list;
static bool given;

static const struct opt inner[] = {
	FLAG('v', "verbose", &flag, "say more"),
	FLAG(0, "talk", &flag, "say more than any one could say in one line, "
	     "so that it takes two lines"),
	{ 0 }
};
static const struct opt middle[] = { MORE(inner), { 0 } };
static const struct opt rows[] = {
	FLAG(0, "on", &on, "is on"),
	FLAG(0, "no-head", &no_head, "no head"),
	{ OPT_INT, 'n', "number", "N", &number, 1, 10, "a number", &given },
	TIME('t', "time", "TIME", &ms_value, 0, 60000, "a time"),
	SIZE(0, "size", "SIZE", &size_value, 1, INT64_MAX, "a size"),
	STR('w', "word", "WORD", &word, "a word"),
	MORE(middle),
	HEAD("More"),
	STR(0, "choice", "a|bc|d", &choice, "one of them"),
	STR(0, "any", "all|FILE", &file, "this or that"),
	LIST('l', "list", "X", &list, "some"),
	{ 0 }
};
static const struct applet applet = {
	.name = "x", .brief = "b", .args = "[A...]", .opts = rows
};

static void reset(void)
{
	flag = no_head = given = false;
	on = true;
	number = 5;
	ms_value = 1500;
	size_value = 65536;
	word = "w";
	choice = file = NULL;
	free(list.v);
	list = (struct strs){ NULL, 0 };
}

/* The words of a line; n of operands, which are left in argv. */
static char *argv[16];
static char words[256];

static int parse(const char *line)
{
	char *p = words;
	int n = 0;

	reset();
	snprintf(words, sizeof words, "%s", line);
	while (*p) {
		argv[n++] = p;
		p += strcspn(p, " ");
		if (*p)
			*p++ = '\0';
	}
	argv[n] = NULL;
	return opt_parse(&applet, n, argv);
}

TEST(rows_of_tables_within_tables_are_walked_in_order)
{
	struct opt_rows it = OPT_ROWS(rows);
	const struct opt *o;
	char all[256] = "";

	while ((o = opt_next(&it)))
		snprintf(all + strlen(all), sizeof all - strlen(all), "%s ",
			 o->name ? o->name : "-");
	CHECK_STR(all, "on no-head number time size word verbose talk - choice any "
		  "list ");
}

TEST(values_come_in_every_way_of_writing)
{
	CHECK_INT(parse("-n3 -t 2s --size=1k --word x -vw y"), 0);
	CHECK_INT(number, 3);
	CHECK(given);
	CHECK_INT(ms_value, 2000);
	CHECK_INT(size_value, 1024);
	CHECK_STR(word, "y");
	CHECK(flag);
	CHECK_INT(parse("--word="), 0);
	CHECK_STR(word, "");
	CHECK_INT(parse("--word -v"), 0);
	CHECK_STR(word, "-v");
	CHECK(!flag);
	CHECK(!given);
	CHECK_INT(parse("-w=x"), 0);
	CHECK_STR(word, "=x");
}

TEST(flags_are_turned_off_by_no_and_the_last_one_wins)
{
	CHECK_INT(parse("--no-on"), 0);
	CHECK(!on);
	CHECK_INT(parse("--no-on --on"), 0);
	CHECK(on);
	CHECK_INT(parse("--no-head"), 0);
	CHECK(no_head);
	CHECK_INT(parse("--no-head --head"), 0);
	CHECK(!no_head);
	CHECK_INT(parse("-v --no-verbose"), 0);
	CHECK(!flag);
}

TEST(a_list_keeps_its_values_in_order)
{
	CHECK_INT(parse("-l a --list=b -lc"), 0);
	CHECK_INT(list.n, 3);
	CHECK_STR(list.v[0], "a");
	CHECK_STR(list.v[1], "b");
	CHECK_STR(list.v[2], "c");
}

TEST(operands_stand_between_options_and_after_two_dashes)
{
	CHECK_INT(parse("a -v - b -- -n --help c"), 6);
	CHECK_STR(argv[0], "a");
	CHECK_STR(argv[1], "-");
	CHECK_STR(argv[2], "b");
	CHECK_STR(argv[3], "-n");
	CHECK_STR(argv[4], "--help");
	CHECK_STR(argv[5], "c");
	CHECK(!argv[6]);
	CHECK_INT(opt_before_dashes, 3);
	CHECK_INT(parse("a"), 1);
	CHECK_INT(opt_before_dashes, -1);
	CHECK_INT(parse("--"), 0);
	CHECK_INT(opt_before_dashes, 0);
}

TEST(only_alternatives_in_lower_case_are_checked)
{
	CHECK(opt_is_choice("a|bc|d"));
	CHECK(!opt_is_choice("all|FILE"));
	CHECK(!opt_is_choice("name"));
	CHECK(!opt_is_choice(NULL));
	CHECK_INT(parse("--choice bc --any whatever"), 0);
	CHECK_STR(choice, "bc");
	CHECK_STR(file, "whatever");
}

static const char *text_of(const char *name)
{
	static struct buf b = BUF(500);
	bool off;

	buf_free(&b);
	opt_text(opt_named(&applet, name, strlen(name), &off), &b);
	return b.p;
}

TEST(the_help_text_tells_range_default_and_repetition)
{
	reset();
	CHECK_STR(text_of("on"), "is on (default on)");
	CHECK_STR(text_of("verbose"), "say more");
	CHECK_STR(text_of("number"), "a number (1 to 10, default 5)");
	CHECK_STR(text_of("time"), "a time (0 to 1m, default 1500ms)");
	CHECK_STR(text_of("size"), "a size (at least 1, default 64k)");
	CHECK_STR(text_of("word"), "a word (default w)");
	CHECK_STR(text_of("choice"), "one of them");
	CHECK_STR(text_of("list"), "some (repeatable)");
	number = -1;
	CHECK_STR(text_of("number"), "a number (1 to 10)");
	ms_value = 0;
	CHECK_STR(text_of("time"), "a time (0 to 1m, default 0)");
	word = "";
	CHECK_STR(text_of("word"), "a word");
}

/* The exit status of a child that parses the line; what it said, on either
 * stream, is in said. */
static char said[8192];

static int dies(const char *line)
{
	int fds[2], status = -1;
	size_t n = 0;
	ssize_t got;
	pid_t pid;

	fflush(stdout);
	if (pipe(fds) < 0 || (pid = fork()) < 0)
		return -1;
	if (pid == 0) {
		dup2(fds[1], 1);
		dup2(fds[1], 2);
		parse(line);
		_exit(99);
	}
	close(fds[1]);
	while ((got = read(fds[0], said + n, sizeof said - 1 - n)) > 0)
		n += (size_t)got;
	said[n] = '\0';
	close(fds[0]);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(what_is_wrong_is_told_with_the_users_word_and_status_2)
{
	static const struct {
		const char *line, *says;
	} rows_[] = {
		{ "-n 11",          "--number: 11 is out of range (1 to 10)" },
		{ "-n 0",           "--number: 0 is out of range (1 to 10)" },
		{ "-n 5x",          "--number: 5x is not a whole number" },
		{ "-n 1.5",         "--number: 1.5 is not a whole number" },
		{ "--number=",      "--number: \"\" is not a whole number" },
		{ "-n 99999999999999999999", "--number: 99999999999999999999 "
				    "is too large" },
		{ "-t 5x",          "--time: 5x is not a time "
				    "(use 500ms, 5s, 10m, 1h)" },
		{ "-t 2m",          "--time: 2m is out of range (0 to 1m)" },
		{ "--size 0",       "--size: 0 is out of range (at least 1)" },
		{ "--choice b",     "--choice: b is not one of a|bc|d" },
		{ "--choice bcc",   "--choice: bcc is not one of a|bc|d; "
				    "the nearest is bc" },
		{ "--word\033 x",   "unknown option --word\\x1b; "
				    "the nearest is --word" },
		{ "--nmber 3",      "unknown option --nmber; "
				    "the nearest is --number" },
		{ "--nmber=3",      "unknown option --nmber; "
				    "the nearest is --number" },
		{ "--hepl",         "unknown option --hepl; "
				    "the nearest is --help" },
		{ "--zzz",          "unknown option --zzz; see lmc --help" },
		{ "-vZ",            "unknown option -Z; see lmc --help" },
		{ "--verbose=1",    "--verbose takes no value" },
		{ "--no-word",      "unknown option --no-word" },
		{ "--word",         "--word needs a value: WORD" },
		{ "-vw",            "-w needs a value: WORD" },
	};
	size_t i;

	for (i = 0; i < sizeof rows_ / sizeof *rows_; i++) {
		char want[300];

		CHECK_INT(dies(rows_[i].line), 2);
		snprintf(want, sizeof want, "lmc: %s", rows_[i].says);
		if (strncmp(said, want, strlen(want)))
			CHECK_STR(said, want);
	}
}

TEST(help_tells_the_defaults_whatever_was_given_before_it)
{
	CHECK_INT(dies("-n 9 --word changed -t 3s --no-on --help"), 0);
	CHECK(strstr(said, "a number (1 to 10, default 5)"));
	CHECK(strstr(said, "a word (default w)"));
	CHECK(strstr(said, "default 1500ms"));
	CHECK(strstr(said, "--[no-]on"));
	CHECK_INT(dies("-n 99 -h"), 0);
	CHECK(strstr(said, "Usage: lmc x [OPTION...] [A...]\n"));
}

TEST(help_after_two_dashes_or_as_a_value_is_a_word)
{
	CHECK_INT(dies("-- --help"), 99);
	CHECK_INT(dies("--word --help"), 99);
}

TEST(help_is_aligned_and_ends_before_column_80)
{
	const char *p, *end;

	CHECK_INT(dies("--help"), 0);
	for (p = said; *p; p = end + 1) {
		end = strchr(p, '\n');
		CHECK(end);
		CHECK(end - p < 80);
	}
	CHECK(strstr(said, "\n  -n, --number N       a number"));
	CHECK(strstr(said, "\n      --choice a|bc|d  one of them"));
	CHECK(strstr(said, "\nMore:\n"));
	CHECK(strstr(said, "in one line, so that it\n"
		     "                       takes two lines\n"));
}

/* The same with other operand words. */
static int dies_with(const char *args, const char *line)
{
	static const struct opt none[] = { { 0 } };
	struct applet a = { .name = "x", .args = args, .opts = none };
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		char *v[8], *p, *save;
		int n = 0;

		close(2);
		snprintf(words, sizeof words, "%s", line);
		for (p = strtok_r(words, " ", &save); p;
		     p = strtok_r(NULL, " ", &save))
			v[n++] = p;
		v[n] = NULL;
		_exit(opt_parse(&a, n, v) + 50);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(too_few_and_too_many_operands_are_refused_by_the_synopsis)
{
	CHECK_INT(dies_with("", ""), 50);
	CHECK_INT(dies_with("", "a"), 2);
	CHECK_INT(dies_with("A", ""), 2);
	CHECK_INT(dies_with("A", "a"), 51);
	CHECK_INT(dies_with("A", "a b"), 2);
	CHECK_INT(dies_with("[A]", ""), 50);
	CHECK_INT(dies_with("[A]", "a b"), 2);
	CHECK_INT(dies_with("[A [B]] C", "a b c"), 53);
	CHECK_INT(dies_with("[A [B]] C", "a b c d"), 2);
	CHECK_INT(dies_with("[A [B]] C", ""), 2);
	CHECK_INT(dies_with("A...", ""), 2);
	CHECK_INT(dies_with("A...", "a b c"), 53);
	CHECK_INT(dies_with("[A]...", ""), 50);
	CHECK_INT(dies_with("A -- B [C...]", "a"), 2);
	CHECK_INT(dies_with("A -- B [C...]", "a -- b --c d"), 54);
	CHECK_INT(dies_with("A | B C", ""), 50);
}

/* What opt_complete prints for the words of a line, "_" standing for "". */
static const char *completes(const char *line)
{
	int fds[2];
	size_t n = 0;
	ssize_t got;
	pid_t pid;

	fflush(stdout);
	if (pipe(fds) < 0 || (pid = fork()) < 0)
		return NULL;
	if (pid == 0) {
		char *v[8], *p, *save;
		int k = 0;

		reset();
		dup2(fds[1], 1);
		snprintf(words, sizeof words, "%s", line);
		for (p = strtok_r(words, " ", &save); p;
		     p = strtok_r(NULL, " ", &save))
			v[k++] = strcmp(p, "_") ? p : p + 1;
		opt_complete(&applet, k, v);
		fflush(stdout);
		_exit(0);
	}
	close(fds[1]);
	while ((got = read(fds[0], said + n, sizeof said - 1 - n)) > 0)
		n += (size_t)got;
	said[n] = '\0';
	close(fds[0]);
	waitpid(pid, NULL, 0);
	return said;
}

TEST(options_complete_with_their_help)
{
	CHECK_STR(completes("--nu"), "--number\ta number\n");
	CHECK_STR(completes("--ve"), "--verbose\tsay more\n");
	CHECK_STR(completes("--no-v"), "--no-verbose\tsay more\n");
	CHECK_STR(completes("--no-o"), "--no-on\tis on\n");
	CHECK_STR(completes("--zz"), "");
	CHECK(strstr(completes("-"), "--help\t"));
	CHECK(!strstr(completes("-"), "--no-verbose"));
}

TEST(values_complete_after_their_option_and_inside_the_word)
{
	CHECK_STR(completes("--choice _"), "a\nbc\nd\n");
	CHECK_STR(completes("--choice b"), "bc\n");
	CHECK_STR(completes("--choice bc|d"), "");
	CHECK_STR(completes("--choice=b"), "--choice=bc\n");
	CHECK_STR(completes("--any _"), "all\n@FILE\n");
	CHECK_STR(completes("--any=x"), "@FILE\n");
	CHECK_STR(completes("--word _"), "");
	CHECK_STR(completes("-vw _"), "");
	CHECK_STR(completes("--word --choice _"), "");
	CHECK_STR(completes("-wx --choice b"), "bc\n");
	CHECK_STR(completes("-- --nu"), "");
}

/* What opt_man prints for an applet. */
static const char *page_of(const struct applet *a)
{
	int fds[2];
	size_t n = 0;
	ssize_t got;
	pid_t pid;

	fflush(stdout);
	if (pipe(fds) < 0 || (pid = fork()) < 0)
		return NULL;
	if (pid == 0) {
		reset();
		dup2(fds[1], 1);
		opt_man(a);
		fflush(stdout);
		_exit(0);
	}
	close(fds[1]);
	while ((got = read(fds[0], said + n, sizeof said - 1 - n)) > 0)
		n += (size_t)got;
	said[n] = '\0';
	close(fds[0]);
	waitpid(pid, NULL, 0);
	return said;
}

TEST(the_page_escapes_what_roff_would_take_for_its_own)
{
	struct applet a = applet;
	const char *page;

	a.about = "Sets \\n and 'x'\nin ~/a.\n\n  .verbatim -o\n\n.dots \"q\" `c` ^";
	page = page_of(&a);
	CHECK(strstr(page, "\nSets \\en and \\(aqx\\(aq\nin \\(ti/a.\n.PP\n"));
	CHECK(strstr(page, "\n.nf\n  .verbatim \\-o\n.fi\n.PP\n"));
	CHECK(strstr(page, "\n\\&.dots \\(dqq\\(dq \\(gac\\(ga \\(ha\n"));
	CHECK(strstr(page, "\n.TP\n\\fB\\-n\\fR, \\fB\\-\\-number\\fR \\fIN\\fR\n"
		     "a number (1 to 10, default 5)\n"));
	CHECK(strstr(page, "\n.SS More\n"));
	CHECK(!strstr(page, "ENVIRONMENT"));
}

TEST(the_page_has_the_applets_own_variables_and_those_of_its_options)
{
	static const struct opt nodes[] = {
		STR(0, "nodes", "FILE", &file, "nodes"), { 0 }
	};
	struct applet a = applet;
	const char *page;

	a.env = "OWN\n  what it does";
	page = page_of(&a);
	CHECK(strstr(page, "\n.SH ENVIRONMENT\n.TP\nOWN\nwhat it does\n"));
	CHECK(!strstr(page, "LMC_NODES"));
	a.opts = nodes;
	page = page_of(&a);
	CHECK(strstr(page, "\n.SH ENVIRONMENT\n.TP\n.B LMC_NODES\n"));
	CHECK(strstr(page, "\nOWN\n"));
	page = strstr(page, ".SH ENVIRONMENT") + 1;
	CHECK(!strstr(page, ".SH ENVIRONMENT"));
	a.env = NULL;
	CHECK(strstr(page_of(&a), "\n.B LMC_NODES\n"));
}
