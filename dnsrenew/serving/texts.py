"""The texts of running servers."""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Text

NOT_TAKEN_UP: Final = Text(
    "serve-kept",
    "The server cannot use the new certificate {name}, and keeps the old one: {reason}.",
    "If the next check does not fix it, renew it again: dnsrenew renew --force {name}, or obtain(force=True).",
)
NOT_RENEWED: Final = Text(
    "serve-failed",
    "The renewal of {names} in the background stopped because of an unexpected error: {reason}.",
    "It is tried again within the hour; report the error if it comes back.",
)
NO_SUCH_APP: Final = "a WSGI app takes two arguments, an ASGI app is a coroutine function; {found} can be neither"
NO_CERTIFICATE_OF_ONES_OWN: Final = (
    "this context serves the certificates of serve(), and takes no other one: give serve() more names, import the "
    "files with `dnsrenew install`, or use a context of your own for them in an sni_callback"
)
