"""No object that contains a secret shows it, however it is printed."""

from __future__ import annotations

import copy
import dataclasses
import json
import logging
import pickle
import pprint
import threading
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from dnsrenew.base.model import CA, DnsAccount, Eab
from dnsrenew.base.model.spec import AccountData
from dnsrenew.base.runtime import Context
from dnsrenew.base.secrets import Secret
from dnsrenew.base.secrets.redactor import Redactor
from dnsrenew.base.values import Frozen
from dnsrenew.config import Config, single_certificate
from dnsrenew.drivers.protocol import DriverContext
from dnsrenew.errors import DnsRenewError
from dnsrenew.renewal.resume import Issued
from dnsrenew.renewer import Renewer
from dnsrenew.store.pending_orders import PendingOrder

CANARY = "canary-values-61fe20"


def redactor() -> Redactor:
    """A redactor that knows the secret."""
    made = Redactor()
    made.add(CANARY)
    return made


def config() -> Config:
    """A configuration made in Python, where every text is the value itself."""
    mapping: Mapping[str, Any] = {
        "agree_terms": True,
        "dns": {"duck": {"provider": "duckdns", "token": CANARY}},
        "ca": {"lab": {"directory": "https://ca.test/dir", "eab": {"kid": "k", "hmac": CANARY}}},
        "certificate": [{"domains": ["home.duckdns.org"]}],
    }
    return Config.from_dict(mapping, base="/nowhere")


def saved_order() -> PendingOrder:
    """An order whose key is the secret."""
    return PendingOrder(
        url="https://ca.test/order/1",
        ca="lab",
        account_url=None,
        identifiers=("a.test",),
        profile=None,
        routes={},
        version=None,
        written=None,
        key_pem=CANARY.encode(),
        csr_der=b"",
    )


HOLDERS: dict[str, Callable[[], object]] = {
    "secret": lambda: Secret(CANARY),
    "account": lambda: DnsAccount("duckdns", token=CANARY),
    "eab": lambda: Eab("k", CANARY),
    "ca": lambda: CA("https://ca.test/dir", eab=Eab("k", Secret(CANARY))),
    "ca from a mapping": lambda: CA("https://ca.test/dir", eab={"kid": "k", "hmac": CANARY}),
    "issued": lambda: Issued("", CANARY.encode(), Any, None),  # type: ignore[arg-type]  # the facts are not used
    "config": config,
    "accounts": lambda: dict(config().accounts),
    "cas": lambda: dict(config().cas),
    "renewer": lambda: Renewer(config()),
    "driver context": lambda: DriverContext(
        "duck", {"token": Secret(CANARY)}, {}, lambda: 1.0, threading.Event(), logging.getLogger("x")
    ),
    "stored account": lambda: AccountData(key_pem=CANARY.encode(), next_key_pem=CANARY.encode()),
    "saved order": saved_order,
    "redactor": redactor,
    "context": lambda: Context(redactor=redactor()),
    "error": lambda: DnsRenewError("x", f"{Secret(CANARY)}", fix="z", evidence={"a": [repr(Secret(CANARY))]}),
}
PRINTERS: dict[str, Callable[[Any], str]] = {
    "repr": repr,
    "str": str,
    "format": lambda value: f"{value} {value!r}",
    "pprint": pprint.pformat,
    "json": lambda value: json.dumps(value, default=str),
    "copy": lambda value: repr(copy.copy(value)),
    "inside an exception": lambda value: repr(ValueError(value)) + str(ValueError(value)),
    "inside a list": lambda value: str([value]),
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_an_object_with_a_secret_does_not_show_it(holder: str) -> None:
    """No way of printing an object shows its secret."""
    assert [name for name, printed in PRINTERS.items() if CANARY in printed(HOLDERS[holder]())] == []


@pytest.mark.parametrize("holder", ["secret", "account", "accounts", "eab", "ca", "ca from a mapping", "error"])
def test_a_pickle_does_not_have_the_secret(holder: str) -> None:
    """A pickle and a copy of the fields do not contain the secret."""
    held = HOLDERS[holder]()
    assert CANARY.encode() not in pickle.dumps(held)
    assert CANARY not in repr(vars(copy.deepcopy(held)) if hasattr(held, "__dict__") else copy.deepcopy(held))
    if dataclasses.is_dataclass(held) and not isinstance(held, type):
        assert CANARY not in repr(dataclasses.asdict(held))


def test_a_secret_option_of_an_argument_becomes_a_secret() -> None:
    """Options that the provider file marks as secret become a ``Secret``. Others stay text."""
    given = DnsAccount("powerdns", name="home", pdns_server="http://127.0.0.1:8081", auth_token=CANARY)
    used = single_certificate(["a.test"], dns=[given], agree_terms=True).accounts["home"]
    assert isinstance(used.options["auth_token"], Secret)
    assert used.options["auth_token"].reveal() == CANARY
    assert used.options["pdns_server"] == "http://127.0.0.1:8081"


def test_a_subclass_hides_what_its_base_hides() -> None:
    """A subclass hides the fields of its base and may hide more."""

    class Holder(Frozen, hidden=("key",)):
        key: str

    class Plain(Holder):
        name: str

    class Closer(Holder, hidden=("pin",)):
        pin: str

    assert repr(Plain(CANARY, "n")).endswith("Plain(name='n')")
    assert repr(Closer(CANARY, CANARY)).endswith("Closer()")
