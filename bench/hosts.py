"""A DNS host that is used through dns-lexicon: one certificate, and many at a host that takes its time."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from bench.figures import TIMES, Figure, of_pairs
from bench.place import ZONE, Place
from tests.lab.httpgate import HttpGate, forwarded

if TYPE_CHECKING:
    from tests.lab import PowerDns, Request, Response

_MANY, _FEW, _WORKERS = 64, 4, 8
_ZONES = tuple(f"host{number}.test" for number in range(_MANY))
"""A certificate has a zone of its own: the host takes one writer at a time for each."""
_ANSWER = 0.5
"""Seconds that the slow host takes for each request."""


def hosts(rounds: int | None) -> list[Figure]:
    """Measure both, with a real PowerDNS."""
    with Place() as place, place.lab.powerdns() as server:
        for zone in _ZONES:
            server.add_zone(zone, (server.address,))
        place.lab.resolver.set_stubs(dict.fromkeys(_ZONES, (server.address,)))
        return [_one(place, server, rounds or 11), _several(place, server)]


def _one(place: Place, server: PowerDns, rounds: int) -> Figure:
    """One certificate: through lexicon, and by an update of BIND."""
    samples: dict[str, list[float]] = {"lexicon": [], "rfc2136": []}
    for number in range(1 + rounds):
        for how in sorted(samples, reverse=bool(number % 2)):
            names = [f"n{number}.{_ZONES[0] if how == 'lexicon' else ZONE}"]
            seconds = _renew(place, _account(server) if how == "lexicon" else {}, names, 1)
            if number:  # the first round is for the caches
                samples[how].append(seconds)
    what = "whole process, 1 name, through dns-lexicon against RFC 2136"
    return of_pairs("lexicon-1", what, 1.25, samples["lexicon"], samples["rfc2136"])


def _several(place: Place, server: PowerDns) -> Figure:
    """Certificates at one slow host: eight workers against one."""
    with _slow(server) as url:
        account = {**_account(server), "pdns_server": url}
        one, few = (_renew(place, account, _ZONES[:count], 1) for count in (1, _FEW))
        many = _renew(place, account, _ZONES, _WORKERS)
    each = (few - one) / (_FEW - 1)
    alone = one + each * (_MANY - 1)
    return Figure(
        key="lexicon-workers",
        what=f"{_MANY} certificates at a host of dns-lexicon, {_ANSWER} s a request: {_WORKERS} workers against 1",
        unit=TIMES,
        goal=1 / 7,
        value=many / alone,
        best=many / alone,
        detail=f"{many:.1f} s : {alone:.0f} s ({one:.2f} s and {each:.2f} s for each more)",
        rounds=1,
    )


def _account(server: PowerDns) -> dict[str, Any]:
    return {"provider": "powerdns", "pdns_server": server.api_url, "auth_token": f"literal:{server.api_key}"}


@contextlib.contextmanager
def _slow(server: PowerDns) -> Iterator[str]:
    """Give the address of an API that takes its time for each request."""
    forward = partial(forwarded, int(server.api_url.rpartition(":")[2]))

    def answer(request: Request) -> Response:
        time.sleep(_ANSWER)
        return forward(request)

    with HttpGate(answer) as gate:
        yield gate.url


def _renew(place: Place, account: dict[str, Any], names: Sequence[str], workers: int) -> float:
    """Obtain a certificate for each name with an empty store; return the seconds of the process."""
    listed = [{"name": f"c{number:03}", "domains": [name]} for number, name in enumerate(names)]
    changes = {"dns": {"home": account}, "dns.home.tsig_secret": None} if account else {}
    folder = place.fresh(place.config(1, certificate=listed, **changes))
    done = place.renew(folder, "--workers", str(workers))
    shutil.rmtree(folder)
    return done.seconds
