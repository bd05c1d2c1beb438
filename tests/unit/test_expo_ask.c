/* test_expo_ask.c - selectors, values, quantiles, roll-ups, lint, filter
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>

#include "expo_help.h"

/* --- selectors ---------------------------------------------------------- */

static const char *ask(const char *text, const char *select)
{
	static char out[64];
	struct expo_error e;
	struct expo_selector *s = expo_selector_new(select, strlen(select), &e);
	struct expo *m = merge_new(EXPO_TEXT);
	double v;

	if (!s) {
		snprintf(out, sizeof out, "%zu: %.50s", e.column, e.what);
		return out;
	}
	add(m, text, EXPO_TEXT, NULL);
	if (expo_find(m, s, &v) != 1)
		return "none";
	out[expo_format_number(out, v)] = 0;
	return out;
}

#define SOME "a{x=\"1\"} 1\na{x=\"2\",y=\"l\\nm\"} 2\nlmcache:b 3\n" \
	"c{x=\"\"} 4\n{\"d.e\",\"f.g\"=\"h\"} 5\n"

TEST(a_selector_finds_its_sample)
{
	CHECK_STR(ask(SOME, "a"), "1");
	CHECK_STR(ask(SOME, " a { x = \"2\" , } "), "2");
	CHECK_STR(ask(SOME, "{x='2'}"), "2");
	CHECK_STR(ask(SOME, "a{y=\"l\\nm\"}"), "2");
	CHECK_STR(ask(SOME, "a{y=`l\\nm`}"), "none");
	CHECK_STR(ask(SOME, "lmcache:b{}"), "3");
	CHECK_STR(ask(SOME, "{__name__=~\".*:b\"}"), "3");
	CHECK_STR(ask(SOME, "a{x!=\"1\"}"), "2");
	CHECK_STR(ask(SOME, "a{x!~\"1|3\"}"), "2");
	CHECK_STR(ask(SOME, "{x=\"\",__name__!=\"lmcache:b\"}"), "4");
	CHECK_STR(ask(SOME, "{\"d.e\",\"f.g\"=\"h\"}"), "5");
	CHECK_STR(ask(SOME, "z"), "none");
}

TEST(regular_expressions_are_anchored)
{
	CHECK_STR(ask("a{x=\"ab\"} 1\n", "a{x=~\"a\"}"), "none");
	CHECK_STR(ask("a{x=\"ab\"} 1\n", "a{x=~\"b|a\"}"), "none");
	CHECK_STR(ask("a{x=\"ab\"} 1\n", "a{x=~\"a|ab\"}"), "1");
	CHECK_STR(ask("a{x=\"ab\"} 1\n", "a{x=~\"\"}"), "none");
	CHECK_STR(ask("a 1\n", "a{x=~\"\"}"), "1");
}

TEST(bad_selectors_are_refused_with_the_column)
{
	CHECK_STR(ask("", ""), "1: expected a metric name or {label=\"value\"}");
	CHECK_STR(ask("", "{}"), "3: expected a metric name or {label=\"value\"}");
	CHECK_STR(ask("", "a b"), "3: expected the end of the selector");
	CHECK_STR(ask("", "a{x}"), "4: expected =, !=, =~ or !~");
	CHECK_STR(ask("", "a{x=1}"), "5: expected a quote");
	CHECK_STR(ask("", "a{x=\"1\""), "8: expected ',' or '}'");
	CHECK(strstr(ask("", "a{x=\"1}"), "expected the closing quote"));
	CHECK(strstr(ask("", "a{x=~\"(\"}"), "POSIX extended"));
	CHECK(strstr(ask("", "a{x=~\"(?i)a\"}"), "POSIX extended"));
	CHECK(strstr(ask("", "a{x=~\"(a)\\\\1\"}"), "POSIX extended"));
	CHECK(strstr(ask("", "a{x=~\"(a{9}){9}\"}"), "POSIX extended"));
}

TEST(too_many_matchers_are_refused)
{
	char text[400] = "{a=\"\"";
	int i;

	for (i = 0; i < EXPO_MATCHERS; i++)
		snprintf(text + strlen(text), sizeof text - strlen(text),
				",a%d=\"\"", i);
	snprintf(text + strlen(text), sizeof text - strlen(text), "}");
	CHECK(strstr(ask("", text), "expected no more matchers"));
}

/* --- numbers ------------------------------------------------------------ */

static const char *shown(double v)
{
	static char out[32];

	out[expo_format_number(out, v)] = 0;
	return out;
}

TEST(numbers_are_shown_short_and_exact)
{
	CHECK_STR(shown(0.1), "0.1");
	CHECK_STR(shown(1.0 / 3), "0.3333333333333333");
	CHECK_STR(shown(100000), "100000");
	CHECK_STR(shown(1e21), "1e+21");
	CHECK_STR(shown(123456789012.0), "123456789012");
	CHECK_STR(shown(-2.5), "-2.5");
	CHECK_STR(shown(NAN), "NaN");
	CHECK_STR(shown(-INFINITY), "-Inf");
}

TEST(numbers_are_read_whole_or_not_at_all)
{
	double v;

	CHECK(expo_number((struct expo_span){ "1.5e3", 5 }, &v) == 0 && v == 1500);
	CHECK(expo_number((struct expo_span){ "+Inf", 4 }, &v) == 0 && isinf(v));
	CHECK(expo_number((struct expo_span){ "NaN", 3 }, &v) == 0 && isnan(v));
	CHECK_INT(expo_number((struct expo_span){ "1x", 2 }, &v), -1);
	CHECK_INT(expo_number((struct expo_span){ "", 0 }, &v), -1);
	CHECK_INT(expo_number((struct expo_span){ "0x10", 4 }, &v), -1);
}

/* Values of promtool test rules, which differ in the last digit at most. */
TEST(quantiles_are_those_of_prometheus)
{
	struct expo_bucket b[] = { { 10, 11 }, { 0.1, 3 }, { 1, 10 },
		{ INFINITY, 12 } };
	struct expo_bucket low[] = { { -1, 5 }, { 1, 6 }, { INFINITY, 6 } };
	struct expo_bucket dip[] = { { 1, 5 }, { 2, 4 }, { 3, 8 },
		{ INFINITY, 8 } };
	struct expo_bucket none[] = { { 1, 0 }, { INFINITY, 0 } };
	struct expo_bucket open[] = { { 1, 1 }, { 2, 2 } };

	CHECK(fabs(expo_quantile(0.5, b, 4) - 0.4857142857142857) < 1e-12);
	CHECK(fabs(expo_quantile(0.1, b, 4) - 0.04) < 1e-12);
	CHECK(fabs(expo_quantile(0.9, b, 4) - 8.2) < 1e-9);
	CHECK(expo_quantile(0.99, b, 4) == 10);
	CHECK(expo_quantile(0.5, low, 3) == -1);
	CHECK(fabs(expo_quantile(0.75, dip, 4) - 2.3333333333333335) < 1e-12);
	CHECK(isnan(expo_quantile(0.5, none, 2)));
	CHECK(isnan(expo_quantile(0.5, open, 2)));
	CHECK(isnan(expo_quantile(0.5, b, 0)));
	CHECK(expo_quantile(-1, b, 4) == -INFINITY);
	CHECK(expo_quantile(2, b, 4) == INFINITY);
}

/* --- roll-up ------------------------------------------------------------ */

static size_t lost;

static const char *rolled(enum expo_op op, const char *by, const char *const *text,
		unsigned texts, enum expo_format f)
{
	struct buf *b = calloc(1, sizeof *b);
	struct expo *m = merge_new(EXPO_TEXT);
	struct expo_rollup r = { .op = op, .by = &by, .bys = by != NULL };
	static const char *const node[] = { "n1", "n2", "n3" };
	unsigned i;

	b->max = 1 << 20;
	for (i = 0; i < texts; i++)
		if (add(m, text[i], EXPO_TEXT, node[i]) < 0)
			return add_error.what;
	if (expo_roll(m, &r, f, to_buf, b, &lost) < 0)
		return "expo_roll failed";
	return b->p ? b->p : "";
}

static const char *const nodes[] = {
	"# HELP lmcache:num_hit_tokens_total H\n"
	"# TYPE lmcache:num_hit_tokens_total counter\n"
	"lmcache:num_hit_tokens_total 30\n"
	"# TYPE lmcache:num_requested_tokens_total counter\n"
	"lmcache:num_requested_tokens_total 100\n"
	"# TYPE lmcache:retrieve_hit_rate gauge\nlmcache:retrieve_hit_rate 0.3\n"
	"# TYPE lmcache:local_cache_usage gauge\nlmcache:local_cache_usage 5\n"
	"# TYPE lmcache:remote_ping_latency gauge\nlmcache:remote_ping_latency 7\n"
	"# TYPE t histogram\nt_bucket{le=\"1\"} 1\nt_bucket{le=\"+Inf\"} 2\n"
	"t_sum 3\nt_count 2\n",
	"# TYPE lmcache:num_hit_tokens_total counter\n"
	"lmcache:num_hit_tokens_total{role=\"other\"} 10\n"
	"# TYPE lmcache:num_requested_tokens_total counter\n"
	"lmcache:num_requested_tokens_total{role=\"other\"} 300\n"
	"# TYPE lmcache:retrieve_hit_rate gauge\n"
	"lmcache:retrieve_hit_rate{role=\"other\"} 0.9\n"
	"# TYPE lmcache:local_cache_usage gauge\n"
	"lmcache:local_cache_usage{role=\"other\"} 6\n"
	"# TYPE lmcache:remote_ping_latency gauge\n"
	"lmcache:remote_ping_latency{role=\"other\"} 1\n"
	"# TYPE t histogram\nt_bucket{le=\"1\",role=\"other\"} 10\n"
	"t_bucket{le=\"+Inf\",role=\"other\"} 20\n",
};

TEST(counters_usage_and_buckets_add_up_rates_do_not)
{
	CHECK_STR(rolled(EXPO_AUTO, NULL, nodes, 2, EXPO_TEXT),
		"# HELP lmcache:num_hit_tokens_total H\n"
		"# TYPE lmcache:num_hit_tokens_total counter\n"
		"lmcache:num_hit_tokens_total 40\n"
		"# TYPE lmcache:num_requested_tokens_total counter\n"
		"lmcache:num_requested_tokens_total 400\n"
		"# TYPE lmcache:retrieve_hit_rate gauge\n"
		"lmcache:retrieve_hit_rate 0.1\n"
		"# TYPE lmcache:local_cache_usage gauge\n"
		"lmcache:local_cache_usage 11\n"
		"# TYPE lmcache:remote_ping_latency gauge\n"
		"lmcache:remote_ping_latency 7\n"
		"# TYPE t histogram\nt_bucket{le=\"1\"} 11\n"
		"t_bucket{le=\"+Inf\"} 22\nt_sum 3\nt_count 2\n");
	CHECK_INT(lost, 0);
}

TEST(groups_are_kept_apart_by_their_labels)
{
	const char *out = rolled(EXPO_AUTO, "role", nodes, 2, EXPO_TEXT);

	CHECK(strstr(out, "lmcache:num_hit_tokens_total{role=\"worker\"} 30\n"
		"lmcache:num_hit_tokens_total{role=\"other\"} 10\n"));
	CHECK(strstr(out, "lmcache:retrieve_hit_rate{role=\"worker\"} 0.3\n"));
	CHECK(strstr(out, "lmcache:retrieve_hit_rate{role=\"other\"} "
		"0.03333333333333333\n"));
	CHECK(strstr(out, "t_bucket{role=\"other\",le=\"1\"} 10\n"));
}

TEST(the_operator_is_for_gauges)
{
	const char *out = rolled(EXPO_MAX, NULL, nodes, 2, EXPO_TEXT);

	CHECK(strstr(out, "lmcache:num_hit_tokens_total 40\n"));
	CHECK(strstr(out, "lmcache:retrieve_hit_rate 0.9\n"));
	CHECK(strstr(out, "lmcache:local_cache_usage 6\n"));
	out = rolled(EXPO_MIN, NULL, nodes, 2, EXPO_TEXT);
	CHECK(strstr(out, "lmcache:local_cache_usage 5\n"));
	CHECK(strstr(out, "t_bucket{le=\"1\"} 11\n"));
	out = rolled(EXPO_AVG, NULL, nodes, 2, EXPO_TEXT);
	CHECK(strstr(out, "lmcache:local_cache_usage 5.5\n"));
	CHECK(strstr(out, "lmcache:retrieve_hit_rate 0.1\n"));
	out = rolled(EXPO_SUM, NULL, nodes, 2, EXPO_TEXT);
	CHECK(strstr(out, "lmcache:local_cache_usage 11\n"));
	CHECK(strstr(out, "lmcache:remote_ping_latency 7\n"));
}

TEST(what_cannot_be_rolled_up_is_counted)
{
	static const char *const text[] = { "# TYPE s summary\n"
		"s{quantile=\"0.5\"} 1\ns{quantile=\"0.9\"} 2\ns_sum 3\ns_count 4\n"
		"# TYPE lmcache:lookup_hit_rate gauge\n"
		"lmcache:lookup_hit_rate 0.5\n" };

	CHECK_STR(rolled(EXPO_AUTO, NULL, text, 1, EXPO_TEXT),
		"# TYPE s summary\ns_sum 3\ns_count 4\n"
		"# TYPE lmcache:lookup_hit_rate gauge\n");
	CHECK_INT(lost, 3);
	CHECK(strstr(rolled(EXPO_MAX, NULL, text, 1, EXPO_TEXT),
		"s{quantile=\"0.9\"} 2\n"));
	CHECK_INT(lost, 0);
}

TEST(a_rollup_can_be_openmetrics)
{
	const char *out = rolled(EXPO_AUTO, NULL, nodes, 2, EXPO_OPENMETRICS);

	CHECK(strstr(out, "# HELP lmcache:num_hit_tokens H\n"
		"# TYPE lmcache:num_hit_tokens counter\n"
		"lmcache:num_hit_tokens_total 40\n"));
	CHECK(strstr(out, "\n# EOF\n"));
}

TEST(each_family_has_a_rule)
{
	struct expo_span s = { "lmcache_mp_l1_usage_ratio", 25 };

	CHECK_INT(expo_rule(s, EXPO_GAUGE)->how, EXPO_BY_AVG);
	s = (struct expo_span){ "lmcache:lmcache_is_healthy", 26 };
	CHECK_INT(expo_rule(s, EXPO_GAUGE)->how, EXPO_BY_MIN);
	s = (struct expo_span){ "lmcache:lookup_hit_rate", 23 };
	CHECK_INT(expo_rule(s, EXPO_GAUGE)->how, EXPO_BY_RATIO);
	CHECK_INT(expo_rule(s, EXPO_COUNTER)->how, EXPO_BY_SUM);
	s = (struct expo_span){ "anything", 8 };
	CHECK_INT(expo_rule(s, EXPO_GAUGE)->how, EXPO_BY_SUM);
	CHECK_INT(expo_rule(s, EXPO_INFO)->how, EXPO_BY_MAX);
}

/* --- lint --------------------------------------------------------------- */

static struct buf findings;

static void on_finding(void *ctx, const struct expo_finding *x)
{
	(void)ctx;
	buf_printf(&findings, "%zu%s %.*s: %s\n", x->line, x->error ? "!" : "",
			(int)x->family.n, x->family.p, x->text);
}

/* Fed in pieces of so many bytes: the result must be the same. */
static const char *linted(const char *text, enum expo_format f, size_t piece)
{
	struct expo_lint *l = expo_lint_new(f, 1, on_finding, NULL);
	size_t i, n = strlen(text);

	findings = (struct buf)BUF(1 << 20);
	for (i = 0; i < n; i += piece)
		expo_lint_feed(l, text + i, n - i < piece ? n - i : piece);
	expo_lint_end(l);
	return findings.p ? findings.p : "";
}

static const char dirty[] =
	"# TYPE a_minutes_total gauge\n"
	"a_minutes_total{le=\"x\",quantile=\"y\",aB=\"c\"} 1\n"
	"# HELP fooBar_seconds x\n# TYPE fooBar_seconds counter\n"
	"fooBar_seconds 1\nfooBar_seconds 2\n"
	"# HELP x_gauge_kilobytes_ms x\n# TYPE x_gauge_kilobytes_ms histogram\n"
	"x_gauge_kilobytes_ms_bucket{le=\"one\"} 3\n"
	"# HELP a:b \\x\n# HELP a:b x\na:b 1\n# TYPE a:b gauge\n"
	"b{\nfooBar_seconds{x=\"1\"} 1\n"
	"c 1";

static const char dirty_found[] =
	"1 a_minutes_total: no help text\n"
	"1 a_minutes_total: use base unit \"seconds\" instead of \"minutes\"\n"
	"1 a_minutes_total: non-counter metrics should not have \"_total\" suffix\n"
	"1 a_minutes_total: non-histogram metrics should not have \"le\" label\n"
	"1 a_minutes_total: non-summary metrics should not have \"quantile\" label\n"
	"1 a_minutes_total: label names should be written in 'snake_case' not 'camelCase'\n"
	"6! fooBar_seconds: this sample was there before: the same name and labels\n"
	"3 fooBar_seconds: counter metrics should have \"_total\" suffix\n"
	"3 fooBar_seconds: metric names should be written in 'snake_case' not 'camelCase'\n"
	"9! x_gauge_kilobytes_ms_bucket: expected a number as value of le\n"
	"7 x_gauge_kilobytes_ms: use base unit \"bytes\" instead of \"kilobytes\"\n"
	"7 x_gauge_kilobytes_ms: metric name should not include type 'gauge'\n"
	"7 x_gauge_kilobytes_ms: metric names should not contain abbreviated units\n"
	"10! a:b: invalid escape sequence in HELP\n"
	"11! a:b: second HELP line\n"
	"13! a:b: second TYPE line, or TYPE after samples\n"
	"14! : column 3: expected a label name but found the end of the line\n"
	"10 a:b: metric names should not contain ':'\n"
	"15 fooBar_seconds: this family was there before: its lines should be together\n"
	"15 fooBar_seconds: no help text\n"
	"15 fooBar_seconds: metric names should be written in 'snake_case' not 'camelCase'\n"
	"16 c: no help text\n"
	"16! : expected a newline at the end of the text\n";

TEST(lint_finds_what_promtool_finds_with_the_line)
{
	CHECK_STR(linted(dirty, EXPO_TEXT, sizeof dirty), dirty_found);
}

TEST(lint_does_not_depend_on_the_pieces)
{
	size_t piece;

	for (piece = 1; piece < sizeof dirty; piece++)
		CHECK_STR(linted(dirty, EXPO_TEXT, piece), dirty_found);
}

TEST(lint_of_clean_text_finds_nothing)
{
	CHECK_STR(linted("# HELP a_total A\n# TYPE a_total counter\na_total 1\n"
		"# HELP t_seconds T\n# TYPE t_seconds histogram\n"
		"t_seconds_bucket{le=\"+Inf\"} 1\nt_seconds_sum 1\n"
		"t_seconds_count 1\n", EXPO_TEXT, 5), "");
	CHECK_STR(linted("# HELP a A\n# TYPE a counter\na_total 1\n# EOF\n",
		EXPO_OPENMETRICS, 5), "");
	CHECK_STR(linted("# HELP a A\n# TYPE a counter\na_total 1\n",
		EXPO_OPENMETRICS, 5), "3! : expected # EOF\n");
}

TEST(lint_remembers_the_series_of_one_family_only)
{
	struct buf text = BUF(1 << 24);
	int f, i;

	for (f = 0; f < 70; f++) {
		buf_printf(&text, "# HELP f%d F\n# TYPE f%d gauge\n", f, f);
		for (i = 0; i < 1000; i++)
			buf_printf(&text, "f%d{x=\"%d\"} 1\n", f, i);
	}
	CHECK_STR(linted(text.p, EXPO_TEXT, 1 << 16), "");
}

TEST(lint_says_when_it_forgets)
{
	struct buf text = BUF(1 << 24);
	int i;

	buf_puts(&text, "# HELP a A\n# TYPE a gauge\n");
	for (i = 0; i < 60000; i++)
		buf_printf(&text, "a{x=\"%d\"} 1\n", i);
	CHECK_STR(linted(text.p, EXPO_TEXT, 1 << 16), "49155 a: too many "
		"samples: repeated ones are no longer found\n");
}

TEST(lint_survives_a_line_without_an_end)
{
	struct expo_lint *l = expo_lint_new(EXPO_TEXT, 1, on_finding, NULL);
	char piece[4096];
	int i;

	findings = (struct buf)BUF(1 << 20);
	memset(piece, 'a', sizeof piece);
	for (i = 0; i < 1000; i++)
		expo_lint_feed(l, piece, sizeof piece);
	expo_lint_feed(l, "\na\n", 3);
	CHECK_INT(expo_lint_end(l), 2);
	CHECK_STR(findings.p, "1! : this line is longer than lmc takes\n"
		"2! : column 2: expected '{' or a space but found the end of "
		"the line\n");
}

/* --- filter ------------------------------------------------------------- */

static struct expo_error strain_error;

static const char *strained(const char *name, const char *select,
		const char *text, enum expo_format f, size_t piece)
{
	struct buf *b = calloc(1, sizeof *b);
	struct expo_selector *s = select ? expo_selector_new(select,
			strlen(select), &strain_error) : NULL;
	struct expo_filter filter = { .name = &name, .names = name != NULL,
		.select = &s, .selects = s != NULL };
	struct expo_strain *x = expo_strain_new(f, &filter, to_buf, b);
	size_t i, n = strlen(text);
	int r = 0;

	b->max = 1 << 20;
	for (i = 0; i < n && !r; i += piece)
		r = expo_strain_feed(x, text + i, n - i < piece ? n - i : piece,
				&strain_error);
	if (!r)
		r = expo_strain_end(x, &strain_error);
	expo_strain_free(x);
	return r ? "refused" : b->p ? b->p : "";
}

static const char some[] = "# HELP a A\n# TYPE a gauge\na{x=\"1\"}   1\na 2\n"
	"# comment\n# TYPE h histogram\n# HELP h H\nh_sum 1\nh_count{x=\"1\"} 2\n"
	"bare{x=\"1\"} 3\n";

TEST(the_filter_passes_families_as_they_are)
{
	size_t piece;

	for (piece = 1; piece < sizeof some; piece++) {
		CHECK_STR(strained("h", NULL, some, EXPO_TEXT, piece),
			"# TYPE h histogram\n# HELP h H\nh_sum 1\n"
			"h_count{x=\"1\"} 2\n");
		CHECK_STR(strained("h_sum", NULL, some, EXPO_TEXT, piece),
			"# TYPE h histogram\n# HELP h H\nh_sum 1\n");
		CHECK_STR(strained("bare", NULL, some, EXPO_TEXT, piece),
			"bare{x=\"1\"} 3\n");
		CHECK_STR(strained(NULL, "{x=\"1\"}", some, EXPO_TEXT, piece),
			"# HELP a A\n# TYPE a gauge\na{x=\"1\"}   1\n"
			"# TYPE h histogram\n# HELP h H\nh_count{x=\"1\"} 2\n"
			"bare{x=\"1\"} 3\n");
	}
}

TEST(the_filter_ends_openmetrics_rightly)
{
	CHECK_STR(strained("a_total", NULL, "# TYPE a counter\na_total 1\n"
		"a_created 2\nb 1\n# EOF\n", EXPO_OPENMETRICS, 3),
		"# TYPE a counter\na_total 1\na_created 2\n# EOF\n");
	CHECK_STR(strained("a", NULL, "a 1\n", EXPO_OPENMETRICS, 3), "refused");
	CHECK_STR(strain_error.what, "expected # EOF");
	CHECK_INT(strain_error.line, 2);
}

TEST(the_filter_refuses_with_line_and_column)
{
	CHECK_STR(strained(NULL, NULL, "a 1\nb{ 1\n", EXPO_TEXT, 2), "refused");
	CHECK_INT(strain_error.line, 2);
	CHECK_INT(strain_error.column, 4);
	CHECK_STR(strained(NULL, NULL, "a 1\nb 1", EXPO_TEXT, 2), "refused");
	CHECK_INT(strain_error.line, 2);
	CHECK_INT(strain_error.column, 4);
}
