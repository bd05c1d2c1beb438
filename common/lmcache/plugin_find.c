/* plugin_find.c - locations into rows of files (protocol.md 1.2)
 * SPDX-License-Identifier: Apache-2.0
 *
 * One walk: a directory's entries, then what is in its sub-directories, in
 * the order the file system gives, links to directories not followed. That
 * is how CPython's rglob() goes; its two passes (*.py, then *.sh) are two
 * filters over the walk.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plugin.h"

static const char unmatched[] = "not matched by the recursive *.py, *.sh search";

static struct plugin *row(struct plugins *ps, const char *dir, const char *file)
{
	struct plugin *v;
	int max = ps->max ? ps->max * 2 : 64;

	if (ps->n == PLUGINS_MAX) {
		errno = ENFILE;
		return NULL;
	}
	if (ps->n == ps->max) {
		v = realloc(ps->v, (size_t)max * sizeof *v);
		if (!v)
			return NULL;
		ps->v = v;
		ps->max = max;
	}
	v = &ps->v[ps->n];
	memset(v, 0, sizeof *v);
	v->file = strdup(file);
	if (!v->file || asprintf(&v->path, "%s%s", dir, file) < 0) {
		free(v->file);
		return NULL;
	}
	ps->n++;
	return v;
}

static int say(struct plugin *p, enum plugin_decision d, const char *why)
{
	p->decision = d;
	p->reason = strdup(why);
	return p->reason ? 0 : -1;
}

static int entry(struct plugins *ps, int at, const char *dir, const char *rel,
		 const struct dirent *e)
{
	struct plugin *p;
	struct stat st;
	char *file;

	if (asprintf(&file, "%s%s", rel, e->d_name) < 0)
		return -1;
	p = row(ps, dir, file);
	free(file);
	if (!p)
		return -1;
	if (e->d_type == DT_UNKNOWN)
		p->dir = fstatat(at, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			S_ISDIR(st.st_mode);
	else
		p->dir = e->d_type == DT_DIR;
	return 0;
}

/* fd is the directory, closed here. rel ends in "/" or is empty. */
static int walk(struct plugins *ps, int fd, const char *dir, const char *rel, int depth)
{
	const struct dirent *e;
	int from = ps->n, to, i, bad = 0, sub;
	char *below;
	DIR *d = fdopendir(fd);

	if (!d) {
		close(fd);
		return -1;
	}
	while (!bad && (e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			bad = entry(ps, fd, dir, rel, e);
	to = ps->n;
	for (i = from; !bad && i < to; i++) {
		if (!ps->v[i].dir || depth == PLUGIN_DEPTH)
			continue;
		sub = openat(fd, ps->v[i].file + strlen(rel),
			     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub < 0)
			continue;
		if (asprintf(&below, "%s/", ps->v[i].file) < 0) {
			close(sub);
			bad = -1;
			break;
		}
		bad = walk(ps, sub, dir, below, depth + 1);
		free(below);
	}
	closedir(d);
	return bad;
}

static bool ends(const char *s, const char *with)
{
	size_t n = strlen(s), k = strlen(with);

	return n >= k && memcmp(s + n - k, with, k) == 0;
}

static int pass_of(const struct plugin *p)
{
	return ends(p->file, ".py") ? 0 : ends(p->file, ".sh") ? 1 : 2;
}

/* Keeps the walk's order inside each pass. */
static int in_passes(struct plugin *v, int n)
{
	struct plugin *old;
	int pass, i, at = 0;

	if (n < 2)
		return 0;
	old = malloc((size_t)n * sizeof *v);
	if (!old)
		return -1;
	memcpy(old, v, (size_t)n * sizeof *v);
	for (pass = 0; pass < 3; pass++)
		for (i = 0; i < n; i++)
			if (pass_of(&old[i]) == pass)
				v[at++] = old[i];
	free(old);
	return 0;
}

static int by_file(const void *a, const void *b)
{
	return strcmp(((const struct plugin *)a)->file, ((const struct plugin *)b)->file);
}

static const struct plugin *seen(const struct plugins *ps, int i)
{
	const struct stat *st = &ps->v[i].st;
	int k;

	for (k = 0; k < i; k++)
		if (ps->v[k].decision == PLUGIN_RAN && ps->v[k].st.st_ino == st->st_ino &&
		    ps->v[k].st.st_dev == st->st_dev)
			return &ps->v[k];
	return NULL;
}

/* A file that two locations or two links reach is launched once. */
static int once(struct plugins *ps, int i)
{
	const struct plugin *first = seen(ps, i);
	struct plugin *p = &ps->v[i];

	if (!first)
		return 0;
	free(p->reason);
	p->decision = PLUGIN_SKIPPED;
	if (asprintf(&p->reason, "the same file as %s", first->path) >= 0)
		return 0;
	p->reason = NULL;
	return -1;
}

static int decide(struct plugins *ps, int i, const struct plugin_rules *r)
{
	struct plugin *p = &ps->v[i];

	if (pass_of(p) == 2 && !p->named && r->gen != GEN_LMC)
		return say(p, PLUGIN_NOT_FOUND, unmatched);
	if (pass_of(p) == 2 && p->dir)
		return say(p, PLUGIN_NOT_FOUND, "a directory");
	if (plugin_decide(p, r, NULL) < 0)
		return -1;
	if (r->gen == GEN_LMC && p->decision == PLUGIN_RAN)
		return once(ps, i);
	return 0;
}

/* str(pathlib.Path(s)): no "." parts, no doubled or trailing slashes. */
static char *pathlib(const char *s)
{
	char *out = malloc(strlen(s) + 2), *to = out;
	size_t n;

	if (!out)
		return NULL;
	if (*s == '/')
		*to++ = '/';
	while (*s) {
		n = strcspn(s, "/");
		if (n && !(n == 1 && *s == '.')) {
			memcpy(to, s, n);
			to += n;
			*to++ = '/';
		}
		s += n + (s[n] == '/');
	}
	if (to - out > 1)
		to--;
	*to = 0;
	return out;
}

static int one_file(struct plugins *ps, const struct plugin_rules *r, const char *path)
{
	const char *cut = strrchr(path, '/'), *base = cut ? cut + 1 : path;
	bool dash = r->gen == GEN_LMC && *path == '-';
	char *dir = strndup(path, (size_t)(base - path));
	struct plugin *p = dir ? row(ps, dash ? "./" : dir, base) : NULL;

	free(dir);
	if (!p)
		return -1;
	p->named = true;
	return decide(ps, ps->n - 1, r);
}

static int missing(struct plugins *ps, const struct plugin_rules *r, const char *location,
		   const char *what)
{
	struct plugin *p = row(ps, "", location);
	char *why;
	int n;

	if (!p)
		return -1;
	n = asprintf(&why, "%s location %s %s",
		     r->gen == GEN_PLUGIN_ENUM ? "Plugin" : "Runtime plugin",
		     *location || r->gen != GEN_LMC ? location : "\"\"", what);
	if (n < 0)
		return -1;
	n = say(p, PLUGIN_NOT_FOUND, why);
	free(why);
	return n;
}

static int directory(struct plugins *ps, const struct plugin_rules *r, const char *dir, int fd)
{
	char *prefix = NULL;
	int from = ps->n, bad, i;
	size_t n = strlen(dir);

	if (asprintf(&prefix, "%s%s", dir, n && dir[n - 1] != '/' ? "/" : "") < 0) {
		close(fd);
		return -1;
	}
	bad = walk(ps, fd, prefix, "", 0);
	free(prefix);
	if (!bad && r->gen != GEN_LMC)
		bad = in_passes(ps->v + from, ps->n - from);
	else if (ps->n > from)
		qsort(ps->v + from, (size_t)(ps->n - from), sizeof *ps->v, by_file);
	for (i = from; !bad && i < ps->n; i++)
		bad = decide(ps, i, r);
	return bad;
}

int plugins_find(struct plugins *ps, const struct plugin_rules *r, const char *location)
{
	char *clean = r->gen == GEN_LMC ? strdup(location) : pathlib(location);
	static const char nothing[] = "does not exist";
	struct stat st;
	int fd, bad;

	if (!clean)
		return -1;
	if (stat(*clean || r->gen == GEN_LMC ? clean : ".", &st) < 0) {
		bad = lstat(clean, &st) < 0 || r->gen != GEN_LMC ?
			missing(ps, r, location, nothing) : one_file(ps, r, clean);
	} else if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode) && r->gen != GEN_LMC) {
		/* the launchers passed over these without a word */
		bad = missing(ps, r, location, "is neither a file nor a directory");
	} else if (!S_ISDIR(st.st_mode)) {
		bad = one_file(ps, r, clean);
	} else {
		fd = open(*clean ? clean : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		bad = fd < 0 ? missing(ps, r, location, nothing) : directory(ps, r, clean, fd);
	}
	free(clean);
	return bad;
}

void plugins_free(struct plugins *ps)
{
	int i;

	for (i = 0; i < ps->n; i++)
		plugin_free(&ps->v[i]);
	free(ps->v);
	memset(ps, 0, sizeof *ps);
}
