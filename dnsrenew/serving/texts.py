"""The texts of running servers."""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Phrase, Text

NOT_TAKEN_UP: Final = Text(
    "serve-kept",
    "The server cannot use the new certificate {name}, so it keeps the old one: {reason}.",
    "If the next check does not fix it, renew again with `dnsrenew renew --force {name}`, or obtain(force=True).",
)
NOT_RENEWED: Final = Text(
    "serve-failed",
    "The renewal of {names} in the background stopped because of an unexpected error: {reason}.",
    "It is tried again within an hour; if the error comes back, report it.",
)
FOLLOW_BROKEN: Final = Text(
    "follow-broken",
    "The certificate in {path} cannot be served: {reason}.",
    "Check the paths and modes of both files, and write them again with the program that renews the certificate.",
)
FOLLOW_KEPT: Final = Text(
    "follow-broken",
    "The new certificate in {path} cannot be used, so the old one stays: {reason}.",
    "Write both files again with the program that renews the certificate; the server reads them within a "
    "second of the next handshake.",
)
FOLLOW_PASSWORD: Final = Text(
    "follow-password",
    "The private key in {path} is encrypted, and the password does not decrypt it.",
    "Pass its password: follow(…, password=dnsrenew.Secret.file(PATH)).",
)
NO_CERTIFICATE_IN_FILE: Final = Phrase("{file} contains no certificate in PEM format")
NO_KEY_IN_FILE: Final = Phrase("{file} contains no private key in PEM format")
HALF_WRITTEN: Final = Phrase("{file} ends in the middle of a block, as if another program is still writing it")
NOT_A_PAIR: Final = Phrase("the certificate and the private key do not match ({reason})")
NO_SUCH_APP: Final = "a WSGI app takes two arguments, an ASGI app is a coroutine function; {found} can be neither"
NO_CERTIFICATE_OF_ONES_OWN: Final = (
    "this context serves the certificates of serve(), and takes no other one: give serve() more names, import the "
    "files with `dnsrenew install`, or use a context of your own for them in an sni_callback"
)
NO_CERTIFICATE_YET: Final = "there is no certificate yet: use this object inside `with served:` or `async with served:`"
SEVERAL_CERTIFICATES: Final = "this object has {count} certificates ({names}): use certificates[NAME]"
NOT_ENTERED: Final = "this object is not active: use it inside `with served:` or `async with served:`"
NOT_FOR_ANOTHER_PROCESS: Final = (
    "the object that serve() returned works only in the process that made it: in worker processes, use "
    "dnsrenew.ssl_context_factory(), or call serve() there"
)
