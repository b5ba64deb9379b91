"""The driver rfc2136 and whole runs with other real servers than BIND: Knot as the primary, NSD as a secondary."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dnsrenew import DnsAccount, TxtRecord
from dnsrenew.base.runtime import Context
from dnsrenew.drivers.invoke import call_add
from dnsrenew.errors import ProviderError
from dnsrenew.testing import check_driver
from tests.kit.drivers import assert_nothing_foreign, maker, provider_of
from tests.kit.renew_stage import Stage, names_in, through
from tests.lab import Knot, Lab, Nsd, TsigKey, Zone
from tests.lab.canary import assert_no_canary
from tests.lab.workspace import Workspace

KNOT, NSD = "127.0.0.4", "127.0.0.8"
KEY, OTHER_KEY = TsigKey("knot-key"), TsigKey("knot-other-key", algorithm="hmac-sha512")
FOREIGN = '_acme-challenge TXT "foreign"'
ALONE = Zone("knot.test", FOREIGN, (KNOT,), (KNOT,), KEY)
"""On Knot only; the key may change two names."""
BOTH = Zone("knotnsd.test", "", (KNOT, NSD), (KNOT, NSD), KEY)
"""NSD is its secondary."""
WHOLE = Zone("knotwhole.test", "", (KNOT,), (KNOT,), OTHER_KEY)
"""On Knot only; another key may change all names."""
CHALLENGE = f"_acme-challenge.{ALONE.name}"
OWNERS = {zone.name: ("_acme-challenge", "_acme-challenge.www") for zone in (ALONE, BOTH)}
NO_KEY: dict[str, Any] = {"tsig_name": None, "tsig_secret": None, "tsig_algorithm": None}


def account(lab: Lab, key: TsigKey = KEY, **changes: Any) -> dict[str, Any]:
    """Return the options of an account at Knot; None removes one."""
    options = {**lab.account(key), "server": f"{KNOT}:{lab.port}", "tsig_secret": key.secret, **changes}
    return {name: value for name, value in options.items() if value is not None and name != "zones"}


def dns_account(lab: Lab, key: TsigKey = KEY, **changes: Any) -> DnsAccount:
    """The account as the library's own value."""
    options = account(lab, key, **changes)
    return DnsAccount(options.pop("provider"), name="home", **options)


def refusal(lab: Lab, name: str = CHALLENGE, zone: str = ALONE.name, **changes: Any) -> ProviderError:
    """Make an add that must fail; return its error."""
    record = TxtRecord(f"{zone}.", f"{name}.", "v" * 43, 60)
    with closing(Context()) as context, pytest.raises(ProviderError) as caught:
        call_add(context, provider_of("rfc2136"), dns_account(lab, **changes), [record])
    assert_nothing_foreign(caught.value)
    assert_no_canary([KEY.secret, OTHER_KEY.secret], texts=[repr(caught.value.to_dict())])
    return caught.value


@pytest.fixture
def knot(lab: Lab) -> Iterator[Knot]:
    """A Knot with all three zones, in the lab's Internet."""
    folder = Path(tempfile.mkdtemp(prefix="knot-", dir=lab.folder))
    zones = (ALONE, BOTH, WHOLE)
    with Knot(folder, KNOT, lab.port, zones, owners=OWNERS) as server:
        lab.resolver.set_stubs({ALONE.name: ALONE.served_by, BOTH.name: BOTH.served_by})
        yield server


@pytest.fixture
def nsd(lab: Lab, knot: Knot) -> Iterator[Nsd]:
    """An NSD that has transferred knotnsd.test, and hears of a change when the test says so."""
    folder = Path(tempfile.mkdtemp(prefix="nsd-", dir=lab.folder))
    with Nsd(folder, NSD, lab.port, [BOTH.name], primary=(knot.address, knot.port)) as server:
        yield server


@pytest.fixture
def stage(workspace: Workspace, knot: Knot) -> Stage:
    """A workspace whose account `home` is at Knot."""
    workspace.canaries += [KEY.secret, OTHER_KEY.secret]
    return Stage(workspace, {"dns.home.tsig_secret": None, "dns": {"home": account(workspace.lab)}})


def certificate(*names: str) -> dict[str, Any]:
    """The change that asks for a certificate with these names."""
    return {"certificate": [{"name": "home", "domains": list(names)}]}


# ── Knot ────────────────────────────────────────────────────────────────────────────────


def test_the_driver_keeps_its_contract_on_knot(lab: Lab, knot: Knot) -> None:
    """The conformance test passes, and a wrong secret is refused as such."""
    good, bad = dns_account(lab, OTHER_KEY), dns_account(lab, OTHER_KEY, tsig_secret=KEY.secret)
    check_driver(maker(good), WHOLE.name, look=knot.txt, patience=5, wrong=maker(bad), parallel=True)


NOT_AUTHORIZED = "does not accept the key for the zone knot.test, or is not its primary server (NOTAUTH)"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tsig_secret": OTHER_KEY.secret}, "has another secret for the key"),
        ({"tsig_name": "nobody"}, NOT_AUTHORIZED),
        ({"tsig_algorithm": "hmac-sha512"}, NOT_AUTHORIZED),
        (NO_KEY, NOT_AUTHORIZED),
        ({"key": OTHER_KEY}, NOT_AUTHORIZED),
        ({"name": f"www.{ALONE.name}"}, NOT_AUTHORIZED),
    ],
    ids=["secret", "name", "algorithm", "unsigned", "key-of-another-zone", "name-that-the-key-may-not-change"],
)
def test_knot_refuses_a_wrong_key(lab: Lab, knot: Knot, changes: dict[str, Any], words: str) -> None:
    """For a wrong key the error is about the key, and nothing is written."""
    error = refusal(lab, **changes)
    assert error.code == "provider-unauthorized"
    assert words in error.message
    assert "tsig_secret" in error.fix
    assert knot.txt(CHALLENGE) == {"foreign"}
    assert knot.txt(f"www.{ALONE.name}") == set()


@pytest.mark.usefixtures("knot")
def test_knot_refuses_a_zone_that_it_does_not_have(lab: Lab) -> None:
    """The error names the zone and the server."""
    error = refusal(lab, "_acme-challenge.notknot.test", "notknot.test")
    assert error.code == "provider-unauthorized"
    assert f"The name server {KNOT}:{lab.port} of the account home" in error.message
    assert "the zone notknot.test, or is not its primary server (NOTAUTH)" in error.message
    assert "Compare `server`" in error.fix


@pytest.mark.usefixtures("knot")
def test_knot_refuses_a_name_outside_the_zone(lab: Lab) -> None:
    """A name outside the account's zone is refused."""
    error = refusal(lab, CHALLENGE, WHOLE.name, key=OTHER_KEY)
    assert error.code == "provider-zone-unknown"
    assert "a name is outside the zone knotwhole.test (NOTZONE)" in error.message


def test_a_renewal_through_knot(stage: Stage, knot: Knot) -> None:
    """A key that may change only the two challenge names is enough; the foreign value stays."""
    seen: list[set[str]] = []
    challenges = (CHALLENGE, f"_acme-challenge.www.{ALONE.name}")
    stage.on_kind["txt-written"] = lambda: seen.append(set().union(*map(knot.txt, challenges)))
    names = (ALONE.name, f"*.{ALONE.name}", f"www.{ALONE.name}")
    stage.renewed(certificate(*names))
    assert names_in(stage.leaf()) == set(names)
    assert len(seen[-1]) == 4
    assert "foreign" in seen[-1]
    assert [knot.txt(name) for name in challenges] == [{"foreign"}, set()]


# ── NSD ─────────────────────────────────────────────────────────────────────────────────


def test_a_renewal_waits_for_nsd(stage: Stage, knot: Knot, nsd: Nsd) -> None:
    """Knot has the value at once; the challenge is answered when NSD has it too."""
    challenge = f"_acme-challenge.{BOTH.name}"
    written: list[tuple[int, int]] = []
    visible: list[tuple[set[str], set[str]]] = []
    late = {KNOT: "agrees", NSD: "waiting"}

    def states() -> list[dict[str, str]]:
        waits = stage.event_data("dns-waiting")
        return [{server["address"]: server["state"] for server in data["servers"]} for data in waits]

    stage.on_kind["txt-written"] = lambda: written.append((len(knot.txt(challenge)), len(nsd.txt(challenge))))
    stage.on_kind["dns-waiting"] = lambda: nsd.notify(BOTH.name) if states()[-1] == late else None
    stage.on_kind["dns-visible"] = lambda: visible.append((knot.txt(challenge), nsd.txt(challenge)))
    stage.renewed(certificate(BOTH.name))
    assert written == [(1, 0)]
    ((at_knot, at_nsd),) = visible
    assert len(at_knot) == 1
    assert at_nsd == at_knot
    kinds = stage.kinds()
    assert kinds.index("dns-visible") < kinds.index("challenges-answered")
    assert late in states()


@pytest.mark.parametrize("key", [{}, NO_KEY], ids=["signed", "unsigned"])
def test_nsd_refuses_an_update(stage: Stage, nsd: Nsd, key: dict[str, Any]) -> None:
    """NSD takes no updates: the error says so and names the server that does. No challenge is answered."""
    server = f"{nsd.address}:{nsd.port}"
    with stage.lab.acme_proxy() as proxy:
        changes = {"dns": {"home": account(stage.lab, server=server, **key)}, **certificate(BOTH.name)}
        error = stage.failed({**through(proxy), **changes})
        assert proxy.counts["challenge"] == 0
    assert error.code == "provider-refused"
    assert f"{server} of the account home does not support dynamic updates of the zone knotnsd.test" in error.message
    assert "Set `server` to the primary server of the zone" in error.fix
