# dnsrenew completion for fish
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
