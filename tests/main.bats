#!/usr/bin/env bats
# main.bats - lmc without an applet: the overview, links, versions, completion
# SPDX-License-Identifier: Apache-2.0

load lib

first() {
	"$LMC" --list | head -n 1
}

@test "lmc, lmc help, lmc --help and lmc -h are the same overview" {
	"$LMC" >one
	"$LMC" help >two
	"$LMC" --help >three
	"$LMC" -h >four
	grep -q '^Applets:$' one
	cmp one two
	cmp one three
	cmp one four
}

@test "an unknown applet is a usage error that names the nearest one" {
	local name

	name=$(first)
	fails_with 2 "$LMC" "${name}x"
	is "lmc: unknown applet ${name}x; the nearest is $name"
	fails_with 2 "$LMC" qqqqqqqq
	is "lmc: unknown applet qqqqqqqq; see lmc --list"
	fails_with 2 "$LMC" help "${name}x"
	is "lmc help: unknown applet ${name}x; the nearest is $name"
}

@test "an unknown applet's name cannot write to the terminal" {
	fails_with 2 "$LMC" $'a\e[31m'
	is 'lmc: unknown applet a\x1b[31m; see lmc --list'
}

@test "an unknown option is a usage error that names the nearest one" {
	fails_with 2 "$LMC" --lst
	is "lmc: unknown option --lst; the nearest is --list"
	fails_with 2 "$LMC" -Z
	is "lmc: unknown option -Z; see lmc --help"
}

@test "options that make no sense together are refused" {
	fails_with 2 "$LMC" --list --version
	fails_with 2 "$LMC" -s
	is "lmc: -s belongs to --install"
	fails_with 2 "$LMC" --list operand
	fails_with 2 "$LMC" --
}

@test "--version says version and commit, then a line for each package" {
	run "$LMC" --version
	[ "$status" = 0 ]
	[[ ${lines[0]} =~ ^lmc\ [0-9]+\.[0-9]+\.[0-9]+\ \(.+\)$ ]]
	[ "${#lines[@]}" -ge 5 ]
	[[ ${lines[1]} =~ ^[A-Za-z]+\ [^\ ]+$ ]]
}

@test "--licenses has the texts, to the last byte" {
	"$LMC" --licenses >all
	[ "$(wc -c <all)" -gt 10000 ]
	[ "$(tail -c 1 all | wc -l)" = 1 ]
}

@test "output that is lost is an error" {
	local a

	for a in --list --version --licenses --help; do
		fails_with 111 sh -c '"$0" "$1" >/dev/full' "$LMC" "$a"
		has 'unable to write the output: No space left on device'
	done
}

@test "output to a stdout that is closed is an error" {
	fails_with 111 sh -c '"$0" --list >&-' "$LMC"
	has 'unable to write the output'
}

@test "a closed stdin, stdout or stderr does not become a server's socket" {
	local fd

	launch sh -c 'exec "$0" proxy --port 0 --ready-fd 9 --nodes "$1" \
		<&- >&- 2>&-' "$LMC" '[{"name":"a","host":"127.0.0.1","port":1}]'
	for fd in 0 1 2; do
		[ "$(readlink "/proc/$pid/fd/$fd")" = /dev/null ]
	done
}

# unread HOW CMD...: into a pipe that nobody reads; SIGPIPE is "default" or
# "ignored". The last line is the status, -13 for SIGPIPE.
unread() {
	python3 -c 'import os, subprocess, sys
r, w = os.pipe()
os.close(r)
p = subprocess.run(sys.argv[2:], stdout=w,
                   restore_signals=sys.argv[1] == "default")
print(p.returncode)' "$@"
}

@test "a reader that is gone ends lmc by SIGPIPE, silently" {
	run unread default "$LMC" --licenses
	is -13
}

@test "with SIGPIPE ignored, a reader that is gone is an error" {
	run unread ignored "$LMC" --licenses
	is $'lmc: unable to write the output: Broken pipe\n111'
}

@test "argv without a program name gives the overview" {
	cat >none.py <<-'PY'
	import ctypes, os, sys
	libc = ctypes.CDLL(None, use_errno=True)
	argv = (ctypes.c_char_p * 1)(None)
	env = (ctypes.c_char_p * 2)(b"ASAN_OPTIONS=detect_leaks=0", None)
	libc.execve(sys.argv[1].encode(), argv, env)
	PY
	run python3 none.py "$LMC"
	[ "$status" = 0 ]
	has 'Usage: lmc'
}

@test "a copy with any other name is lmc" {
	ln -s "$LMC" lmc-of-old
	run ./lmc-of-old --list
	is "$("$LMC" --list)"
}

@test "--install makes a hard link for every applet, and lmc itself" {
	local name

	# Beside the binary: a hard link needs one filesystem.
	cp "$LMC" here
	mkdir bin
	./here --install bin
	for name in lmc $("$LMC" --list); do
		[ "bin/$name" -ef here ]
		[ ! -L "bin/$name" ]
	done
	[ "$(find bin -type f | wc -l)" = "$(("$("$LMC" --list | wc -l)" + 1))" ]
	bin/"$(first)" --help
}

@test "--install -s makes symbolic links to the file that lmc is" {
	local name

	mkdir bin
	ln -s "$LMC" other
	./other --install -s bin
	for name in lmc $("$LMC" --list); do
		[ "$(readlink "bin/$name")" = "$LMC" ]
	done
}

@test "--install again is nothing new, and other files are never replaced" {
	local name

	name=$(first)
	mkdir bin
	"$LMC" --install -s bin
	"$LMC" --install -s bin
	rm "bin/$name"
	echo mine >"bin/$name"
	fails_with 111 "$LMC" --install -s bin
	is "lmc: unable to make bin/$name: something else has that name"
	[ "$(cat "bin/$name")" = mine ]
}

@test "--install goes on after one link that fails, and says where" {
	local name

	name=$(first)
	mkdir -p "bin/$name"
	fails_with 111 "$LMC" --install -s bin
	[ -L bin/lmc ]
	[ -L "bin/$("$LMC" --list | sed -n 2p)" ]
	fails_with 111 "$LMC" --install -s missing
	has 'lmc: unable to make missing/lmc: No such file or directory'
	fails_with 2 "$LMC" --install
	is 'lmc: --install needs one operand: DIR'
}

@test "--complete names the applets, and help" {
	run "$LMC" --complete 1 lmc ''
	[ "$(cut -f1 <<<"$output" | sort | xargs)" = \
		"$({ "$LMC" --list; echo help; } | sort | xargs)" ]
	run "$LMC" --complete 1 lmc
	[ "$(wc -l <<<"$output")" = "$(($("$LMC" --list | wc -l) + 1))" ]
	run "$LMC" --complete 2 lmc help
	[ "$(cut -f1 <<<"$output")" = "$("$LMC" --list)" ]
	run "$LMC" --complete 2 lmc help --m
	[ "$(cut -f1 <<<"$output")" = --man ]
}

@test "--complete answers for a link as for the applet" {
	local name

	name=$(first)
	run "$LMC" --complete 2 lmc "$name" --
	[ "$(wc -l <<<"$output")" -gt 1 ]
	[ "$output" = "$("$LMC" --complete 1 "$name" --)" ]
	[ "$output" = "$("$LMC" --complete 1 "/usr/bin/lmc-$name" --)" ]
	ln -s "$LMC" "$name"
	[ "$output" = "$("./$name" --complete 1 "$name" --)" ]
}

@test "--complete of what makes no sense is silent or a usage error, never a crash" {
	run "$LMC" --complete 3 lmc no-such-applet a b
	[ "$status" = 0 ]
	is ''
	fails_with 2 "$LMC" --complete
	fails_with 2 "$LMC" --complete x lmc
	fails_with 2 "$LMC" --complete 0 lmc
	fails_with 2 "$LMC" --complete 9 lmc
	fails_with 2 "$LMC" --complete -1 lmc
}
