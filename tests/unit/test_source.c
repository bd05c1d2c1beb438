/* test_source.c - which source of nodes decides, and how its errors read
 * SPDX-License-Identifier: Apache-2.0
 *
 * The last two sources, /etc/lmc/nodes.json and the live sockets under /tmp,
 * are the machine's own: no test here gets as far as them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "source.h"
#include "test.h"

#define LIST(name) "[{\"name\":\"" name "\",\"host\":\"h\",\"port\":1}]"
#define BAD  "[\n{\"name\":\"a\",\"host\":\"h\",\"port\":70000}]"
#define CONFIG(id) "{\"internal_api_server_enabled\":true," \
	"\"x\":Infinity,\"lmcache_instance_id\":\"" id "\"}"
#define OFF  "{\"internal_api_server_enabled\":false}"

static char home[] = "/tmp/lmc-test-XXXXXX";
static char path[128];

/* A file under the test's own home. */
static const char *put(const char *name, const char *text)
{
	snprintf(path, sizeof path, "%s/%s", home, name);
	write_file(path, text, strlen(text), 0600);
	return path;
}

static void clean(void)
{
	static const char *const names[] = {
		"LMC_NODES", "LMCACHE_RUNTIME_PLUGIN_CONFIG", "LMCACHE_PLUGIN_CONFIG",
		"LMCACHE_RUNTIME_PLUGIN_WORKER_COUNT", "LMCACHE_PLUGIN_WORKER_COUNT",
		"XDG_CONFIG_HOME",
	};
	size_t i;

	for (i = 0; i < sizeof names / sizeof *names; i++)
		unsetenv(names[i]);
	setenv("HOME", home, 1);
}

/* The user's list is the source before those of the machine. */
static void prepare(void)
{
	char dir[128];

	if (strstr(home, "XXXXXX") && !mkdtemp(home))
		abort();
	snprintf(dir, sizeof dir, "%s/.config", home);
	mkdir(dir, 0700);
	snprintf(dir, sizeof dir, "%s/.config/lmc", home);
	mkdir(dir, 0700);
	snprintf(dir, sizeof dir, "%s/lmc", home);
	mkdir(dir, 0700);
	put(".config/lmc/nodes.json", LIST("mine"));
	clean();
}

__attribute__((destructor)) static void remove_home(void)
{
	static const char *const files[] = {
		".config/lmc/nodes.json", "lmc/nodes.json", "list.json", "bad.json",
	};
	static const char *const dirs[] = { ".config/lmc", ".config", "lmc", "" };
	size_t i;

	for (i = 0; i < sizeof files / sizeof *files; i++) {
		snprintf(path, sizeof path, "%s/%s", home, files[i]);
		unlink(path);
	}
	for (i = 0; i < sizeof dirs / sizeof *dirs; i++) {
		snprintf(path, sizeof path, "%s/%s", home, dirs[i]);
		rmdir(path);
	}
}

static struct node_error e;
static const char *from;

/* The first node's name, "-" for none, "error". */
static const char *first(const char *nodes, const char *config)
{
	static char name[64];
	struct source s = { nodes, config };
	struct nodes ns;

	from = "";
	memset(&e, 0, sizeof e);
	if (source_nodes(&ns, &s, &from, &e) < 0)
		return ns.n || ns.proxies ? "not empty" : "error";
	snprintf(name, sizeof name, "%s", ns.n && ns.proxies[0].n
		 ? ns.proxies[0].nodes[0].name : "-");
	nodes_free(&ns);
	return name;
}

TEST(the_first_source_that_is_there_decides)
{
	prepare();
	setenv("LMC_NODES", LIST("variable"), 1);
	setenv("LMCACHE_RUNTIME_PLUGIN_CONFIG", CONFIG("runtime"), 1);
	setenv("LMCACHE_PLUGIN_CONFIG", CONFIG("plugin"), 1);
	put("list.json", LIST("file"));
	CHECK_STR(first(LIST("option"), path), "option");
	CHECK_STR(from, "--nodes");
	CHECK_STR(first(NULL, path), "file");
	CHECK_STR(from, path);
	CHECK_STR(first(NULL, NULL), "variable");
	CHECK_STR(from, "$LMC_NODES");
	unsetenv("LMC_NODES");
	CHECK_STR(first(NULL, NULL), "runtime_scheduler");
	CHECK_STR(from, "$LMCACHE_RUNTIME_PLUGIN_CONFIG");
	unsetenv("LMCACHE_RUNTIME_PLUGIN_CONFIG");
	CHECK_STR(first(NULL, NULL), "plugin_scheduler");
	CHECK_STR(from, "$LMCACHE_PLUGIN_CONFIG");
	unsetenv("LMCACHE_PLUGIN_CONFIG");
	CHECK_STR(first(NULL, NULL), "mine");
	CHECK(strstr(from, "/.config/lmc/nodes.json"));
}

TEST(a_list_by_option_or_variable_is_json_or_a_file)
{
	prepare();
	put("list.json", " \n" LIST("file"));
	CHECK_STR(first(path, NULL), "file");
	CHECK_STR(from, path);
	CHECK_STR(first(" \n{\"nodes\":" LIST("wrapped") "}", NULL), "wrapped");
	setenv("LMC_NODES", path, 1);
	CHECK_STR(first(NULL, NULL), "file");
	CHECK_STR(from, path);
}

TEST(an_empty_list_by_option_or_variable_is_an_answer)
{
	prepare();
	CHECK_STR(first("[]", NULL), "-");
	CHECK_STR(from, "--nodes");
	setenv("LMC_NODES", "[]", 1);
	CHECK_STR(first(NULL, NULL), "-");
	CHECK_STR(from, "$LMC_NODES");
}

TEST(an_empty_variable_is_not_set)
{
	prepare();
	setenv("LMC_NODES", "", 1);
	setenv("LMCACHE_RUNTIME_PLUGIN_CONFIG", "", 1);
	CHECK_STR(first(NULL, NULL), "mine");
	setenv("LMCACHE_PLUGIN_CONFIG", CONFIG("plugin"), 1);
	CHECK_STR(first(NULL, NULL), "plugin_scheduler");
}

TEST(a_configuration_without_a_node_leaves_it_to_the_next_source)
{
	prepare();
	setenv("LMCACHE_PLUGIN_CONFIG", OFF, 1);
	CHECK_STR(first(NULL, NULL), "mine");
}

TEST(a_configuration_too_long_for_a_variable_is_read_from_its_file)
{
	prepare();
	put("list.json", CONFIG("file"));
	setenv("LMCACHE_RUNTIME_PLUGIN_CONFIG_FILE", path, 1);
	CHECK_STR(first(NULL, NULL), "file_scheduler");
	CHECK_STR(from, path);
	setenv("LMCACHE_RUNTIME_PLUGIN_CONFIG_FILE", "/no/such/file", 1);
	CHECK_STR(first(NULL, NULL), "error");
	CHECK_STR(e.what, "/no/such/file: No such file or directory");
	unsetenv("LMCACHE_RUNTIME_PLUGIN_CONFIG_FILE");
}

TEST(xdg_config_home_is_used_when_it_is_absolute)
{
	prepare();
	put("lmc/nodes.json", LIST("xdg"));
	setenv("XDG_CONFIG_HOME", home, 1);
	CHECK_STR(first(NULL, NULL), "xdg");
	setenv("XDG_CONFIG_HOME", home + 1, 1);
	CHECK_STR(first(NULL, NULL), "mine");
	setenv("XDG_CONFIG_HOME", "", 1);
	CHECK_STR(first(NULL, NULL), "mine");
}

static int workers(const char *runtime, const char *plugin)
{
	struct source s = { NULL, NULL };
	struct nodes ns;
	int n;

	clean();
	setenv("LMCACHE_RUNTIME_PLUGIN_CONFIG", CONFIG("i"), 1);
	if (runtime)
		setenv("LMCACHE_RUNTIME_PLUGIN_WORKER_COUNT", runtime, 1);
	if (plugin)
		setenv("LMCACHE_PLUGIN_WORKER_COUNT", plugin, 1);
	if (source_nodes(&ns, &s, &from, &e) < 0)
		return -1;
	n = ns.proxies[0].n - 1;
	nodes_free(&ns);
	return n;
}

TEST(workers_are_counted_by_either_variable_and_are_one_without)
{
	prepare();
	CHECK_INT(workers(NULL, NULL), 1);
	CHECK_INT(workers("3", NULL), 3);
	CHECK_INT(workers(NULL, "2"), 2);
	CHECK_INT(workers("3", "2"), 3);
	CHECK_INT(workers("", "2"), 2);
	CHECK_INT(workers("0", NULL), 0);
	CHECK_INT(workers("x", "2"), -1);
	CHECK_STR(e.what, "$LMCACHE_RUNTIME_PLUGIN_WORKER_COUNT: x is not a number of workers");
	CHECK_INT(workers(NULL, "-1"), -1);
	CHECK_STR(e.what, "$LMCACHE_PLUGIN_WORKER_COUNT: -1 is not a number of workers");
	CHECK_INT(workers("2 ", NULL), -1);
	CHECK_INT(workers("99999999999", NULL), -1);
	CHECK_STR(e.what, "$LMCACHE_RUNTIME_PLUGIN_WORKER_COUNT: 99999999999 is not a number of workers");
	CHECK_INT(workers("9999", NULL), -1);
	CHECK_STR(e.what, "$LMCACHE_RUNTIME_PLUGIN_CONFIG: 9999 is not a number of workers");
}

TEST(an_error_begins_with_the_source_and_the_place)
{
	char want[200];

	prepare();
	CHECK_STR(first(BAD, NULL), "error");
	CHECK_STR(e.what, "--nodes:2:31: nodes[0].port: 70000 is not a port");
	CHECK_INT(e.line, 2);
	CHECK_INT(e.column, 31);
	put("bad.json", BAD);
	snprintf(want, sizeof want, "%s:2:31: nodes[0].port: 70000 is not a port", path);
	CHECK_STR(first(NULL, path), "error");
	CHECK_STR(e.what, want);
	CHECK_STR(first(path, NULL), "error");
	CHECK_STR(e.what, want);
	setenv("LMC_NODES", BAD, 1);
	CHECK_STR(first(NULL, NULL), "error");
	CHECK_STR(e.what, "$LMC_NODES:2:31: nodes[0].port: 70000 is not a port");
	unsetenv("LMC_NODES");
	setenv("LMCACHE_PLUGIN_CONFIG", "{\"a\":nan}", 1);
	CHECK_STR(first(NULL, NULL), "error");
	CHECK_STR(e.what, "$LMCACHE_PLUGIN_CONFIG:1:6: expected a value but found 'nan'");
}

TEST(a_file_asked_for_must_be_there)
{
	char want[200];

	prepare();
	CHECK_STR(first("/nowhere/nodes.json", NULL), "error");
	CHECK_STR(e.what, "--nodes: unable to read /nowhere/nodes.json: No such file or directory");
	CHECK_INT(e.line, 0);
	CHECK_STR(first(NULL, "/nowhere/nodes.json"), "error");
	CHECK_STR(e.what, "--config: unable to read /nowhere/nodes.json: No such file or directory");
	setenv("LMC_NODES", "/nowhere/nodes.json", 1);
	CHECK_STR(first(NULL, NULL), "error");
	CHECK_STR(e.what, "$LMC_NODES: unable to read /nowhere/nodes.json: No such file or directory");
	CHECK_STR(first(NULL, ""), "error");
	snprintf(want, sizeof want, "--config: unable to read %s: Is a directory", home);
	CHECK_STR(first(NULL, home), "error");
	CHECK_STR(e.what, want);
}

TEST(a_default_file_that_is_there_and_wrong_is_an_error)
{
	prepare();
	put(".config/lmc/nodes.json", BAD);
	CHECK_STR(first(NULL, NULL), "error");
	CHECK(strstr(e.what, "/.config/lmc/nodes.json:2:31: nodes[0].port: 70000"));
	unlink(path);
	mkdir(path, 0700);
	CHECK_STR(first(NULL, NULL), "error");
	CHECK(strstr(e.what, "/.config/lmc/nodes.json: Is a directory"));
	rmdir(path);
}

/* What comes after it is this machine's, so only that it is passed over. */
TEST(a_default_file_that_is_missing_is_passed_over)
{
	prepare();
	setenv("XDG_CONFIG_HOME", "/nowhere", 1);
	first(NULL, NULL);
	CHECK(strcmp(from, "/etc/lmc/nodes.json") == 0
	      || strcmp(from, "live sockets") == 0);
	CHECK(!strstr(e.what, "/nowhere"));
}

TEST(a_long_name_of_a_file_leaves_room_for_the_error)
{
	char name[3000];

	prepare();
	memset(name, 'x', sizeof name);
	name[sizeof name - 1] = '\0';
	CHECK_STR(first(NULL, name), "error");
	CHECK(strlen(e.what) < sizeof e.what - 1);
	CHECK(strstr(e.what, strerror(ENAMETOOLONG)));
}
