"""Where the store of a fleet is: the address of a database, and its password."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dnsrenew.base.values import Frozen

if TYPE_CHECKING:
    from dnsrenew.base.secrets import Secret

SCHEMES: Final = ("postgresql://", "postgres://")
"""How the address of a database starts."""


class StoreAddress(Frozen, public=True, hidden=("password",)):
    """The address of a database that the machines of a fleet share. ``str()`` is its URL, which has no password."""

    url: str
    """Its URL, as libpq reads it: ``postgresql://USER@HOST[:PORT]/DATABASE``."""
    password: Secret | None
    """The password of the role; a plain text becomes a :class:`Secret`. None: the server asks for none, or libpq finds
    it, as in ``~/.pgpass``.
    """

    def __init__(self, url: str, password: Secret | str | None = None) -> None:
        if isinstance(password, str):
            from dnsrenew.base.secrets import Secret  # late: few stores are databases

            password = Secret(password)
        super().__init__(url=url, password=password)

    def __str__(self) -> str:
        return self.url

    def read_password(self) -> str | None:
        """Return the password, or None without one.

        :raises SecretError: ``secret-missing``.
        """
        return None if self.password is None else self.password.reveal()


def has_password(url: str) -> bool:
    """Tell whether the URL of a database has a password in it, where logs and process lists show it."""
    from urllib.parse import parse_qsl, urlsplit

    try:
        parts = urlsplit(url)
    except ValueError:  # it is not read by the rules of RFC 3986; a colon before an @ is enough
        return ":" in url.partition("://")[2].rpartition("@")[0]
    user, at, _ = parts.netloc.rpartition("@")
    return (bool(at) and ":" in user) or any("password" in key.lower() for key, _ in parse_qsl(parts.query, True))
