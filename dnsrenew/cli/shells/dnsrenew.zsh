#compdef dnsrenew
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
