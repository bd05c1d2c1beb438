# lmc.bash - completion of lmc in bash: the binary knows what may follow
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# For an applet that has a link of its own: complete -F _lmc metrics

_lmc() {
	local words=() rest=$COMP_LINE i word trimmed head line last

	# bash has cut at "=" and ":", which are inside words of ours: words
	# with no space between them belong together.
	for ((i = 0; i <= COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		trimmed=${rest#"${rest%%[![:space:]]*}"}
		if [[ $i != 0 && -n $rest && $trimmed == "$rest" ]]; then
			words[${#words[@]} - 1]+=$word
		else
			words+=("$word")
		fi
		rest=${trimmed#"$word"}
	done
	# What bash puts in is only what it took for the word, up to the cursor.
	last=$((${#words[@]} - 1))
	if [[ ${COMP_WORDS[COMP_CWORD]} == "$2"* ]]; then
		head=${words[last]%"${COMP_WORDS[COMP_CWORD]}"}
	else
		head=${words[last]}
	fi
	[[ -n $2 || ${COMP_WORDS[COMP_CWORD]} != [=:]* ]] || head=${words[last]}
	words[last]=$head$2

	COMPREPLY=()
	while IFS= read -r line; do
		case $line in
		@FILE | @DIR)
			compopt -o filenames
			while IFS= read -r word; do
				COMPREPLY+=("$word")
			done < <(case $line in
				@DIR) compgen -d -- "$2" ;;
				*) compgen -f -- "$2" ;;
				esac)
			;;
		*)
			line=${line%%$'\t'*}
			COMPREPLY+=("${line#"$head"}")
			;;
		esac
	done < <("${words[0]/#\~\//$HOME/}" --complete "$last" "${words[@]}" \
		2>/dev/null)
}

complete -F _lmc lmc
