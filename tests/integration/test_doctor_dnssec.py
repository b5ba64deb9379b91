"""The check of DNSSEC signatures: zones that BIND's tools have signed, and broken ones."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import pytest

from dnsrenew.base.model import Check
from tests.kit.domain_doctor import DomainDoctor
from tests.kit.signed_zones import serve, sign
from tests.lab import PRIMARY, SECONDARY, Lab, Query
from tests.lab.dnsforwarder import Answer

DAY = timedelta(days=1)
OTHER_KEY = "12345 13 2 " + "AB" * 32


def judged(lab: Lab, folder: Path, host: str, **how: str) -> Check:
    """Return the check of a certificate for one host."""
    return DomainDoctor(lab, folder, host, **how).check("dnssec")  # type: ignore[arg-type]  # a name server


def fault(check: Check) -> tuple[str, str]:
    """Return the kind of the first fault and the records that it is about."""
    faults = check.evidence["zones"][0]["faults"]
    assert {each["server"] for each in faults} == {PRIMARY, SECONDARY}
    return faults[0]["kind"], faults[0]["record"]


@pytest.mark.parametrize(
    ("name", "algorithm", "nsec3"),
    [("plain", "ECDSAP256SHA256", False), ("hashed", "ED25519", True), ("rsa", "RSASHA256", False)],
)
def test_a_signed_zone_is_well(lab: Lab, tmp_path: Path, name: str, algorithm: str, nsec3: bool) -> None:
    """A zone that is signed correctly, with NSEC or NSEC3, is ok at both servers."""
    zone = f"{name}.registry.test"
    host = serve(lab, zone, sign(tmp_path / "keys", zone, algorithm=algorithm, nsec3=nsec3))
    check = judged(lab, tmp_path, host)
    assert (check.result, check.blocks, check.fix) == ("ok", (), "")
    looked = check.evidence["zones"][0]
    assert (looked["zone"], looked["parent"], looked["faults"]) == (zone, "registry.test", [])
    assert set(looked["checked"]) == {PRIMARY, SECONDARY}
    assert len(looked["ds"]) == 1


@pytest.mark.parametrize("signed", [False, True])
def test_without_a_ds_record_nobody_checks(lab: Lab, tmp_path: Path, signed: bool) -> None:
    """A zone without a DS record is ok, even if all its signatures have expired."""
    zone = f"insecure{int(signed)}.registry.test"
    old = sign(tmp_path / "keys", zone, begin=-9 * DAY, end=-DAY) if signed else None
    check = judged(lab, tmp_path, serve(lab, zone, old, ds=()))
    assert (check.result, check.evidence["zones"][0]["ds"]) == ("ok", ())


def test_expired_signatures_stop_everything(lab: Lab, tmp_path: Path) -> None:
    """Expired signatures block all challenges. The evidence has the records and the time."""
    zone = "expired.registry.test"
    check = judged(lab, tmp_path, serve(lab, zone, sign(tmp_path / "keys", zone, begin=-9 * DAY, end=-DAY)))
    assert (check.result, check.blocks) == ("bad", ("all",))
    assert check.evidence["names"] == [f"www.{zone}"]
    assert fault(check) == ("expired", f"{zone} DNSKEY")
    assert check.evidence["zones"][0]["faults"][0]["when"].endswith("Z")


def test_signatures_of_tomorrow_are_not_valid_yet(lab: Lab, tmp_path: Path) -> None:
    """Signatures that begin tomorrow are bad, because a clock is wrong."""
    zone = "early.registry.test"
    check = judged(lab, tmp_path, serve(lab, zone, sign(tmp_path / "keys", zone, begin=DAY)))
    assert (check.result, fault(check)[0]) == ("bad", "early")


@pytest.mark.parametrize("signed", [False, True])
def test_a_ds_record_that_fits_no_key_stops_everything(lab: Lab, tmp_path: Path, signed: bool) -> None:
    """A DS record that fits no key blocks all challenges, whether the zone is signed or not."""
    zone = f"mismatch{int(signed)}.registry.test"
    check = judged(lab, tmp_path, serve(lab, zone, sign(tmp_path / "keys", zone) if signed else None, ds=[OTHER_KEY]))
    assert (check.result, check.blocks) == ("bad", ("all",))
    assert fault(check)[0] == ("ds-mismatch" if signed else "no-key")


def test_one_ds_record_that_fits_is_enough(lab: Lab, tmp_path: Path) -> None:
    """If one of two DS records fits, as during a key rollover, the zone is ok."""
    zone = "rollover.registry.test"
    signed = sign(tmp_path / "keys", zone)
    assert judged(lab, tmp_path, serve(lab, zone, signed, ds=[*signed.ds, OTHER_KEY])).result == "ok"


@pytest.mark.parametrize("ds", ["12345 250 2 " + "AB" * 32, "12345 13 9 " + "AB" * 32])
def test_what_nobody_can_check_is_unknown(lab: Lab, tmp_path: Path, ds: str) -> None:
    """An unsupported algorithm is unknown and blocks nothing, because resolvers treat the zone as unsigned."""
    zone = f"private{ds.split()[1]}.registry.test"
    check = judged(lab, tmp_path, serve(lab, zone, sign(tmp_path / "keys", zone), ds=[ds]))
    assert (check.result, check.blocks) == ("unknown", ())


def test_a_record_that_was_changed_after_the_signing_is_refused(lab: Lab, tmp_path: Path) -> None:
    """A record that was changed after the zone was signed is bad."""
    zone = "changed.registry.test"
    signed = sign(tmp_path / "keys", zone)
    host = serve(lab, zone, signed, change=lambda text: text.replace("192.0.2.80", "192.0.2.81"))
    check = judged(lab, tmp_path, host)
    assert (check.result, fault(check)) == ("bad", ("invalid", f"{host} A"))


def stripped(query: Query) -> Answer:
    """Answer without signatures and proofs of absence."""
    answer = dns.message.from_wire(query.forward())
    for section in (answer.answer, answer.authority):
        section[:] = [each for each in section if each.rdtype not in {dns.rdatatype.RRSIG, dns.rdatatype.NSEC}]
    return answer


@pytest.mark.parametrize("ns", [("127.0.0.3",), (PRIMARY, "127.0.0.3")])
def test_a_server_that_loses_signatures_is_seen(lab: Lab, tmp_path: Path, ns: tuple[str, ...]) -> None:
    """A server that sends no signatures is bad. It blocks all challenges only if no other server sends them."""
    zone = f"stripped{len(ns)}.registry.test"
    host = serve(lab, zone, sign(tmp_path / "keys", zone, ns=ns), ns=ns)
    with lab.forwarder(hook=stripped):
        check = judged(lab, tmp_path, host)
    assert (check.result, check.blocks) == ("bad", ("all",) if len(ns) == 1 else ())
    faults = check.evidence["zones"][0]["faults"]
    assert [(each["server"], each["kind"]) for each in faults] == [("127.0.0.3", "unsigned")]


def no_denial(query: Query) -> Answer:
    """Answer without proofs of absence."""
    answer = dns.message.from_wire(query.forward())
    denials = {dns.rdatatype.NSEC, dns.rdatatype.SOA}
    answer.authority[:] = [each for each in answer.authority if not {each.rdtype, each.covers} & denials]
    return answer


def test_an_absence_needs_a_proof(lab: Lab, tmp_path: Path) -> None:
    """A negative answer without NSEC records is bad, because the CA does not accept it."""
    zone = "unproved.registry.test"
    host = serve(lab, zone, sign(tmp_path / "keys", zone, ns=["127.0.0.3"]), ns=["127.0.0.3"])
    with lab.forwarder(hook=no_denial):
        check = judged(lab, tmp_path, host)
    assert check.result == "bad"
    assert check.evidence["zones"][0]["faults"][0]["kind"] == "no-denial"


def refusing(*zones: str) -> Callable[[Query], Answer]:
    """Return a validating resolver that answers SERVFAIL for these zones."""

    def hook(query: Query) -> Answer:
        if query.name not in zones or query.message.flags & dns.flags.CD:
            return query.forward()
        answer = dns.message.make_response(query.message)
        answer.set_rcode(dns.rcode.SERVFAIL)
        return answer

    return hook


@pytest.mark.parametrize(
    ("zones", "result"), [(["refused.registry.test"], "bad"), (["refused.registry.test", "registry.test"], "ok")]
)
def test_a_resolver_that_refuses_only_this_zone_is_believed(
    lab: Lab, tmp_path: Path, zones: list[str], result: str
) -> None:
    """A resolver's refusal counts only if it accepts the parent zone; otherwise its clock or root key may be wrong."""
    host = serve(lab, "refused.registry.test", None)
    with lab.resolver_forwarder(refusing(*zones)) as resolver:
        check = judged(lab, tmp_path, host, nameserver="{}:{}".format(*resolver.listen))
    refused = next(each for each in check.evidence["zones"] if each["zone"] == "refused.registry.test")
    assert refused["refused"] is (result == "bad")
    if result == "bad":
        assert (check.result, check.blocks) == ("bad", ("all",))
