"""Notifications about a certificate over many runs: each change is reported once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from dnsrenew.base.model import DeploymentResult, Outcome
from dnsrenew.base.values import replace
from dnsrenew.config.extension_tables import ChangeKind, NotifySettings
from dnsrenew.errors import AttemptError, CAError, DeployError
from dnsrenew.extensions.watch.message import News, compare
from dnsrenew.store.records import Notified
from tests.kit.clock import START

DAY = timedelta(days=1)
DEFAULT = NotifySettings().on
ALL: tuple[ChangeKind, ...] = (*DEFAULT, "renewed")
ERROR = AttemptError("provider-refused", "The DNS host refused the token.", fix="Make a new one.")
EARLIER = AttemptError("provider-refused", "Not before Friday.", fix="Wait.", evidence={"failure": "It was refused."})
LIMITED = CAError("ca-ledger", "The CA would refuse an order.", fix="Wait.", retry_after=60)


class Life:
    """A certificate of 90 days and its record of notifications, kept from run to run."""

    def __init__(self, on: tuple[ChangeKind, ...] = DEFAULT) -> None:
        self.on = on
        self.notified = Notified()
        self.serial = 1

    def run(self, status: str, day: float, **more: Any) -> News:
        """Compare the outcome of a run, this number of days after the start of the certificate. Return the news."""
        fields: dict[str, Any] = {
            "reason": "renew-before",
            "domains": ("home.test",),
            "serial": f"{self.serial:02x}",
            "not_before": START,
            "not_after": START + 90 * DAY,
            **more,
        }
        if status == "failed":
            fields.setdefault("error", ERROR)
        news = compare(Outcome(name="home", status=status, **fields), self.notified, self.on, START + day * DAY)  # type: ignore[arg-type]
        self.notified = news.notified
        return news

    def kinds(self, status: str, day: float, **more: Any) -> tuple[ChangeKind, ...]:
        """Return only the kinds of the changes."""
        return self.run(status, day, **more).kinds


def result(target: str = "/srv/a.pem", *, ok: bool = False) -> DeploymentResult:
    """Return the result of a deployment."""
    error = None if ok else DeployError("deploy-unwritable", "It could not be written.", fix="Look.")
    return DeploymentResult(to="files", target=target, ok=ok, error=error)


def test_a_failing_certificate_is_reported_at_its_first_failure_at_a_third_and_at_a_sixth() -> None:
    """Repeated failures cause three notifications. The recovery causes one, and a later success none."""
    life = Life()
    days = [50, 51, 61, 62, 75.5, 76, 89, 95]
    assert [life.kinds("failed", day) for day in days] == [
        ("failed",),
        (),
        ("expiring",),
        (),
        ("expiring",),
        (),
        (),
        (),
    ]
    life.serial = 2
    assert life.kinds("renewed", 96) == ("recovered",)
    assert life.kinds("not-due", 97) == ()
    assert life.notified == Notified()


def test_a_first_failure_when_a_third_is_left_is_one_change() -> None:
    """If the first failure occurs when a third of the lifetime is left, one notification has both kinds."""
    life = Life()
    first = life.run("failed", 60.5)
    assert (first.kinds, first.expiring) == (("failed", "expiring"), 1)
    assert life.kinds("failed", 61) == ()
    assert life.run("failed", 76).expiring == 2


def test_a_first_failure_when_a_sixth_is_left_is_not_followed_by_the_third() -> None:
    """After the warning for a sixth of the lifetime, the one for a third is not sent."""
    life = Life()
    assert life.run("failed", 80).expiring == 2
    assert life.kinds("failed", 81) == ()


def test_a_deferred_renewal_is_reported_if_its_failure_was_not() -> None:
    """A deferred renewal reports its failure if the failed run did not."""
    life = Life()
    assert life.kinds("deferred", 50, error=EARLIER) == ("failed",)
    assert life.kinds("deferred", 51, error=EARLIER) == ()
    assert life.kinds("failed", 52) == ()


def test_a_limit_of_the_ca_is_no_failure_but_the_certificate_may_expire() -> None:
    """A rate limit of the CA is not reported as a failure. The approaching expiry is."""
    life = Life()
    assert life.kinds("deferred", 50, error=LIMITED) == ()
    assert life.kinds("deferred", 61, error=LIMITED) == ("expiring",)
    assert life.kinds("renewed", 62) == ("recovered",)


def test_locks_interruptions_and_dry_runs_change_nothing() -> None:
    """Locked, interrupted and dry runs cause no notification and do not change the record of a failure."""
    life = Life()
    life.run("failed", 61)
    notified = life.notified
    for status in ("locked", "interrupted", "rehearsed"):
        assert life.kinds(status, 80, error=ERROR) == ()
    assert life.notified == notified


def test_a_forced_renewal_that_fails_is_not_reported() -> None:
    """A failed forced renewal is not reported, because the certificate is not due."""
    life = Life()
    assert life.kinds("failed", 10, reason="forced") == ()
    assert life.kinds("not-due", 11) == ()


def test_a_certificate_that_does_not_exist_yet_fails_without_an_expiry() -> None:
    """A missing certificate causes no expiry warning."""
    life = Life()
    missing = {"serial": None, "not_before": None, "not_after": None, "reason": "missing"}
    assert life.kinds("failed", 0, **missing) == ("failed",)
    assert life.kinds("failed", 1, **missing) == ()
    assert life.kinds("renewed", 2, reason="missing") == ("recovered",)


def test_the_warnings_begin_anew_with_another_certificate() -> None:
    """After another program replaced the certificate, the expiry warnings start again."""
    life = Life()
    life.run("failed", 80)
    life.serial = 2
    assert life.kinds("failed", 80) == ("expiring",)


def test_a_target_that_was_found_in_the_meantime_has_recovered() -> None:
    """The only target of its kind is reported as recovered although it has another name by now."""
    life = Life()
    lost = replace(result("localhost"), to="hfs")
    found = replace(result("http://127.0.0.1:80", ok=True), to="hfs")
    assert life.kinds("not-due", 0, deployed=(lost, result(ok=True))) == ("not-deployed",)
    assert life.run("not-due", 1, deployed=(found, result(ok=True))).deployed == (found,)
    assert life.kinds("not-due", 2, deployed=(found, result(ok=True))) == ()


def test_a_failed_deployment_is_reported_once_for_each_target_and_certificate() -> None:
    """A failed deployment is reported once for each target and certificate, and its later success once."""
    life = Life()
    a, b = result("/srv/a.pem"), result("/srv/b.pem")
    assert life.run("renewed", 0, deployed=(a, result("/srv/b.pem", ok=True))).not_deployed == (a,)
    assert life.kinds("not-due", 1, deployed=(a, result("/srv/b.pem", ok=True))) == ()
    assert life.run("not-due", 2, deployed=(a, b)).not_deployed == (b,)
    assert life.kinds("not-due", 3) == ()  # with --no-deploy nothing is known
    life.serial = 2
    assert life.run("renewed", 60, deployed=(a, b)).not_deployed == (a, b)
    done = tuple(result(each.target, ok=True) for each in (a, b))
    last = life.run("not-due", 61, deployed=done)
    assert (last.kinds, last.deployed, last.renewal_recovered) == (("recovered",), done, False)
    assert life.kinds("not-due", 62, deployed=done) == ()
    assert life.notified == Notified()


def test_a_target_that_is_no_longer_configured_is_forgotten() -> None:
    """A removed target is deleted from the record."""
    life = Life()
    life.run("not-due", 1, deployed=(result("/srv/a.pem"),))
    assert life.kinds("not-due", 2, deployed=(result("/srv/b.pem", ok=True),)) == ()
    assert life.notified == Notified()


def test_a_renewal_is_reported_only_if_that_is_wanted() -> None:
    """If enabled, each new serial number is reported, even one of a killed run. An existing certificate is not."""
    assert Life().kinds("renewed", 0) == ()
    life = Life(ALL)
    assert life.kinds("not-due", 1) == ()
    life.serial = 2
    assert life.kinds("not-due", 2) == ("renewed",)
    life.serial = 3
    assert life.kinds("renewed", 60) == ("renewed",)
    assert life.kinds("not-due", 61) == ()
    assert Life(ALL).kinds("renewed", 0, reason="missing") == ("renewed",)


def test_a_recovery_and_a_renewal_are_reported_together() -> None:
    """A recovery and a renewal are reported in one message."""
    life = Life(ALL)
    life.run("failed", 61)
    life.serial = 2
    assert life.kinds("renewed", 62) == ("recovered", "renewed")


def test_what_is_not_wanted_leaves_no_trace() -> None:
    """A recovery is reported only if its failure was. Disabled kinds are not recorded."""
    life = Life(("recovered",))
    assert life.kinds("failed", 80, deployed=(result(),)) == ()
    assert life.kinds("renewed", 81, deployed=(result(ok=True),)) == ()
    silent = Life(("failed", "expiring"))
    assert silent.kinds("failed", 80) == ("failed", "expiring")
    assert silent.kinds("renewed", 81) == ()
    assert silent.notified == Notified()
