/* inference.c - what nodes know of the inference engine around them
 * SPDX-License-Identifier: Apache-2.0
 */
#include "applet.h"
#include "endpoint.h"

static const struct opt opts[] = { MORE(call_opts), { 0 } };

static const struct way info[] = {
	{ GEN_EMBEDDED, "GET", "/inference_info", WAY_ANY }, { 0 }
};
static const struct way version[] = {
	{ GEN_EMBEDDED, "GET", "/inference_version", WAY_ANY }, { 0 }
};

static const struct endpoint rows[] = {
	{ "info",    info,    0, 0, 0, NULL, NULL, NULL },
	{ "version", version, 0, 0, 0, NULL, NULL, NULL },
	{ 0 }
};
static const struct endpoints inference = { .rows = rows, .key = "inference" };

static int inference_run(int argc, char **argv)
{
	return endpoint_run(&inference, argc, argv);
}

const struct applet inference_applet = {
	.name  = "inference",
	.brief = "show the inference engine around nodes: model, cache, versions",
	.about = "Shows vLLM's version, model and cache configuration as the nodes "
		 "tell them; version is the version alone, which costs them less.",
	.args  = "[info|version]",
	.examples = "lmc inference -n worker0\n  everything\n"
		    "lmc inference version\n  the engine's version on all nodes\n",
	.opts  = opts,
	.run   = inference_run,
};
