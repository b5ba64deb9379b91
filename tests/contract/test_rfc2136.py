"""The driver rfc2136 against a real BIND."""

from __future__ import annotations

import socket
import threading
import time
from typing import Self

import dns.message
import dns.opcode
import dns.query
import dns.rcode
import pytest

from dnsrenew.base.model import DnsAccount, Resolver, TxtRecord
from dnsrenew.base.runtime import Context
from dnsrenew.base.secrets import Secret
from dnsrenew.drivers.invoke import call_add, call_remove
from dnsrenew.drivers.loading import make_driver
from dnsrenew.errors import ConfigError, ProviderError
from dnsrenew.testing import check_driver
from tests.kit.drivers import LogTexts, assert_nothing_foreign, maker, provider_of, rfc2136_account
from tests.kit.load import allowed
from tests.lab.canary import assert_no_canary
from tests.lab.dnsforwarder import rcode
from tests.lab.lab import Lab

RECORD = TxtRecord("example.test.", "_acme-challenge.example.test.", "v" * 43, 60)


def test_by_default_the_zones_own_servers_are_asked(bind: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `look`, check_driver queries all servers of the zone, including one that lags."""
    lab_resolver = Resolver(nameservers=(bind.nameserver,), authoritative_port=bind.port)
    monkeypatch.setattr("dnsrenew.testing.driver_check.Resolver", lambda: lab_resolver)
    check_driver(maker(rfc2136_account(bind)), "example.test", patience=10)
    assert bind.txt("_acme-challenge.example.test") == set()


class _Server:
    """A server that answers NOERROR to every update over TCP, and keeps it."""

    def __init__(self) -> None:
        self.seen: list[dns.message.Message] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]

    def _serve(self) -> None:
        connection, _ = self._socket.accept()
        with connection:
            message, _ = dns.query.receive_tcp(connection)
            self.seen.append(message)
            dns.query.send_tcp(connection, dns.message.make_response(message))

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()


def error_of(context: Context, account: DnsAccount, record: TxtRecord = RECORD) -> ProviderError:
    """Make an add that must fail; return its error."""
    provider = provider_of("rfc2136")
    with pytest.raises(ProviderError) as caught:
        call_add(context, provider, account, [record])
    assert_nothing_foreign(caught.value)
    assert caught.value.fix
    assert caught.value.evidence["account"] == account.name
    return caught.value


def test_it_keeps_the_contract(bind: Lab) -> None:
    """The driver passes the conformance test on a real BIND."""
    check_driver(maker(rfc2136_account(bind)), "example.test", look=bind.txt, patience=5)


def test_without_a_key_the_update_is_sent_unsigned(context: Context) -> None:
    """Without a key the update is sent unsigned, over TCP."""
    provider = provider_of("rfc2136")
    with _Server() as server:
        account = DnsAccount("rfc2136", name="home", server=f"127.0.0.1:{server.port}")
        call_add(context, provider, account, [RECORD])
    (update,) = server.seen
    assert not update.had_tsig
    assert update.opcode() == dns.opcode.UPDATE


def test_many_records_of_two_zones_in_one_call(bind: Lab, context: Context) -> None:
    """All records of a zone are in one message: 200 values in two zones are written and removed."""
    bind.add_zone("second.test")
    records = [
        TxtRecord(zone, f"_acme-challenge.n{number}.{zone}", f"{number:043d}", 60)
        for zone in ("example.test.", "second.test.")
        for number in range(100)
    ]
    provider = provider_of("rfc2136")
    call_add(context, provider, rfc2136_account(bind), records)
    assert bind.txt("_acme-challenge.n99.second.test") == {f"{99:043d}"}
    assert len(bind.all_txt()) == 200
    call_remove(context, provider, rfc2136_account(bind), records)
    assert bind.all_txt() == {}


def test_any_text_is_written_exactly(bind: Lab, context: Context) -> None:
    """Quotes, backslashes, semicolons and non-ASCII letters are not changed."""
    provider = provider_of("rfc2136")
    record = TxtRecord("example.test.", "_x.example.test.", 'a "b" \\c; ü $d', 60)
    call_add(context, provider, rfc2136_account(bind), [record])
    assert bind.txt("_x.example.test") == {'a "b" \\c; ü $d'}
    call_remove(context, provider, rfc2136_account(bind), [record])
    assert bind.txt("_x.example.test") == set()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tsig_secret": "d3Jvbmc="}, "has another secret for the key"),
        ({"tsig_name": "nobody"}, "does not have the key"),
        ({"tsig_algorithm": "hmac-sha512"}, ""),
        ({"tsig_name": None, "tsig_secret": None}, "REFUSED"),
    ],
)
def test_a_wrong_key_has_its_own_code(bind: Lab, context: Context, changes: dict[str, str | None], words: str) -> None:
    """A wrong secret, name or algorithm, or no key, is `provider-unauthorized`, with what to compare."""
    error = error_of(context, rfc2136_account(bind, **changes))
    assert error.code == "provider-unauthorized"
    assert words in error.message


@pytest.mark.parametrize(
    ("answered", "code", "words"),
    [
        (dns.rcode.NOTIMP, "provider-refused", "does not support dynamic updates of the zone example.test"),
        (dns.rcode.REFUSED, "provider-unauthorized", "does not allow this key to update the zone example.test"),
        (dns.rcode.SERVFAIL, "provider-server-error", "could not write the update of the zone example.test"),
        (dns.rcode.NOTAUTH, "provider-unauthorized", "for the zone example.test, or is not its primary server"),
        (dns.rcode.NOERROR, "provider-refused", "is not signed with the key"),
    ],
)
def test_a_refusal_is_believed_without_a_signature(
    bind: Lab, context: Context, answered: dns.rcode.Rcode, code: str, words: str
) -> None:
    """A server without keys cannot sign: its refusal is accepted, its success is not."""
    with bind.forwarder("127.0.0.3", rcode(answered)):
        error = error_of(context, rfc2136_account(bind, server=f"127.0.0.3:{bind.port}"))
    assert error.code == code
    assert words in error.message
    assert "example.test. " not in error.message
    assert bind.txt(RECORD.name) == set()


def test_a_wrong_clock(bind: Lab, context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that is an hour off is not reported as a wrong key."""
    real = time.time
    monkeypatch.setattr("dns.message.time.time", lambda: real() - 3600)
    error = error_of(context, rfc2136_account(bind))
    assert error.code == "provider-unauthorized"
    assert "clock" in error.message
    assert "clock" in error.fix


def test_a_zone_that_refuses(bind: Lab, context: Context) -> None:
    """If the key may not change the zone, the error is unauthorized, with the server's answer as evidence."""
    bind.add_zone("locked.test", refuse=True)
    error = error_of(context, rfc2136_account(bind), TxtRecord("locked.test.", "_a.locked.test.", "v", 60))
    assert error.code == "provider-unauthorized"
    assert error.evidence["rcode"] == "REFUSED"
    assert error.evidence["zone"] == "locked.test"


def test_a_zone_that_is_elsewhere(bind: Lab, context: Context) -> None:
    """A zone that the server does not have is refused, with the server's answer as evidence."""
    error = error_of(context, rfc2136_account(bind), TxtRecord("nowhere.test.", "_a.nowhere.test.", "v", 60))
    assert error.evidence["rcode"] in {"NOTAUTH", "NOTZONE", "REFUSED"}
    assert error.code in {"provider-unauthorized", "provider-zone-unknown"}


def test_a_dead_server(bind: Lab, context: Context) -> None:
    """A server that refuses the connection is unreachable. The message has its address."""
    port = bind.reserve()
    error = error_of(context, rfc2136_account(bind, server=f"127.0.0.1:{port}"))
    assert error.code == "provider-unreachable"
    assert f"127.0.0.1:{port}" in error.message


def test_a_server_name_that_does_not_exist(bind: Lab, context: Context) -> None:
    """The message says that the name of the server is not in DNS."""
    error = error_of(context, rfc2136_account(bind, server="no-such-host.invalid"))
    assert error.code == "provider-unreachable"
    assert "not found in DNS" in error.message


def test_a_silent_server_is_left_in_time(bind: Lab) -> None:
    """A server that accepts and never answers ends the call at the deadline."""
    started = time.monotonic()
    with bind.silent("127.0.0.6"), pytest.raises(ProviderError) as caught:
        maker(rfc2136_account(bind, server=f"127.0.0.6:{bind.port}"), seconds=0.5)().add([RECORD])
    assert caught.value.code == "provider-timeout"
    assert time.monotonic() - started < allowed(2)


def test_a_call_that_was_left_behind_writes_nothing_more(bind: Lab) -> None:
    """After a cancel, or without time left, nothing is sent."""
    provider = provider_of("rfc2136")
    gone = threading.Event()
    gone.set()
    for left, cancel in (([30.0], gone), ([0.0], threading.Event())):
        driver = make_driver(provider, rfc2136_account(bind), seconds_left=iter(left * 9).__next__, cancel=cancel)
        with pytest.raises(ProviderError, match="ran out"):
            driver.add([RECORD])
    assert bind.txt(RECORD.name) == set()


def test_the_secret_stays_secret(bind: Lab, context: Context, all_logs: LogTexts) -> None:
    """Errors and logs do not contain the TSIG secret, after a success and after every kind of failure."""
    secret = bind.key.secret
    texts = []
    for changes in ({"tsig_name": "nobody"}, {"server": f"127.0.0.1:{bind.reserve()}"}, {"tsig_algorithm": "hmac-md5"}):
        error = error_of(context, rfc2136_account(bind, **{"tsig_secret": Secret(secret), **changes}))
        texts += [str(error), repr(error), repr(error.to_dict())]
    assert_no_canary([secret], texts=[*texts, *all_logs.texts])


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"tsig_secret": "not base64!"}, "tsig_secret"),
        ({"tsig_secret": None}, "tsig_secret"),
        ({"tsig_name": None}, "tsig_name"),
        ({"tsig_name": "a..b"}, "tsig_name"),
        ({"tsig_algorithm": "rot13"}, "tsig_algorithm"),
        ({"server": "::1:53x"}, "server"),
        ({"server": "127.0.0.1:99999"}, "server"),
        ({"server": "[::1"}, "server"),
        ({"server": "[::1]x"}, "server"),
        ({"server": ""}, "server"),
    ],
)
def test_a_wrong_option_is_reported_before_a_request(bind: Lab, changes: dict[str, str | None], key: str) -> None:
    """A wrong option is a ConfigError that names the option and shows no secret."""
    with pytest.raises(ConfigError) as caught:
        maker(rfc2136_account(bind, **changes))()
    assert caught.value.code == "option-invalid"
    assert caught.value.evidence["key"] == key
    assert "base64!" not in str(caught.value)


@pytest.mark.parametrize("server", ["127.0.0.1", "[::1]", "::1", "[::1]:5353", "ns1.example.test", "localhost:5353"])
def test_addresses_in_every_spelling(bind: Lab, server: str) -> None:
    """HOST, HOST:PORT, and IPv6 with and without brackets and port are accepted."""
    maker(rfc2136_account(bind, server=server))()
