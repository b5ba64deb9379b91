"""do.de: what only it does, besides what holds of all hosts that keep one value."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dnsrenew.testing import check_driver
from tests.kit.host_work import Work
from tests.kit.hosts.stand_in import FOREIGN, ZONE, record
from tests.kit.one_value_hosts import Dode

OURS = "_acme-challenge.home.example.com."


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
    """A value at another name stays, and a name is cleared once."""
    work = Work(host)
    work.add([record("one", OURS)])
    work.remove([record("one", OURS), record("two", OURS)])
    assert len(host.asked) == 2
    assert list(host.values.values()) == [(ZONE, "v=spf1 -all"), FOREIGN]


def test_a_wrong_token_or_another_domain(host: Dode) -> None:
    """The API does not say which of both is wrong, so the error names both."""
    elsewhere = record("one", "_acme-challenge.example.org.", "example.org.")
    error = Work(host).failure(Work(host).add, [elsewhere])
    assert (error.code, error.evidence["zone"]) == ("provider-unauthorized", "example.org")


def test_a_long_value(host: Dode) -> None:
    """A value of more than 255 characters is written as it is."""
    Work(host).add([record("0123456789" * 40, OURS)])
    assert host.look(OURS) == {"0123456789" * 40}
