# dnsrenew completion for bash
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
