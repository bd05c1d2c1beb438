#!/usr/bin/env bats
# completions.bats - completion in real shells on a real terminal
# SPDX-License-Identifier: Apache-2.0
#
# What may follow is tested in main.bats and unit/test_opt.c; here, that the
# shells ask for it and put it in.

load lib

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	mkdir bin dir1
	ln -s "$LMC" bin/lmc
	touch nodes.json
	PATH=$PWD/bin:$PATH
	HOW=$(realpath "$HERE/../completions")
}

# typed KEYS WORDS: the line after completion, in the shell of this test.
in_bash() {
	run python3 "$HERE/typist.py" \
		"source '$HOW/lmc.bash'; bind 'set bell-style none'" \
		"$1" bash --norc --noprofile -i
	[ "${lines[-1]}" = "$2" ] || { echo "$output"; return 1; }
}

in_zsh() {
	run python3 "$HERE/typist.py" "fpath=('$HOW' \$fpath); autoload -U compinit
		compinit -u -D; unsetopt beep; bindkey -e" "$1" zsh -f -i
	[ "${lines[-1]}" = "$2" ] || { echo "$output"; return 1; }
}

# Fish tells what it would offer, no terminal needed.
in_fish() {
	run fish -N -c "source '$HOW/lmc.fish'; complete -C '$1'"
	[ "$(cut -f1 <<<"$output" | xargs)" = "$2" ] ||
		{ echo "$output"; return 1; }
}

@test "bash completes applets, options, choices and files" {
	in_bash 'lmc prox\t' '<lmc><proxy>'
	in_bash 'lmc proxy --ready\t' '<lmc><proxy><--ready-fd>'
	in_bash 'lmc proxy --log-level deb\t' '<lmc><proxy><--log-level><debug>'
	in_bash 'lmc proxy --config no\t' '<lmc><proxy><--config><nodes.json>'
	in_bash 'lmc --install -s di\t' '<lmc><--install><-s><dir1/>'
	in_bash 'lmc help prox\t' '<lmc><help><proxy>'
}

@test "bash completes after = and after words with colons" {
	in_bash 'lmc proxy --log-level=deb\t' '<lmc><proxy><--log-level=debug>'
	in_bash 'lmc proxy --config=no\t' '<lmc><proxy><--config=nodes.json>'
	in_bash 'lmc proxy --listen [::1]:0 --ready\t' \
		'<lmc><proxy><--listen><[::1]:0><--ready-fd>'
}

@test "bash asks the lmc that is typed, by its path" {
	mv bin/lmc "$BATS_TEST_TMPDIR/elsewhere"
	in_bash "source $HOW/lmc.bash; complete -F _lmc elsewhere\n./elsewhere prox\t" \
		'<./elsewhere><proxy>'
}

@test "zsh completes applets, options, choices and files" {
	command -v zsh >/dev/null || skip 'no zsh'
	in_zsh 'lmc prox\t' '<lmc><proxy>'
	in_zsh 'lmc proxy --ready\t' '<lmc><proxy><--ready-fd>'
	in_zsh 'lmc proxy --log-level deb\t' '<lmc><proxy><--log-level><debug>'
	in_zsh 'lmc proxy --config no\t' '<lmc><proxy><--config><nodes.json>'
	in_zsh 'lmc help prox\t' '<lmc><help><proxy>'
}

@test "zsh completes after = and after words with colons" {
	command -v zsh >/dev/null || skip 'no zsh'
	in_zsh 'lmc proxy --log-level=deb\t' '<lmc><proxy><--log-level=debug>'
	in_zsh 'lmc proxy --config=no\t' '<lmc><proxy><--config=nodes.json>'
	in_zsh 'lmc proxy --listen 127.0.0.1:0 --ready\t' \
		'<lmc><proxy><--listen><127.0.0.1:0><--ready-fd>'
}

@test "zsh shows what an option is for" {
	command -v zsh >/dev/null || skip 'no zsh'
	in_zsh 'lmc proxy --lo\t\t' '<lmc><proxy><--log>'
	has 'what to write to stderr'
}

@test "fish completes applets, options, choices and files" {
	command -v fish >/dev/null || skip 'no fish'
	in_fish 'lmc prox' proxy
	in_fish 'lmc proxy --ready' --ready-fd
	in_fish 'lmc proxy --log-level deb' debug
	in_fish 'lmc proxy --log-level=deb' --log-level=debug
	in_fish 'lmc proxy --config no' nodes.json
	in_fish 'lmc proxy --config=no' --config=nodes.json
	in_fish 'lmc --install -s di' dir1/
}

@test "the completions know no applet and no option" {
	local word

	for word in $("$LMC" --list) ready-fd listen timeout; do
		no grep -rqwF -- "$word" <(grep -v '^#' "$HOW"/*)
	done
}
