"""One certificate with an empty store: near, far away, and with a secondary that lags."""

from __future__ import annotations

from bench.figures import SECONDS, Figure, of_pairs, of_samples
from bench.place import Place

_NEAR = {1: (1.25, 15), 20: (1.15, 11), 100: (1.0, 7)}
"""Names: (goal, rounds)."""
_LAGS = {3: 3, 10: 2}
"""Seconds: rounds."""


def near(rounds: int | None) -> list[Figure]:
    """The whole process against the bare script, alternating."""
    figures = []
    with Place() as place:
        for count, (goal, usual) in _NEAR.items():
            place.ours(count), place.bare(count)  # the first of each is for the caches
            ours: list[float] = []
            bare: list[float] = []
            for number in range(rounds or usual):
                pair = [(ours, place.ours), (bare, place.bare)]
                for samples, call in pair if number % 2 else reversed(pair):
                    samples.append(call(count).seconds)
            what = f"whole process, {count} {'name' if count == 1 else 'names'}, nothing to wait for"
            figures.append(of_pairs(f"near-{count}", what, goal, ours, bare))
    return figures


def fallback(rounds: int | None) -> list[Figure]:
    """http-01 on a port that the CA cannot reach, then dns-01, in one run: against dns-01 alone, alternating."""
    with Place() as place:
        closed = {"challenge": "http-01", "listen": f"127.0.0.1:{place.lab.reserve()}"}
        routes = {"certificate.0.routes": [closed, {"challenge": "dns-01", "dns": "home"}]}
        place.ours(1), place.ours(1, **routes)
        plain: list[float] = []
        fallen: list[float] = []
        for _ in range(rounds or 7):
            plain.append(place.ours(1).seconds)
            fallen.append(place.ours(1, **routes).seconds)
    return [of_pairs("fallback", "fallback from http-01 to dns-01, against dns-01 alone", 2.0, fallen, plain)]


def far(rounds: int | None) -> list[Figure]:
    """100 names with a round trip of 50 ms to the CA and every name server."""
    with Place(round_trip=0.05) as place:
        place.ours(1)
        ours = [place.ours(100).seconds for _ in range(rounds or 5)]
        bare = [place.bare(100).seconds]
    return [
        of_samples("far-100", "100 names, 50 ms round trip to CA and DNS", SECONDS, 1.6, ours),
        of_samples("far-100-bare", "the same, the bare script (one thread)", SECONDS, None, bare),
    ]


def lag(rounds: int | None) -> list[Figure]:
    """One name, and a secondary that lags behind its primary: the total time minus the lag."""
    figures = []
    with Place() as place:
        place.ours(1)
        for seconds, usual in _LAGS.items():
            place.lab.lag = seconds
            samples = [place.ours(1).seconds - seconds for _ in range(rounds or usual)]
            what = f"secondary lags {seconds} s: total minus lag"
            figures.append(of_samples(f"lag-{seconds}", what, SECONDS, 0.45, samples))
    return figures
