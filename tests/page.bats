#!/usr/bin/env bats
# page.bats - the frontend's page, in a browser that reaches nothing else
# SPDX-License-Identifier: Apache-2.0
#
# Each test is one check of tests/browser/page.mjs, against its own `lmc demo`.
# The browser's driver is installed from the lock file, once, into build/.

bats_require_minimum_version 1.5.0
load lib

ROOT=${BATS_TEST_DIRNAME%/*}
export BROWSER_MODULES=$ROOT/build/browser

setup_file() {
	local from=$ROOT/tests/browser to=$ROOT/build/browser

	mkdir -p "$ROOT/build"
	exec 8>"$ROOT/build/browser.lock"
	flock 8
	if ! cmp -s "$from/package-lock.json" "$to/installed.json"; then
		rm -rf "$to"
		mkdir -p "$to"
		cp "$from"/package*.json "$to"
		(cd "$to" && npm ci --ignore-scripts --no-audit --no-fund \
			--loglevel=error)
		cp "$to/package-lock.json" "$to/installed.json"
	fi
	exec 8>&-
}

# page NAME: that check passes. What a browser prints by itself is only shown.
# shellcheck disable=SC2154 # url is of lib.bash, stderr of run
page() {
	start demo
	CHROMIUM=$(command -v chromium) || {
		echo "no chromium: install the package chromium"
		return 1
	}
	export CHROMIUM
	TMPDIR=$BATS_TEST_TMPDIR run --separate-stderr node "$ROOT/tests/browser/page.mjs" "$url" "$1"
	echo "$output"
	echo "$stderr"
	[ "$status" = 0 ] && [ "${lines[0]}" = "ok $1" ]
}

@test "page: the watch notices what it must" {
	page "the watch notices what it must"
}

@test "page: the page's own policy is the strict one" {
	page "the page's own policy is the strict one"
}

@test "page: every node is listed with its state and version" {
	page "every node is listed with its state and version"
}

@test "page: each tab shows the node's own text" {
	page "each tab shows the node's own text"
}

@test "page: lmcache server shows its configuration, and what it lacks is said" {
	page "lmcache server shows its configuration, and what it lacks is said"
}

@test "page: secrets are hidden until asked for" {
	page "secrets are hidden until asked for"
}

@test "page: filters keep what matches, and only that" {
	page "filters keep what matches, and only that"
}

@test "page: a log level is set after a question, and read back" {
	page "a log level is set after a question, and read back"
}

@test "page: a hostile node is added, shown as text only, edited and deleted" {
	page "a hostile node is added, shown as text only, edited and deleted"
}

@test "page: what the frontend refuses is shown in its words" {
	page "what the frontend refuses is shown in its words"
}

@test "page: loading, empty, a dead node and a lost frontend look different" {
	page "loading, empty, a dead node and a lost frontend look different"
}

@test "page: every view has an address, and Back works" {
	page "every view has an address, and Back works"
}

@test "page: a node of another frontend is reached through it" {
	page "a node of another frontend is reached through it"
}

@test "page: frontends and registries are shown, and who of them does not answer" {
	page "frontends and registries are shown, and who of them does not answer"
}

@test "page: the keyboard does it all" {
	page "the keyboard does it all"
}

@test "page: it refreshes by itself when told to, and not otherwise" {
	page "it refreshes by itself when told to, and not otherwise"
}

@test "page: the text and the commands can be copied" {
	page "the text and the commands can be copied"
}

@test "page: it fits 360 pixels and keeps its contrast in both themes" {
	page "it fits 360 pixels and keeps its contrast in both themes"
}

@test "page: it is small, and says something without JavaScript" {
	page "it is small, and says something without JavaScript"
}

@test "page: every check is one of these tests" {
	local checks tests

	checks=$(node "$ROOT/tests/browser/page.mjs" --list)
	tests=$(sed -n 's/^\tpage "\(.*\)"$/\1/p' "$BATS_TEST_FILENAME")
	[ -n "$checks" ]
	diff <(echo "$checks") <(echo "$tests")
}
