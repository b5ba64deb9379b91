"""Asks the helper outside, whose protocol is on docs/reference/outside-probe.md.

The helper may be anybody's: its answer is small, of one form, and every text in it is cleaned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urlsplit

from dnsrenew.acme.clean import one_line
from dnsrenew.base.host_port import is_ip
from dnsrenew.base.http import HttpClient, HttpFailure, Response
from dnsrenew.base.values import Frozen

if TYPE_CHECKING:
    from dnsrenew.extensions.doctor.host.machine import Family

VERSION: Final = 1
ERRORS: Final = ("refused", "timeout", "unreachable", "failed")
"""Why a port is not open: ``error`` of an answer."""
MAX_ANSWER: Final = 100
"""Characters of ``answer`` and ``banner``."""
_TIMEOUT: Final = (2.0, 5.0)
"""The helper itself waits for at most four seconds."""
_MAX_BYTES: Final = 4096
_ANY: Final[dict[Family, str]] = {"ipv4": "0.0.0.0", "ipv6": "::"}  # noqa: S104  # the source of a connection
_MOST_SECONDS: Final = 60.0

HelperFailureKind = Literal["absent", "silent", "busy", "nonsense", "proxied"]
"""``absent``: it has no address of this family. ``proxied``: it sees a proxy before it, not this host."""


class PortSeen(Frozen):
    """What the helper saw.

    :ivar address: the public address of this host, as the helper sees it.
    :ivar open: whether it could connect; None if it was not asked.
    :ivar error: why it could not: one of :data:`ERRORS`.
    :ivar answer: what the port answered, to compare with what we serve: see the protocol.
    :ivar banner: the name of the program that answered, as it says.
    """

    address: str
    open: bool | None = None
    error: str | None = None
    answer: str = ""
    banner: str = ""
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as evidence."""
        shown = vars(self)
        return {key: shown[key] for key in ("address", "open", "error", "banner", "seconds")}


class HelperFailure(Frozen):
    """Why the helper says nothing.

    :ivar detail: for the evidence.
    """

    kind: HelperFailureKind
    detail: str

    def to_dict(self) -> dict[str, Any]:
        """Return the failure as evidence."""
        return dict(vars(self))


def server_name(token: str) -> str:
    """Return the name that the helper asks port 443 for; ``.invalid`` belongs to nobody (RFC 6761)."""
    return f"{token}.invalid"


def shown_url(url: str) -> str:
    """Return where the helper is, without what may be a secret."""
    return urlsplit(url).netloc.rpartition("@")[2]


def ask(url: str, family: Family, port: int | None, token: str) -> PortSeen | HelperFailure:
    """Ask the helper about a port of this host; with None only for the address of this host."""
    query: dict[str, Any] = {} if port is None else {"port": port, "token": token}
    client = HttpClient(source=_ANY[family])  # no proxy: its address is not ours
    try:
        response = client.request("GET", url, params=query, timeout=_TIMEOUT, max_bytes=_MAX_BYTES)
    except HttpFailure as failure:
        kinds: dict[str, HelperFailureKind] = {"dns": "absent", "too-large": "nonsense", "redirect": "nonsense"}
        return HelperFailure(kinds.get(failure.kind, "silent"), failure.detail)
    finally:
        client.close()
    if response.status in {429, 503}:
        return HelperFailure("busy", str(response.status))
    found = _read(response, port) if response.status == 200 else None
    return found or HelperFailure("nonsense", str(response.status))


def _read(response: Response, port: int | None) -> PortSeen | None:
    """Return the answer; None if it is not of the protocol, or contradicts itself or the question."""
    try:
        value = response.json()
    except ValueError:
        return None
    if not isinstance(value, dict) or value.get("version") != VERSION or not isinstance(value.get("address"), str):
        return None
    address = value["address"]
    if not is_ip(address):
        return None
    if port is None:
        return PortSeen(address)
    is_open, error, seconds = value.get("open"), value.get("error"), value.get("seconds", 0)
    texts = [value.get(key) or "" for key in ("answer", "banner")]
    if value.get("port") != port or not isinstance(is_open, bool) or not all(isinstance(each, str) for each in texts):
        return None
    if error is not None if is_open else error not in ERRORS:
        return None
    if not isinstance(seconds, int | float) or not 0 <= seconds <= _MOST_SECONDS:  # NaN neither
        return None
    answer, banner = (one_line(text, MAX_ANSWER) for text in texts)
    return PortSeen(address, is_open, error, answer, banner, round(float(seconds), 3))
