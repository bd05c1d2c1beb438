/* test_expo_read.c - reading and writing one exposition
 * SPDX-License-Identifier: Apache-2.0
 */
#include "expo_help.h"

#define TEXT(in) through((in), EXPO_TEXT, EXPO_TEXT)
#define OM(in) through((in), EXPO_OPENMETRICS, EXPO_OPENMETRICS)
#define SAME(in) CHECK_STR(TEXT(in), in)

static void round_trip(const char *name, enum expo_format f)
{
	char path[128];
	size_t n;
	char *text;

	snprintf(path, sizeof path, "tests/fixtures/metrics/%s", name);
	text = read_file(path, 1 << 24, &n);
	CHECK(text);
	CHECK(n > 100);
	CHECK_STR(through(text, f, f), text);
}

TEST(recorded_scheduler_is_written_as_it_was)
{
	round_trip("scheduler.prom", EXPO_TEXT);
}

TEST(recorded_workers_are_written_as_they_were)
{
	round_trip("worker0.prom", EXPO_TEXT);
	round_trip("worker1.prom", EXPO_TEXT);
}

TEST(recorded_escapes_and_odd_values_are_written_as_they_were)
{
	round_trip("awkward.prom", EXPO_TEXT);
}

TEST(all_of_openmetrics_is_written_as_it_was)
{
	round_trip("openmetrics.om", EXPO_OPENMETRICS);
}

TEST(quoted_utf8_names_are_written_as_they_were)
{
	round_trip("utf8_names.prom", EXPO_TEXT);
}

TEST(recorded_gluing_is_refused_where_it_stops_being_metrics)
{
	size_t n;
	char *text = read_file("tests/fixtures/metrics/glued.prom", 1 << 24, &n);

	CHECK(text);
	CHECK_STR(TEXT(text), "1227:6: expected '{' or a space but found "
			"the end of the line");
}

TEST(blanks_of_text_are_read_and_not_written)
{
	CHECK_STR(TEXT("  a \t1\nb{ x = \"y\" , z=\"\" , } 2  3 \n\n\t\n"
			"c {x=\"y\"}4\n  # a comment\n#HELP x y\n"),
		"a 1\nb{x=\"y\",z=\"\"} 2 3\nc{x=\"y\"} 4\n");
}

TEST(empty_braces_and_no_text_at_all_are_fine)
{
	CHECK_STR(TEXT("a{} 1\n"), "a 1\n");
	CHECK_STR(TEXT(""), "");
	CHECK_STR(TEXT("# nothing\n\n"), "");
}

TEST(values_are_not_printed_anew)
{
	SAME("a 1.0\nb 1e-300\nc +Inf\n"
		"d -0.0\ne NaN\nf .5\ng 5.\nh +1E+05\ni nan\nj infinity\n");
	SAME("a 17.999999999999999999999999\n");
	SAME("a 1 -1700000000123\nb 2 0\n");
}

TEST(help_without_text_and_families_without_samples_stay)
{
	SAME("# HELP a \n# TYPE a gauge\n# TYPE b counter\n# HELP b x\n");
}

TEST(errors_name_line_column_and_what_was_expected)
{
	static const char *const bad[][2] = {
		{ "a 1\nb\n", "2:2: expected '{' or a space but found the end of the line" },
		{ "a 1\n9a 1\n", "2:1: expected a metric name, '#' or '{' but found '9'" },
		{ "a-b 1\n", "1:2: expected '{' or a space but found '-'" },
		{ "a{b=\"c\" 1\n", "1:9: expected ',' or '}' but found '1'" },
		{ "a{b=\"c\n\"} 1\n", "1:7: expected '\"' but found the end of the line" },
		{ "a{b=c} 1\n", "1:5: expected '\"' but found 'c'" },
		{ "a{b:c=\"d\"} 1\n", "1:4: expected '=' but found ':'" },
		{ "a{=\"d\"} 1\n", "1:3: expected a label name but found '='" },
		{ "a{b=\"\\x\"} 1\n", "1:7: expected 'n', '\"' or '\\' after '\\' but found 'x'" },
		{ "a{b=\"1\",b=\"2\"} 1\n", "1:9: this label name was there before" },
		{ "a{__name__=\"b\"} 1\n", "1:3: the label name __name__ is reserved" },
		{ "a{b=\"\xff\"} 1\n", "1:6: expected UTF-8 between the quotes" },
		{ "a{b=\"\xed\xa0\x80\"} 1\n", "1:6: expected UTF-8 between the quotes" },
		{ "a{b=\"\xc0\xaf\"} 1\n", "1:6: expected UTF-8 between the quotes" },
		{ "{b=\"c\"} 1\n", "1:1: expected a metric name in these braces" },
		{ "a \n", "1:3: expected a value but found the end of the line" },
		{ "a one\n", "1:3: expected a value but found 'o'" },
		{ "a 1e\n", "1:3: expected a value but found '1'" },
		{ "a 1e999\n", "1:3: expected a value but found '1'" },
		{ "a 1_000\n", "1:4: expected a space or the end of the line but found '_'" },
		{ "a 0x1p3\n", "1:4: expected a space or the end of the line but found 'x'" },
		{ "a 1 x\n", "1:5: expected a timestamp or the end of the line but found 'x'" },
		{ "a 1 1.5\n", "1:6: expected the end of the line but found '.'" },
		{ "a 1 2 3\n", "1:7: expected the end of the line but found '3'" },
		{ "a 1 9223372036854775808\n", "1:5: expected a timestamp of 64 bits" },
		{ "a 1 # {} 1\n", "1:5: expected a timestamp or the end of the line but found '#'" },
		{ "a 1\nb 2", "2:4: expected a newline at the end of the text" },
		{ "a 1\r\n", "1:4: expected a space or the end of the line but found \\x0d" },
		{ "# TYPE a thing\n", "1:10: expected counter, gauge, histogram, summary or untyped but found 't'" },
		{ "# TYPE a info\n", "1:10: expected counter, gauge, histogram, summary or untyped but found 'i'" },
		{ "# HELP 1 x\n", "1:8: expected a metric name but found '1'" },
		{ "# HELP a \xff\n", "1:10: expected UTF-8" },
		{ "# TYPE h histogram\nh_bucket{le=\"x\"} 1\n", "2:14: expected a number as the value of le" },
		{ "# TYPE s summary\ns{quantile=\"\"} 1\n", "2:13: expected a number as the value of quantile" },
	};
	size_t i;

	for (i = 0; i < sizeof bad / sizeof *bad; i++)
		CHECK_STR(TEXT(bad[i][0]), bad[i][1]);
}

TEST(openmetrics_is_read_strictly)
{
	static const char *const bad[][2] = {
		{ "a 1\n", "2:1: expected # EOF" },
		{ "", "1:1: expected # EOF" },
		{ "\n# EOF\n", "1:1: expected no empty line but found the end of the line" },
		{ "# EOF\na 1\n", "2:1: expected nothing after # EOF" },
		{ "# hello\n# EOF\n", "1:3: expected HELP, TYPE, UNIT or EOF but found 'h'" },
		{ "a  1\n# EOF\n", "1:3: expected a value but found ' '" },
		{ "a{b=\"c\",} 1\n# EOF\n", "1:9: expected a label name but found '}'" },
		{ "a{ b=\"c\"} 1\n# EOF\n", "1:3: expected a label name but found ' '" },
		{ "a 1 \n# EOF\n", "1:5: expected a timestamp or '#' but found the end of the line" },
		{ "a 1 1e300\n# EOF\n", "1:5: expected a timestamp of 64 bits" },
		{ "a 1 NaN\n# EOF\n", "1:5: expected a timestamp or '#' but found 'N'" },
		{ "a 1 # x\n# EOF\n", "1:7: expected '{' but found 'x'" },
		{ "a 1 # {b=\"c\"}\n# EOF\n", "1:14: expected a space but found the end of the line" },
		{ "a 1 # {b=\"c\"} x\n# EOF\n", "1:15: expected the exemplar's value but found 'x'" },
		{ "a 1 # {b=\"c\"} 1 x\n# EOF\n", "1:17: expected the exemplar's timestamp but found 'x'" },
		{ "# TYPE q gaugehistogram\nq_bucket{le=\"x\"} 1\n# EOF\n", "2:14: expected a number as the value of le" },
		{ "# TYPE a untyped\n# EOF\n", "1:10: expected a type of OpenMetrics (counter, gauge, unknown...) but found 'u'" },
	};
	size_t i;

	for (i = 0; i < sizeof bad / sizeof *bad; i++)
		CHECK_STR(OM(bad[i][0]), bad[i][1]);
	CHECK_STR(OM("a 1\n# EOF"), "a 1\n# EOF\n");
}

/* --- from one format to the other --------------------------------------- */

static const char *time_to_om(const char *t)
{
	static char in[128];

	snprintf(in, sizeof in, "a 1 %s\n", t);
	return through(in, EXPO_TEXT, EXPO_OPENMETRICS);
}

static const char *time_to_text(const char *t)
{
	static char in[128];

	snprintf(in, sizeof in, "a 1 %s\n# EOF\n", t);
	return through(in, EXPO_OPENMETRICS, EXPO_TEXT);
}

TEST(milliseconds_become_seconds_to_the_digit)
{
	CHECK_STR(time_to_om("1700000000123"), "a 1 1700000000.123\n# EOF\n");
	CHECK_STR(time_to_om("1700000000120"), "a 1 1700000000.12\n# EOF\n");
	CHECK_STR(time_to_om("1700000000000"), "a 1 1700000000\n# EOF\n");
	CHECK_STR(time_to_om("5"), "a 1 0.005\n# EOF\n");
	CHECK_STR(time_to_om("-1500"), "a 1 -1.5\n# EOF\n");
	CHECK_STR(time_to_om("0"), "a 1 0\n# EOF\n");
	CHECK_STR(time_to_om("-0"), "a 1 0\n# EOF\n");
	CHECK_STR(time_to_om("123456789012345678"), "a 1 123456789012345.678\n# EOF\n");
	CHECK_STR(time_to_om("9223372036854775807"), "a 1 9223372036854775.807\n# EOF\n");
	CHECK_STR(time_to_om("0009223372036854775807"), "a 1 9223372036854775.807\n# EOF\n");
}

TEST(seconds_become_milliseconds_to_the_digit)
{
	CHECK_STR(time_to_text("1700000000.123"), "a 1 1700000000123\n");
	CHECK_STR(time_to_text("1700000000.1239"), "a 1 1700000000123\n");
	CHECK_STR(time_to_text("1700000000"), "a 1 1700000000000\n");
	CHECK_STR(time_to_text("1.7e9"), "a 1 1700000000000\n");
	CHECK_STR(time_to_text("17000e-4"), "a 1 1700\n");
	CHECK_STR(time_to_text("1e-3"), "a 1 1\n");
	CHECK_STR(time_to_text("1e-4"), "a 1 0\n");
	CHECK_STR(time_to_text(".5"), "a 1 500\n");
	CHECK_STR(time_to_text("-0.001"), "a 1 -1\n");
	CHECK_STR(time_to_text("-0.0001"), "a 1 0\n");
	CHECK_STR(time_to_text("9223372036854775.807"), "a 1 9223372036854775807\n");
	CHECK_STR(time_to_text("9223372036854775.808"), "1:5: expected a timestamp of 64 bits");
	CHECK_STR(time_to_text("1e-300"), "a 1 0\n");
}

TEST(counters_lose_and_regain_their_ending)
{
	const char *text = "# HELP a_total x\n# TYPE a_total counter\na_total 1\n";
	const char *om = "# HELP a x\n# TYPE a counter\na_total 1\n# EOF\n";

	CHECK_STR(through(text, EXPO_TEXT, EXPO_OPENMETRICS), om);
	CHECK_STR(through(om, EXPO_OPENMETRICS, EXPO_TEXT), text);
}

TEST(a_counter_without_its_ending_is_unknown_to_openmetrics)
{
	CHECK_STR(through("# TYPE a counter\na 1\n", EXPO_TEXT, EXPO_OPENMETRICS),
		"# TYPE a unknown\na 1\n# EOF\n");
	CHECK_STR(through("# TYPE a gauge\na 1\n# TYPE a_total counter\n"
			"a_total 1\n", EXPO_TEXT, EXPO_OPENMETRICS),
		"# TYPE a gauge\na 1\n# TYPE a_total unknown\na_total 1\n# EOF\n");
}

TEST(created_samples_are_sorted_in_for_openmetrics)
{
	CHECK_STR(through("# TYPE a_total counter\na_total{x=\"1\"} 1\n"
			"a_total{x=\"2\"} 2\na_total{x=\"3\"} 3\n"
			"a_total{x=\"4\"} 4\n# TYPE a_created gauge\n"
			"a_created{x=\"4\"} 14\na_created{x=\"2\"} 12\n"
			"a_created{x=\"1\"} 11\n", EXPO_TEXT, EXPO_OPENMETRICS),
		"# TYPE a counter\na_total{x=\"1\"} 1\na_created{x=\"1\"} 11\n"
		"a_total{x=\"2\"} 2\na_created{x=\"2\"} 12\n"
		"a_total{x=\"3\"} 3\na_total{x=\"4\"} 4\n"
		"a_created{x=\"4\"} 14\n# EOF\n");
}

TEST(openmetrics_types_become_what_text_has)
{
	size_t n;
	char *om = read_file("tests/fixtures/metrics/openmetrics.om", 1 << 20, &n);
	const char *text, *again;

	CHECK(om);
	text = through(om, EXPO_OPENMETRICS, EXPO_TEXT);
	CHECK(strstr(text, "# HELP requests_total Requests, with \"quotes\", "
			"a \\\\ and a\\nnewline\n# TYPE requests_total counter\n"
			"requests_total{path=\"/a\",method=\"GET\"} 17.0 "
			"1700000000123\n"));
	CHECK(strstr(text, "# TYPE requests_created gauge\nrequests_created{"
			"path=\"/a\",method=\"GET\"} 1.7e9 1700000000123\n"));
	CHECK(strstr(text, "temperature_celsius{room=\"\\\\d is two bytes\"} NaN\n"));
	CHECK(strstr(text, "# TYPE queue histogram\n"));
	CHECK(strstr(text, "# TYPE queue_gsum gauge\nqueue_gsum 12.5\n"));
	CHECK(strstr(text, "# TYPE queue_gcount gauge\nqueue_gcount 5\n"));
	CHECK(strstr(text, "# TYPE build_info gauge\nbuild_info{version=\"1.0\""));
	CHECK(strstr(text, "# TYPE phase gauge\n"));
	CHECK(strstr(text, "# TYPE guess untyped\n"));
	CHECK(!strstr(text, "UNIT temp") && !strstr(text, "# {"));
	again = through(text, EXPO_TEXT, EXPO_TEXT);
	CHECK_STR(again, text);
	again = through(text, EXPO_TEXT, EXPO_OPENMETRICS);
	CHECK(strstr(again, "requests_total{path=\"/a\",method=\"GET\"} 17.0 "
			"1700000000.123\nrequests_created{path=\"/a\","
			"method=\"GET\"} 1.7e9 1700000000.123\n"));
}

TEST(the_accept_header_decides)
{
	static const struct {
		const char *accept;
		enum expo_format f;
	} row[] = {
		{ "", EXPO_TEXT }, { "*/*", EXPO_TEXT },
		{ "text/plain", EXPO_TEXT },
		{ "text/plain;version=0.0.4;q=1,*/*;q=0.1", EXPO_TEXT },
		{ "application/openmetrics-text", EXPO_OPENMETRICS },
		{ "application/openmetrics-text;version=1.0.0,application/"
		  "openmetrics-text;version=0.0.1;q=0.75,text/plain;version="
		  "0.0.4;q=0.5,*/*;q=0.1", EXPO_OPENMETRICS },
		{ "application/openmetrics-text;q=0.3, text/plain;q=0.5", EXPO_TEXT },
		{ "application/openmetrics-text;q=0", EXPO_TEXT },
		{ "application/openmetrics-textual", EXPO_TEXT },
		{ "application/openmetrics-text; version=2.0.0", EXPO_TEXT },
		{ "APPLICATION/OpenMetrics-Text", EXPO_OPENMETRICS },
	};
	size_t i;

	for (i = 0; i < sizeof row / sizeof *row; i++)
		CHECK_INT(expo_accept(row[i].accept, strlen(row[i].accept)),
				row[i].f);
	CHECK_INT(expo_sniff("a 1\n# EOF\n", 10), EXPO_OPENMETRICS);
	CHECK_INT(expo_sniff("a 1\n", 4), EXPO_TEXT);
	CHECK_INT(expo_sniff("", 0), EXPO_TEXT);
}

/* --- cut anywhere ------------------------------------------------------- */

/* Whole, then cut behind every byte: refused, or all of its lines. */
static void cut_everywhere(const char *name, enum expo_format f, size_t most)
{
	char path[128];
	size_t n, i, whole = 0;
	struct expo_error e;
	struct expo *m;
	char *text, *part;

	snprintf(path, sizeof path, "tests/fixtures/metrics/%s", name);
	text = read_file(path, 1 << 24, &n);
	CHECK(text);
	for (i = 0; i <= n && i <= most; i++) {
		m = merge_new(EXPO_TEXT);
		part = malloc(i ? i : 1);
		memcpy(part, text, i);
		whole += i && text[i - 1] == '\n';
		if (expo_add(m, i ? part : part + 1, i, f, NULL, 0, &e) < 0) {
			CHECK(e.line >= 1 && e.column >= 1 && *e.what);
			CHECK_INT(stats(m).families, 0);
			CHECK_INT(stats(m).samples, 0);
		} else {
			CHECK(!i || text[i - 1] == '\n' || i >= n - 1);
			expo_write(m, to_buf, &(struct buf)BUF(1 << 20));
		}
		expo_free(m);
		free(part);
	}
	CHECK(whole > 3);
}

TEST(a_text_cut_anywhere_is_read_whole_or_refused)
{
	cut_everywhere("worker0.prom", EXPO_TEXT, 6000);
	cut_everywhere("utf8_names.prom", EXPO_TEXT, 6000);
}

TEST(openmetrics_cut_anywhere_is_refused)
{
	cut_everywhere("openmetrics.om", EXPO_OPENMETRICS, 6000);
}
