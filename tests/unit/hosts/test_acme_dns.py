"""acme-dns: a registration that holds two values, and its configuration."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dnsrenew.base.model import DnsAccount, TxtRecord
from dnsrenew.base.runtime import Context
from dnsrenew.drivers.acme_dns import read_registration, register
from dnsrenew.drivers.invoke import call_add, call_remove
from dnsrenew.drivers.protocol import DriverContext
from dnsrenew.errors import DnsRenewError, SecretError
from tests.kit.acme_dns import DOMAIN, AcmeDns
from tests.kit.api_server import Api
from tests.kit.clock import FakeClock
from tests.kit.config_files import AGREED, CERTIFICATE, check, mistake
from tests.kit.drivers import provider_of

ONE, TWO, THREE = (letter * 43 for letter in "abc")


@pytest.fixture
def server() -> Iterator[AcmeDns]:
    """A server."""
    with AcmeDns() as stand_in:
        yield stand_in


def registration_at(server: AcmeDns) -> dict[str, str]:
    """A registration that has just been made."""
    options = {"api": server.url}
    context = DriverContext("mine", options, {}, lambda: 30.0, threading.Event(), logging.getLogger("test"))
    return register(context)


def record(registration: dict[str, str], value: str) -> TxtRecord:
    """A value at the name of a registration."""
    return TxtRecord(f"{DOMAIN}.", f"{registration['fulldomain']}.", value, 1)


def add(account: DnsAccount, *records: TxtRecord) -> None:
    """Write the values."""
    call_add(Context(clock=FakeClock()), provider_of("acme-dns"), account, records)


def account_of(server: AcmeDns, registration: dict[str, str], **changes: str) -> DnsAccount:
    """An account with the registration in its options."""
    options: dict[str, Any] = {key: registration[key] for key in ("username", "password", "subdomain")} | changes
    return DnsAccount("acme-dns", name="mine", api=server.url, **options)


def test_two_values_stand_together(server: AcmeDns) -> None:
    """A wildcard and its domain have both values. Writing both again leaves both. Nothing is removed."""
    made = registration_at(server)
    account = account_of(server, made)
    add(account, record(made, ONE), record(made, TWO))
    add(account, record(made, ONE), record(made, TWO))
    assert server.look(made["fulldomain"]) == {ONE, TWO}
    call_remove(Context(clock=FakeClock()), provider_of("acme-dns"), account, [record(made, ONE)])
    assert server.look(made["fulldomain"]) == {ONE, TWO}
    add(account, record(made, THREE))
    assert server.look(made["fulldomain"]) == {TWO, THREE}


def test_a_registration_in_a_file(server: AcmeDns, tmp_path: Path) -> None:
    """The file that `delegate` writes replaces the three options."""
    made = registration_at(server)
    file = tmp_path / "acme-dns-mine.json"
    file.write_text(json.dumps(made))
    add(DnsAccount("acme-dns", name="mine", api=server.url, registration=str(file)), record(made, ONE))
    assert server.look(made["fulldomain"]) == {ONE}


def test_without_a_registration(server: AcmeDns, tmp_path: Path) -> None:
    """Without a registration the error names `dnsrenew delegate`, and nothing is sent."""
    account = DnsAccount("acme-dns", name="mine", api=server.url, registration=str(tmp_path / "none.json"))
    with pytest.raises(DnsRenewError) as caught:
        add(account, record({"fulldomain": f"x.{DOMAIN}"}, ONE))
    assert caught.value.code == "acme-dns-not-registered"
    assert "dnsrenew delegate" in caught.value.fix
    assert not server.asked


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"username": "x"}', "\x00"])
def test_a_file_with_something_else(tmp_path: Path, content: str) -> None:
    """The error names the file and shows no part of its content."""
    file = tmp_path / "registration.json"
    file.write_text(content)
    with pytest.raises(SecretError) as caught:
        read_registration(str(file))
    assert str(file) in caught.value.message


def test_a_name_of_another_registration(server: AcmeDns) -> None:
    """A CNAME that leads to another name is found before anything is sent."""
    made = registration_at(server)
    other = record({"fulldomain": f"another.{DOMAIN}"}, ONE)
    before = len(server.asked)
    with pytest.raises(DnsRenewError) as caught:
        add(account_of(server, made), other)
    assert caught.value.code == "acme-dns-other-name"
    assert len(server.asked) == before


def test_wrong_credentials(server: AcmeDns) -> None:
    """A wrong password is `provider-unauthorized`. It is not shown."""
    made = registration_at(server)
    with pytest.raises(DnsRenewError) as caught:
        add(account_of(server, made, password="wrong-pass-0000"), record(made, ONE))
    assert caught.value.code == "provider-unauthorized"
    assert "wrong-pass" not in json.dumps(caught.value.to_dict())


@pytest.mark.parametrize("missing", ["username", "password", "subdomain"])
def test_a_registration_in_part(tmp_path: Path, missing: str) -> None:
    """One or two of the three options are a mistake of `check`, which names a missing one."""
    options = {"username": "u", "password": "literal:p", "subdomain": "s"}
    lines = "".join(f'{key} = "{value}"\n' for key, value in options.items() if key != missing)
    text = f'{AGREED}{CERTIFICATE}[dns.a]\nprovider = "acme-dns"\napi = "https://auth.test"\n{lines}'
    said = mistake(tmp_path, text, check)
    assert said["key"] == f"dns.a.{missing}"
    assert "a registration needs username, password, subdomain" in said["found"]
    assert "dnsrenew delegate NAME" in said["fix"]


@pytest.mark.parametrize("body", ["", {}, [], {"txt": TWO}, {"txt": None}])
def test_a_success_without_the_value(body: object) -> None:
    """Status 200 is a success only if the answer has the value that was sent."""
    with Api(lambda _: (200, body)) as other:
        account = DnsAccount("acme-dns", name="mine", api=other.url, username="u", password="p", subdomain="s")
        with pytest.raises(DnsRenewError) as caught:
            add(account, record({"fulldomain": f"s.{DOMAIN}"}, ONE))
    assert caught.value.code == "provider-malformed-answer"
    assert "`txt`" in caught.value.message
