"""The picture of the network: the way from a CA to this host, and the path of DNS, coloured by the checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from dnsrenew.base.model import Check
from dnsrenew.base.values import Frozen
from dnsrenew.extensions.doctor.forms.arranged import GROUPS, group
from dnsrenew.extensions.doctor.forms.sentences import Say
from dnsrenew.extensions.doctor.report import texts
from dnsrenew.extensions.doctor.report.markup import anchor, text

CODES: Final[Mapping[str, tuple[str, ...]]] = {
    "ca": ("ca-reachable", "ca-terms", "ca-limits", "caa"),
    "internet": ("internet", "ipv6", "proxied"),
    "provider": ("nat", "port-80-outside", "port-443-outside"),
    "router": ("nat", "port-80-forwarded", "address"),
    "host": ("clock", "vpn", "store", "store-space", "secrets", "served", "schedule", "last-run", "expiry"),
    "port-80": ("port-80-free", "port-80-listens", "port-80-firewall"),
    "port-443": ("port-443-free",),
    "resolver": ("port-53", "split-dns"),
    "parent": ("domain", "delegation", "dnssec"),
    "servers": ("delegation", "name-exists", "cname", "txt-stale", "wildcard-shadow"),
    "account": ("dns-account", "dns-credentials", "txt-probe"),
}
"""The checks that concern each part; every check concerns one at least."""
_WAY_IN: Final = (("ca",), ("internet",), ("provider",), ("router",), ("host",), ("port-80", "port-443"))
_WAY_OF_DNS: Final = (("resolver",), ("parent",), ("servers",), ("account",))

Placed = Sequence[tuple[int, Check]]
"""Checks, each with the number of its section."""


class _Box(Frozen):
    x: float
    y: float
    width: float
    height: float


def network(placed: Placed, say: Say) -> str:
    """Return the picture twice, for a wide and for a narrow page; a page shows one of them."""
    return (
        f'<section><h2>{text(texts.NETWORK)}</h2><p class="about">{text(texts.NETWORK_ABOUT)}</p>'
        f"{_Picture(placed, say).wide()}{_Picture(placed, say).narrow()}</section>"
    )


class _Picture:
    def __init__(self, placed: Placed, say: Say) -> None:
        self._placed = placed
        self._say = say

    def wide(self) -> str:
        """Return the two ways as rows."""
        parts = [*self._row(texts.WAY_IN, _WAY_IN, 0), *self._row(texts.WAY_OF_DNS, _WAY_OF_DNS, 162)]
        return _svg("wide", 1000, 296, parts)

    def narrow(self) -> str:
        """Return the two ways as columns."""
        ways = ((texts.WAY_IN, _WAY_IN), (texts.WAY_OF_DNS, _WAY_OF_DNS))
        parts: list[str] = []
        top = 0.0
        for title, steps in ways:
            parts += self._column(title, steps, top)
            top += 34 + 74 * len(steps)
        return _svg("narrow", 340, top, parts)

    def _row(self, title: str, steps: Sequence[Sequence[str]], top: float) -> Iterator[str]:
        yield _title(title, top)
        for number, nodes in enumerate(steps):
            left, height = 2 + 169.2 * number, 104 / len(nodes) - 4 * (len(nodes) - 1)
            if number:
                yield _link(left - 19.2, top + 80, left, top + 80)
            for row, node in enumerate(nodes):
                yield self._node(node, _Box(left, top + 28 + row * (height + 8), 150, height))

    def _column(self, title: str, steps: Sequence[Sequence[str]], top: float) -> Iterator[str]:
        yield _title(title, top)
        for number, nodes in enumerate(steps):
            y, width = top + 28 + 74 * number, 336 / len(nodes) - 4 * (len(nodes) - 1)
            if number:
                yield _link(170, y - 22, 170, y)
            for column, node in enumerate(nodes):
                yield self._node(node, _Box(2 + column * (width + 8), y, width, 52))

    def _node(self, node: str, box: _Box) -> str:
        found = [(section, check) for section, check in self._placed if check.code in CODES[node]]
        worst = min(found, key=lambda each: GROUPS.index(group(each[1])), default=None)
        state = "none" if worst is None else group(worst[1])
        gap = min(11.0, box.height / 5)
        x, y = box.x + box.width / 2, box.y + box.height / 2 + 5
        shape = (
            f'<g class="node {state}">{self._title_of(found)}'
            f'<rect x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" height="{box.height:g}" rx="9"/>'
            f'<text class="label" x="{x:g}" y="{y - gap:g}">{text(texts.NODES[node])}</text>'
            f'<text class="state" x="{x:g}" y="{y + gap:g}">{text(_state(found, state))}</text></g>'
        )
        return shape if worst is None else f'<a href="#{text(anchor(worst[0], worst[1].code))}">{shape}</a>'

    def _title_of(self, found: Placed) -> str:
        """Return what is shown when the mouse is over it: the sentences of what is not in order."""
        said = dict.fromkeys(self._say(check.summary) for _, check in found if check.result != "ok")
        return f"<title>{' '.join(map(text, said))}</title>" if said else ""


def _state(found: Placed, state: str) -> str:
    if state != "bad":
        return texts.NODE_STATES[state]
    count = len({check.code for _, check in found if group(check) == "bad"})
    return texts.ONE_WRONG if count == 1 else texts.SEVERAL_WRONG.format(count=count)


def _svg(kind: str, width: float, height: float, parts: Sequence[str]) -> str:
    label = text(texts.NETWORK)
    return (
        f'<svg class="network {kind}" viewBox="0 0 {width:g} {height:g}" role="group" aria-label="{label}">'
        f"{''.join(parts)}</svg>"
    )


def _title(title: str, top: float) -> str:
    return f'<text class="way" x="2" y="{top + 18:g}">{text(title)}</text>'


def _link(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="link" x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}"/>'
