"""``--redact``: private values are masked, equal values by the same mask. Other useful facts stay."""

import json
import re
import string
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dnsrenew.base.model import Change, Diagnosis, RouteTaken
from dnsrenew.base.values import replace
from dnsrenew.config import Config
from dnsrenew.extensions.doctor import redaction as private
from dnsrenew.extensions.doctor.arranged import markdown
from dnsrenew.extensions.doctor.redaction import Kind, Masks, Private, Redaction, is_public
from tests.kit import diagnoses

MASKED = [
    ("example.test", "domain-1"),
    ("www.example.test and example.test.", "www.domain-1 and domain-1."),
    ("shop.example.test, mail.example.test, shop.other.test", "name-1.domain-1, name-2.domain-1, name-1.domain-2"),
    ("*.example.test at _acme-challenge.example.test", "*.domain-1 at _acme-challenge.domain-1"),
    ("_acme-challenge.x.example.test.example.test", "_acme-challenge.name-1.domain-1.domain-1"),
    ("bücher.example, xn--bcher-kva.example, BÜCHER.EXAMPLE", "domain-1, domain-1, domain-1"),
    ("203.0.113.4:80 is not 203.0.113.9", "address-1:80 is not address-2"),
    ("192.168.1.20 and 10.0.0.0/8", "private-address-1 and private-address-2/8"),
    (
        "100.64.1.1, 127.0.0.1, 0.0.0.0, 169.254.0.9",
        "shared-address-1, loopback-address-1, any-address-1, link-local-address-1",
    ),
    ("[2001:db8::1]:443, 2001:DB8:0::1: no route", "[address-1]:443, address-1: no route"),
    ("fe80::1%eth0 and ::1 and ::ffff:203.0.113.4", "link-local-address-1 and loopback-address-1 and address-1"),
    ("address:2001:db8::7", "address:address-1"),
    ("see https://example.test:8443/x?token=1.", "see url-1."),
    ("https://acme-v02.api.letsencrypt.org/directory", "https://acme-v02.api.letsencrypt.org/directory"),
    ("https://acme-v02.api.letsencrypt.org/acme/order/1/2", "https://acme-v02.api.letsencrypt.org/path-1"),
    ('CAA 0 issue "letsencrypt.org"', 'CAA 0 issue "letsencrypt.org"'),
    ("mailto:alice@example.test, root@nas", "mailto:email-1, email-2"),
    ("/srv/alice/store, ~/certs, ../x/y", "path-1, path-2, path-3"),
    (r"C:\Users\Alice B\x.pem and \\nas\share\y", "path-1 and path-2"),
    ("/.well-known/acme-challenge/abc", "/.well-known/acme-challenge/value-1"),
    ("2f" * 16 + ", " + ":".join(["AB"] * 20), "serial-1, serial-2"),
    ("LPJNul-wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ", "value-1"),
    ("aa:bb:cc:dd:ee:0f", "mac-1"),
    ("env:DUCKDNS_TOKEN, keyring:dns/alice", "env:key-1, keyring:key-2"),
]
KEY = "c2VjcmV0c2VjcmV0"
KEPT = [
    "port-80-forwarded and provider-credentials-rejected",
    "ConnectionRefusedError: [Errno 111] Connection refused",
    "2026-11-27T10:00:00Z, 10:15:20, version 1.2.3",
    "nginx.service reads dnsrenew.toml; nginx/1.24 speaks HTTP/1.1 over TCP/UDP",
    "letsencrypt by http-01 at port 80, dns-01 with duckdns",
    "nft add rule inet filter input tcp dport 80 accept",
]


def redact(found: Sequence[Diagnosis], known: Sequence[Private] = ()) -> list[Diagnosis]:
    """Mask what is private in some diagnoses."""
    return list(map(Redaction(found, known).masked, found))


@pytest.mark.parametrize(("text", "masked"), MASKED)
def test_it_is_masked(text: str, masked: str) -> None:
    """Private text is masked. Its kind and its relation to other names stay visible."""
    assert Masks().masked(text) == masked


@pytest.mark.parametrize("text", KEPT)
def test_it_stays(text: str) -> None:
    """Helpful text that reveals nothing stays."""
    assert Masks().masked(text) == text


def known_masks(*known: tuple[Kind, str]) -> Masks:
    """Masks that know something."""
    masks = Masks()
    for kind, text in known:
        masks.know(kind, text)
    return masks


def test_what_is_known_is_masked_inside_words() -> None:
    """A known name is masked in any letter case and inside other words. A short one is masked only as a word."""
    masks = known_masks(("user", "Alice"), ("account", "dd"), ("name", "my certs"), ("user", "nginx"))
    assert masks.masked("alice's AliceServer, dd, add, nginx") == "user-1's user-1Server, account-1, add, nginx"
    assert masks.masked("/srv/my certs/alice.conf") == "name-2/user-1.conf"


def test_a_name_of_the_user_changes_no_key() -> None:
    """An account is masked as a whole word, a key of the program never; a name that stands as a key is masked."""
    evidence: dict[str, Any] = {"write_seconds": [1], "second": 2, "zones": {"shop": "second", "a/shop": 1}}
    check = diagnoses.check("txt-probe", "ok", "The account {dns} took one second.", dns="second", **evidence)
    (found,) = redact([diagnoses.diagnosis("shop", [check])], [("account", "second"), ("name", "zones")])
    assert found.checks[0].evidence == {
        "dns": "account-1", "write_seconds": [1], "second": 2,
        "zones": {"name-1": "account-1", "a/name-1": 1},
    }  # fmt: skip
    assert found.checks[0].summary == "The account account-1 took one second."


def everything(known: str) -> Diagnosis:
    """A diagnosis with a string in every place."""
    more: dict[str, Any] = {"k": [known, {f"x.{known}": known}]}
    check = diagnoses.check("served", "bad", "Here is {text}.", "Do {text}.", (), text=known, **more)
    plain = replace(check, summary=f"A sentence of another library: {known}", fix=known)
    return diagnoses.diagnosis(
        known,
        [check, plain],
        route=RouteTaken(
            ca=known, challenge="mixed", dns=(known,), names={known: {"challenge": "dns-01", "dns": [known]}}
        ),
        next_action=known,
        changes=(Change(code="address", was=known, now=f"{known}2", since=diagnoses.NOW),),
    )


def shown(found: list[Diagnosis]) -> str:
    """Every form that can be redacted."""
    form = [diagnosis.to_dict() for diagnosis in found]
    return markdown(found, version="1", system="Linux") + json.dumps(form, ensure_ascii=False)


PIECES = st.text(string.ascii_letters + string.digits + "-_./:@\\ éßЖ", min_size=4, max_size=30)


@given(known=PIECES, before=st.text(max_size=6), after=st.text(max_size=6))
def test_nothing_known_survives(known: str, before: str, after: str) -> None:
    """A known string of at least 4 characters is masked in any surrounding text."""
    known = known.strip()
    words = shown(redact([everything("ž")], [("user", "ž")])).lower()
    assume(len(known) >= 4 and any(map(str.isalpha, known)))
    assume(not is_public(known.lower()) and known.lower() not in words)
    found = redact([everything(f"{before}{known}{after}")], [("user", known)])
    assert known.lower() not in shown(found).lower()


def test_the_same_thing_has_the_same_mask_everywhere() -> None:
    """The same value has the same mask in sentences, evidence, headlines and changes of all certificates."""
    first, second = redact([diagnoses.FALLBACK, diagnoses.NOT_KNOWN])
    assert first.name == "name-1.domain-1"
    assert second.name == "name-3.domain-2"  # name-2 is a name server
    split = next(check for check in second.checks if check.code == "split-dns")
    assert split.evidence["name"] == "name-1.domain-1"
    assert split.evidence["resolver"] in split.summary
    outside = next(check for check in first.checks if check.code == "port-80-outside")
    assert first.changes[0].now == outside.evidence["address"] == "address-2"


def test_the_time_line_has_the_same_masks() -> None:
    """The certificates of a report are masked like its diagnoses."""
    redaction = Redaction([diagnoses.FALLBACK])
    found = redaction.masked(diagnoses.FALLBACK)
    status = redaction.status(diagnoses.status(path=Path("/srv/alice"), last_failure={"message": "alice"}))
    assert status.name == found.name
    assert status.not_after == diagnoses.status().not_after
    assert not re.search("alice|my-house|2f2f", repr(status))


def test_the_sentence_itself_stays() -> None:
    """Only the fields of a sentence are masked, so that it can be translated."""
    check = diagnoses.check("store", "bad", "The store {path} is full.", "Delete {path}.", (), path="/srv/full")
    (found,) = redact([diagnoses.diagnosis("full", [check])])
    assert found.checks[0].summary == "The store path-1 is full."
    assert found.checks[0].summary.template == "The store {path} is full."  # type: ignore[attr-defined]
    assert found.name == "name-1"


def test_public_things_stay() -> None:
    """CAs, providers, codes, challenges, ports and numbers are not masked."""
    text = shown(redact([diagnoses.NOTHING_WORKS]))
    for word in ("letsencrypt", "duckdns", "port-80-free", "http-01", "nginx", "812", "401"):
        assert word in text
    assert "my-house" not in text


def test_values_of_records_are_masked_by_their_key() -> None:
    """A TXT value is masked whatever its text, even where a sentence repeats it."""
    evidence: dict[str, Any] = {"values": ["hello world"], "users": ["bob-the-user"], "store": "read-only"}
    check = diagnoses.check("txt-stale", "bad", "Old: {values}.", **evidence)
    (found,) = redact([diagnoses.diagnosis("x", [check])])
    assert found.checks[0].summary == "Old: value-1."
    assert found.checks[0].evidence == {"values": ["value-1"], "users": ["user-1"], "store": "read-only"}


def test_values_by_name_and_server_are_masked() -> None:
    """A TXT value that stands by its name and server is masked there and in the sentence; states elsewhere stay."""
    found = {"_acme-challenge.x.test": {"192.0.2.53": ["EVILplain", "Mixed value two"]}}
    evidence: dict[str, Any] = {"values": found, "zones": [{"zone": "x.test", "udp": "authority"}]}
    check = diagnoses.check("txt-stale", "bad", "Old: {old}.", old=["EVILplain"], **evidence)
    (its,) = redact([diagnoses.diagnosis("x.test", [check])])
    assert its.checks[0].summary == "Old: value-1."
    assert its.checks[0].evidence["values"] == {"_acme-challenge.domain-1": {"address-1": ["value-1", "value-2"]}}
    assert its.checks[0].evidence["zones"] == [{"zone": "domain-1", "udp": "authority"}]


def test_the_configuration_tells_what_is_private(tmp_path: Path) -> None:
    """Names, paths, addresses and keys of the configuration and of this machine are masked."""
    config = Config.from_dict(
        {
            "agree_terms": True,
            "store": str(tmp_path / "secretstore"),
            "contact": ["carol@example.org"],
            "ca": {"mylab": {"directory": "https://ca.lab.example/dir"}},
            "dns": {
                "office": {
                    "provider": "rfc2136",
                    "server": "192.0.2.53",
                    "tsig_name": "carolkey",
                    "tsig_secret": "c2VjcmV0c2VjcmV0",
                },
            },
            "resolver": {"nameservers": ["192.0.2.99"]},
            "certificate": [{"name": "backoffice", "domains": ["office.example.org"], "ca": "mylab"}],
        }
    )
    known = [*private.of_config(config), *private.of_host()]
    values: dict[str, Any] = {"a": f"backoffice office mylab carolkey {tmp_path}/secretstore office.example.org"}
    check = diagnoses.check("internet", "ok", "See {a}.", **values)
    (found,) = redact([diagnoses.diagnosis("backoffice", [check])], known)
    assert found.checks[0].summary == "See name-1 account-1 ca-1 key-1 path-1 account-1.domain-1."


@pytest.mark.parametrize("piece", ["a.", "1.", "~/", "-", "é", "%", "C:\\a ", ":", "a@", "x://", "/"])
def test_a_long_text_of_others_is_quick(piece: str) -> None:
    """The masking time of a long text does not grow with the square of its length."""
    started = time.thread_time()
    Masks().masked(piece * 20_000)
    assert time.thread_time() - started < 5


def test_many_certificates_are_quick() -> None:
    """The diagnoses of 300 certificates are masked completely."""
    found = redact(diagnoses.fleet(300), [("name", f"web-{n:03}") for n in range(300)])
    assert "example.org" not in shown(found)
