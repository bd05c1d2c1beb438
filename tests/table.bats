#!/usr/bin/env bats
# table.bats - what holds for every applet, because one table declares it
# SPDX-License-Identifier: Apache-2.0

load lib

applets() {
	"$LMC" --list
}

# each CMD...: runs CMD NAME for every applet, tells all for which it fails.
each() {
	local name bad=''

	[ "$(applets | wc -l)" -ge 2 ]
	for name in $(applets); do
		"$@" "$name" || bad+=" $name"
	done
	[ -z "$bad" ] || { echo "$1 is not true of:$bad"; return 1; }
}

# The register, as the preprocessor reads it, in the names' spelling.
register() {
	sed -n 's/^APPLET(\([a-z0-9_]*\)).*/\1/p' "$HERE/../include/applets.def" |
		tr _ -
}

@test "lmc --list is the register, in its order" {
	run applets
	is "$(register)"
}

@test "lmc shows every applet with its brief line" {
	shown() {
		"$LMC" | grep -qE "^  $1 +[a-z\$].*[^.]$"
	}
	each shown
}

helps() {
	"$LMC" "$1" --help >help 2>err &&
		[ ! -s err ] &&
		[ "$(head -n 1 help | cut -d' ' -f1-3)" = "Usage: lmc $1" ]
}

@test "every applet answers --help on stdout with status 0" {
	each helps
}

@test "lmc help NAME says what lmc NAME --help says" {
	alike() {
		cmp <("$LMC" help "$1") <("$LMC" "$1" --help)
	}
	each alike
}

@test "no help is wider than 80 columns" {
	narrow() {
		[ "$("$LMC" "$1" --help | wc -L)" -le 80 ]
	}
	each narrow
	[ "$("$LMC" | wc -L)" -le 80 ]
}

@test "every option has a line of help that begins in lower case and has no full stop" {
	explained() {
		"$LMC" --complete 2 lmc "$1" -- | awk -F'\t' '
			{ n++ }
			$2 !~ /^[a-z0-9$\/"]/ && $2 !~ /^[A-Z]+[^a-z]/ { print; bad = 1 }
			$2 ~ /\.$/ { print; bad = 1 }
			END { exit bad || !n }'
	}
	each explained
}

@test "no applet has one long option or one letter twice" {
	once() {
		local said

		said=$("$LMC" "$1" --help |
			sed -nE 's/^  (-.,|   ) (--[^ ]*).*/\1\n\2/p' | tr -d ' ,' |
			grep . | sort | uniq -d)
		[ -z "$said" ] || { echo "$1: $said"; return 1; }
	}
	each once
}

@test "every applet has about, in sentences" {
	told() {
		"$LMC" "$1" --help | sed -n 3p | grep -qE '^[A-Z]'
	}
	each told
}

# The date is left out: a page is the same whenever it was made.
tidy() {
	"$LMC" help --man "$1" >page.1 && lint_page
}

lint_page() {
	local said

	said=$(mandoc -Tlint -W warning page.1 |
		grep -v 'WARNING: missing date' || :)
	[ -z "$said" ] || { echo "$said"; return 1; }
}

@test "every manual page is one that mandoc accepts" {
	each tidy
	"$LMC" help --man >page.1
	lint_page
}

@test "mandoc would say so if a page were wrong" {
	"$LMC" help --man >page.1
	echo .SHH WRONG >>page.1
	no lint_page
}

@test "every manual page has its sections and all of the applet's options" {
	whole() {
		local o

		"$LMC" help --man "$1" | mandoc -Tutf8 | col -bx >page
		for o in NAME SYNOPSIS DESCRIPTION OPTIONS 'EXIT STATUS' 'SEE ALSO'; do
			grep -qx "$o" page || { echo "$1: no $o"; return 1; }
		done
		for o in $("$LMC" --complete 2 lmc "$1" -- | cut -f1); do
			[[ $o != --no-* ]] || continue
			grep -qE -- "(--|--\[no-\])${o#--}( |$)" page ||
				{ echo "$1: no $o"; return 1; }
		done
	}
	each whole
}

@test "lmc(1) names every applet and its page" {
	"$LMC" help --man | mandoc -Tutf8 | col -bx >page
	named() {
		grep -qE "^ +$1( |$)" page && grep -q "lmc-$1(1)" page
	}
	each named
}

@test "every applet refuses an unknown option with status 2 and names the place of help" {
	strict() {
		local s=0

		"$LMC" "$1" --zzqx >out 2>err || s=$?
		[ $s = 2 ] && [ ! -s out ] &&
			[ "$(cat err)" = "lmc $1: unknown option --zzqx; see lmc $1 --help" ]
	}
	each strict
}

@test "help that gets lost is an error for every applet" {
	noticed() {
		local s=0

		"$LMC" "$1" --help >/dev/full 2>err || s=$?
		[ $s = 111 ] && grep -q 'No space left on device' err
	}
	each noticed
}

@test "every applet runs by a link with its name" {
	linked() {
		ln -sf "$LMC" "$1" && ln -sf "$LMC" "lmc-$1" &&
			cmp <("./$1" --help) <("$LMC" "$1" --help) &&
			cmp <("./lmc-$1" --help) <("$LMC" "$1" --help)
	}
	each linked
}

@test "every applet has tests of its own" {
	tested() {
		[ -s "$HERE/$1.bats" ]
	}
	each tested
}
