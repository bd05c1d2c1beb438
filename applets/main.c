/* main.c - finds the applet, runs it, makes sure its output got out
 * SPDX-License-Identifier: Apache-2.0
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "about.h"
#include "applet.h"
#include "die.h"
#include "gunzip.h"

#define APPLET(id) extern const struct applet id##_applet;
#include "applets.def"
#undef APPLET

const struct applet *const applets[] = {
#define APPLET(id) &id##_applet,
#include "applets.def"
#undef APPLET
	NULL
};

enum { NAMES_MAX = 128, LICENSES_MAX = 1 << 20 };

static struct {
	bool list, install, symlinks, version, licenses;
	bool man;
} o;

static const struct opt top_opts[] = {
	FLAG(0,   "list",     &o.list,     "list the applets, one a line"),
	FLAG(0,   "install",  &o.install,
	     "make a hard link to lmc in DIR for every applet"),
	FLAG('s', "symlinks", &o.symlinks, "with --install: symbolic links"),
	FLAG(0,   "version",  &o.version,
	     "show the version, the commit and the packages inside"),
	FLAG(0,   "licenses", &o.licenses,
	     "show the licences of everything inside"),
	{ 0 }
};

static const struct opt help_opts[] = {
	FLAG(0, "man", &o.man, "manual page source instead: lmc help --man "
	     "NAME | man -l -"),
	{ 0 }
};

const struct applet *applet_find(const char *name)
{
	const struct applet *const *a;

	for (a = applets; *a; a++)
		if (!strcmp((*a)->name, name))
			return *a;
	return NULL;
}

static void unknown(const char *name)
{
	const char *names[NAMES_MAX + 1] = { "help" }, *best;
	const struct applet *const *a = applets;
	size_t n;

	for (n = 1; n < NAMES_MAX && *a; a++)
		names[n++] = (*a)->name;
	best = nearest(name, names);
	if (best)
		die(EXIT_USAGE, "unknown applet %s; the nearest is %s",
		    safe(name, strlen(name)), best);
	die(EXIT_USAGE, "unknown applet %s; see lmc --list",
	    safe(name, strlen(name)));
}

static const struct applet *need(const char *name)
{
	const struct applet *a = applet_find(name);

	if (!a)
		unknown(name);
	return a;
}

static int list(void)
{
	const struct applet *const *a;

	for (a = applets; *a; a++)
		puts((*a)->name);
	return EXIT_OK;
}

static int version(void)
{
	printf("lmc %s (%s)\n%s", about_version, about_commit, about_packages);
	return EXIT_OK;
}

static int licenses(void)
{
	/* cppcheck-suppress comparePointers ; both are labels of one text */
	size_t n = (size_t)(about_licenses_end - about_licenses);
	char *text = gunzip(about_licenses, n, LICENSES_MAX, &n);

	if (!text)
		die(EXIT_SYS, "out of memory");
	fwrite(text, 1, n, stdout);
	free(text);
	return EXIT_OK;
}

/* What stands at `path` already is fine if it leads to this very file. */
static bool is_us(const char *path, const struct stat *us)
{
	struct stat st;

	return stat(path, &st) == 0 && st.st_dev == us->st_dev &&
	       st.st_ino == us->st_ino;
}

static int link_one(const char *self, const struct stat *us, const char *dir,
		    const char *name)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof path, "%s/%s", dir, name) >= PATH_MAX) {
		errno = ENAMETOOLONG;
	} else if (is_us(path, us)) {
		return EXIT_OK;
	} else if ((o.symlinks ? symlink(self, path) : link(self, path)) == 0) {
		return EXIT_OK;
	}
	if (errno == EEXIST)
		warn("unable to make %s/%s: something else has that name",
		     dir, name);
	else if (errno == EXDEV)
		warn("unable to make %s/%s: another filesystem; use -s", dir,
		     name);
	else
		warn("unable to make %s/%s:", dir, name);
	return EXIT_SYS;
}

static int install(const char *dir)
{
	const struct applet *const *a;
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	struct stat us;
	int status;

	if (n < 0)
		die(EXIT_SYS, "unable to find my own file:");
	self[n] = '\0';
	if (stat(self, &us) < 0)
		die(EXIT_SYS, "unable to read %s:", self);
	status = link_one(self, &us, dir, "lmc");
	for (a = applets; *a; a++)
		status = worse(status, link_one(self, &us, dir, (*a)->name));
	return status;
}

static int top_run(int argc, char **argv)
{
	if (o.symlinks && !o.install)
		die(EXIT_USAGE, "-s belongs to --install");
	if (o.list + o.install + o.version + o.licenses > 1)
		die(EXIT_USAGE, "one option at a time; see lmc --help");
	if (o.install) {
		if (argc != 1)
			die(EXIT_USAGE, "--install needs one operand: DIR");
		return install(argv[0]);
	}
	if (argc)
		die(EXIT_USAGE, "unexpected operand %s; an applet comes before "
		    "its options", safe(argv[0], strlen(argv[0])));
	if (o.list)
		return list();
	if (o.version)
		return version();
	if (o.licenses)
		return licenses();
	die(EXIT_USAGE, "no applet is named; see lmc --list");
}

/* The words without an applet, as one that has no name. */
static const struct applet top = {
	.name  = "",
	.brief = "one tool for operators of LMCache",
	.about =
"A single binary with many applets. Each runs as lmc APPLET, or by its own\n"
"name through a link that lmc --install makes. lmc help APPLET and\n"
"lmc APPLET --help show what an applet takes.",
	.args  = "APPLET [OPTION...] [OPERAND...] | --list | "
		 "--install [-s] DIR | --version | --licenses",
	.examples =
"lmc help proxy\n"
"  what the applet proxy does and takes\n"
"lmc --install -s /usr/local/bin\n"
"  every applet under its own name\n"
"lmc help --man proxy | man -l -\n"
"  its manual page",
	.opts  = top_opts,
	.run   = top_run,
};

static int overview(void)
{
	const struct applet *const *a;
	int widest = 0;

	opt_help(&top);
	for (a = applets; *a; a++)
		if ((int)strlen((*a)->name) > widest)
			widest = (int)strlen((*a)->name);
	puts("\nApplets:");
	for (a = applets; *a; a++)
		printf("  %-*s  %s\n", widest, (*a)->name, (*a)->brief);
	return EXIT_OK;
}

static int overview_man(void)
{
	const struct applet *const *a;

	opt_man(&top);
	puts(".SH APPLETS");
	for (a = applets; *a; a++)
		opt_man_row((*a)->name, (*a)->brief);
	puts(".SH SEE ALSO");
	for (a = applets; *a; a++)
		opt_man_see((*a)->name, a[1] != NULL);
	return EXIT_OK;
}

static int help_run(int argc, char **argv)
{
	const struct applet *a;

	if (!argc)
		return o.man ? overview_man() : overview();
	a = need(argv[0]);
	if (o.man)
		opt_man(a);
	else
		opt_help(a);
	return EXIT_OK;
}

static const struct applet help_applet = {
	.name  = "help",
	.brief = "show what an applet does and takes",
	.about = "Shows the overview, or the help of one applet.",
	.args  = "[APPLET]",
	.opts  = help_opts,
	.run   = help_run,
};

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* "metrics" and "lmc-metrics" are links; any other name is lmc itself. */
static const struct applet *by_link(const char *argv0)
{
	const char *name = base_name(argv0);

	return applet_find(strncmp(name, "lmc-", 4) ? name : name + 4);
}

static void complete_names(const char *cur)
{
	const struct applet *const *a;
	size_t n = strlen(cur);

	for (a = applets; *a; a++)
		if (!strncmp((*a)->name, cur, n))
			printf("%s\t%s\n", (*a)->name, (*a)->brief);
}

/* words[0..n-1] follow the word lmc; the cursor is in the last one. */
static void complete_top(int n, char **words)
{
	const struct applet *a;

	if (n > 1 && !strcmp(words[0], "--install") && *words[n - 1] != '-') {
		puts("@DIR");
	} else if (*words[0] == '-') {
		opt_complete(&top, n, words);
	} else if (n == 1 || !strcmp(words[0], "help")) {
		if (n > 1)
			opt_complete(&help_applet, n - 1, words + 1);
		if (*words[n - 1] != '-')
			complete_names(words[n - 1]);
		if (n == 1 && !strncmp("help", words[0], strlen(words[0])))
			printf("help\t%s\n", help_applet.brief);
	} else if ((a = applet_find(words[0]))) {
		opt_complete(a, n - 1, words + 1);
	}
}

/* lmc --complete CWORD WORD...: WORD 0 is the command as typed, the cursor is
 * in word CWORD, which may be one past the last. */
static int complete(int argc, char **argv)
{
	const struct applet *a;
	static char none[] = "";
	char *end;
	long cword;

	if (argc < 2)
		die(EXIT_USAGE, "--complete needs a number and the words");
	cword = strtol(argv[0], &end, 10);
	if (!isdigit((unsigned char)*argv[0]) || *end || cword < 1 ||
	    cword > argc - 1)
		die(EXIT_USAGE, "--complete: %s is not the place of a word",
		    safe(argv[0], strlen(argv[0])));
	argv++;
	if (cword == argc - 1)
		argv[cword] = none;
	a = by_link(argv[0]);
	if (a)
		opt_complete(a, (int)cword, argv + 1);
	else
		complete_top((int)cword, argv + 1);
	return EXIT_OK;
}

static int run(const struct applet *a, int argc, char **argv)
{
	static char name[64];

	if (*a->name) {
		snprintf(name, sizeof name, "lmc %s", a->name);
		prog = name;
	}
	argc = opt_parse(a, argc, argv);
	return a->run(argc, argv);
}

static int dispatch(int argc, char **argv)
{
	const struct applet *a = by_link(argv[0]);
	const char *word = argv[1];

	if (word && !strcmp(word, "--complete"))
		return complete(argc - 2, argv + 2);
	if (a)
		return run(a, argc - 1, argv + 1);
	if (!word || !strcmp(word, "--help") || !strcmp(word, "-h"))
		return overview();
	if (*word == '-')
		return run(&top, argc - 1, argv + 1);
	if (!strcmp(word, "help"))
		return run(&help_applet, argc - 2, argv + 2);
	return run(need(word), argc - 2, argv + 2);
}

/* A descriptor 0, 1 or 2 that is closed would be given to the first file or
 * socket opened, and data meant for a screen would land there. What is put
 * in its place cannot be written, so lost output is still noticed. */
static void hold_stdio(void)
{
	int fd;

	for (fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null", fd == 2 ? O_WRONLY : O_RDONLY) < 0)
			_exit(EXIT_SYS);
}

int main(int argc, char **argv)
{
	static char lmc[] = "lmc", *none[] = { lmc, NULL };

	hold_stdio();
	if (argc < 1) {
		argc = 1;
		argv = none;
	}
	return finish(dispatch(argc, argv));
}
