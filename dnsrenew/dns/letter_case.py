"""Random letter case in questions ("0x20"): a forger, who does not see the question, must guess it too.

Nearly every server repeats the question letter by letter. An answer over UDP in another case is not used. The question
is sent again over TCP, which cannot be forged from elsewhere, and over UDP in lower case where TCP is closed.
"""

from __future__ import annotations

from dnsrenew.dns.query import Address


class LetterCase:
    """What a run knows about servers that do not repeat the case. Thread-safe."""

    def __init__(self) -> None:
        self._changing: set[Address] = set()
        self._without_tcp: set[Address] = set()

    def is_mixed(self, address: Address) -> bool:
        """Tell whether questions to the server have random case."""
        return address not in self._without_tcp

    def needs_tcp(self, address: Address) -> bool:
        """Tell whether the server is known to change the case."""
        return address in self._changing and address not in self._without_tcp

    def changed(self, address: Address) -> None:
        """Note an answer in another case."""
        self._changing.add(address)

    def lacks_tcp(self, address: Address) -> None:
        """Note that a server that changes the case does not answer over TCP."""
        self._without_tcp.add(address)
