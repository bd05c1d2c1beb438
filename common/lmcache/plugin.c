/* plugin.c - whether a plugin runs here, and with what (protocol.md 1.3, 1.4)
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plugin.h"
#include "pytext.h"

const char *const plugin_decisions[] = { "ran", "skipped", "failed", "not found" };

static const char *const role_names[] = { "", "SCHEDULER", "WORKER" };

enum { REASON_MAX = 16 << 10 };

static struct span text(const char *s)
{
	return (struct span){ s, strlen(s) };
}

static bool is(struct span s, const char *word)
{
	return s.n == strlen(word) && memcmp(s.p, word, s.n) == 0;
}

__attribute__((format(printf, 3, 4)))
static int decide(struct plugin *p, enum plugin_decision d, const char *fmt, ...)
{
	va_list ap;
	int n;

	free(p->reason);
	p->reason = NULL;
	p->decision = d;
	if (!fmt)
		return 0;
	va_start(ap, fmt);
	n = vasprintf(&p->reason, fmt, ap);
	va_end(ap);
	if (n < 0)
		p->reason = NULL;
	return n < 0 ? -1 : 0;
}

/* Python's text of an OSError, or of a ValueError when err is 0. */
static int failed(struct plugin *p, int err, const char *what, struct span about)
{
	struct buf b = BUF(REASON_MAX);
	int ok;

	buf_printf(&b, "Failed to launch plugin %s: ", p->file);
	if (err)
		buf_printf(&b, "[Errno %d] %s: ", err, strerror(err));
	buf_puts(&b, what);
	if (about.p)
		py_repr(about, &b);
	ok = b.bad ? -1 : decide(p, PLUGIN_FAILED, "%s", b.p);
	buf_free(&b);
	return ok;
}

/* 0: by its name the plugin belongs here; 1: decided; -1: memory. */
static int by_name(struct plugin *p, const struct plugin_rules *r,
		   const struct plugin_name *nm)
{
	char mine[24];
	int bad = 0;

	if (nm->anywhere)
		return 0;
	snprintf(mine, sizeof mine, "%ld", r->worker_id);
	if (r->role != ROLE_MP && strcmp(nm->role, "ALL") != 0 &&
	    strcmp(nm->role, role_names[r->role]) != 0)
		bad = decide(p, PLUGIN_SKIPPED, "Skipping %s: requires role %s",
			     p->file, nm->role);
	else if (nm->for_id && nm->odd_id)
		bad = failed(p, 0, "invalid literal for int() with base 10: ", nm->digits);
	else if (nm->for_id && strcmp(nm->id, mine) != 0)
		bad = decide(p, PLUGIN_SKIPPED, "worker %s is skipping plugin %s, "
			     "which is only for worker ID %s", mine, p->file, nm->id);
	else
		return 0;
	return bad < 0 ? -1 : 1;
}

static void set_argv(struct plugin *p, struct span interpreter)
{
	p->argv[0] = interpreter;
	p->argv[1] = text(p->path);
	p->argc = 2;
}

/* The last step of every old generation: would Popen work? */
static int would_start(struct plugin *p, const struct plugin_rules *r)
{
	struct span prog = p->argv[0];
	int err;

	if (prog.n && memchr(prog.p, 0, prog.n))
		return failed(p, 0, "embedded null byte", (struct span){ NULL, 0 });
	if (r->config_len + sizeof "LMCACHE_PLUGIN_CONFIG=" > PLUGIN_VAR)
		err = E2BIG;
	else
		err = plugin_exec_errno(prog, r->path);
	if (err)
		return failed(p, err, "", prog);
	return decide(p, PLUGIN_RAN, NULL);
}

/* The shebang's text after "#!", stripped; p NULL when there is none. */
static struct span shebang(struct plugin *p, const struct plugin_rules *r, int fd)
{
	struct span line = { NULL, 0 };
	char *room = malloc(PLUGIN_LINE), *kept;
	long n;

	if (!room)
		return line;
	n = plugin_line(fd, r->gen, room);
	if (n > 0)
		line = py_strip((struct span){ room, (size_t)n });
	if (line.n < 2 || memcmp(line.p, "#!", 2) != 0) {
		free(room);
		return (struct span){ NULL, 0 };
	}
	line = py_strip((struct span){ line.p + 2, line.n - 2 });
	memmove(room, line.p, line.n);
	kept = realloc(room, line.n + 1);
	p->words = kept ? kept : room;
	p->words[line.n] = 0;
	return (struct span){ p->words, line.n };
}

/* Opened as the old launchers do, but never a fifo or device. */
static struct span old_shebang(struct plugin *p, const struct plugin_rules *r)
{
	struct span none = { NULL, 0 }, line;
	const char *why;
	int fd = plugin_open(p->path, true, &p->st, &why);

	if (fd < 0)
		return none;
	line = shebang(p, r, fd);
	close(fd);
	return line;
}

static const char *const *defaults(struct span suffix)
{
	static const char *const py[] = { "python", "python3", NULL };
	static const char *const sh[] = { "bash", NULL };
	static const char *const none[] = { NULL };

	return is(suffix, ".py") ? py : is(suffix, ".sh") ? sh : none;
}

/* plugin_launcher.py of 0.3.x: the whole rest of the line is one program. */
static int by_plugin_enum(struct plugin *p, const struct plugin_rules *r,
			  struct span suffix)
{
	struct span prog = old_shebang(p, r);
	const char *const *def = defaults(suffix);

	if (!prog.p && !*def)
		return decide(p, PLUGIN_FAILED, "Failed to launch plugin %s: "
			      "Unsupported plugin type: %.*s",
			      p->file, (int)suffix.n, suffix.p);
	set_argv(p, prog.p ? prog : text(*def));
	return would_start(p, r);
}

static bool resolve(struct plugin *p, const struct plugin_rules *r, struct span name)
{
	char found[PATH_MAX], *copy;

	if (!plugin_which(name, r->path, found, sizeof found))
		return false;
	copy = strdup(found);
	if (!copy)
		return false;
	free(p->words);
	p->words = copy;
	set_argv(p, text(copy));
	return true;
}

/* runtime_plugin_launcher.py: candidates, the first that which() finds. */
static int by_runtime(struct plugin *p, const struct plugin_rules *r,
		      struct span suffix)
{
	const char *const *def = defaults(suffix);
	struct span prog;

	if (!*def)
		return decide(p, PLUGIN_FAILED, "Failed to launch plugin %s: "
			      "Plugin type %.*s not supported ",
			      p->file, (int)suffix.n, suffix.p);
	prog = old_shebang(p, r);
	if (prog.p && resolve(p, r, prog))
		return would_start(p, r);
	for (; *def; def++)
		if (resolve(p, r, text(*def)))
			return would_start(p, r);
	return decide(p, PLUGIN_FAILED, "Failed to launch plugin %s: "
		      "No valid interpreter found for %s", p->file, p->file);
}

/* Backups, half-written and compiled files are nobody's plugins. */
static bool leftover(const char *file)
{
	static const char *const ends[] = {
		"~", ".bak", ".orig", ".rej", ".swp", ".tmp", ".pyc", ".dpkg-old",
		".dpkg-new", ".dpkg-dist", ".rpmsave", ".rpmnew", ".so", ".o", NULL
	};
	size_t n = strlen(file), i, k;

	for (i = 0; ends[i]; i++) {
		k = strlen(ends[i]);
		if (n >= k && memcmp(file + n - k, ends[i], k) == 0)
			return true;
	}
	return false;
}

/* "#!PROG ARG..." into argv, all arguments kept; false when PROG is not
 * there. env's own search is left to env. */
static bool take_shebang(struct plugin *p, const struct plugin_rules *r, struct span line)
{
	char found[PATH_MAX], *words, *w;
	size_t prog = strcspn(p->words, " \t"), at;

	if (memchr(line.p, 0, line.n) ||
	    !plugin_which((struct span){ p->words, prog }, r->path, found, sizeof found))
		return false;
	at = strlen(found) + 1;
	words = malloc(at + line.n - prog + 1);
	if (!words)
		return false;
	memcpy(words, found, at);
	memcpy(words + at, p->words + prog, line.n - prog + 1);
	free(p->words);
	p->words = words;
	p->argc = 0;
	p->argv[p->argc++] = text(words);
	words += at;
	while ((w = strsep(&words, " \t")))
		if (*w && p->argc < PLUGIN_ARGS - 1)
			p->argv[p->argc++] = text(w);
	p->argv[p->argc++] = text(p->path);
	return true;
}

static bool elf(int fd)
{
	char head[4];

	return pread(fd, head, 4, 0) == 4 && memcmp(head, "\177ELF", 4) == 0;
}

static int by_interpreter(struct plugin *p, const struct plugin_rules *r,
			  struct span suffix, int fd)
{
	const char *const *def = defaults(suffix);
	struct span line = shebang(p, r, fd);
	bool suffixed = *def != NULL;

	if (line.n && take_shebang(p, r, line))
		return suffixed ? decide(p, PLUGIN_RAN, NULL) :
			decide(p, PLUGIN_RAN, "lmc extension: run for its #! line");
	for (; *def; def++)
		if (resolve(p, r, text(*def)))
			return decide(p, PLUGIN_RAN, NULL);
	if (is(suffix, ".sh") && resolve(p, r, text("sh")))
		return decide(p, PLUGIN_RAN, NULL);
	if (line.n)
		return decide(p, PLUGIN_FAILED, "its interpreter is not there: %.*s",
			      (int)(line.n < 200 ? line.n : 200), line.p);
	if (suffixed)
		return decide(p, PLUGIN_FAILED, "no interpreter for %.*s found along PATH",
			      (int)suffix.n, suffix.p);
	return decide(p, p->named ? PLUGIN_FAILED : PLUGIN_NOT_FOUND,
		      "neither .py nor .sh nor a program");
}

static int by_program(struct plugin *p)
{
	if (access(p->path, X_OK) < 0)
		return decide(p, PLUGIN_FAILED, "a program without its execute bit");
	p->program = true;
	p->argv[0] = text(p->path);
	p->argc = 1;
	return decide(p, PLUGIN_RAN, "lmc extension: a program");
}

/* Of what is neither .py nor .sh, only a program counts as found. */
static bool found(const struct plugin *p, struct span suffix)
{
	struct stat st;

	if (*defaults(suffix) || p->named)
		return true;
	return !leftover(p->file) && stat(p->path, &st) == 0 &&
		S_ISREG(st.st_mode) && st.st_mode & 0111;
}

static int by_lmc(struct plugin *p, const struct plugin_rules *r,
		  struct span suffix, int *fd)
{
	const char *why;
	int f = plugin_open(p->path, r->insecure, &p->st, &why), bad;

	if (f < 0)
		return decide(p, PLUGIN_FAILED, "%s", why);
	bad = elf(f) ? by_program(p) : by_interpreter(p, r, suffix, f);
	if (p->decision == PLUGIN_RAN && fd)
		*fd = f;
	else
		close(f);
	return bad;
}

int plugin_decide(struct plugin *p, const struct plugin_rules *r, int *fd)
{
	const char *cut = strrchr(p->path, '/');
	const char *base = cut ? cut + 1 : p->path;
	struct plugin_name nm;
	int done;

	if (fd)
		*fd = -1;
	free(p->words);
	p->words = NULL;
	p->argc = 0;
	p->program = false;
	plugin_name(&nm, base, strlen(base));
	if (r->gen == GEN_LMC && !found(p, nm.suffix))
		return decide(p, PLUGIN_NOT_FOUND, "neither .py nor .sh nor a program");
	done = by_name(p, r, &nm);
	if (done)
		return done < 0 ? -1 : 0;
	if (r->gen == GEN_PLUGIN_ENUM)
		return by_plugin_enum(p, r, nm.suffix);
	if (r->gen != GEN_LMC)
		return by_runtime(p, r, nm.suffix);
	return by_lmc(p, r, nm.suffix, fd);
}

void plugin_free(struct plugin *p)
{
	free(p->file);
	free(p->path);
	free(p->reason);
	free(p->words);
	memset(p, 0, sizeof *p);
}
