/* test_stack.c - thread dumps in both forms, with names made to mislead
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "stack.h"
#include "test.h"

static struct threads parse(const char *s, int *rc)
{
	struct threads t;
	const char *why;

	*rc = threads_parse(&t, s, strlen(s), &why);
	return t;
}

TEST(names_may_hold_commas_brackets_and_line_ends)
{
	int rc;
	struct threads t = parse(
		"Thread: <Thread(a, b (c)\nThread: x, started daemon 17)>\n"
		"Stack trace:\n  File \"/x, y.py\", line 12, in <lambda>\n    a()\n\n\n"
		"=== Thread Summary ===\nTotal threads: 1\n", &rc);

	CHECK(rc == 0);
	CHECK(t.n == 1);
	CHECK(!strcmp(t.v[0].name, "a, b (c)\nThread: x"));
	CHECK(!strcmp(t.v[0].state, "started daemon"));
	CHECK(t.v[0].id == 17);
	CHECK(t.v[0].frames == 1);
	CHECK(!strcmp(t.v[0].frame[0].file, "/x, y.py"));
	CHECK(t.v[0].frame[0].line == 12);
	CHECK(!strcmp(t.v[0].frame[0].func, "<lambda>"));
	CHECK(!strcmp(t.v[0].frame[0].code, "a()"));
	threads_free(&t);
}

TEST(a_thread_without_a_stack_has_no_place)
{
	int rc;
	struct threads t = parse("Thread: <_MainThread(MainThread, started 5)>\n"
				 "No stack trace available\n\n"
				 "=== Thread Summary ===\nTotal threads: 1\n", &rc);

	CHECK(rc == 0 && t.n == 1 && t.v[0].frames == 0);
	CHECK(!strcmp(t.v[0].kind, "_MainThread"));
	CHECK(!strcmp(thread_at(&t.v[0]), "-"));
	threads_free(&t);
}

TEST(the_invented_entry_of_the_json_form_is_no_thread)
{
	int rc;
	struct threads t = parse("[{\"thread_id\":1,\"name\":\"MainThread\","
				 "\"function_name\":\"API Server\"}]", &rc);

	CHECK(rc == 0 && t.n == 0);
	threads_free(&t);
}

TEST(what_is_neither_form_is_refused)
{
	int rc;

	parse("", &rc);
	CHECK(rc < 0);
	parse("Internal Server Error, and more", &rc);
	CHECK(rc < 0);
	parse("{\"a\":1}", &rc);
	CHECK(rc < 0);
	parse("[1]", &rc);
	CHECK(rc < 0);
}

TEST(every_beginning_of_a_dump_is_read_without_harm)
{
	static const char dump[] =
		"Thread: <Thread(x, started daemon 1)>\nStack trace:\n"
		"  File \"a.py\", line 1, in f\n    g()\n\n\n=== Thread Summary ===\n";
	struct threads t;
	const char *why;
	size_t n;

	for (n = 0; n < sizeof dump; n++)
		if (threads_parse(&t, dump, n, &why) == 0)
			threads_free(&t);
}
