"""Namecheap: the zone is written back unchanged, or not at all."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import pytest

from tests.kit.host_work import Work, always
from tests.kit.hosts.namecheap import Namecheap, entry
from tests.kit.hosts.stand_in import FOREIGN, record

ENTITIES = """<?xml version="1.0"?><!DOCTYPE ApiResponse [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>
<ApiResponse Status="OK"><Errors><Error Number="1">&b;</Error></Errors></ApiResponse>"""


@pytest.fixture
def host() -> Iterator[Namecheap]:
    """Run the stand-in for Namecheap."""
    with Namecheap() as stand_in:
        yield stand_in


@pytest.mark.parametrize("email", ["MX", "OX", "GMAIL"])
def test_everything_goes_back(host: Namecheap, email: str) -> None:
    """Records of all types, TTL, preference and the e-mail setting are unchanged afterwards."""
    host.email = email
    host.fields = {FOREIGN[1]: {"TTL": "7200", "MXPref": "10"}}
    before = copy.deepcopy(host.others)
    Work(host).add([record("one")])
    assert host.fields["one"] == {"TTL": "60", "MXPref": "10"}
    Work(host).remove([record("one")])
    written = [{**fields, "FriendlyName": ""} for fields in before]  # a label that Namecheap makes itself
    assert (host.email, host.others) == (email, written)
    assert host.fields[FOREIGN[1]] == {"TTL": "7200", "MXPref": "10"}


def test_a_zone_without_an_email_setting(host: Namecheap) -> None:
    """No e-mail setting is sent if the zone shows none and no record needs one."""
    host.email = None
    host.others = [entry("@", "A", "192.0.2.1")]
    Work(host).add([record("one")])
    assert "EmailType" not in host.asked[-1].body
    assert host.look(FOREIGN[0]) == {"one", FOREIGN[1]}


def test_labels_of_mail_records(host: Namecheap) -> None:
    """Records of the e-mail setting are written back with it."""
    host.others = [entry("@", "MX", "mx1.privateemail.com.", AssociatedAppTitle="OX", FriendlyName="MX1")]
    Work(host).add([record("one")])
    assert [fields["Address"] for fields in host.others] == ["mx1.privateemail.com."]


LOST: dict[str, tuple[Callable[[Namecheap], object], str]] = {
    "a type that cannot be written": (lambda host: host.others.append(entry("_x._tcp", "SRV", "a.")), "_x._tcp SRV"),
    "a mark for dynamic DNS": (
        lambda host: host.others.append(entry("home", "A", "192.0.2.9", IsDDNSEnabled="true")),
        "home A isddnsenabled",
    ),
    "a record that is off": (
        lambda host: host.others.append(entry("off", "A", "192.0.2.9", IsActive="false")),
        "off A isactive",
    ),
    "a CAA record without its fields": (lambda host: host.others.append(entry("@", "CAA", "ca.example")), "@ CAA"),
    "a label": (
        lambda host: host.others.append(entry("app", "A", "192.0.2.9", AssociatedAppTitle="Shop")),
        "app A associatedapptitle",
    ),
    "a field that is new": (
        lambda host: host.others.append(entry("new", "A", "192.0.2.9", Comment="keep")),
        "new A comment",
    ),
    "a setting that is new": (lambda host: host.shown.update(Template="7"), "template"),
    "mail without its setting": (lambda host: setattr(host, "email", None), "EmailType"),
}


@pytest.mark.parametrize("action", ["add", "remove"])
@pytest.mark.parametrize("case", LOST)
def test_what_would_be_lost_is_refused(host: Namecheap, case: str, action: str) -> None:
    """Nothing is written, and the error names the record and the field that would be lost."""
    host.put(FOREIGN[0], "there")
    change, lost = LOST[case]
    change(host)
    before = (dict(host.values), copy.deepcopy(host.others), host.email)
    error = Work(host).failure(getattr(Work(host), action), [record("there" if action == "remove" else "one")])
    assert error.code == "provider-rewrite-unsafe"
    assert error.evidence["lost"] == [lost]
    assert (host.values, host.others, host.email) == (before[0], before[1], before[2])
    assert len(host.asked) == 1


def test_a_zone_that_seems_empty(host: Namecheap) -> None:
    """A zone that seems empty is not written: the API may have failed to show its records."""
    host.others, host.values = [], {}
    error = Work(host).failure(Work(host).add, [record("one")])
    assert error.code == "provider-rewrite-unsafe"
    assert error.evidence["zone"] == "example.com"
    assert len(host.asked) == 1


def test_a_long_list_is_cut(host: Namecheap) -> None:
    """Five records are named. An ellipsis stands for the rest."""
    host.others += [entry(f"_s{number}._tcp", "SRV", "a.") for number in range(9)]
    error = Work(host).failure(Work(host).add, [record("one")])
    assert len(error.evidence["lost"]) == 6
    assert error.evidence["lost"][-1] == "…"


def test_nothing_to_change_is_not_refused(host: Namecheap) -> None:
    """If nothing changes, the zone is read but not written."""
    host.others.append(entry("_x._tcp", "SRV", "a."))
    Work(host).add([record(FOREIGN[1])])
    Work(host).remove([record("never")])
    assert ["getHosts" in asked.body for asked in host.asked] == [True, True]


def test_the_zone_is_read_right_before_each_change(host: Namecheap) -> None:
    """A change that is made between two calls of one run is kept."""
    work = Work(host)
    work.add([record("one")])
    host.others.append(entry("late", "A", "192.0.2.9"))
    work.remove([record("one")])
    assert host.others[-1]["Name"] == "late"


def test_an_address_that_is_not_allowed(host: Namecheap) -> None:
    """The message names the address, and the fix names the page where to allow it."""
    work = Work(host, host.account(auth_client_ip="192.0.2.99"))
    error = work.failure(work.add, [record("one")])
    assert error.code == "provider-unauthorized"
    assert error.evidence["address"] == "192.0.2.99"
    assert "auth_client_ip" in error.fix


@pytest.mark.parametrize("shown", [True, False])
def test_a_domain_with_other_name_servers(host: Namecheap, shown: bool) -> None:
    """Nothing is written if the domain uses other name servers, which would not serve the records."""
    if shown:
        host.shown["IsUsingOurDNS"] = "false"
    else:
        host.faults = {0: lambda _: Namecheap.error("2030288", "Cannot complete this command")}
    error = Work(host).failure(Work(host).add, [record("one")])
    assert error.code == "provider-zone-unknown"
    assert "example.com" in error.message
    assert host.look(FOREIGN[0]) == {FOREIGN[1]}


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Namecheap.error("3050900", "Unknown error from Enom"), "provider-server-error"),
        (Namecheap.error("5050900", "Unhandled exceptions"), "provider-server-error"),
        (Namecheap.error("1017101", "ApiUser is disabled"), "provider-unauthorized"),
        (Namecheap.error("2016166", "Domain is not associated with your account"), "provider-zone-unknown"),
        (Namecheap.error("2030166", "Edit is not supported"), "provider-refused"),
        ((200, ENTITIES), "provider-malformed-answer"),
        ((200, '<?xml version="1.0"?><ApiResponse Status="ERROR"/>'), "provider-refused"),
        ((200, '<?xml version="1.0"?><ApiResponse Status="OK"/>'), "provider-malformed-answer"),
        (
            Namecheap.result("x", '<DomainDNSGetHostsResult><host Name="@"/></DomainDNSGetHostsResult>'),
            "provider-malformed-answer",
        ),
    ],
)
def test_the_code_of_an_answer(host: Namecheap, answer: tuple[int, str], code: str) -> None:
    """Errors have status 200, so their number decides."""
    host.faults = dict.fromkeys(range(9), lambda _: answer)
    error = Work(host).failure(Work(host).add, [record("one")])
    assert error.code == code
    assert "aaaaaaaaaa" not in str(error.to_dict())


def test_a_write_without_success(host: Namecheap) -> None:
    """``IsSuccess`` decides, not the status."""
    inner = '<DomainDNSSetHostsResult Domain="example.com" IsSuccess="false" />'
    host.faults = {1: lambda _: Namecheap.result("namecheap.domains.dns.setHosts", inner)}
    assert Work(host).failure(Work(host).add, [record("one")]).code == "provider-refused"


@pytest.mark.parametrize("answer", [(405, ""), Namecheap.error("500000", "Too many requests")])
def test_too_many_requests(host: Namecheap, answer: tuple[int, str]) -> None:
    """The call is retried after a minute."""
    work = Work(host)
    host.faults = {0: always(*answer)}
    work.add([record("one")])
    assert host.look(FOREIGN[0]) == {"one", FOREIGN[1]}
    assert 60 <= work.context.clock.monotonic() < 61


def test_no_secret_in_a_url(host: Namecheap) -> None:
    """All parameters are sent in the body."""
    Work(host).add([record("one")])
    assert {(asked.method, asked.path) for asked in host.asked} == {("POST", "/")}
