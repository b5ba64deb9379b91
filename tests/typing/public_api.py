"""Code as a user writes it, after the README and the contract: mypy strict checks it with the rest; nothing runs it."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, assert_type

import dnsrenew
from dnsrenew.testing import AcmeBox, InMemoryDriver, acme_box, check_driver


class MyHost:
    """A driver of one's own: no base class, only the two methods."""

    def __init__(self, context: dnsrenew.DriverContext) -> None:
        token = context.options["token"]
        self.token = token.reveal() if isinstance(token, dnsrenew.Secret) else token
        context.logger.debug("%s: %.0f s left", context.account, context.seconds_left())

    def add(self, records: Sequence[dnsrenew.TxtRecord]) -> None:
        """Write the values."""
        for record in records:
            print(record.zone, record.name, record.value, record.ttl, self.token)  # noqa: T201  # an example

    def remove(self, records: Sequence[dnsrenew.TxtRecord]) -> None:
        """Take them away."""


class Thing:
    """An object with the two methods and nothing else."""

    def add(self, records: Sequence[dnsrenew.TxtRecord]) -> None:
        """Write the values."""

    def remove(self, records: Sequence[dnsrenew.TxtRecord]) -> None:
        """Take them away."""


def one_call() -> ssl.SSLContext:
    """The call of the README."""
    certificate = dnsrenew.obtain(
        ["example.com", "*.example.com"],
        dns=dnsrenew.DnsAccount("cloudflare", auth_token=dnsrenew.Secret.env("CLOUDFLARE_API_TOKEN")),
        contact="me@example.com",
        agree_terms=True,
    )
    assert_type(certificate, dnsrenew.Certificate)
    assert_type(certificate.fullchain_path, Path | None)
    assert_type(certificate.not_after, datetime)
    assert_type(certificate.domains, tuple[str, ...])
    assert_type(certificate.fullchain_pem, str)
    assert_type(certificate.private_key_pem, str)
    return certificate.ssl_context()


def every_argument(cancel: threading.Event) -> dnsrenew.Certificate:
    """All that `obtain` takes, in all the forms it takes it in."""
    dnsrenew.obtain("example.com", dns=Thing())
    dnsrenew.obtain("example.com", dns=[dnsrenew.DnsAccount("desec", auth_token="…"), Thing()])
    dnsrenew.obtain("example.com", dns=InMemoryDriver(), renew_before="1/3", profile="shortlived")
    return dnsrenew.obtain(
        ("example.com",),
        dns=[dnsrenew.DnsAccount("hetzner", name="main", zones="example.com", auth_token="…")],
        contact=["me@example.com"],
        agree_terms=True,
        ca=dnsrenew.CA("https://ca.example/dir", trust="roots.pem", staging="letsencrypt-staging"),
        store=Path("state"),
        name="home",
        key="rsa2048",
        profile={"prefer": "shortlived"},
        preferred_chain="ISRG Root X1",
        renew_before="10 days",
        routes=[dnsrenew.Route("http-01", listen=":80"), dnsrenew.Route("dns-01", dns="main", follow_cname=False)],
        propagation={"timeout": 120, "settle": 0, "check": "authoritative"},
        deploy=[{"to": "files", "certificate": "/srv/app/fullchain.pem"}],
        resolver={"nameservers": ["127.0.0.1:53"]},
        force=True,
        on_event=print,
        cancel=cancel,
    )


async def many() -> list[str]:
    """The renewer, in a thread of its own."""
    renewer = dnsrenew.Renewer(dnsrenew.Config.load("dnsrenew.toml"), on_event=print)
    outcomes = await asyncio.to_thread(renewer.renew)
    assert_type(outcomes, list[dnsrenew.Outcome])
    lines: list[str] = []
    for outcome in renewer.renew(["home"], force=True, now=False, workers=4, wait=30.0):
        lines.append(f"{outcome.name}: {outcome.status} {outcome.reason} until {outcome.not_after}")
        assert_type(outcome.attempts, tuple[dnsrenew.Attempt, ...])
        assert_type(outcome.error, dnsrenew.DnsRenewError | None)
        assert_type(outcome.to_dict(), dict[str, Any])
    assert_type(renewer.certificate("home"), dnsrenew.Certificate)
    return lines + [f"{status.name}: {status.state}" for status in renewer.status()]


def every_result(renewer: dnsrenew.Renewer) -> dict[str, dnsrenew.CertificateState]:
    """What the methods return can be annotated with public names alone."""
    statuses: list[dnsrenew.CertificateStatus] = renewer.status()
    accounts: list[dnsrenew.AccountStatus] = renewer.accounts()
    revoked: dnsrenew.Revocation = renewer.revoke("home", reason="superseded")
    cleaned: dnsrenew.CleanupResult = renewer.cleanup()
    assert_type(cleaned.removed, tuple[tuple[dnsrenew.TxtRecord, str], ...])
    print(accounts[0].contact, revoked.signed_by, statuses[0].last_failure)  # noqa: T201  # an example
    return {status.name: status.state for status in statuses}


def own_words(outcome: dnsrenew.Outcome) -> str:
    """Functions of one's own take and return the types of single values."""

    def word(status: dnsrenew.OutcomeStatus, reason: dnsrenew.RenewalReason | None) -> str:
        return "fine" if status in {"renewed", "not-due"} else f"look at it: {reason}"

    route: dnsrenew.RouteTaken | None = outcome.route
    notices: tuple[dnsrenew.Notice, ...] = outcome.warnings
    return f"{word(outcome.status, outcome.reason)} {route} {[notice.fix for notice in notices]}"


def settings(clock: dnsrenew.Clock) -> dnsrenew.Renewer:
    """Every value that a configuration can be made of."""
    key: dnsrenew.KeyKind = "ecdsa-p384"
    check: dnsrenew.PropagationCheck = "doh"
    ca = dnsrenew.CA("https://ca.example/dir", eab=dnsrenew.Eab("kid", dnsrenew.Secret.env("HMAC")))
    table: dict[str, Any] = {"domains": ["a.example"], "key": key, "propagation": dnsrenew.Propagation(check=check)}
    config = dnsrenew.Config.from_dict({"ca": {"lab": ca}, "certificate": [table], "resolver": dnsrenew.Resolver()})
    spec: dnsrenew.CertificateSpec = config.certificates[0]
    assert_type(spec.profile, dnsrenew.Profile | None)
    assert_type(spec.renew_before, dnsrenew.RenewBefore | None)
    print(dnsrenew.Deployment("files", certificate="/srv/x.pem").to, dnsrenew.DeploymentResult)  # noqa: T201
    return dnsrenew.Renewer(config, clock=clock)


def explain(error: dnsrenew.RenewalFailed) -> str:
    """The cause of a failure, by its class."""
    match error.__cause__:
        case dnsrenew.ProviderError() as cause:
            return cause.message
        case dnsrenew.CAError(retry_after=float(seconds)):
            return f"The CA asks to wait for {seconds:.0f} seconds."
        case _:
            return error.fix


def a_dictionary() -> dnsrenew.Config:
    """A configuration without a file."""
    return dnsrenew.Config.from_dict(
        {
            "agree_terms": True,
            "dns": {"home": dnsrenew.DnsAccount("duckdns", token=dnsrenew.Secret.file("token.txt"))},
            "certificate": [{"domains": ["my-house.duckdns.org"]}],
        },
        base=Path.cwd(),
    )


def listening(event: dnsrenew.Event) -> None:
    """A listener."""
    assert_type(event.kind, str)
    assert_type(event.time, datetime)
    assert_type(event.certificate, str | None)
    assert_type(event.to_dict(), dict[str, Any])


def failing() -> str:
    """What errors carry, and how they are told apart."""
    try:
        one_call()
    except dnsrenew.RenewalFailed as error:
        return "; ".join(f"{attempt.route.ca}: {attempt.error}" for attempt in error.attempts)
    except dnsrenew.CAError as error:
        assert_type(error.type, str | None)
        assert_type(error.retry_after, float | None)
        return f"{error.detail} {error.subproblems}"
    except (dnsrenew.ConfigError, dnsrenew.SecretError, dnsrenew.StoreError, dnsrenew.LockedError) as error:
        assert_type(error.evidence, dict[str, Any])
        return f"{error.code}: {error.message} {error.fix}"
    except dnsrenew.AttemptError as error:
        return error.code
    return dnsrenew.__version__


def tests_of_an_app() -> None:
    """A CA and DNS in a box, and what it has issued."""
    with acme_box(lifetime=timedelta(days=90), http_port=8080) as box:
        assert_type(box, AcmeBox)
        box.fail_next("rateLimited", retry_after=60)
        box.age = timedelta(days=80)
        assert_type(dnsrenew.obtain("example.com", **box.arguments), dnsrenew.Certificate)
        dnsrenew.obtain("example.com", ca=box.ca, dns=box.dns, resolver=box.resolver, store=box.store)
        assert_type([issued.not_after for issued in box.issued], list[datetime])
        assert_type(box.trust, Path)


async def servers() -> None:
    """What is awaited, and the contexts of servers."""
    certificate = await dnsrenew.aobtain(["example.com"], dns=Thing(), agree_terms=True, on_event=print)
    assert_type(certificate, dnsrenew.Certificate)
    renewer = dnsrenew.Renewer(dnsrenew.Config.find())
    assert_type(await renewer.arenew(["home"], force=True), list[dnsrenew.Outcome])
    async with renewer.serve("home") as served, dnsrenew.serve("example.com") as other:
        assert_type(served, dnsrenew.Served)
        assert_type(other.status(), list[dnsrenew.CertificateStatus])
        await asyncio.to_thread(served.check_now)
        assert_type(served.ssl_context_factory(), ssl.SSLContext)
    assert_type(dnsrenew.ssl_context_factory("home", config=Path("x.toml"))(None, None), ssl.SSLContext)
    password = dnsrenew.Secret.file("password.txt")
    assert_type(dnsrenew.follow(Path("fullchain.pem"), "privkey.pem", password=password), ssl.SSLContext)
    with acme_box() as box:
        assert_type(box.toml(), str)


def driver_s_author() -> None:
    """The conformance test, with a driver class and with an object."""
    as_protocol: dnsrenew.Driver = Thing()
    check_driver(lambda: as_protocol, "example.test")
    check_driver(InMemoryDriver, "example.test", look=lambda _name: {"value"})
    check_driver(InMemoryDriver, "example.test", wrong=InMemoryDriver, parallel=True, values="one")
    secrets: list[dnsrenew.Secret] = [
        dnsrenew.Secret("literal"),
        dnsrenew.Secret.keyring("service/user"),
        dnsrenew.Secret.command(["pass", "show", "x"]),
    ]
    assert_type([secret.reveal() for secret in secrets], list[str])
