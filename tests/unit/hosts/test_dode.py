"""do.de, whose stand-in follows https://www.do.de/wiki/freie-ssl-tls-zertifikate-ueber-acme/ and its clients.

The answer is that in the tests of go-acme/lego; acme.sh and lego agree that a deletion has no value.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest

from dnsrenew.testing import check_driver
from tests.kit.api_server import Answer, Asked
from tests.kit.host_work import FAULTS, Work
from tests.kit.hosts.stand_in import FOREIGN, ZONE, HostStandIn, record

OURS = "_acme-challenge.home.example.com."


class Dode(HostStandIn):
    """One GET request writes a value, or deletes those of a name."""

    provider = "dode"
    credentials: ClassVar = {"token": "FmD408PdqT1E269gUK57"}
    secret = "token"

    def answer(self, asked: Asked) -> Answer:
        """Write or delete."""
        parts = urlsplit(asked.path)
        given = {key: values[0] for key, values in parse_qs(parts.query).items()}
        name = given.get("domain", "")
        is_ours = any(name.endswith(zone) for zone in self.zones) and given.get("token") == self.credentials["token"]
        if asked.method != "GET" or parts.path != "/letsencrypt":
            return 404, "<html>Not found</html>"
        if is_ours:
            self.replace(name, () if given.get("action") == "delete" else (given["value"],))
        return 200, {"domain": name, "success": is_ours}


@pytest.fixture
def host() -> Iterator[Dode]:
    """Run the stand-in."""
    with Dode() as stand_in:
        yield stand_in


def test_the_contract_of_drivers(host: Dode) -> None:
    """Every MUST of the protocol holds in a run that does not need two values at a name."""
    work, wrong = Work(host), Work(host, host.account(token="wr0ng-token-0000"))
    check_driver(lambda: work, ZONE, look=host.look, patience=0.1, values="one", wrong=lambda: wrong)


def test_other_names_stay(host: Dode) -> None:
    """A value at another name stays."""
    work = Work(host)
    work.add([record("one", OURS)])
    assert host.look(OURS) == {"one"}
    work.remove([record("one", OURS), record("two", OURS)])
    assert len(host.asked) == 2
    assert list(host.values.values()) == [(ZONE, "v=spf1 -all"), FOREIGN]


def test_a_later_process_clears(host: Dode) -> None:
    """What a killed run has written is removed by the next one."""
    Work(host).add([record("one", OURS)])
    Work(host).remove([record("one", OURS)])
    assert not host.look(OURS)


def test_wrong_credentials(host: Dode) -> None:
    """The API does not say whether the token or the domain is wrong, so the error names both, never the token."""
    work = Work(host, host.account(token="wr0ng-token-0000"))
    error = work.failure(work.add, [record("one", OURS)])
    assert error.code == "provider-unauthorized"
    assert (error.evidence["name"], error.evidence["zone"]) == (OURS.removesuffix("."), ZONE)
    assert "wr0ng" not in json.dumps(error.to_dict())
    elsewhere = record("one", "_acme-challenge.example.org.", "example.org.")
    assert Work(host).failure(Work(host).add, [elsewhere]).code == "provider-unauthorized"


@pytest.mark.parametrize("action", ["add", "remove"])
@pytest.mark.parametrize("fault", FAULTS)
def test_faults(host: Dode, fault: str, action: str) -> None:
    """A fault gives an error with the right code, and a fix with a page."""
    answer, codes = FAULTS[fault]
    host.faults = dict.fromkeys(range(100), answer)
    work = Work(host)
    error = work.failure(getattr(work, action), [record("one", OURS)])
    assert error.code in codes
    assert host.credentials["token"] not in json.dumps(error.to_dict())


def test_a_retry_after_is_kept(host: Dode) -> None:
    """The call waits as long as the host asks, and then succeeds."""
    work = Work(host)
    host.headers["Retry-After"] = "7"
    host.faults = {0: FAULTS["429"][0]}
    work.add([record("one", OURS)])
    assert host.look(OURS) == {"one"}
    assert 7 <= work.context.clock.monotonic() < 8


def test_a_long_value(host: Dode) -> None:
    """A value of more than 255 characters is written as it is."""
    Work(host).add([record("0123456789" * 40, OURS)])
    assert host.look(OURS) == {"0123456789" * 40}
