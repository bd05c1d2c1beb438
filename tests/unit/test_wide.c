/* test_wide.c - classes in regular expressions are those of ASCII
 * SPDX-License-Identifier: Apache-2.0
 */
#include <ctype.h>
#include <regex.h>
#include <string.h>
#include <wctype.h>

#include "test.h"

static bool matches(const char *re, char c, int flags)
{
	regex_t x;
	char s[2] = { c };
	bool yes;

	if (regcomp(&x, re, REG_EXTENDED | REG_NOSUB | flags))
		return false;
	yes = !regexec(&x, s, 0, NULL, 0);
	regfree(&x);
	return yes;
}

static const struct {
	const char *name;
	int (*is)(int);
} classes[] = {
	{ "^[[:alnum:]]$", isalnum }, { "^[[:alpha:]]$", isalpha },
	{ "^[[:blank:]]$", isblank }, { "^[[:cntrl:]]$", iscntrl },
	{ "^[[:digit:]]$", isdigit }, { "^[[:graph:]]$", isgraph },
	{ "^[[:lower:]]$", islower }, { "^[[:print:]]$", isprint },
	{ "^[[:punct:]]$", ispunct }, { "^[[:space:]]$", isspace },
	{ "^[[:upper:]]$", isupper }, { "^[[:xdigit:]]$", isxdigit }
};

TEST(classes_are_those_of_ASCII)
{
	for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
		for (int c = 1; c < 256; c++)
			CHECK(matches(classes[i].name, (char)c, 0) ==
			      (c < 128 && classes[i].is(c)));
}

TEST(a_class_that_is_none_is_an_error)
{
	regex_t x;

	CHECK(wctype("alpha"));
	CHECK(!wctype("alphabet"));
	CHECK(regcomp(&x, "[[:alphabet:]]", REG_EXTENDED) == REG_ECTYPE);
}

TEST(letters_of_either_case)
{
	CHECK(matches("^k$", 'K', REG_ICASE));
	CHECK(matches("^[A-C]$", 'b', REG_ICASE));
	CHECK(!matches("^k$", 'j', REG_ICASE));
	CHECK(!matches("^k$", 'K', 0));
}
