/* test.h - the frame of a unit test program
 * SPDX-License-Identifier: Apache-2.0
 *
 *	TEST(names_say_what_holds) { CHECK(1 + 1 == 2); }
 *
 * Tests run in the order of the file; the program takes a word that a name
 * must have in it. One line for each, "ok NAME" or "not ok NAME: why"; exit 1
 * if one failed. A failed check ends its function. Nothing here is freed.
 */
#ifndef TEST_H
#define TEST_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct test {
	const char  *name;
	void       (*run)(void);
	struct test *next;
};

static struct test *tests_first, **tests_end = &tests_first;
static const char *test_name;
static bool test_failed;

static inline void test_add(struct test *t)
{
	*tests_end = t;
	tests_end = &t->next;
}

#define TEST(id) \
	static void test_##id(void); \
	__attribute__((constructor)) static void test_add_##id(void) \
	{ \
		static struct test t = { #id, test_##id, NULL }; \
		test_add(&t); \
	} \
	static void test_##id(void)

/* The first failure is the verdict, those after it are notes. */
static inline void test_fail(const char *file, int line)
{
	if (test_failed)
		printf("# also: %s:%d: ", file, line);
	else
		printf("not ok %s: %s:%d: ", test_name, file, line);
	test_failed = true;
}

#define CHECK(cond) do { \
	if (!(cond)) { \
		test_fail(__FILE__, __LINE__); \
		puts(#cond); \
		return; \
	} \
} while (0)

#define CHECK_INT(got, want) do { \
	long long got_ = (long long)(got), want_ = (long long)(want); \
	if (got_ != want_) { \
		test_fail(__FILE__, __LINE__); \
		printf("%s is %lld, not %lld\n", #got, got_, want_); \
		return; \
	} \
} while (0)

/* Strings; either may be NULL. */
#define CHECK_STR(got, want) do { \
	const char *got_ = (got), *want_ = (want); \
	if (got_ == want_ || (got_ && want_ && !strcmp(got_, want_))) \
		break; \
	test_fail(__FILE__, __LINE__); \
	printf("%s is %s%s%s, not %s%s%s\n", #got, got_ ? "\"" : "", \
	       got_ ? got_ : "NULL", got_ ? "\"" : "", want_ ? "\"" : "", \
	       want_ ? want_ : "NULL", want_ ? "\"" : ""); \
	return; \
} while (0)

/* n bytes against a string constant. */
#define CHECK_MEM(p, n, want) do { \
	const char *p_ = (p); \
	size_t n_ = (n); \
	if (n_ != sizeof want - 1 || (n_ && memcmp(p_, want, n_))) { \
		test_fail(__FILE__, __LINE__); \
		printf("%s is \"%.*s\", not \"%s\"\n", #p, (int)n_, \
		       p_ ? p_ : "", want); \
		return; \
	} \
} while (0)

int main(int argc, char **argv)
{
	const struct test *t;
	int failed = 0, n = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (t = tests_first; t; t = t->next)
		n += argc < 2 || strstr(t->name, argv[1]);
	printf("1..%d\n", n);
	for (t = tests_first; t; t = t->next) {
		if (argc > 1 && !strstr(t->name, argv[1]))
			continue;
		test_name = t->name;
		test_failed = false;
		t->run();
		if (!test_failed)
			printf("ok %s\n", t->name);
		failed += test_failed;
	}
	return failed > 0;
}

#endif
