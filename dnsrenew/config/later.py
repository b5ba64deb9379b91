"""What the contract has and this version does not do yet.

One line for each: a line that is deleted is a feature that has come. A thing that somebody relies on (a key that
stays, a profile that must be) is refused; where only something less than wished happens, it is a warning.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple


class Later(NamedTuple):
    """A feature that comes later.

    :ivar refused: asking for it is a mistake; else it is a warning, ``not-yet``.
    :ivar what: what was found, in words.
    :ivar sentence: what this version does instead, without a final dot.
    :ivar asked: whether a value asks for it.
    """

    refused: bool
    what: str
    sentence: str
    asked: Callable[[Any], bool] = bool


def _refused(what: str, sentence: str, asked: Callable[[Any], bool] = bool) -> Later:
    return Later(refused=True, what=what, sentence=f"{sentence} comes in a later version", asked=asked)


def _warned(sentence: str) -> Later:
    return Later(refused=False, what="", sentence=sentence)


def _several(names: Any) -> bool:
    return len(names) > 1


LATER: Final[dict[str, Later]] = {
    "ca.eab": _refused("an external account binding", "using one"),
    "ca.staging": _warned("not used yet: --dry-run comes in a later version"),
    "profile.required": _refused("a required profile", "choosing a profile"),
    "profile.prefer": _warned("not asked for yet: choosing a profile comes in a later version"),
    "certificate.preferred_chain": _warned("not looked for yet, the CA's default chain is kept"),
    "certificate.reuse_key": _refused("true", "keeping the key at a renewal"),
    "certificate.deploy": _warned("not carried out yet: deployment comes in a later version"),
    "routes.several": _warned("only the first dns-01 route is used in this version"),
    "route.dns": _refused("several accounts", "writing a zone at several DNS hosts at once", _several),
    "route.http-01": _refused("no route but http-01", "http-01"),
}
