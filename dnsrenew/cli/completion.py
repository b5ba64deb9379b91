"""``dnsrenew completion``: the script that makes a shell complete the command line.

The scripts are short: they ask ``dnsrenew __complete`` what can stand at the cursor, so that they need no update when
dnsrenew gets a new command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from dnsrenew.cli.invocation import Invocation

_BASH: Final = r"""# dnsrenew completion for bash
_dnsrenew() {
    local word current=${COMP_WORDS[COMP_CWORD]}
    COMPREPLY=()
    while IFS=$'\t' read -r word _; do
        if [[ $word == :files ]]; then
            local raw=  # bash 3 does not quote names itself
            compopt -o filenames 2>/dev/null || raw=yes
            [[ $current == = ]] && current=
            while IFS= read -r word; do
                [[ $raw ]] && printf -v word %q "$word"
                COMPREPLY+=("$word")
            done < <(compgen -f -- "$current")
            return
        fi
        COMPREPLY+=("$word")
    done < <("$1" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _dnsrenew dnsrenew
"""

_ZSH: Final = r"""#compdef dnsrenew
# dnsrenew completion for zsh
_dnsrenew() {
    local line word
    local -a found
    for line in "${(@f)$("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
        word=${line%%$'\t'*}
        if [[ $word == :files ]]; then
            compset -P '*='
            _files
            return
        elif [[ -n $word ]]; then
            found+=("${word//:/\\:}:${line#*$'\t'}")
        fi
    done
    _describe dnsrenew found
}
if [[ $funcstack[1] == _dnsrenew ]]; then
    _dnsrenew "$@"
else
    compdef _dnsrenew dnsrenew
fi
"""

_FISH: Final = r"""# dnsrenew completion for fish
function __dnsrenew_complete
    set -l words (commandline --tokenize --cut-at-cursor --current-process)
    set -l current (commandline --cut-at-cursor --current-token)
    for line in ($words[1] __complete $words[2..-1] "$current" 2>/dev/null)
        if test "$line" = ":files"
            __fish_complete_path (string replace --regex '^--[^=]*=' '' -- "$current")
        else
            echo $line
        end
    end
end
complete --command dnsrenew --no-files --arguments '(__dnsrenew_complete)'
"""

_POWERSHELL: Final = r"""# dnsrenew completion for PowerShell
Register-ArgumentCompleter -Native -CommandName dnsrenew -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $program = $commandAst.CommandElements[0].ToString()
    $words = @($commandAst.CommandElements | Select-Object -Skip 1 |
        Where-Object { $_.Extent.EndOffset -lt $cursorPosition } | ForEach-Object { $_.ToString() })
    $words += if ($wordToComplete -eq '') { '""' } else { $wordToComplete }  # an empty argument would be dropped
    & $program __complete @words 2>$null | ForEach-Object {
        $word, $text = $_ -split "`t", 2
        if ($word -eq ':files') {
            [System.Management.Automation.CompletionCompleters]::CompleteFilename($wordToComplete)  # quotes names
        } else {
            if (-not $text) { $text = $word }
            [System.Management.Automation.CompletionResult]::new($word, $word, 'ParameterValue', $text)
        }
    }
}
"""

SCRIPTS: Final = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH, "powershell": _POWERSHELL}


def completion(invocation: Invocation) -> int:
    """Print the script of a shell; return the exit status."""
    script = SCRIPTS[invocation.options.shell]
    invocation.terminal.write_document({"shell": invocation.options.shell, "script": script})
    invocation.terminal.write_result(script.rstrip())
    return 0
