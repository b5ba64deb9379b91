"""For test_fallback_*.py and others: routes, attempts, and a zone whose names have the address of this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from dnsrenew import Outcome
from tests.kit.renew_stage import Stage
from tests.lab import AcmeProxy, Pebble
from tests.lab.acmemessages import Request, Response

SITE: Final = "site.test"
"""A zone whose names have the address where the CA validates http-01."""
RECORDS: Final = "@ A 127.0.0.1\nwww A 127.0.0.1\nmail A 127.0.0.1\n"
DNS: Final = {"challenge": "dns-01"}

AttemptRow = tuple[str, str, tuple[str, ...], int, str | None]


def site(stage: Stage, *names: str) -> dict[str, Any]:
    """Return the change for a certificate for names of the site, written by the account `home`."""
    stage.lab.add_zone(SITE, RECORDS)
    return {"dns.home.zones": [SITE, "example.test"], "certificate.0.domains": list(names or [SITE])}


def http(port: int, **more: Any) -> dict[str, Any]:
    """Return an http-01 route with a listener at this port."""
    return {"challenge": "http-01", "listen": f"127.0.0.1:{port}", **more}


def dns(*accounts: str, **more: Any) -> dict[str, Any]:
    """Return a dns-01 route with these accounts."""
    return {**DNS, "dns": accounts[0] if len(accounts) == 1 else list(accounts), **more}


def attempt_rows(outcome: Outcome) -> list[AttemptRow]:
    """Return the CA, challenge, accounts, number of orders and error code of every attempt."""
    return [
        (
            attempt.route.ca,
            attempt.route.challenge,
            attempt.route.dns,
            attempt.orders,
            attempt.error.code if attempt.error else None,
        )
        for attempt in outcome.attempts
    ]


def codes(outcome: Outcome) -> list[str | None]:
    """Return the error code of every attempt."""
    return [attempt.error.code if attempt.error else None for attempt in outcome.attempts]


def versions(stage: Stage, name: str = "home") -> int:
    """Return the number of stored certificates."""
    return len(list((stage.workspace.store / "certificates" / name / "versions").glob("[0-9]*")))


def problem(kind: str, detail: str, status: int = 403, *headers: tuple[str, str]) -> Response:
    """Return a problem document."""
    return Response.problem(status, kind, detail, *headers)


def refusing(kind: str, response: Response) -> Callable[[Request], Response | None]:
    """Return a hook that gives this answer to every request of one kind."""
    return lambda request: response if request.kind == kind else None


def with_meta(**meta: Any) -> Callable[[Request, Response], Response]:
    """Return a hook that adds to the `meta` of the CA's directory."""

    def hook(request: Request, response: Response) -> Response:
        if request.kind != "directory":
            return response
        body = response.json()
        return response.with_json({**body, "meta": {**body["meta"], **meta}})

    return hook


@contextmanager
def second_ca(stage: Stage, name: str = "other", pebble: Pebble | None = None) -> Iterator[AcmeProxy]:
    """Add a second CA with this name to the configuration; yield its counting proxy."""
    with pebble or stage.lab.another_pebble() as upstream, stage.lab.acme_proxy(pebble=upstream) as proxy:
        stage.base[f"ca.{name}"] = {"directory": proxy.directory_url, "trust": str(stage.lab.ca.trust_pem)}
        yield proxy


def kinds_in_order(stage: Stage, *kinds: str) -> list[str]:
    """Return the kinds of the events that are among these, in order."""
    return [kind for kind in stage.kinds() if kind in kinds]
