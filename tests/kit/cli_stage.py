"""A stage for the tests of the command: a renewer that plays a script, with realistic events."""

import os
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from dnsrenew.base.clock import SystemClock
from dnsrenew.base.events import Emitter
from dnsrenew.base.model import Attempt, DeploymentResult, Notice, Outcome, RouteTaken, rfc3339
from dnsrenew.errors import Cancelled, DnsRenewError, PropagationError
from dnsrenew.operations.accounts import AccountStatus
from dnsrenew.operations.revoke import Revocation
from dnsrenew.schedule import detect

ROUTE = RouteTaken(ca="lab", challenge="dns-01", dns=("home",))
DOMAINS = ("example.test", "*.example.test")
STORE = "/srv/dnsrenew/state/certificates"


def now() -> datetime:
    """Return the time, in whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)


def late() -> PropagationError:
    """Return the error of a secondary that never follows."""
    return PropagationError(
        "propagation-timeout",
        "After 120 s not every name server of example.test showed the TXT values: ns2.example.test (127.0.0.2) still "
        "answers NXDOMAIN with serial 4, while ns1.example.test (127.0.0.1) has serial 5.",
        fix="Look why ns2.example.test does not follow its primary, then run dnsrenew renew again.",
        evidence={"servers": [{"server": "ns2.example.test", "rcode": "NXDOMAIN", "serial": 4}]},
    )


def outcome(name: str = "home", status: str = "renewed", **more: Any) -> Outcome:
    """Return an outcome with every field."""
    life: dict[str, Any] = {
        "issuer": "Lab CA 1",
        "serial": "2f" * 16,
        "not_before": now() - timedelta(hours=1),
        "not_after": now() + timedelta(days=90, minutes=-1),
        "next_renewal": now() + timedelta(days=60),
        "path": Path(f"{STORE}/{name}/current"),
        "reason": "missing" if status == "renewed" else "renew-before",
        "domains": DOMAINS,
    }
    return Outcome(name=name, status=status, **life | more)  # type: ignore[arg-type]


def failed(name: str = "home", error: DnsRenewError | None = None, **more: Any) -> Outcome:
    """Return a failure after one attempt."""
    error = error or late()
    attempt = Attempt(route=ROUTE, orders=1, seconds=121.3, error=error)
    return outcome(name, "failed", **{"error": error, "attempts": (attempt,)} | more)


@dataclass(frozen=True)
class FakeStatus:
    """Stands in for the renewer's own."""

    name: str = "home"
    domains: tuple[str, ...] = DOMAINS
    ca: str = "lab"
    issuer: str | None = "Lab CA 1"
    serial: str | None = "2f"
    not_before: datetime | None = None
    not_after: datetime | None = None
    state: str = "valid"
    next_renewal: datetime | None = None
    reason: str = "renew-before"
    route: Mapping[str, Any] | None = None
    last_failure: Mapping[str, Any] | None = None
    next_attempt: datetime | None = None
    path: Path | None = None
    deployed: tuple[DeploymentResult, ...] = ()
    deployment_pending: bool = False
    after_owed: bool = False
    forced_failure: dict[str, Any] | None = None
    failed_accounts: tuple[str, ...] = ()
    csr_since: datetime | None = None
    versions: tuple[Any, ...] = ()
    known: bool = True
    warnings: tuple[Notice, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {"name": self.name, "state": self.state, "not_after": rfc3339(self.not_after)}


def valid(name: str = "home", **more: Any) -> FakeStatus:
    """A certificate in its first third."""
    times: dict[str, Any] = {
        "not_before": now() - timedelta(days=1),
        "not_after": now() + timedelta(days=89, minutes=-1),
        "next_renewal": now() + timedelta(days=59),
    }
    return FakeStatus(name=name, **times | more)


@dataclass
class FakeConfig:
    """The part of a configuration that the command reads."""

    certificates: tuple[Any, ...] = (SimpleNamespace(name="home", domains=(), routes=(), deploy=()),)
    accounts: Mapping[str, Any] = None  # type: ignore[assignment]
    path: Path = Path("/etc/dnsrenew/dnsrenew.toml")
    store: Path = Path("/nonexistent/state")
    insist: bool = True
    warnings: tuple[Notice, ...] = ()
    secrets: tuple[Any, ...] = ()
    metrics: Any = None
    fleet: Any = None

    def __post_init__(self) -> None:
        self.accounts = self.accounts or {"home": SimpleNamespace(provider="rfc2136")}

    def seals(self) -> tuple[bytes, ...]:
        """None: the store is a folder."""
        return ()


class FakeRenewer:
    """A renewer that plays a given script.

    :param play: gets the emitter and the cancel event, and returns the outcomes.
    """

    def __init__(
        self,
        play: Callable[[Emitter, threading.Event], list[Outcome]] | None = None,
        statuses: Iterable[FakeStatus] = (),
    ) -> None:
        self.play = play or (lambda _emitter, _cancel: [outcome()])
        self.statuses = list(statuses)
        self.already = False
        self.held: list[AccountStatus] = []
        self.on_event: Any = None
        self.calls: list[tuple[Any, dict[str, Any]]] = []

    def renew(self, names: Any = None, *, cancel: threading.Event, **how: Any) -> list[Outcome]:
        """Play."""
        self.calls.append((names, how))
        return self.play(Emitter(SystemClock(), self.on_event), cancel)

    def deploy(self, names: Any = None, *, cancel: threading.Event, **how: Any) -> list[Outcome]:
        """Play."""
        return self.renew(names, cancel=cancel, **how)

    def revoke(self, name: str, *, reason: str, wait: float, cancel: threading.Event) -> Revocation:
        """Play, and revoke."""
        self.calls.append((name, {"reason": reason, "wait": wait}))
        self.play(Emitter(SystemClock(), self.on_event), cancel)
        return Revocation(name=name, ca="lab", serial="2f", reason=reason, already=self.already, signed_by="account")

    def update_contacts(self, cas: Any = None, *, cancel: threading.Event) -> list[AccountStatus]:
        """Record the call; return the given accounts."""
        self.calls.append((cas, {"contact": True}))
        return self.held

    def deactivate_accounts(self, cas: Any = None, *, cancel: threading.Event) -> list[AccountStatus]:
        """Record the call; return the given accounts."""
        self.calls.append((cas, {"deactivate": True}))
        return self.held

    def accounts(self, cas: Any = None, *, cancel: threading.Event) -> list[AccountStatus]:
        """Record the call; return the given accounts."""
        self.calls.append((cas, {"new_key": False}))
        return self.held

    def roll_accounts(
        self, cas: Any = None, *, compromised: bool = False, cancel: threading.Event
    ) -> list[AccountStatus]:
        """Record the call; return the given accounts."""
        self.calls.append((cas, {"new_key": True, **({"compromised": True} if compromised else {})}))
        return self.held

    def status(self, names: Any = None, *, versions: bool = True) -> list[FakeStatus]:
        """Return the given statuses."""
        return self.statuses


class Script:
    """Emits the events of a renewal, at a pace."""

    def __init__(self, emitter: Emitter, cancel: threading.Event, pace: float = 0.0, name: str = "home") -> None:
        self.emitter, self.cancel, self.pace, self.name = emitter, cancel, pace, name

    def say(self, kind: str, **data: Any) -> None:
        """Emit one event, then pause."""
        self.emitter.emit(kind, self.name, data)
        if self.cancel.wait(self.pace):
            raise Cancelled("cancelled", "The run was cancelled before it finished.", fix="Run it again.")

    def begin(self) -> None:
        """Emit the events until the values are written."""
        records = [
            {"zone": "example.test.", "name": "_acme-challenge.example.test.", "value": v, "dns": "home"}
            for v in ("x" * 43, "y" * 43)
        ]
        self.records = records
        self.say("certificate-started", reason="missing", domains=list(DOMAINS))
        self.say("route-started", ca="lab", challenge="dns-01", dns=[])
        self.say("order-created", url="https://127.0.0.1/o/1", domains=list(DOMAINS), pending=list(DOMAINS))
        self.say("txt-writing", records=records)
        self.say("txt-written", records=records, seconds=0.02)

    def dns(self, seconds: float, second: str = "waiting", step: float = 1.0, servers: int = 2) -> None:
        """Wait for name servers; the first agrees at once."""
        at = 0.0
        while True:
            rows = [{"server": "ns1.example.test.", "address": "127.0.0.1", "state": "agrees", "detail": ""}]
            for number in range(2, servers + 1):
                state = "agrees" if at >= seconds else second
                detail = "no such name, serial 4" if state == "waiting" else "no answer"
                rows.append(
                    {"server": f"ns{number}.example.test.", "address": f"127.0.0.{number}", "state": state}
                    | {"detail": detail}
                )
            self.say("dns-waiting", seconds=at, timeout=120, servers=rows)
            if at >= seconds:
                return
            at += step

    def end(self) -> Outcome:
        """Emit the events from the CA's validation to the end."""
        self.say("dns-visible", seconds=3.02)
        self.say("challenges-answered", domains=list(DOMAINS))
        self.say("authorizations-valid", domains=list(DOMAINS), seconds=0.4)
        self.say("order-finalized", url="https://127.0.0.1/o/1")
        self.say("txt-removed", records=self.records)
        done = outcome(self.name)
        self.say("certificate-stored", path=str(done.path), serial=done.serial, not_after=rfc3339(done.not_after))
        return self.finish(done)

    def finish(self, done: Outcome) -> Outcome:
        """Emit the outcome."""
        self.emitter.emit("certificate-finished", self.name, done.to_dict())
        return done


def happy(emitter: Emitter, cancel: threading.Event, pace: float = 0.0, lag: float = 3.0) -> list[Outcome]:
    """One certificate, a secondary that lags."""
    emitter.emit("run-started", None, {"certificates": ["home"]})
    script = Script(emitter, cancel, pace)
    try:
        script.begin()
        script.dns(lag, step=pace if pace >= 0.1 else 1.0)
        return [script.end()]
    except Cancelled as error:
        emitter.emit("txt-removed", "home", {"records": script.records})
        return [script.finish(outcome("home", "interrupted", error=error))]


def unhappy(emitter: Emitter, cancel: threading.Event, pace: float = 0.0) -> list[Outcome]:
    """One certificate whose secondary never follows."""
    emitter.emit("run-started", None, {"certificates": ["home"]})
    script = Script(emitter, cancel, pace)
    script.begin()
    script.dns(5, step=pace if pace >= 0.1 else 1.0)
    script.say("warning", code="wildcard-shadow", message="The name exists through a wildcard only.", fix="Add it.")
    error = late()
    script.say("txt-removed", records=script.records)
    script.say("route-failed", **ROUTE.to_dict(), error=error.to_dict())
    return [script.finish(failed(error=error, not_after=None, next_renewal=None, path=None))]


def crowd(emitter: Emitter, cancel: threading.Event, pace: float = 0.0, count: int = 6) -> list[Outcome]:
    """Several certificates at once, the third of which fails."""
    names = [f"site{number}" for number in range(count)]
    emitter.emit("run-started", None, {"certificates": names})
    done: dict[str, Outcome] = {}

    def one(name: str, number: int) -> None:
        script = Script(emitter, cancel, pace * (1 + number / 5), name)
        script.begin()
        script.dns(3 + number, step=1.0, servers=3)
        if number == 2:
            error = late()
            script.say("route-failed", **ROUTE.to_dict(), error=error.to_dict())
            done[name] = script.finish(failed(name, error))
        else:
            done[name] = script.end()

    threads = [threading.Thread(target=one, args=(name, number)) for number, name in enumerate(names)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [done[name] for name in names]


def install(
    renewer: FakeRenewer,
    config: FakeConfig | None = None,
    put: Callable[[Any, str, Any], None] = setattr,
    schedule: detect.ActiveSchedule = detect.UNKNOWN,
) -> None:
    """Put the fakes in place of the configuration, the renewer, and what renews by itself.

    :param put: a monkeypatch's ``setattr``, except in a process of its own.
    """
    from dnsrenew.cli.invocation import Invocation
    from dnsrenew.cli.terminal import dim, yellow

    config = config or FakeConfig()

    def fake_config(invocation: Any, **_: bool) -> Any:
        invocation.terminal.write_info(dim(f"Using {config.path}"))
        for notice in config.warnings:
            invocation.terminal.write_message(f"{yellow('!')} {notice.message} {notice.fix}")
        invocation.signals.check()
        return config

    def fake_renewer(_invocation: Any, _config: Any, on_event: Any = None) -> Any:
        renewer.on_event = on_event
        return renewer

    put(detect, "detect", lambda _config, **_: schedule)
    put(Invocation, "config", fake_config)
    put(Invocation, "renewer", fake_renewer)


if __name__ == "__main__":  # to look at it: python -m tests.kit.cli_stage happy 0.4 [arguments of dnsrenew]
    import sys
    from functools import partial

    from dnsrenew.cli import main

    part, pace, *rest = sys.argv[1:]
    plays = {"happy": happy, "unhappy": unhappy, "crowd": crowd}
    install(FakeRenewer(partial(plays[part], pace=float(pace))), FakeConfig(path=Path(os.devnull)))
    sys.exit(main(rest or ["renew"]))
