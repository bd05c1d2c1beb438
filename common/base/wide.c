/* wide.c - wide characters' kinds, in the C locale
 * SPDX-License-Identifier: Apache-2.0
 *
 * lmc never sets a locale, so a wide character is a byte and only ASCII has
 * kinds. regcomp() asks these; musl's have the tables of all of Unicode, 13 kB.
 */
#include <ctype.h>
#include <string.h>
#include <wctype.h>

static int (*const kinds[])(int) = {
	isalnum, isalpha, isblank, iscntrl, isdigit, isgraph, islower, isprint,
	ispunct, isspace, isupper, isxdigit
};
static const char names[][8] = {
	"alnum", "alpha", "blank", "cntrl", "digit", "graph", "lower", "print",
	"punct", "space", "upper", "xdigit"
};

wctype_t wctype(const char *name)
{
	for (wctype_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (!strcmp(name, names[i]))
			return i + 1;
	return 0;
}

int iswctype(wint_t c, wctype_t kind)
{
	return c < 128 && kind && kinds[kind - 1]((int)c);
}

int iswalnum(wint_t c) { return c < 128 && isalnum((int)c); }
int iswlower(wint_t c) { return c < 128 && islower((int)c); }
int iswupper(wint_t c) { return c < 128 && isupper((int)c); }
wint_t towlower(wint_t c) { return iswupper(c) ? c + 'a' - 'A' : c; }
wint_t towupper(wint_t c) { return iswlower(c) ? c + 'A' - 'a' : c; }
