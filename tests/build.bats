#!/usr/bin/env bats
# build.bats - what the makefile promises
# SPDX-License-Identifier: Apache-2.0
#
# Only what the release build promises; under `make check` the binary is
# another one, and all but a few are skipped. The copy is the whole tree built
# again elsewhere, in a path with a space, from packages fetched before.

setup_file() {
	export TREE=$PWD COPY="$BATS_FILE_TMPDIR/a copy"
	# Everything is built twice, perhaps beside other work.
	export BATS_TEST_TIMEOUT=600
	# What make tells its children must not reach the makes below.
	unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES CFLAGS CPPFLAGS LDFLAGS
}

setup() {
	cd "$TREE" || return
}

release() {
	case $LMC in */check/lmc) skip 'of the release build' ;; esac
}

# in_copy COMMAND...: in a copy of this tree that was built once.
in_copy() {
	if [ ! -d "$COPY" ]; then
		mkdir "$COPY"
		cp -r GNUmakefile deps.mk LICENSE applets common include \
			completions "$COPY/"
		# The copy is no repository, but the same commit.
		cut -d' ' -f2 build/commit >"$COPY/.commit"
		make -C "$COPY" -j2 DEPS_DIR="$TREE/build/src" \
			>"$COPY.log" 2>&1 || { cat "$COPY.log"; return 1; }
	fi
	cd "$COPY" && "$@"
}

@test "the binary is static: no interpreter, no library, and ldd says so" {
	release
	run ldd "$LMC"
	[[ $output == *"not a dynamic executable"* || $output == *"statically linked"* ]]
	run readelf -lWd "$LMC"
	[[ $output != *INTERP* ]]
	[[ $output != *NEEDED* ]]
}

@test "the stack is not executable, nothing is writable and executable, relocations are read-only" {
	release
	run readelf -lWd "$LMC"
	[[ $output =~ GNU_STACK\ [^$'\n']*\ RW\ \ 0x ]]
	[[ $output == *GNU_RELRO* ]]
	[[ $output == *BIND_NOW* ]]
	[[ $output != *RWE* ]]
	[[ $output != *TEXTREL* ]]
}

@test "it is loaded at another address each time" {
	release
	run python3 - "$LMC" <<-'PY'
	import fcntl, os, subprocess, sys
	lmc, seen = os.path.realpath(sys.argv[1]), set()
	for _ in range(4):
	    r, w = os.pipe()
	    fcntl.fcntl(w, 1031, 4096)  # F_SETPIPE_SZ: it will wait for a reader
	    p = subprocess.Popen([lmc, "--licenses"], stdout=w)
	    at = []
	    # Popen returns a moment before the program is mapped.
	    while not at and p.poll() is None:
	        with open("/proc/%d/maps" % p.pid) as maps:
	            at = [l.split("-")[0] for l in maps if lmc in l]
	    seen.add(at[0])
	    p.kill()
	    p.wait()
	print(len(seen))
	PY
	[ "$status" = 0 ]
	[ "$output" -gt 1 ]
}

@test "it is stripped and within its budget of 1 MiB" {
	release
	[ "$(wc -c <"$LMC")" -le 1048576 ]
	run readelf -SW "$LMC"
	[[ $output != *.symtab* ]]
	[[ $output != *.debug* ]]
}

@test "--version names the commit and the four packages" {
	run "$LMC" --version
	[ "$status" = 0 ]
	[[ ${lines[0]} =~ ^lmc\ [0-9]+\.[0-9]+\.[0-9]+ ]]
	[[ $output =~ (unknown|[0-9a-f]{12}) ]]
	[[ $output =~ musl\ [0-9.]+ ]]
	[[ $output =~ BearSSL\ [0-9.]+ ]]
	[[ $output =~ libcurl\ [0-9.]+ ]]
	[[ $output =~ jsmn\ [0-9.]+ ]]
}

@test "--licenses prints the text of each licence" {
	run "$LMC" --licenses
	[ "$status" = 0 ]
	[[ $output == *"Apache License"* ]]
	[[ $output == *"Rich Felker"* ]]
	[[ $output == *"Thomas Pornin"* ]]
	[[ $output == *"Daniel Stenberg"* ]]
	[[ $output == *"Serge A. Zaitsev"* ]]
}

@test "a build in another directory, with a space in its name, is the same to the byte" {
	release
	in_copy true
	cmp "$LMC" "$COPY/lmc"
}

@test "a second make does nothing" {
	release
	run in_copy make
	[ "$status" = 0 ]
	[ "$output" = "make: Nothing to be done for 'all'." ]
}

@test "touching one file compiles that file only" {
	release
	in_copy touch common/base/about.c
	run in_copy make
	[ "$status" = 0 ]
	[ "$(grep -c ' CC ' <<<"$output")" = 1 ]
	[[ $output == *"CC common/base/about.c"* ]]
}

@test "touching a header compiles only what includes it" {
	release
	in_copy touch include/about.h
	run in_copy make
	[ "$status" = 0 ]
	cd "$COPY"
	[ "$(grep -c ' CC ' <<<"$output")" = \
		"$(grep -lr '"about.h"' applets common | wc -l)" ]
}

@test "other flags compile everything again" {
	release
	run in_copy make -n CFLAGS=-DOTHER
	[ "$status" = 0 ]
	cd "$COPY"
	[ "$(grep -c "^echo '  CC " <<<"$output")" = \
		"$(find applets common -name '*.c' | wc -l)" ]
}

@test "install puts binary, pages and completions below DESTDIR, uninstall takes them away" {
	release
	local root="$BATS_TEST_TMPDIR/a root" f

	run in_copy make install DESTDIR="$root" PREFIX=/opt/lmc
	[ "$status" = 0 ]
	for f in bin/lmc share/man/man1/lmc.1 share/zsh/site-functions/_lmc \
		share/bash-completion/completions/lmc \
		share/fish/vendor_completions.d/lmc.fish; do
		[ -s "$root/opt/lmc/$f" ]
	done
	for f in $("$LMC" --list); do
		[ -s "$root/opt/lmc/share/man/man1/lmc-$f.1" ]
	done
	run in_copy make uninstall DESTDIR="$root" PREFIX=/opt/lmc
	[ "$status" = 0 ]
	[ "$(find "$root" ! -type d | wc -l)" = 0 ]
}

@test "a package's upstream that is not the known one is refused by name" {
	release
	local dir="$BATS_TEST_TMPDIR/other"

	mkdir -p "$dir/from" "$dir/common"
	cp -r GNUmakefile deps.mk LICENSE "$dir/"
	cp common/start.c "$dir/common/"
	cp build/src/* "$dir/from/"
	echo changed >>"$(echo "$dir"/from/curl_*.orig.tar.gz)"
	run make -C "$dir" DEPS_DIR="$dir/from"
	[ "$status" -ne 0 ]
	[[ $output == *"curl: curl_"*"is not the curl"*"sha256"*"expected"* ]]
	[ ! -e "$dir/build/src" ]
}

@test "without root and sudo, one line says what to type, and the status is 2" {
	release
	local bin=$BATS_TEST_TMPDIR/bin dir=$BATS_TEST_TMPDIR/tree

	mkdir "$bin" "$dir"
	cp GNUmakefile deps.mk LICENSE "$dir/"
	printf '#!/bin/sh\necho 1000\n' >"$bin/id"
	printf '#!/bin/sh\nexit 1\n' >"$bin/sudo"
	chmod +x "$bin"/*
	BUILD_PKGS=lmc-absent run env PATH="$bin:$PATH" make -s -C "$dir"
	[ "$status" = 2 ]
	[[ ${lines[0]} == *"apt-get install -y --no-install-recommends lmc-absent" ]]
	[[ $output != *CC* ]]
}

@test "make help lists the targets, one line each" {
	run make -s help
	[ "$status" = 0 ]
	[ "$(awk '{ print $1 }' <<<"$output" | xargs)" = \
		"all demo test check lint bench install uninstall clean distclean dist" ]
	[ "$(grep -cE '^[a-z]+ +[^ ]' <<<"$output")" = 11 ]
}

@test "make dist is the same tarball twice, and it knows its commit" {
	release
	local dir=$BATS_TEST_TMPDIR/clone

	[ -d .git ] || skip 'not a repository'
	git clone -q . "$dir"
	make -s -C "$dir" dist
	mv "$dir/dist" "$dir.first"
	make -s -C "$dir" dist
	cmp "$dir"/dist/*.tar.gz "$dir.first"/*.tar.gz
	run tar -xzOf "$(echo "$dir"/dist/*.tar.gz)" --wildcards 'lmc-*/.commit'
	[ "$output" = "$(git rev-parse --short=12 HEAD)" ]
}

@test "a file includes only from its own floor or below" {
	tests/lint floors
}

@test "the floor check finds an include from above, and of another applet" {
	local dir=$BATS_TEST_TMPDIR/house

	mkdir -p "$dir"/{include,applets/a,common/{base,io}}
	touch "$dir/include/net.h" "$dir/common/io/net.c" "$dir/applets/a/own.h"
	printf '#include "net.h"\n' >"$dir/include/top.h"
	printf '#include "top.h"\n' >"$dir/common/base/low.c"
	printf '#include "a/own.h"\n' >"$dir/applets/b.c"
	run tests/lint floors -C "$dir"
	[ "$status" = 1 ]
	[[ $output == *"common/base/low.c: includes top.h from a higher floor"* ]]
	[[ $output == *"applets/b.c: includes a/own.h, which is applet a's own"* ]]
	[[ $output != *"include/top.h:"* ]]
}

@test "the banned check finds a call, and not its name in a comment or string" {
	local dir=$BATS_TEST_TMPDIR/house

	mkdir -p "$dir/common/base"
	printf '%s\n' '/* strcpy(a) */ x = "atoi(b)"; // sprintf(c)' \
		'my_strcpy(d);' 'n = atoi(s);' >"$dir/common/base/x.c"
	run tests/lint banned -C "$dir"
	[ "$status" = 1 ]
	[ "${lines[0]}" = 'common/base/x.c:3:n = atoi(s);' ]
	[[ ${lines[1]} == FAILED* ]]
}

@test "the runner counts passed and failed, and shows only what failed" {
	local dir=$BATS_TEST_TMPDIR/suite

	mkdir -p "$dir/tests/unit" "$dir/build/unit"
	cp tests/run "$dir/tests/"
	printf '@test "%s" { %s; }\n' good true bad false >"$dir/tests/a.bats"
	printf '#!/bin/sh\necho ok one\nkill -9 $$\n' >"$dir/build/unit/test_x"
	touch "$dir/tests/unit/test_x.c"
	chmod +x "$dir/build/unit/test_x"
	run env -u UNIT -u FUZZ -u T LMC=/bin/true "$dir/tests/run"
	[ "$status" = 1 ]
	[ "${lines[-1]}" = '2 passed, 2 failed' ]
	[[ $output == *"not ok 2 bad"* ]]
	run env -u UNIT -u FUZZ LMC=/bin/true T=nothing "$dir/tests/run"
	[ "$status" = 1 ]
	[ "${lines[-1]}" = '0 passed, 0 failed' ]
}
