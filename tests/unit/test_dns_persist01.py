"""Whole runs with dns-persist-01 routes, in memory: a CA of either draft, DNS hosts, and the real renewal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dnsrenew.base.model import CertificateSpec, Outcome, Route
from dnsrenew.challenges.persist_record import end_of
from dnsrenew.errors import DnsRenewError
from tests.kit.acme_server import CaBehaviour
from tests.kit.run_stage import RunStage, RunWorld

PERSIST = Route("dns-persist-01", ca="one")
BY_A = Route("dns-persist-01", dns="a", ca="one")
DNS = Route("dns-01", dns="a", ca="one")
NAME = "_validation-persist.x.test."
OFFERED = ("http-01", "dns-01", "dns-persist-01")
ELSEWHERE = {"a": ("other.test",)}
DIALECTS = ("00", "01", "02", "sc-088")
MakeStage = Callable[..., RunStage]


def spec(*routes: Route, domains: tuple[str, ...] = ("x.test",)) -> CertificateSpec:
    """The certificate."""
    return CertificateSpec(name="home", domains=domains, identifiers=domains, ca="one", routes=routes)


@pytest.fixture
def make(tmp_path: Path) -> MakeStage:
    """Return a function that makes a stage whose CA offers dns-persist-01."""

    def stage(dialect: str = "01", offers: tuple[str, ...] = OFFERED, **world: Any) -> RunStage:
        behaviour = CaBehaviour(offers=offers, dialect=dialect, reuses=world.pop("reuses", True))
        hosts = world.pop("hosts", {"a": "ok"})
        return RunStage(tmp_path / "state", RunWorld({"one": behaviour, "stage": behaviour}, hosts, **world))

    return stage


def account_url(stage: RunStage) -> str:
    """Return the URL of the account, creating it if necessary."""
    return stage._client("one").open(stage.context)


def put(stage: RunStage, text: str, host: str = "a", name: str = NAME) -> str:
    """Set a record, as a person does; return its text."""
    stage.hosts[host].values.setdefault(name, []).append(text)
    return text


def record(stage: RunStage, *more: str, url: str | None = None, issuer: str = "one.test") -> str:
    """The text of a record for our account, or another."""
    return "; ".join([issuer, f"accounturi={url or account_url(stage)}", *more])


def until(stage: RunStage, days: float) -> str:
    """A persistUntil so many days from now."""
    return f"persistUntil={int((stage.clock.now() + timedelta(days=days)).timestamp())}"


def there(stage: RunStage, name: str = NAME) -> set[str]:
    """The values in DNS at a name."""
    return stage.dns.served(name)


def error_of(outcome: Outcome) -> DnsRenewError:
    """The error of a run that must have failed."""
    assert outcome.status == "failed"
    assert outcome.error is not None
    return outcome.error


def rows(outcome: Outcome) -> list[tuple[str, int, str | None]]:
    """The challenge, number of orders and error code of each attempt."""
    return [
        (each.route.challenge, each.orders, None if each.error is None else each.error.code)
        for each in outcome.attempts
    ]


def written(stage: RunStage) -> list[str]:
    """The values that accounts were asked to write."""
    return [record["value"] for data in stage.event_data("txt-writing") for record in data["records"]]


def warnings(stage: RunStage) -> list[Mapping[str, Any]]:
    """The warnings of the run that are about these records."""
    return [data for data in stage.event_data("warning") if data["code"].startswith("dns-persist")]


def offering(change: Mapping[str, Any]) -> Callable[[Any, Any], Any]:
    """Return a hook that changes what the CA offers."""

    def hook(request: Any, response: Any) -> Any:
        if request.kind != "authorization":
            return response
        body = response.json()
        offered = [each | change if each["type"] == "dns-persist-01" else each for each in body["challenges"]]
        return response.with_json({**body, "challenges": offered})

    return hook


# ── a record is there ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("dialect", ["00", "01"])
def test_a_record_that_is_there_is_enough(make: MakeStage, dialect: str) -> None:
    """If a valid record exists, nothing is written or waited for, and the record stays."""
    stage = make(dialect)
    text = put(stage, record(stage))
    begin = stage.clock.monotonic()
    outcome = stage.run(spec(BY_A))
    assert rows(outcome) == [("dns-persist-01", 1, None)]
    assert written(stage) == []
    assert there(stage) == {text}
    assert stage.clock.monotonic() - begin < 5


def test_its_secrets_are_not_read_while_the_record_is_there(make: MakeStage) -> None:
    """While a lasting record exists, a missing secret of the account does not matter."""
    stage = make(hosts={"a": "secretless"})
    put(stage, record(stage, until(stage, 300)))
    assert stage.run(spec(BY_A)).status == "renewed"


def test_a_record_of_one_more_name_of_the_ca_counts(make: MakeStage) -> None:
    """A record with any of the issuer domain names that the CA offers is valid."""
    stage = make("01")
    stage.cas["one"].issuers = ("first.test", "second.test")
    put(stage, record(stage, issuer="second.test"))
    assert stage.run(spec(PERSIST)).status == "renewed"
    assert written(stage) == []


# ── an account writes it ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("route", [PERSIST, BY_A], ids=["fitting", "named"])
def test_an_account_writes_the_record_once(make: MakeStage, dialect: str, route: Route) -> None:
    """The record stays, is in no journal, and is not written again by the next renewal."""
    stage = make(dialect)
    outcome = stage.run(spec(route))
    assert rows(outcome) == [("dns-persist-01", 1, None)]
    (text,) = written(stage)
    assert there(stage) == {text}
    assert f"persistUntil={end_of(stage.clock.now())}" in text
    assert "policy" not in text
    assert not stage.event_data("txt-removed")
    with stage.store.journal.left_over(stage.context) as entries:
        assert list(entries) == []
    stage.events.clear()
    assert stage.run(spec(route), force=True).status == "renewed"
    assert written(stage) == []
    assert there(stage) == {text}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_wildcard_and_its_domain_share_one_record(make: MakeStage, dialect: str) -> None:
    """The shared record has policy=wildcard. Both names are validated by it."""
    stage = make(dialect)
    outcome = stage.run(spec(PERSIST, domains=("x.test", "*.x.test")))
    assert outcome.status == "renewed"
    (text,) = written(stage)
    assert "; policy=wildcard; " in text


@pytest.mark.parametrize("dialect", DIALECTS)
def test_each_domain_has_a_record_of_its_own(make: MakeStage, dialect: str) -> None:
    """Two domains get two records in one call."""
    stage = make(dialect)
    assert stage.run(spec(PERSIST, domains=("x.test", "y.test"))).status == "renewed"
    (data,) = stage.event_data("txt-written")
    assert [each["name"] for each in data["records"]] == [NAME, "_validation-persist.y.test."]


def test_a_record_without_the_policy_does_not_do_for_a_wildcard(make: MakeStage) -> None:
    """A record with the policy replaces one without. The old one is removed only after the new one is visible."""
    stage = make()
    old = put(stage, record(stage, until(stage, 300)))
    seen: list[set[str]] = []
    stage.dns.wait_visible = lambda *_, **__: seen.append(there(stage))  # type: ignore[method-assign]
    assert stage.run(spec(PERSIST, domains=("*.x.test",))).status == "renewed"
    (new,) = written(stage)
    assert seen == [{old, new}]
    assert there(stage) == {new}


def test_foreign_values_are_kept(make: MakeStage) -> None:
    """Records of other CAs, of other accounts, without an end, and texts of other kinds survive the writing."""
    stage = make()
    foreign = {
        put(stage, "v=spf1 -all"),
        put(stage, record(stage, until(stage, -3), issuer="other-ca.test")),
        put(stage, record(stage, until(stage, -3), url="https://acme-v02.api.letsencrypt.org/account/77")),
    }
    assert stage.run(spec(PERSIST)).status == "renewed"
    assert there(stage) == foreign | set(written(stage))


def test_a_host_that_keeps_one_value_is_not_asked(make: MakeStage) -> None:
    """A host with one value is not used, because dns-01 would replace the record. The error has the record."""
    stage = make(hosts={"a": "one"})
    error = error_of(stage.run(spec(BY_A)))
    assert error.code == "dns-persist-missing"
    assert error.evidence["accounts"] == ["a"]
    assert "account a cannot hold one" in error.message
    assert written(stage) == []


@pytest.mark.parametrize("zones", [(), ("far.test",)], ids=["no-zones", "zones"])
def test_where_a_cname_leads_only_an_account_with_zones_writes(make: MakeStage, zones: tuple[str, ...]) -> None:
    """A record behind a CNAME is written only by an account with zones.

    Otherwise the error has the target for a person.
    """
    stage = make(zones={"a": zones})
    stage.dns.cnames = {NAME: "x.far.test."}
    outcome = stage.run(spec(BY_A))
    if zones:  # the CA in memory follows no CNAME
        (text,) = written(stage)
        assert there(stage, "x.far.test.") == {text}
    else:
        error = error_of(outcome)
        assert (error.code, error.evidence["name"]) == ("dns-persist-missing", "x.far.test")
        assert written(stage) == []


def test_a_record_that_drivers_cannot_write_is_left_to_a_person(make: MakeStage) -> None:
    """A record above 255 octets is not written by a driver. The error has it for a person."""
    stage = make()
    stage.cas["one"].on_response = offering({"accounturi": f"https://acme-v02.api.letsencrypt.org/{'a' * 250}"})
    error = error_of(stage.run(spec(BY_A)))
    assert error.code == "dns-persist-missing"
    assert "a" * 250 in error.evidence["value"]
    assert written(stage) == []


def test_a_host_that_refuses_is_left_for_the_next_route(make: MakeStage) -> None:
    """If the host refuses, the attempt fails with its error and the next route is tried."""
    stage = make(hosts={"a": "refuses", "b": "ok"})
    outcome = stage.run(spec(BY_A, Route("dns-01", dns="b", ca="one")))
    assert rows(outcome) == [("dns-persist-01", 1, "provider-refused"), ("dns-01", 1, None)]


def test_a_record_that_no_server_shows_is_no_reason_to_ask_the_ca(make: MakeStage) -> None:
    """If no server shows the record, the error names the identifier, and the CA is not asked to validate."""
    stage = make(hosts={"a": "hidden"})
    error = error_of(stage.run(spec(BY_A)))
    assert error.code == "propagation-timeout"
    assert error.evidence["identifiers"] == ["x.test"]
    assert stage.cas["one"].counts["challenge"] == 0


def test_two_certificates_write_one_record(make: MakeStage) -> None:
    """The second certificate uses the record of the first one, even before DNS shows it."""
    stage = make()
    services = stage._services({})
    stage._services = lambda options: services  # type: ignore[method-assign]  # as in one run
    assert stage.run(spec(PERSIST)).status == "renewed"
    stage.dns.is_silent = True
    assert stage.run(spec(PERSIST), force=True).status == "renewed"
    assert len(written(stage)) == 1


# ── a person sets it ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_error_holds_the_exact_record(make: MakeStage, dialect: str) -> None:
    """Without an account nothing is written. After a person has set the record of the error, the renewal succeeds."""
    stage = make(dialect, zones=ELSEWHERE)
    outcome = stage.run(spec(PERSIST, domains=("x.test", "*.x.test")))
    error = error_of(outcome)
    assert rows(outcome) == [("dns-persist-01", 1, "dns-persist-missing")]
    assert error.evidence["name"] == "_validation-persist.x.test"
    assert error.evidence["identifiers"] == ["x.test", "*.x.test"]
    assert f'_validation-persist.x.test TXT "{error.evidence["value"]}"' in error.fix
    assert stage.cas["one"].counts["challenge"] == 0
    put(stage, error.evidence["value"])
    assert stage.run(spec(PERSIST, domains=("x.test", "*.x.test")), now=True).status == "renewed"


def test_the_error_holds_the_record_of_every_name(make: MakeStage) -> None:
    """The error has the records of all names."""
    stage = make(zones=ELSEWHERE)
    error = error_of(stage.run(spec(PERSIST, domains=("x.test", "y.test"))))
    names = [each["name"] for each in error.evidence["records"]]
    assert names == ["_validation-persist.x.test", "_validation-persist.y.test"]
    assert all(each["value"] in error.fix for each in error.evidence["records"])


@pytest.mark.parametrize(
    ("parameters", "url", "domains", "said"),
    [
        ((-1.0,), None, ("x.test",), "was valid until"),
        ((0.001,), None, ("x.test",), "was valid until"),
        ((), "https://acme-v02.api.letsencrypt.org/account/77", ("x.test",), "is for another account"),
        ((), None, ("*.x.test",), "has no policy=wildcard"),
        ((300.0, 300.0), None, ("x.test",), "is malformed"),
    ],
    ids=["expired", "expires-at-once", "account", "policy", "tag-twice"],
)
def test_a_record_that_does_not_do_is_explained(
    make: MakeStage, parameters: tuple[float, ...], url: str | None, domains: tuple[str, ...], said: str
) -> None:
    """The message states what is wrong with the existing record. The CA is not asked to validate."""
    stage = make(zones=ELSEWHERE)
    text = put(stage, record(stage, *(until(stage, days) for days in parameters), url=url))
    error = error_of(stage.run(spec(PERSIST, domains=domains)))
    assert error.code == "dns-persist-missing"
    assert said in error.message
    assert error.evidence["seen"] == [text]
    assert stage.cas["one"].counts["challenge"] == 0


def test_where_no_server_answers_the_ca_decides(make: MakeStage) -> None:
    """If no name server answers, the CA is asked to validate: the record may exist."""
    stage = make(zones=ELSEWHERE)
    put(stage, record(stage))
    stage.dns.is_silent = True
    assert stage.run(spec(PERSIST)).status == "renewed"


# ── it expires ──────────────────────────────────────────────────────────────────────────


def test_an_account_renews_a_record_in_time(make: MakeStage) -> None:
    """A record is replaced within 30 days of its end."""
    stage = make()
    old = put(stage, record(stage, until(stage, 29)))
    assert stage.run(spec(PERSIST)).status == "renewed"
    (new,) = written(stage)
    assert there(stage) == {new}
    assert [each["value"] for data in stage.event_data("txt-removed") for each in data["records"]] == [old]
    assert warnings(stage) == []


def test_an_old_record_that_stays_is_a_warning(make: MakeStage) -> None:
    """An old record that cannot be removed causes a warning. The renewal succeeds."""
    stage = make(hosts={"a": "keeps"})
    old = put(stage, record(stage, until(stage, 29)))
    assert stage.run(spec(PERSIST)).status == "renewed"
    (warning,) = warnings(stage)
    assert warning["code"] == "dns-persist-old-kept"
    assert old in warning["fix"]


@pytest.mark.parametrize("behaviour", ["refuses", "down", "secretless"])
def test_a_valid_record_that_cannot_be_renewed_is_used(make: MakeStage, behaviour: str) -> None:
    """If the record cannot be replaced, the certificate is renewed with a warning."""
    stage = make(hosts={"a": behaviour})
    old = put(stage, record(stage, until(stage, 29)))
    if behaviour == "secretless":  # read before an order, so that it can still be fixed
        assert error_of(stage.run(spec(PERSIST))).code == "secret-missing"
        return
    assert stage.run(spec(PERSIST)).status == "renewed"
    (warning,) = warnings(stage)
    assert warning["code"] == "dns-persist-expires"
    assert "A new one could not be written" in warning["message"]
    assert there(stage) == {old}


def test_without_an_account_a_person_is_warned(make: MakeStage) -> None:
    """Without an account the warning has the end of the old record and the new record."""
    stage = make(zones=ELSEWHERE)
    put(stage, record(stage, until(stage, 29)))
    assert stage.run(spec(PERSIST)).status == "renewed"
    (warning,) = warnings(stage)
    assert warning["code"] == "dns-persist-expires"
    assert record(stage, f"persistUntil={end_of(stage.clock.now())}") in warning["fix"]


# ── the CA ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("routes", [(PERSIST, DNS), (BY_A, DNS)], ids=["fitting", "named"])
def test_a_ca_without_it_costs_one_order(make: MakeStage, routes: tuple[Route, ...]) -> None:
    """If the CA does not offer it, the run falls back to dns-01 after one order and writes no lasting record."""
    stage = make(offers=("http-01", "dns-01"))
    outcome = stage.run(spec(*routes))
    assert rows(outcome) == [("dns-persist-01", 1, "ca-no-challenge"), ("dns-01", 1, None)]
    assert {each["name"] for data in stage.event_data("txt-writing") for each in data["records"]} == {
        "_acme-challenge.x.test."
    }
    assert there(stage) == set()


def test_the_next_renewal_does_not_spend_the_order_again(make: MakeStage) -> None:
    """The next renewal tries the failed route last."""
    stage = make(offers=("http-01", "dns-01"))
    stage.run(spec(PERSIST, DNS))
    assert rows(stage.run(spec(PERSIST, DNS), force=True)) == [("dns-01", 1, None)]


def test_without_another_route_the_error_says_what_the_ca_offers(make: MakeStage) -> None:
    """The error states that the CA does not offer dns-persist-01. Nothing is written."""
    stage = make(offers=("http-01", "dns-01"))
    outcome = stage.run(spec(PERSIST))
    assert rows(outcome) == [("dns-persist-01", 1, "ca-no-challenge")]
    assert "does not offer dns-persist-01" in error_of(outcome).message
    assert written(stage) == []


@pytest.mark.parametrize(
    ("dialect", "change", "said"),
    [
        ("03", {"issuers": ["one.test"]}, "draft that this version of dnsrenew does not support"),
        ("01", {"issuer-domain-names": []}, "issuer domain names is missing or malformed"),
        ("01", {"issuer-domain-names": ["a.test"] * 11}, "issuer domain names is missing or malformed"),
        ("01", {"issuer-domain-names": ["UPPER.test"]}, "issuer domain names is missing or malformed"),
        ("01", {"issuer-domain-names": "one.test"}, "issuer domain names is missing or malformed"),
        ("01", {"accounturi": "https://elsewhere.test/account/1"}, "not at the host of the CA"),
        ("01", {"accounturi": "https://acme-v02.api.letsencrypt.org/a;b"}, "cannot hold the account URI"),
        ("02", {"issuerDomainNames": ["other.test"]}, "does not accept the issuer domain name one.test"),
        ("02", {"issuerDomainNames": ["one.test", "x.test"]}, "x.test is not one of its names in CAA records"),
    ],
)
def test_a_malformed_offer_is_left_for_the_next_route(
    make: MakeStage, dialect: str, change: dict[str, Any], said: str
) -> None:
    """A malformed offer of the CA writes no record, and the next route is tried."""
    stage = make(dialect)
    stage.cas["one"].on_response = offering(change)
    outcome = stage.run(spec(PERSIST, DNS))
    assert rows(outcome) == [("dns-persist-01", 1, "ca-dns-persist-malformed"), ("dns-01", 1, None)]
    error = outcome.attempts[0].error
    assert error is not None
    assert said in error.message
    assert there(stage) == set()


def test_a_ca_of_draft_02_without_its_prefix_is_left(make: MakeStage) -> None:
    """Without accountHashPrefix the offer of a draft-02 CA is malformed."""
    stage = make("02")
    del stage.cas["one"].meta["accountHashPrefix"]
    error = error_of(stage.run(spec(PERSIST)))
    assert error.code == "ca-dns-persist-malformed"
    assert "has no accountHashPrefix" in error.message


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_new_account_key_leaves_the_record_valid(make: MakeStage, dialect: str) -> None:
    """After a key rollover the record stays valid, because earlier thumbprints are kept."""
    stage = make(dialect, zones=ELSEWHERE)
    error = error_of(stage.run(spec(PERSIST)))
    text = put(stage, error.evidence["value"])
    before = account_url(stage)
    assert stage._client("one").roll_key(stage.context) == before
    assert stage.run(spec(PERSIST), now=True).status == "renewed"
    assert there(stage) == {text}


def test_a_dry_run_leaves_no_record(make: MakeStage) -> None:
    """A dry run removes its record, which is for the staging CA, like a dns-01 value."""
    stage = make()
    outcome = stage.run(spec(PERSIST), dry_run=True)
    assert outcome.status == "rehearsed"
    assert len(written(stage)) == 1
    assert there(stage) == set()


def test_a_run_that_is_stopped_keeps_the_record(make: MakeStage) -> None:
    """A record written right before a cancel stays, and the next run uses it."""
    stage = make()
    hear = stage._hear

    def stop(event: Any) -> None:
        hear(event)
        if event.kind == "txt-written":
            stage.context.cancel.set()

    assert stage.context.emitter is not None
    stage.context.emitter._listeners = (stop,)
    assert stage.run(spec(PERSIST)).status == "interrupted"
    (text,) = written(stage)
    assert there(stage) == {text}
    stage.context.cancel.clear()
    stage.events.clear()
    assert stage.run(spec(PERSIST)).status == "renewed"
    assert written(stage) == []


# ── a CA that changes, and a record that drifts ─────────────────────────────────────────


@pytest.mark.parametrize("after", DIALECTS)
@pytest.mark.parametrize("before", DIALECTS)
def test_the_dialect_is_what_the_challenge_says_at_each_renewal(make: MakeStage, before: str, after: str) -> None:
    """A CA may change its dialect, and the account its key: a renewal writes what is missing, and no more."""
    stage = make(before, reuses=False)
    assert stage.run(spec(BY_A)).status == "renewed"
    (first,) = there(stage)
    stage.cas["one"].speak(after)
    stage._client("one").roll_key(stage.context)
    stage.events.clear()
    assert rows(stage.run(spec(BY_A), force=True)) == [("dns-persist-01", 1, None)]
    has_changed = (before == "02") != (after == "02")
    assert written(stage) == sorted(there(stage) - {first})
    assert len(there(stage)) == 1 + has_changed


def test_without_an_account_the_error_says_that_the_form_has_changed(make: MakeStage) -> None:
    """A record of an earlier draft is no record for another account."""
    stage = make("01", zones=ELSEWHERE)
    put(stage, record(stage))
    stage.cas["one"].speak("02")
    error = error_of(stage.run(spec(PERSIST)))
    assert "names the account in the form of a draft" in error.message


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_unknown_tag_does_no_harm(make: MakeStage, dialect: str) -> None:
    """Tags that no draft knows are ignored, as the CA ignores them."""
    stage = make(dialect, zones=ELSEWHERE)
    put(stage, f"{error_of(stage.run(spec(PERSIST))).evidence['value']}; later=yes")
    assert stage.run(spec(PERSIST), now=True).status == "renewed"


# ── a lost account ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("routes", [(PERSIST,), (DNS,)], ids=["persist", "dns-01"])
def test_no_new_account_is_made_while_a_record_pins_the_old_one(
    make: MakeStage, tmp_path: Path, dialect: str, routes: tuple[Route, ...]
) -> None:
    """While a record pins a lost account, the error names account, record and the file to restore."""
    stage = make(dialect)
    stage.run(spec(PERSIST))
    (text,) = there(stage)
    url = account_url(stage)
    (key,) = tmp_path.glob("state/accounts/*/key.pem")
    key.unlink()
    error = error_of(stage.run(spec(*routes), force=True))
    assert error.code == "account-pinned"
    assert error.evidence["account_url"] == url
    assert error.evidence["records"] == [f'_validation-persist.x.test TXT "{text}"']
    assert str(key) in error.fix
    assert list(stage.accounts["one"]) == [url]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_records_of_others_and_expired_ones_pin_nothing(make: MakeStage, tmp_path: Path, dialect: str) -> None:
    """Expired and foreign records do not prevent a new account."""
    stage = make(dialect)
    stage.run(spec(PERSIST))
    stage.hosts["a"].values.clear()
    put(stage, record(stage, until(stage, -1)))
    put(stage, record(stage, issuer="other-ca.test"))
    put(stage, record(stage, url="https://acme-v02.api.letsencrypt.org/hash/sha-256/x"))
    (key,) = tmp_path.glob("state/accounts/*/key.pem")
    key.unlink()
    assert stage.run(spec(PERSIST), force=True).status == "renewed"
    assert len(stage.accounts["one"]) == 2
