"""What is to be answered to which token, while several certificates may need the same one."""

from __future__ import annotations


class TokenContents:
    """Key authorizations by token; each stays until everybody who added it has removed it.

    A CA may hand one pending authorization, and so one token, to two certificates that share a name. It is
    read by the listener's thread without a lock: every entry is replaced as a whole. Writers hold their own.
    """

    def __init__(self) -> None:
        self._by_token: dict[str, tuple[bytes, ...]] = {}

    def __bool__(self) -> bool:
        return bool(self._by_token)

    def get(self, token: str) -> bytes | None:
        """Return what is answered to a token, if anything."""
        standing = self._by_token.get(token)
        return standing[-1] if standing else None

    def add(self, token: str, content: bytes) -> None:
        """Let a token be answered."""
        self._by_token[token] = (*self._by_token.get(token, ()), content)

    def remove(self, token: str, content: bytes) -> None:
        """Take back one :meth:`add`."""
        standing = list(self._by_token.get(token, ()))
        if content in standing:
            standing.remove(content)
        if standing:
            self._by_token[token] = tuple(standing)
        else:
            self._by_token.pop(token, None)
