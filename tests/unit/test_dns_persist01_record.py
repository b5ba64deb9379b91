"""The value of a dns-persist-01 record: parser, writer, and the hash of draft 02."""

from __future__ import annotations

import string
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnsrenew.challenges.persist_record import (
    PersistRecord,
    end_of,
    hashed_uri,
    hashed_uris,
    is_uri,
    line,
    may_be_there,
    time_text,
)

URL = "https://ca.test/acct/1"
THUMBPRINT = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)

LABELS = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=12)
ISSUERS = st.lists(LABELS, min_size=1, max_size=4).map(".".join)
URIS = st.text([chr(each) for each in range(0x21, 0x7F) if each != 0x3B], min_size=1, max_size=80)
RECORDS = st.builds(PersistRecord, ISSUERS, URIS, st.booleans(), st.none() | st.integers(0, 10**17))


@given(RECORDS)
def test_what_is_written_is_read_again(record: PersistRecord) -> None:
    """Every record survives writing and parsing. It has no final semicolon."""
    text = str(record)
    assert PersistRecord.parse(text) == record
    assert is_uri(record.account_uri)
    assert not text.endswith(";")


@given(RECORDS, st.text(" \t", max_size=3), st.booleans())
def test_blanks_case_and_unknown_parameters_change_nothing(record: PersistRecord, blank: str, upper: bool) -> None:
    """Blanks around the parts, the case of issuer, tags and policy, and unknown parameters are ignored (RFC 8659)."""
    issuer, *parameters = str(record).split("; ")
    pairs = [each.partition("=")[::2] for each in [*parameters, "future=yes"]]
    shown = [(tag.upper() if upper else tag, value.upper() if tag == "policy" else value) for tag, value in pairs]
    parts = [issuer.upper() if upper else issuer, *(f"{tag}{blank}={blank}{value}" for tag, value in shown)]
    assert PersistRecord.parse(f"{blank};{blank}".join(parts)) == record


@given(st.text(max_size=200))
def test_the_parser_never_raises(text: str) -> None:
    """Any text is parsed to a record or to None."""
    record = PersistRecord.parse(text)
    assert record is None or PersistRecord.parse(str(record)) == record


@pytest.mark.parametrize(
    "text",
    [
        "",
        "v=spf1 -all",
        "ca.test",
        f"; accounturi={URL}",
        "ca.test; accounturi=",
        f"ca.test; accounturi={URL}; accounturi={URL}",
        f"ca.test; accounturi={URL}; policy=wildcard; policy=wildcard",
        f"ca.test; accounturi={URL}; persistUntil=1; persistUntil=2",
        f"ca.test; accounturi={URL}; persistUntil=soon",
        f"ca.test; accounturi={URL}; persistUntil=1.5",
        f"ca.test; accounturi={URL}; persistUntil={'9' * 5000}",
        f"ca.test; accounturi={URL} x",
    ],
)
def test_malformed_texts_are_no_records(text: str) -> None:
    """Duplicates, a persistUntil that is no integer, and a missing account make a text no record."""
    assert PersistRecord.parse(text) is None


def test_only_the_policy_wildcard_means_wildcards() -> None:
    """Any other policy counts as no policy."""
    other = PersistRecord.parse(f"ca.test; accounturi={URL}; policy=everything")
    assert other is not None
    assert not other.wildcard


def test_the_hash_is_that_of_the_draft() -> None:
    """The hash equals the vectors of draft-ietf-acme-dns-persist-02 section 10.2."""
    prefix, url = "https://ca.example/account-hash/", "https://ca.example/acct/123"
    expected = f"{prefix}sha-256/5SQm7n6tPh2-PlLbCKGnViTXX5z19SCN4cPGQHSk-kw"
    assert hashed_uri(prefix, "example.com", THUMBPRINT, url) == expected
    any_domain = f"{prefix}sha-256/NpDnSwUthQK8zCgFdefYxAdAVPnygMLbs9US6oO-5ug"
    assert hashed_uris(prefix, "example.com", (THUMBPRINT,), url) == (expected, any_domain)


def test_a_record_is_valid_until_its_second() -> None:
    """A record is invalid from the second of persistUntil."""
    record = PersistRecord("ca.test", URL, until=int(NOW.timestamp()))
    assert record.is_valid_at(datetime(2026, 11, 27, 11, 59, 59, tzinfo=UTC))
    assert not record.is_valid_at(NOW)
    assert PersistRecord("ca.test", URL).is_valid_at(NOW)


def test_two_runs_of_a_day_write_the_same_value() -> None:
    """A new record ends at midnight (UTC), a year and at most a day from now."""
    assert end_of(datetime(2026, 11, 27, 0, 0, 1, tzinfo=UTC)) == end_of(datetime(2026, 11, 27, 23, 59, tzinfo=UTC))
    assert time_text(end_of(NOW)) == "2027-11-28T00:00:00Z"


def test_a_time_beyond_all_calendars_is_shown_as_a_number() -> None:
    """A time beyond the calendar is shown as a number."""
    assert time_text(10**17) == str(10**17)


def test_records_that_end_soon_do_not_spare_the_secrets() -> None:
    """Only a record that does not end soon makes it likely that none has to be written."""
    lasting = f"ca.test; accounturi={URL}; persistUntil={end_of(NOW)}"
    assert may_be_there({"other", lasting}, NOW)
    assert not may_be_there({f"ca.test; accounturi={URL}; persistUntil={int(NOW.timestamp()) + 86400}"}, NOW)
    assert not may_be_there(None, NOW)


def test_a_record_is_shown_as_in_a_zone_file() -> None:
    """A record is shown in zone file syntax, so that it can be copied from the error."""
    record = PersistRecord("ca.test", URL, wildcard=True, until=1)
    shown = f'_validation-persist.x.test TXT "ca.test; accounturi={URL}; policy=wildcard; persistUntil=1"'
    assert line("_validation-persist.x.test.", record) == shown
