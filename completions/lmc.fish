# lmc.fish - completion of lmc in fish: the binary knows what may follow
# SPDX-License-Identifier: Apache-2.0
#
# For an applet that has a link of its own: complete -c metrics -w lmc

function __lmc_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l head (string match -r -- '^--[^=]*=' $current)
    set -l typed (string replace -- "$head" '' $current)
    set -l command (string replace -r -- '^~/' $HOME/ $words[1])

    for line in (command $command --complete (count $words) $words "$current" 2>/dev/null)
        switch $line
            case @FILE
                printf "$head%s\n" (__fish_complete_path "$typed")
            case @DIR
                printf "$head%s\n" (__fish_complete_directories "$typed" '')
            case '*'
                printf '%s\n' $line
        end
    end
end

complete -c lmc -f -a '(__lmc_complete)'
