"""The first advice where every route of a certificate needs an open port: DNS, which needs none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from dnsrenew.base.clock import SystemClock
from dnsrenew.base.model import CertificateSpec, Check, Diagnosis, DnsAccount, Route
from dnsrenew.base.runtime import Context
from dnsrenew.base.translation import Translator
from dnsrenew.challenges.records import DnsInstead
from dnsrenew.challenges.texts import HTTP_PORT_FORBIDDEN, TLS_PORT_FORBIDDEN
from dnsrenew.config import Config
from dnsrenew.drivers.catalogue import find_provider
from dnsrenew.errors import CAError
from dnsrenew.extensions.doctor import examine
from dnsrenew.extensions.doctor.command import report_lines
from dnsrenew.extensions.doctor.facts import Facts
from dnsrenew.extensions.doctor.host.texts import PORT_FORBIDDEN
from dnsrenew.extensions.doctor.table import CheckEntry
from dnsrenew.store import FolderStore
from tests.kit.certificates import issue
from tests.kit.config_files import write
from tests.kit.fallback_stage import dns, http, site
from tests.kit.renew_stage import Stage
from tests.kit.tool_folders import OldMachine

ROUTE = '{ challenge = "dns-01", dns = "home" }'


def fixes(stage: Stage, **changes: Any) -> list[str]:
    """The fixes of a run that failed: of its outcome, and of each attempt."""
    outcome = stage.one({**site(stage), **changes})
    assert outcome.status == "failed"
    assert outcome.error is outcome.attempts[-1].error
    return [error.fix for error in (outcome.error, *(each.error for each in outcome.attempts)) if error is not None]


def test_a_closed_port_and_an_account(stage: Stage) -> None:
    """The route to add comes first, ready to paste; what would open the port comes after it, also in the store.

    The port of a user who is not allowed to open it has no other word about DNS: it was the first one.
    """
    assert not any("dns-01" in text.fix for text in (HTTP_PORT_FORBIDDEN, TLS_PORT_FORBIDDEN, PORT_FORBIDDEN))
    found = fixes(stage, **{"certificate.0.routes": [http(stage.lab.reserve())]})
    for fix in found:
        assert fix.startswith(f"Add {ROUTE} to the routes of ")
        assert "port 80" in fix.partition(ROUTE)[2]
    (status,) = stage.renewer(site(stage)).status(["home"])
    assert status.last_failure is not None
    assert status.last_failure["fix"] == found[0]


def test_the_route_that_is_named_works(stage: Stage) -> None:
    """With the line that the fix names, the next run obtains the certificate."""
    closed = http(stage.lab.reserve())
    assert ROUTE in fixes(stage, **{"certificate.0.routes": [closed]})[0]
    assert stage.one({**site(stage), "certificate.0.routes": [closed, dns("home")]}, now=True).status == "renewed"


def test_a_dns_route_that_failed_too_is_not_advised(stage: Stage) -> None:
    """Where a dns-01 route stands, the closed port keeps its own advice."""
    routes = [http(stage.lab.reserve()), dns("home")]
    found = fixes(stage, **{"certificate.0.routes": routes, "dns.home.server": "127.0.0.1:9"})
    assert any("port 80" in fix for fix in found)
    assert not any("Otherwise" in fix for fix in found)


def test_an_account_of_other_zones_is_not_advised(stage: Stage) -> None:
    """An account that may not write for the name is no way; a program without a file is not sent to init."""
    changes = {"certificate.0.routes": [http(stage.lab.reserve())], "dns.home.zones": ["other.test"]}
    for fix in fixes(stage, **changes):
        assert fix.startswith("Use a dns-01 route, which needs no open port.")


def test_what_renew_prints(stage: Stage) -> None:
    """On the screen the route comes before anything about the port; in Chinese it is the same line."""
    stage.workspace.write({**site(stage), "certificate.0.routes": [http(stage.lab.reserve())]})
    done = stage.workspace.run("renew", "--now")
    assert done.returncode == 1
    advice = done.stdout[done.stdout.index(ROUTE) :]
    assert "http-01" in done.stdout
    assert "Or keep using the port. Forward port 80" in " ".join(advice.split())
    stage.workspace.write({**site(stage), "dns.home.zones": ["b.test"], "certificate.0.routes": [http(1)]})
    assert "dnsrenew init" in stage.workspace.run("renew", "--now").stdout
    shown = Translator("zh").message(fixes(stage, **{"certificate.0.routes": [http(stage.lab.reserve())]})[0])
    assert ROUTE in shown
    assert "Otherwise" not in shown


@pytest.mark.parametrize("challenge", ["http-01", "tls-alpn-01"])
@pytest.mark.parametrize(
    ("code", "is_advised"),
    [
        ("ca-connection", True),
        ("ca-dns", True),
        ("ca-order-invalid", True),
        ("http-port-forbidden", True),
        ("tls-alpn-not-served", True),
        ("ca-rate-limited", False),
        ("ca-caa", False),
    ],
)
def test_what_every_failure_of_a_port_advises(challenge: Any, code: str, *, is_advised: bool) -> None:
    """A failed validation has DNS as its first advice, of whatever type its problem is; what also stops DNS has not."""
    routes = (Route(challenge),)
    spec = CertificateSpec(name="home", domains=("a.test",), identifiers=("a.test",), ca="lab", routes=routes)
    account = DnsAccount("duckdns", name="home", token="env:T")
    provider = find_provider("rfc2136")
    assert provider is not None
    instead = DnsInstead({"home": account}, {"duckdns": provider}, has_file=True)
    fix = instead.error(spec, CAError(code, "It failed.", fix="Mend it.")).fix
    assert fix.startswith(f"Add {ROUTE} to the routes of home") is is_advised
    assert fix.endswith("Mend it.")


def test_an_address_has_no_other_way(stage: Stage) -> None:
    """DNS cannot prove an IP address, so the port stays the only advice."""
    changes = {"certificate.0.domains": ["127.0.0.1"], "certificate.0.routes": [http(stage.lab.reserve())]}
    assert "dns-01" not in stage.failed(changes).fix


# ── the doctor ──────────────────────────────────────────────────────────────────────────


CERTIFICATE: Final = """\
agree_terms = true
[[certificate]]
domains = ["a.test"]
routes = [{ challenge = "http-01" }]
"""
ACCOUNT: Final = """\
[dns.hand]
provider = "manual"
[dns.elsewhere]
provider = "hook"
program = ["/bin/true"]
zones = ["b.test"]
[dns.home]
provider = "hook"
program = ["/bin/true"]
"""


def patch_checks(monkeypatch: pytest.MonkeyPatch, results: Mapping[str, str]) -> None:
    """Give the checks these results; all others are ok."""

    def function(entry: CheckEntry) -> Callable[..., Check | None]:
        def made(_facts: Facts, **_about: Any) -> Check | None:
            result = results.get(entry.code, "ok")
            return Check(entry.code, result, "", {}, f"Mend {entry.code}.", entry.blocks)  # type: ignore[arg-type]

        return made

    monkeypatch.setattr(CheckEntry, "function", property(function))


def examined(
    folder: Path, monkeypatch: pytest.MonkeyPatch, results: Mapping[str, str], accounts: str = ""
) -> Diagnosis:
    """The diagnosis of a certificate with an http-01 route, with these results of its checks."""
    patch_checks(monkeypatch, results)
    loaded = Config.load(write(folder, CERTIFICATE.replace("[[", accounts + "[[", 1)))
    context = Context(clock=SystemClock())
    (found,) = examine.examine(context, loaded, FolderStore(folder / "store"), loaded.certificates)
    return found


@pytest.mark.parametrize("result", ["bad", "unknown"])
def test_the_doctor_names_the_route_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, result: str) -> None:
    """The next action, and the first fix on the screen, is the route to add; then what would open the port."""
    found = examined(tmp_path, monkeypatch, {"port-80-firewall": result, "nat": result}, ACCOUNT)
    assert found.renewable is (False if result == "bad" else None)
    expected = f"Add {ROUTE} to the routes of a.test: DNS needs no open port. Or keep using the port. Mend nat."
    assert found.next_action == expected
    screen = "\n".join(report_lines([found], None, verbose=0, quiet=False))
    assert screen.count("Mend ") == 3  # the last line is the next action
    assert screen.index(expected) < screen.index("Mend port-80-firewall.")


def test_the_doctor_names_init_where_no_account_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a DNS account it is init that sets one up."""
    found = examined(tmp_path, monkeypatch, {"address": "bad"})
    assert found.next_action is not None
    assert found.next_action.startswith(
        "Add a DNS account (`dnsrenew providers NAME` prints its block, `dnsrenew init` in an empty folder asks for "
        'it), and { challenge = "dns-01" } to the routes of a.test'
    )
    assert "dnsrenew init" in found.next_action
    assert found.next_action.endswith("Or keep using the port. Mend address.")


def test_what_stops_every_route_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS does not help where the CA cannot be reached."""
    found = examined(tmp_path, monkeypatch, {"ca-reachable": "bad", "nat": "unknown"}, ACCOUNT)
    assert found.next_action == "Mend ca-reachable."


@pytest.mark.parametrize("internet", ["ok", "bad", "unknown"])
def test_the_doctor_without_a_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, internet: str) -> None:
    """It says that port 80 is not needed, and names init; without the Internet that comes first."""
    patch_checks(monkeypatch, {"port-80-outside": "unknown", "port-80-free": "unknown", "internet": internet})
    (found,) = examine.examine(Context(clock=SystemClock()), None, None, (), may_init=True)
    advice = (
        "Run `dnsrenew init` and validate by DNS, which needs no open port. Or keep using the port. Mend port-80-free."
    )
    assert found.next_action == (advice if internet == "ok" else "Mend internet.")


# ── import ──────────────────────────────────────────────────────────────────────────────


def hfs(machine: OldMachine) -> Path:
    """HFS's folder, with a certificate that it renews itself."""
    return machine.write("home/me/.hfs/config.yaml", "port: 8080\nhttps_port: 443\nacme_domain: a.test\n").parent


def certbot(machine: OldMachine) -> Path:
    """The folder of certbot, with a certificate by `--standalone`."""
    machine.certbot_certificate("a.test")
    return machine.letsencrypt


def caddy(machine: OldMachine) -> Path:
    """The data folder of Caddy, which renews through its own ports."""
    chain, key, _ = issue(["a.test"], datetime.now(UTC) - timedelta(days=1))
    place = "var/lib/caddy/certificates/acme-v02.api.letsencrypt.org-directory/a.test/a.test"
    machine.write(f"{place}.json", '{"sans": ["a.test"]}')
    machine.write(f"{place}.key", key.decode(), 0o600)
    return machine.write(f"{place}.crt", chain).parents[3]


@pytest.mark.parametrize("tool", [hfs, certbot, caddy])
def test_after_an_import_dns_is_the_first_step(tmp_path: Path, tool: Callable[[OldMachine], Path]) -> None:
    """What was renewed through a port has DNS as its first step: an account to add, where none stands."""
    machine = OldMachine(tmp_path / "machine")
    folder = tool(machine)
    (first, *others) = machine.imported(folder, tool.__name__).left.steps
    assert "dnsrenew init" in first
    assert "DNS" in first
    assert not any("DNS" in step for step in others)
    assert ("dnsrenew providers" in first) is (tool is not hfs)  # all that HFS has, init finds too: no block to write


def test_after_an_import_with_an_account_the_route_is_the_first_step(tmp_path: Path) -> None:
    """An account that another certificate brought is the route to add; once it stands, the step is gone."""
    machine = OldMachine(tmp_path / "machine")
    secret = machine.write("root/c.ini", "dns_cloudflare_api_token = x\n", 0o600)
    machine.certbot_certificate("b.test", authenticator="dns-cloudflare", dns_cloudflare_credentials=str(secret))
    first = machine.imported(certbot(machine), "certbot").left.steps[0]
    route = '{ challenge = "dns-01", dns = "cloudflare" }'
    assert f"If it is closed, add {route} to its routes" in first
    text = machine.target.read_text()
    line = next(line for line in text.splitlines() if '"http-01"' in line)
    machine.target.write_text(
        text.replace(line, f"{line.rstrip(' ]')}, {route}]" if "]" in line else f"{line}\n{route},")
    )
    assert not any("open port" in step for step in machine.imported(machine.letsencrypt, "certbot").left.steps)
