/* backends.c - storage backends of nodes: list, add, remove, bypass
 * SPDX-License-Identifier: Apache-2.0
 */
#include "applet.h"
#include "endpoint.h"

static struct {
	bool yes;
} o;

static const struct opt opts[] = {
	FLAG('y', "yes", &o.yes, "remove without asking"),
	MORE(call_opts), { 0 }
};

static const struct way list[] = {
	{ GEN_EMBEDDED, "GET", "/backends", WAY_ANY },
	{ GEN_MP3, "GET", "/config/adapters", WAY_ANY },
	{ 0 }
};
#define WAY(name, method, path) \
	static const struct way name[] = { { GEN_EMBEDDED, method, path, WAY_ANY }, { 0 } }
WAY(add, "POST", "/backends");
WAY(remove_it, "DELETE", "/backends/{}");
WAY(bypassed, "GET", "/bypass/list");
WAY(bypass_on, "PUT", "/bypass/add?backend_name={}");
WAY(bypass_off, "PUT", "/bypass/remove?backend_name={}");

static const struct endpoint rows[] = {
	{ "list",       list,       0, 0, 0, NULL, NULL, NULL },
	{ "add",        add,        ENDPOINT_CHANGES, 0, 0, NULL, NULL, NULL },
	{ "remove",     remove_it,  ENDPOINT_DESTROYS, 1, 1, "BACKEND", "close a storage backend", NULL },
	{ "bypass",     bypassed,   0, 0, 0, NULL, NULL, NULL },
	{ "bypass on",  bypass_on,  ENDPOINT_CHANGES, 1, 1, "BACKEND", NULL, NULL },
	{ "bypass off", bypass_off, ENDPOINT_CHANGES, 1, 1, "BACKEND", NULL, NULL },
	{ 0 }
};
static const struct endpoints backends = { .rows = rows, .key = "answer", .yes = &o.yes };

static int backends_run(int argc, char **argv)
{
	return endpoint_run(&backends, argc, argv);
}

const struct applet backends_applet = {
	.name  = "backends",
	.brief = "storage backends of nodes: list, add, remove, bypass",
	.about =
		"Without a word, or with list, it shows the backends (on MP servers the "
		"adapters). add makes those "
		"that the configuration names and that are not there, remove closes one. "
		"A bypassed backend is neither read nor written: bypass lists them, "
		"bypass on and off change it.",
	.args  = "[list|add|remove|bypass] [WORD]...",
	.examples = "lmc backends\n  of all nodes\n"
		    "lmc backends bypass on RemoteBackend -a\n  go on without the remote store\n",
	.opts  = opts,
	.run   = backends_run,
};
