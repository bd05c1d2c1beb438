/* test_expo.c - merging expositions
 * SPDX-License-Identifier: Apache-2.0
 */
#include "expo_help.h"

static bool noted(size_t i, enum expo_event ev, const char *family,
		unsigned input)
{
	return i < note_n && notes[i].event == ev &&
		notes[i].family.n == strlen(family) &&
		!memcmp(notes[i].family.p, family, notes[i].family.n) &&
		notes[i].input == input;
}

static bool adds_up(const struct expo *m)
{
	struct expo_stats s = stats(m);

	return s.samples == s.written + s.duplicates + s.filtered;
}

TEST(families_stand_together_in_the_order_they_were_seen)
{
	struct expo *m = merge_new(EXPO_TEXT);

	add(m, "# HELP a A\n# TYPE a gauge\na 1\n# TYPE b counter\nb 2\n",
			EXPO_TEXT, "n1");
	add(m, "# TYPE c gauge\nc 3\n# TYPE b counter\nb 4\n# HELP a A\n"
			"# TYPE a gauge\na 5\n", EXPO_TEXT, "n2");
	CHECK_STR(written(m), "# HELP a A\n# TYPE a gauge\n"
		"a{node=\"n1\",role=\"worker\"} 1\n"
		"a{node=\"n2\",role=\"worker\"} 5\n# TYPE b counter\n"
		"b{node=\"n1\",role=\"worker\"} 2\n"
		"b{node=\"n2\",role=\"worker\"} 4\n# TYPE c gauge\n"
		"c{node=\"n2\",role=\"worker\"} 3\n");
	CHECK_INT(note_n, 0);
	CHECK(adds_up(m));
}

TEST(a_family_scattered_over_one_input_is_gathered)
{
	struct expo *m = merge_new(EXPO_TEXT);

	add(m, "a{x=\"1\"} 1\nb 2\na{x=\"2\"} 3\n", EXPO_TEXT, NULL);
	CHECK_STR(written(m), "a{x=\"1\"} 1\na{x=\"2\"} 3\nb 2\n");
}

TEST(role_is_only_given_to_who_has_none)
{
	struct expo *m = merge_new(EXPO_TEXT);

	add(m, "a{role=\"scheduler\",x=\"1\"} 1\na{x=\"2\"} 2\n"
		"a{role=\"\",x=\"3\"} 3\na 4\n", EXPO_TEXT, "n1");
	CHECK_STR(written(m),
		"a{node=\"n1\",role=\"scheduler\",x=\"1\"} 1\n"
		"a{node=\"n1\",role=\"worker\",x=\"2\"} 2\n"
		"a{node=\"n1\",role=\"worker\",x=\"3\"} 3\n"
		"a{node=\"n1\",role=\"worker\"} 4\n");
}

TEST(a_label_that_clashes_becomes_exported)
{
	struct expo *m = merge_new(EXPO_TEXT);

	add(m, "a{x=\"1\",node=\"k8s\"} 1\na{node=\"k8s\",exported_node=\"y\"} 2\n",
			EXPO_TEXT, "n1");
	CHECK_STR(written(m),
		"a{node=\"n1\",role=\"worker\",x=\"1\",exported_node=\"k8s\"} 1\n"
		"a{node=\"n1\",role=\"worker\",exported_exported_node=\"k8s\","
		"exported_node=\"y\"} 2\n");
}

TEST(extra_labels_are_escaped_and_checked)
{
	struct expo_extra x[2] = { { "node", "a\"b\\c\nd", false },
		{ "empty", "", false } };
	struct expo *m = merge_new(EXPO_TEXT);
	struct expo_error e;

	CHECK_INT(expo_add(m, "a 1\n", 4, EXPO_TEXT, x, 2, &e), 0);
	CHECK_STR(written(m), "a{node=\"a\\\"b\\\\c\\nd\"} 1\n");
	x[0].value = "\xff";
	CHECK_INT(expo_add(m, "a 1\n", 4, EXPO_TEXT, x, 2, &e), -1);
	CHECK_INT(e.line, 0);
	x[0] = (struct expo_extra){ "no:de", "x", false };
	CHECK_INT(expo_add(m, "a 1\n", 4, EXPO_TEXT, x, 1, &e), -1);
	x[0].name = x[1].name = "node";
	x[1].value = "y";
	CHECK_INT(expo_add(m, "a 1\n", 4, EXPO_TEXT, x, 2, &e), -1);
	CHECK_INT(stats(m).inputs, 1);
}

TEST(duplicates_are_told_and_left_out_the_first_stays)
{
	struct expo *m = merge_new(EXPO_TEXT);

	add(m, "a{x=\"1\",y=\"2\"} 1\na{y=\"2\",x=\"1\"} 2\n"
		"a{x=\"1\",y=\"2\",z=\"\"} 3\na{x=\"1\"} 4\nb 5\nb 6\n",
		EXPO_TEXT, "n1");
	CHECK_STR(written(m), "a{node=\"n1\",role=\"worker\",x=\"1\",y=\"2\"} 1\n"
		"a{node=\"n1\",role=\"worker\",x=\"1\"} 4\n"
		"b{node=\"n1\",role=\"worker\"} 5\n");
	CHECK_INT(note_n, 3);
	CHECK(noted(0, EXPO_DUPLICATE, "a", 0));
	CHECK_MEM(notes[0].line.p, notes[0].line.n, "a{y=\"2\",x=\"1\"} 2");
	CHECK_MEM(notes[2].line.p, notes[2].line.n, "b 6");
	CHECK_INT(stats(m).duplicates, 3);
	CHECK(adds_up(m));
}

/* So many samples that some surely have the same 32 bits of hash. */
TEST(equal_hashes_are_no_duplicates)
{
	struct buf text = BUF(1 << 24);
	struct expo *m = merge_new(EXPO_TEXT);
	int i;

	for (i = 0; i < 300000; i++)
		buf_printf(&text, "a{x=\"%d\"} 1\n", i);
	CHECK_INT(expo_add(m, text.p, text.len, EXPO_TEXT, NULL, 0, &add_error), 0);
	CHECK_INT(expo_seal(m), 0);
	CHECK_INT(stats(m).duplicates, 0);
	CHECK_INT(stats(m).written, 300000);
}

TEST(relabelling_can_make_duplicates)
{
	struct expo *m = merge_new(EXPO_TEXT);

	add(m, "a{role=\"worker\"} 1\na 2\na{node=\"q\"} 3\n"
		"a{exported_node=\"q\"} 4\n", EXPO_TEXT, "n1");
	CHECK_STR(written(m), "a{node=\"n1\",role=\"worker\"} 1\n"
		"a{node=\"n1\",role=\"worker\",exported_node=\"q\"} 3\n");
	CHECK_INT(stats(m).duplicates, 2);
}

TEST(nodes_with_equal_labels_both_survive)
{
	struct expo *m = merge_new(EXPO_TEXT);

	add(m, "a{worker_id=\"0\"} 1\n", EXPO_TEXT, "n1");
	add(m, "a{worker_id=\"0\"} 1\n", EXPO_TEXT, "n2");
	add(m, "a{worker_id=\"0\"} 1\n", EXPO_TEXT, "n1");
	written(m);
	CHECK_INT(stats(m).written, 2);
	CHECK(noted(0, EXPO_DUPLICATE, "a", 2));
}

TEST(inputs_without_labels_of_their_own_are_compared_with_all)
{
	struct expo *m = merge_new(EXPO_TEXT);

	add(m, "up 1\n", EXPO_TEXT, "n1");
	add(m, "up{node=\"n1\",role=\"worker\"} 0\n", EXPO_TEXT, NULL);
	CHECK_STR(written(m), "up{node=\"n1\",role=\"worker\"} 1\n");
	CHECK_INT(stats(m).duplicates, 1);
}

TEST(the_first_help_is_kept_and_another_is_told)
{
	struct expo *m = merge_new(EXPO_TEXT);

	add(m, "# TYPE a gauge\n# HELP a one\na 1\n", EXPO_TEXT, "n1");
	add(m, "# HELP a two\n# TYPE a gauge\na 2\n", EXPO_TEXT, "n2");
	CHECK_STR(written(m), "# TYPE a gauge\n# HELP a one\n"
		"a{node=\"n1\",role=\"worker\"} 1\n"
		"a{node=\"n2\",role=\"worker\"} 2\n");
	CHECK(noted(0, EXPO_HELP_CONFLICT, "a", 1));
	CHECK_INT(stats(m).help_conflicts, 1);
}

TEST(a_second_type_is_kept_apart_under_a_name_that_says_so)
{
	struct expo *m = merge_new(EXPO_TEXT);

	add(m, "# TYPE a_total counter\na_total 1\n", EXPO_TEXT, "n1");
	add(m, "# HELP a_total G\n# TYPE a_total gauge\na_total 2\n",
			EXPO_TEXT, "n2");
	add(m, "# TYPE a_total histogram\na_total_bucket{le=\"+Inf\"} 3\n"
		"a_total_sum 4\na_total_count 5\n", EXPO_TEXT, "n3");
	add(m, "# TYPE a_total gauge\na_total 6\n", EXPO_TEXT, "n4");
	CHECK_STR(written(m), "# TYPE a_total counter\n"
		"a_total{node=\"n1\",role=\"worker\"} 1\n"
		"# HELP a_total_conflict_gauge G\n"
		"# TYPE a_total_conflict_gauge gauge\n"
		"a_total_conflict_gauge{node=\"n2\",role=\"worker\"} 2\n"
		"a_total_conflict_gauge{node=\"n4\",role=\"worker\"} 6\n"
		"# TYPE a_total_conflict_histogram histogram\n"
		"a_total_conflict_histogram_bucket{node=\"n3\",role=\"worker\",le=\"+Inf\"} 3\n"
		"a_total_conflict_histogram_sum{node=\"n3\",role=\"worker\"} 4\n"
		"a_total_conflict_histogram_count{node=\"n3\",role=\"worker\"} 5\n");
	CHECK_INT(note_n, 3);
	CHECK(noted(0, EXPO_TYPE_CONFLICT, "a_total", 1));
	CHECK_INT(notes[0].first, EXPO_COUNTER);
	CHECK_INT(notes[0].second, EXPO_GAUGE);
	CHECK_INT(stats(m).type_conflicts, 3);
	CHECK(adds_up(m));
}

TEST(a_conflicting_counter_keeps_its_ending)
{
	struct expo *m = merge_new(EXPO_TEXT);

	add(m, "# TYPE a_total gauge\na_total 1\n", EXPO_TEXT, NULL);
	add(m, "# TYPE a_total counter\na_total 2\n", EXPO_TEXT, NULL);
	CHECK_STR(written(m), "# TYPE a_total gauge\na_total 1\n"
		"# TYPE a_conflict_counter_total counter\n"
		"a_conflict_counter_total 2\n");
}

TEST(a_merge_of_merges_does_not_rename_again)
{
	struct expo *m = merge_new(EXPO_TEXT);

	add(m, "# TYPE a counter\na 1\n# TYPE a_conflict_gauge gauge\n"
		"a_conflict_gauge{x=\"1\"} 2\n", EXPO_TEXT, NULL);
	add(m, "# TYPE a gauge\na{x=\"2\"} 3\n", EXPO_TEXT, NULL);
	CHECK_STR(written(m), "# TYPE a counter\na 1\n"
		"# TYPE a_conflict_gauge gauge\na_conflict_gauge{x=\"1\"} 2\n"
		"# TYPE a_conflict_gauge_2 gauge\na_conflict_gauge_2{x=\"2\"} 3\n");
	expo_free(m);
	m = merge_new(EXPO_TEXT);
	add(m, "# TYPE a counter\na 1\n", EXPO_TEXT, NULL);
	add(m, "# TYPE a gauge\na{x=\"2\"} 3\n", EXPO_TEXT, NULL);
	add(m, "# TYPE a_conflict_gauge gauge\na_conflict_gauge{x=\"1\"} 2\n",
			EXPO_TEXT, NULL);
	CHECK_STR(written(m), "# TYPE a counter\na 1\n"
		"# TYPE a_conflict_gauge gauge\na_conflict_gauge{x=\"2\"} 3\n"
		"a_conflict_gauge{x=\"1\"} 2\n");
}

TEST(samples_without_a_type_join_the_family_that_has_one)
{
	struct expo *m = merge_new(EXPO_TEXT);

	add(m, "h_sum 1\nh_count 2\nh_bucket{le=\"+Inf\"} 2\n", EXPO_TEXT, "n1");
	add(m, "# TYPE h histogram\nh_sum 3\n", EXPO_TEXT, "n2");
	CHECK_STR(written(m), "# TYPE h histogram\n"
		"h_sum{node=\"n1\",role=\"worker\"} 1\n"
		"h_count{node=\"n1\",role=\"worker\"} 2\n"
		"h_bucket{node=\"n1\",role=\"worker\",le=\"+Inf\"} 2\n"
		"h_sum{node=\"n2\",role=\"worker\"} 3\n");
	CHECK_INT(note_n, 0);
}

TEST(a_family_named_like_anothers_sample_is_set_apart)
{
	struct expo *m = merge_new(EXPO_TEXT);

	add(m, "# TYPE h histogram\nh_count 1\n", EXPO_TEXT, "n1");
	add(m, "# TYPE h_count gauge\nh_count 2\n", EXPO_TEXT, "n2");
	CHECK_STR(written(m), "# TYPE h histogram\n"
		"h_count{node=\"n1\",role=\"worker\"} 1\n"
		"# TYPE h_count_conflict_gauge gauge\n"
		"h_count_conflict_gauge{node=\"n2\",role=\"worker\"} 2\n");
	CHECK(noted(0, EXPO_TYPE_CONFLICT, "h_count", 1));
}

TEST(renaming_can_make_duplicates)
{
	struct expo *m = merge_new(EXPO_TEXT);

	add(m, "# TYPE h summary\n# TYPE h_count histogram\nh_count_sum 1\n",
			EXPO_TEXT, "n1");
	CHECK_INT(expo_seal(m), 0);
	add(m, "# TYPE h_count histogram\nh_count_sum 2\n", EXPO_TEXT, "n1");
	CHECK_STR(written(m), "# TYPE h summary\n"
		"# TYPE h_count_conflict_histogram histogram\n"
		"h_count_conflict_histogram_sum{node=\"n1\",role=\"worker\"} 1\n");
	CHECK_INT(stats(m).duplicates, 1);
}

TEST(a_family_set_apart_takes_its_created_samples_along)
{
	struct expo *m = merge_new(EXPO_TEXT);

	add(m, "# TYPE a summary\na_sum 1\n", EXPO_TEXT, NULL);
	add(m, "# TYPE a histogram\na_sum 2\na_created 3\n# EOF\n",
			EXPO_OPENMETRICS, NULL);
	CHECK_STR(written(m), "# TYPE a summary\na_sum 1\n"
		"# TYPE a_conflict_histogram histogram\n"
		"a_conflict_histogram_sum 2\n"
		"# TYPE a_conflict_histogram_created gauge\n"
		"a_conflict_histogram_created 3\n");
}

TEST(names_shared_by_two_families_are_searched_for_duplicates)
{
	struct expo *m = merge_new(EXPO_TEXT);

	add(m, "# TYPE h_count gauge\nh_count 1\n# TYPE h histogram\n",
			EXPO_TEXT, NULL);
	add(m, "# TYPE h histogram\nh_count 2\nh_sum 3\n", EXPO_TEXT, NULL);
	CHECK_STR(written(m), "# TYPE h_count gauge\nh_count 1\n"
		"# TYPE h histogram\nh_sum 3\n");
	CHECK_INT(stats(m).duplicates, 1);
}

TEST(colons_become_underscores_when_asked_for)
{
	struct expo_opts o = { .underscore = true };
	struct expo *m = expo_new(&o);

	add(m, "# HELP lmcache:a A\n# TYPE lmcache:a gauge\n"
		"lmcache:a{x=\"a:b\"} 1\n", EXPO_TEXT, NULL);
	add(m, "# TYPE lmcache_a gauge\nlmcache_a 2\nlmcache_a{x=\"a:b\"} 3\n",
			EXPO_TEXT, NULL);
	CHECK_STR(written(m), "# HELP lmcache_a A\n# TYPE lmcache_a gauge\n"
		"lmcache_a{x=\"a:b\"} 1\nlmcache_a 2\n");
	CHECK_INT(stats(m).duplicates, 1);
}

TEST(both_formats_merge)
{
	struct expo *m = merge_new(EXPO_TEXT);

	add(m, "# TYPE a_total counter\na_total 1\n", EXPO_TEXT, "n1");
	add(m, "# TYPE a counter\na_total 2 1.5 # {x=\"y\"} 1\na_created 3\n"
		"# EOF\n", EXPO_OPENMETRICS, "n2");
	CHECK_STR(written(m), "# TYPE a_total counter\n"
		"a_total{node=\"n1\",role=\"worker\"} 1\n"
		"a_total{node=\"n2\",role=\"worker\"} 2 1500\n"
		"# TYPE a_created gauge\n"
		"a_created{node=\"n2\",role=\"worker\"} 3\n");
	CHECK_INT(note_n, 0);
}

TEST(a_refused_input_leaves_the_merge_as_it_was)
{
	struct expo *m = merge_new(EXPO_TEXT);
	const char *before;

	add(m, "# TYPE h histogram\n# HELP z Z\nz 1\ny 1\n", EXPO_TEXT, "n1");
	before = written(m);
	CHECK_INT(add(m, "# TYPE y gauge\n# HELP y Y\ny 2\n# TYPE z counter\n"
		"z 3\nnew 1\n# TYPE h gauge\nh 1\nbroken\n", EXPO_TEXT, "n2"), -1);
	CHECK_INT(add_error.line, 9);
	CHECK_STR(written(m), before);
	CHECK_INT(stats(m).samples, 2);
	CHECK_INT(note_n, 0);
	CHECK_INT(add(m, "# TYPE y counter\ny 4\nnew 5\n", EXPO_TEXT, "n3"), 1);
	CHECK_STR(written(m), "# TYPE h histogram\n# HELP z Z\n"
		"z{node=\"n1\",role=\"worker\"} 1\n# TYPE y counter\n"
		"y{node=\"n1\",role=\"worker\"} 1\n"
		"y{node=\"n3\",role=\"worker\"} 4\n"
		"new{node=\"n3\",role=\"worker\"} 5\n");
}

TEST(ceilings_refuse_and_say_so)
{
	struct expo_opts o = { .max = { .bytes = 40, .samples = 3, .families = 2 } };
	struct expo *m = expo_new(&o);

	CHECK_INT(add(m, "a 1\na{x=\"1\"} 1\nb 1\n", EXPO_TEXT, NULL), 0);
	CHECK_INT(add(m, "c 1\n", EXPO_TEXT, NULL), -1);
	CHECK(strstr(add_error.what, "more families than allowed"));
	CHECK_INT(add(m, "a 1\na 2\na 3\na 4\n", EXPO_TEXT, NULL), -1);
	CHECK(strstr(add_error.what, "more samples than allowed"));
	CHECK_INT(add_error.line, 4);
	CHECK_INT(add(m, "a 1\n# 345678901234567890123456789012345678\n",
			EXPO_TEXT, NULL), -1);
	CHECK_INT(add_error.line, 0);
	CHECK_STR(written(m), "a 1\na{x=\"1\"} 1\nb 1\n");
}

TEST(what_is_added_after_sealing_joins_its_family)
{
	struct expo *m = merge_new(EXPO_TEXT);

	add(m, "a 1\na 1\nb 2\n", EXPO_TEXT, "n1");
	CHECK_INT(expo_seal(m), 0);
	CHECK_INT(stats(m).duplicates, 1);
	add(m, "a{node=\"n9\"} 3\n", EXPO_TEXT, NULL);
	CHECK_STR(written(m), "a{node=\"n1\",role=\"worker\"} 1\na{node=\"n9\"} 3\n"
		"b{node=\"n1\",role=\"worker\"} 2\n");
	CHECK_INT(note_n, 1);
	CHECK_INT(stats(m).duplicates, 1);
	CHECK(adds_up(m));
}

/* --- filters ------------------------------------------------------------ */

static const char *filtered(const char *const *name, unsigned names,
		const char *select, const char *text, struct expo_stats *s)
{
	struct expo_error e;
	struct expo_selector *sel[1];
	struct expo_opts o = { .filter = { .name = name, .names = names,
		.select = sel, .selects = select != NULL } };
	struct expo *m;
	const char *out;

	if (select && !(sel[0] = expo_selector_new(select, strlen(select), &e)))
		return "bad selector";
	m = expo_new(&o);
	add(m, text, EXPO_TEXT, "n1");
	out = written(m);
	*s = stats(m);
	return out;
}

#define FAMILIES "# TYPE a gauge\na{x=\"1\"} 1\na{x=\"2\"} 2\n" \
	"# TYPE h histogram\nh_bucket{le=\"+Inf\"} 3\nh_sum 4\nh_count 3\n"

TEST(names_select_families_and_samples)
{
	static const char *const h[] = { "h" }, *const sum[] = { "h_sum", "no" };
	struct expo_stats s;

	CHECK_STR(filtered(h, 1, NULL, FAMILIES, &s), "# TYPE h histogram\n"
		"h_bucket{node=\"n1\",role=\"worker\",le=\"+Inf\"} 3\n"
		"h_sum{node=\"n1\",role=\"worker\"} 4\n"
		"h_count{node=\"n1\",role=\"worker\"} 3\n");
	CHECK_INT(s.samples, 5);
	CHECK_INT(s.filtered, 2);
	CHECK_INT(s.written, 3);
	CHECK_STR(filtered(sum, 2, NULL, FAMILIES, &s), "# TYPE h histogram\n"
		"h_sum{node=\"n1\",role=\"worker\"} 4\n");
	CHECK_INT(s.filtered, 4);
}

TEST(selectors_see_the_extra_labels)
{
	struct expo_stats s;

	CHECK_STR(filtered(NULL, 0, "a{node=\"n1\",x!=\"1\"}", FAMILIES, &s),
		"# TYPE a gauge\na{node=\"n1\",role=\"worker\",x=\"2\"} 2\n");
	CHECK_INT(s.filtered, 4);
	CHECK_STR(filtered(NULL, 0, "{node=\"n2\"}", FAMILIES, &s), "");
	CHECK_STR(filtered(NULL, 0, "{__name__=~\"h_(sum|count)\"}", FAMILIES, &s),
		"# TYPE h histogram\nh_sum{node=\"n1\",role=\"worker\"} 4\n"
		"h_count{node=\"n1\",role=\"worker\"} 3\n");
}

TEST(created_samples_can_be_left_out)
{
	struct expo_opts o = { .drop_created = true };
	struct expo *m = expo_new(&o);

	add(m, "# TYPE a_total counter\na_total 1\n# TYPE a_created gauge\n"
		"a_created 2\n", EXPO_TEXT, NULL);
	add(m, "# TYPE a counter\na_total{x=\"y\"} 1\na_created{x=\"y\"} 2\n"
		"# EOF\n", EXPO_OPENMETRICS, NULL);
	CHECK_STR(written(m), "# TYPE a_total counter\na_total 1\n"
		"a_total{x=\"y\"} 1\n");
	CHECK_INT(stats(m).filtered, 2);
}

/* --- pieces ------------------------------------------------------------- */

TEST(the_output_comes_in_pieces_however_long_the_lines)
{
	struct buf text = BUF(1 << 24), out = BUF(1 << 24);
	struct expo *m = merge_new(EXPO_TEXT);
	const char *p;
	size_t n, pieces = 0;
	int i;

	for (i = 0; i < 20000; i++)
		buf_printf(&text, "a{x=\"%d\"} %d\n", i, i);
	buf_puts(&text, "b{x=\"");
	for (i = 0; i < 200000; i++)
		buf_puts(&text, "\\\\");
	buf_puts(&text, "\"} 1\n");
	CHECK_INT(expo_add(m, text.p, text.len, EXPO_TEXT, NULL, 0, &add_error), 0);
	while (expo_read(m, &p, &n) == 0 && n) {
		buf_add(&out, p, n);
		pieces++;
	}
	CHECK(pieces > 1);
	CHECK_STR(out.p, text.p);
	CHECK_STR(written(m), text.p);
}

static int refuse(void *ctx, const char *p, size_t n)
{
	(void)p;
	(void)n;
	return ++*(int *)ctx;
}

TEST(a_sink_that_refuses_ends_the_writing)
{
	struct expo *m = merge_new(EXPO_TEXT);
	int calls = 0;

	add(m, "a 1\n", EXPO_TEXT, NULL);
	CHECK_INT(expo_write(m, refuse, &calls), -1);
	CHECK_INT(calls, 1);
}

struct seen {
	size_t families, samples;
	char   last[64];
};

static int on_family(void *ctx, const struct expo_family *f)
{
	struct seen *s = ctx;

	s->families++;
	snprintf(s->last, sizeof s->last, "%.*s", (int)f->name.n, f->name.p);
	return 0;
}

static int on_sample(void *ctx, const struct expo_family *f,
		const struct expo_sample *x)
{
	struct seen *s = ctx;
	struct expo_span node = expo_label(x, "node");

	(void)f;
	s->samples += node.n == 2 && !memcmp(node.p, "n1", 2);
	return 0;
}

TEST(each_walks_what_would_be_written)
{
	struct expo *m = merge_new(EXPO_TEXT);
	struct seen s = { 0 };

	add(m, "a 1\na 2\n# TYPE b gauge\nb 3\n", EXPO_TEXT, "n1");
	CHECK_INT(expo_each(m, on_family, on_sample, &s), 0);
	CHECK_INT(s.families, 2);
	CHECK_INT(s.samples, 2);
	CHECK_STR(s.last, "b");
	CHECK_INT(expo_input_samples(m, 0), 3);
}
