"""`eab = "email"` at a real Pebble that creates accounts only with a binding; the service is a stand-in."""

from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from dnsrenew.acme import CAClient
from dnsrenew.base.http import HttpClient
from dnsrenew.base.model import CA, EAB_BY_EMAIL
from dnsrenew.base.model.spec import AccountData
from dnsrenew.base.runtime import Context
from tests.kit.api_server import Api
from tests.kit.ca_box import Box

MAC = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"


def client(box: Box) -> CAClient:
    """A client as `eab = "email"` makes it."""
    ca = CA(box.proxy.directory_url, name="lab", timeout=60, eab="email")
    http = HttpClient(trust=box.lab_ca.trust_pem)
    return CAClient(ca, http, box.store, contact=["me@example.test"], agree_terms=True)


def test_an_account_is_created_with_the_fetched_binding(
    run_pebble: Callable[..., Box], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The binding is fetched once, when the account is created, and is not stored."""
    box = run_pebble(always_valid=True, eab={"kid-1": MAC})
    answer = {"success": True, "eab_kid": "kid-1", "eab_hmac_key": MAC}
    with Api(lambda _: (200, answer)) as service:
        monkeypatch.setitem(EAB_BY_EMAIL, urlsplit(box.proxy.directory_url).netloc, service.url)
        url = client(box).open(Context())
        assert client(box).open(Context()) == url
        assert [asked.body for asked in service.asked] == ["email=me%40example.test"]
        box.store.account = AccountData(box.store.account.key_pem)  # its URL is lost
        assert client(box).open(Context()) == url
        assert len(service.asked) == 1
    assert MAC not in repr(vars(box.store)) + repr(box.store.account.data)
    assert "kid-1" not in repr(box.store.account)
