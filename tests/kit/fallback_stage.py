"""For test_fallback_*.py and their kin: routes, what was tried, and a zone whose names lead to this host."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from dnsrenew import Outcome
from tests.kit.renew_stage import Stage
from tests.lab import AcmeProxy, Pebble
from tests.lab.acmemessages import Request, Response

SITE: Final = "site.test"
"""Its names have the address where the CA asks for http-01."""
RECORDS: Final = "@ A 127.0.0.1\nwww A 127.0.0.1\nmail A 127.0.0.1\n"
DNS: Final = {"challenge": "dns-01"}

Tried = tuple[str, str, tuple[str, ...], int, str | None]


def site(stage: Stage, *names: str) -> dict[str, Any]:
    """The change that makes the certificate one for names of the site, written by the account `home`."""
    stage.lab.add_zone(SITE, RECORDS)
    return {"dns.home.zones": [SITE, "example.test"], "certificate.0.domains": list(names or [SITE])}


def http(port: int, **more: Any) -> dict[str, Any]:
    """An http-01 route with a listener at this port."""
    return {"challenge": "http-01", "listen": f"127.0.0.1:{port}", **more}


def dns(*accounts: str, **more: Any) -> dict[str, Any]:
    """A dns-01 route with these accounts."""
    return {**DNS, "dns": accounts[0] if len(accounts) == 1 else list(accounts), **more}


def tried(outcome: Outcome) -> list[Tried]:
    """Of every attempt: CA, challenge, accounts, orders, the code of its error."""
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
    """Of every attempt the code of its error."""
    return [attempt.error.code if attempt.error else None for attempt in outcome.attempts]


def versions(stage: Stage, name: str = "home") -> int:
    """How many certificates were stored."""
    return len(list((stage.workspace.store / "certificates" / name / "versions").glob("[0-9]*")))


def problem(kind: str, detail: str, status: int = 403, *headers: tuple[str, str]) -> Response:
    """A problem document."""
    return Response.problem(status, kind, detail, *headers)


def refusing(kind: str, response: Response) -> Callable[[Request], Response | None]:
    """A hook: this answer to every request of a kind."""
    return lambda request: response if request.kind == kind else None


def with_meta(**meta: Any) -> Callable[[Request, Response], Response]:
    """A hook that adds to the meta of the CA's directory."""

    def hook(request: Request, response: Response) -> Response:
        if request.kind != "directory":
            return response
        body = response.json()
        return response.with_json({**body, "meta": {**body["meta"], **meta}})

    return hook


@contextmanager
def second_ca(stage: Stage, name: str = "other", pebble: Pebble | None = None) -> Iterator[AcmeProxy]:
    """A second CA, of this name; it is in the configuration from here on, and counts what it is asked."""
    with pebble or stage.lab.another_pebble() as upstream, stage.lab.acme_proxy(pebble=upstream) as proxy:
        stage.base[f"ca.{name}"] = {"directory": proxy.directory_url, "trust": str(stage.lab.ca.trust_pem)}
        yield proxy


def said_in_order(stage: Stage, *kinds: str) -> list[str]:
    """Which of these kinds of events were heard, in order."""
    return [kind for kind in stage.kinds() if kind in kinds]
