"""The command that stops the old tool is withheld until every server was seen serving from its new files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dnsrenew import Certificate
from dnsrenew.base.values import replace
from dnsrenew.cli import main
from dnsrenew.config import Config
from dnsrenew.deploy.entry import entry_id
from dnsrenew.extensions.setup.importing import served_check as seen
from dnsrenew.extensions.setup.importing.importer import ImportResult
from tests.kit.deployments import make_certificate
from tests.kit.program import named_in
from tests.kit.tls_stand_in import serving
from tests.kit.tool_folders import OldMachine, rsa_key
from tests.lab import ports

COMMAND = "rm /etc/cron.d/certbot"
NGINX = "etc/nginx/sites-enabled/example"


class Switched:
    """A machine whose nginx was led to the new files after an import; certbot renews by cron."""

    def __init__(self, root: Path, port: int) -> None:
        self.machine = machine = OldMachine(root)
        self.port = port
        machine.certbot_account(rsa_key())
        machine.certbot_certificate("example.test")
        machine.write("etc/cron.d/certbot", "0 */12 * * * root certbot -q renew\n")
        live = machine.letsencrypt / "live/example.test"
        pair = f"ssl_certificate {live}/fullchain.pem;\nssl_certificate_key {live}/privkey.pem;\n"
        machine.write(NGINX, f"server {{\nlisten {port} ssl;\n{pair}}}\n")
        self.first = self.again()
        for line in self.first.lines:
            file = machine.root / line.file.lstrip("/")
            file.write_text(file.read_text().replace(line.text, line.new))

    def again(self) -> ImportResult:
        """Import once more."""
        return self.machine.imported(self.machine.letsencrypt, "certbot")

    @property
    def stored(self) -> Certificate:
        """The certificate in the store, which is that of certbot."""
        store = self.machine.store
        found = store.certificate("example.test", store.read_state("example.test"))
        assert found is not None
        return found

    @property
    def config(self) -> Path:
        """The configuration of nginx."""
        return self.machine.root / NGINX

    @contextmanager
    def serving(self, certificate: Certificate) -> Iterator[None]:
        """Serve a certificate on nginx's port; the process is this one, which was started long before."""
        with serving(certificate, port=self.port):
            yield


@pytest.fixture
def switched(tmp_path: Path) -> Iterator[Switched]:
    """The machine, with a port that nothing else uses."""
    with ports.reserve("127.0.0.1") as port:
        yield Switched(tmp_path / "machine", port.number)


def assert_withheld(result: ImportResult, reason: str) -> None:
    """No step and nothing in the document has the command; the reason is in both."""
    document = result.to_dict()
    assert COMMAND not in " ".join(str(step) for step in result.left.steps)
    assert (document["stop"], COMMAND in str(document)) == (None, False)
    assert re.search(reason, document["stop_reason"])
    assert any(re.search(reason, step) for step in document["next"])
    _, path, *options = named_in(document["next"][-1], "import {path} --from {tool}").split()
    assert (Path(path).name, options[:3]) == ("letsencrypt", ["--from", "certbot", "--config"])  # as `again` imports


def assert_named(result: ImportResult) -> None:
    """The command is the last step, and in the document."""
    document = result.to_dict()
    assert (COMMAND in result.left.steps[-1], document["stop_reason"]) == (True, None)
    assert [stop["command"] for stop in document["stop"]] == [COMMAND]


def test_not_before_the_lines_are_changed(switched: Switched) -> None:
    """The document names the servers that still read the old files."""
    document = switched.first.to_dict()
    assert (document["stop"], COMMAND in str(document)) == (None, False)
    assert f"/{NGINX}" in document["stop_reason"]


def test_the_new_files_are_there_at_once(switched: Switched) -> None:
    """The new files exist right after the import, without a deployment."""
    folder = switched.machine.target.parent / "live/example.test"
    assert (folder / "fullchain.pem").read_text() == switched.stored.fullchain_pem
    assert (folder / "privkey.pem").read_text() == switched.stored.private_key_pem
    if os.name == "posix":
        assert (folder / "privkey.pem").stat().st_mode & 0o777 == 0o600
    assert not any("dnsrenew deploy" in step for step in switched.first.left.steps)


def test_another_certificate_is_served(switched: Switched, tmp_path: Path) -> None:
    """If the port serves another certificate, the old folder is not named for removal."""
    with switched.serving(make_certificate(tmp_path / "other", "example.test")):
        assert_withheld(switched.again(), f"localhost:{switched.port} serves another certificate")


def test_a_port_that_is_closed(switched: Switched) -> None:
    """If the port is closed, the old folder is not named for removal."""
    assert_withheld(switched.again(), f"localhost:{switched.port} served no certificate")


def test_the_same_certificate_proves_nothing(switched: Switched, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server may have the old files open: old and new hold the same certificate. The command named helps."""
    monkeypatch.setattr(seen, "has_loaded_since", lambda *_: False)
    monkeypatch.setattr(seen, "_changed", lambda *_: 0.0)  # long ago: deployments are noted in whole seconds
    with switched.serving(switched.stored):
        result = switched.again()
        assert_withheld(result, "dnsrenew cannot tell whether nginx has loaded")
        target = switched.machine.target
        target.write_text(re.sub(r"reload = \[.*?\]", 'reload = ["true"]', target.read_text()))
        line = named_in(" ".join(map(str, result.left.steps)), "deploy --force {name}")
        assert main([*line.split(), "--config", str(target)]) == 0
        assert_named(switched.again())


def test_a_server_that_was_loaded_since(switched: Switched, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server loaded after the change of its configuration uses the new paths."""
    asked: list[tuple[int, float]] = []

    def loaded(port: int, moment: float) -> bool:
        asked.append((port, moment))
        return True

    monkeypatch.setattr(seen, "has_loaded_since", loaded)
    with switched.serving(switched.stored):
        assert_named(switched.again())
    (port, moment) = asked[0]
    assert (port, moment >= switched.config.stat().st_mtime) == (switched.port, True)


@pytest.mark.parametrize(
    ("fields", "is_proof"),
    [
        ({"ok": True, "changed": True, "hours": 1}, True),
        ({"ok": True, "changed": True, "hours": -1}, False),
        ({"ok": True, "changed": False, "hours": 1}, False),
        ({"ok": False, "changed": True, "hours": 1}, False),
    ],
)
def test_a_deployment_that_reloaded_it_since(switched: Switched, fields: dict[str, Any], is_proof: bool) -> None:
    """A deployment after the change proves it. An earlier one, or one without a change, does not."""
    store = switched.machine.store
    state = store.read_state("example.test")
    (entry,) = Config.load(switched.machine.target).certificates[0].deploy
    time = (datetime.now(UTC) + timedelta(hours=fields["hours"])).isoformat()
    record = {"to": "files", "target": "x", "serial": state.serial, "time": time, **fields}
    store.write_state("example.test", replace(state, deployments={entry_id(entry): record}))
    with switched.serving(switched.stored):
        result = switched.again()
    (assert_named if is_proof else lambda found: assert_withheld(found, "dnsrenew cannot tell"))(result)


def test_a_newer_certificate_of_the_store(switched: Switched) -> None:
    """Only the new files have the newer certificate, so serving it proves that they are used."""
    machine = switched.machine
    archive = machine.letsencrypt / "archive/example.test"
    for file in sorted((machine.letsencrypt / "live/example.test").iterdir()):
        file.unlink()
    (machine.letsencrypt / "live/example.test").rmdir()
    for file in archive.iterdir():
        file.unlink()
    archive.rmdir()
    machine.certbot_certificate("example.test", age=timedelta(days=9))
    with switched.serving(switched.stored):
        assert_named(switched.again())


def test_no_configuration_names_the_new_files(switched: Switched) -> None:
    """The old folder is kept while an entry exists but no server's configuration names the new files."""
    switched.config.unlink()
    assert_withheld(switched.again(), "No server configuration contains")
    target = switched.machine.target
    target.write_text(re.sub(r"deploy = \[.*?^\]\n", "", target.read_text(), flags=re.DOTALL | re.MULTILINE))
    assert_named(switched.again())


def test_every_server_has_to_be_seen(switched: Switched, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server with an unknown port is named with its remedy."""
    monkeypatch.setattr(seen, "has_loaded_since", lambda *_: True)
    new = switched.machine.target.parent / "live/example.test/fullchain.pem"
    odd = switched.machine.write("etc/odd/odd.conf", f"cert = {new}\n")
    switched.machine.write(NGINX, "# gone\n")
    target = switched.machine.target
    text = target.read_text()
    target.write_text(text.replace(f', verify = "localhost:{switched.port}"', ""))
    assert target.read_text() != text
    with switched.serving(switched.stored):
        assert_withheld(switched.again(), "does not show on which port the server serves example.test.*`verify`")
        target.write_text(text)
        assert_named(switched.again())
    assert odd.exists()


def test_a_port_of_one_server_does_not_vouch_for_another(switched: Switched, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second server with an unknown port needs its own address in `verify`."""
    monkeypatch.setattr(seen, "has_loaded_since", lambda *_: True)
    new = switched.machine.target.parent / "live/example.test/fullchain.pem"
    switched.machine.write("etc/prosody/conf.d/example.lua", f'certificate = "{new}";\n')
    target, own = switched.machine.target, f'"localhost:{switched.port}"'
    with switched.serving(switched.stored), serving(switched.stored) as other:
        assert_withheld(switched.again(), "does not show on which port Prosody serves example.test")
        text = target.read_text()
        target.write_text(text.replace(f"verify = {own}", f'verify = [{own}, "localhost:{other}"]'))
        assert_named(switched.again())


def test_each_port_of_a_configuration_is_asked(
    switched: Switched, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Every port of a configuration must serve the certificate."""
    monkeypatch.setattr(seen, "has_loaded_since", lambda *_: True)
    with ExitStack() as stack:
        stack.enter_context(switched.serving(switched.stored))
        other = stack.enter_context(serving(make_certificate(tmp_path / "other", "example.test")))
        switched.config.write_text(f"listen {other} ssl;\n" + switched.config.read_text())
        assert_withheld(switched.again(), f"localhost:{other} serves another certificate")


def test_a_store_without_the_certificate(switched: Switched) -> None:
    """Without the certificate in the store, and with certbot's one lost too, certbot is not stopped."""
    switched.machine.store.remove("example.test")
    (switched.machine.letsencrypt / "archive/example.test/privkey1.pem").unlink()
    assert_withheld(switched.again(), "The store has no certificate example.test")
