"""`dnsrenew import` of a certbot that has issued at the lab's CA: nothing is ordered, and the next renewal is ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.kit.old_tools import OldTool, contents
from tests.lab import AcmeProxy
from tests.lab.workspace import Workspace

ZONE = "import-certbot.test"


@pytest.fixture
def tool(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> OldTool:
    """A folder outside the workspace, because secret files are in it."""
    workspace.lab.add_zone(ZONE)
    return OldTool(workspace, tmp_path_factory.mktemp("certbot"))


def issue(tool: OldTool, ca: AcmeProxy, *arguments: str) -> None:
    """Let certbot obtain a certificate with its plug-in for RFC 2136."""
    lab = tool.workspace.lab
    ini = tool.root / "rfc2136.ini"
    lines = {"server": "127.0.0.1", "port": lab.port, "name": lab.key.name, "secret": lab.key.secret}
    ini.write_text("".join(f"dns_rfc2136_{key} = {value}\n" for key, value in lines.items()))
    with ini.open("a") as file:
        file.write("dns_rfc2136_algorithm = HMAC-SHA256\n")
    ini.chmod(0o600)
    plugin = ["--authenticator", "dns-rfc2136", "--dns-rfc2136-credentials", str(ini)]
    wait = ["--dns-rfc2136-propagation-seconds", "1"]
    account = ["--agree-tos", "--email", "me@example.test"]
    tool.certbot("certonly", *plugin, *wait, *account, *arguments, server=ca.directory_url)


def signed_by(ca: AcmeProxy) -> set[str]:
    """Return the account URLs of all orders."""
    return {exchange.request.header["kid"] for exchange in ca.of_kind("newOrder")}


def renewed(tool: OldTool, *arguments: str) -> Any:
    """Return the only outcome of a run."""
    _, document = tool.dnsrenew("renew", *arguments)
    (outcome,) = document["outcomes"]
    return outcome


def test_certbot_is_taken_over(tool: OldTool, ca: AcmeProxy) -> None:
    """The import sends no request and changes no file of certbot. The first renewal uses certbot's account."""
    hook, folder = tool.root / "hook.txt", tool.root / "le"
    command = f'echo "$RENEWED_LINEAGE $RENEWED_DOMAINS" > {hook}'
    issue(tool, ca, "-d", ZONE, "-d", f"*.{ZONE}", "--deploy-hook", command)
    hook.unlink()
    before, counts = contents(folder), ca.counts

    status, document = tool.imported(folder, "certbot")
    assert (status, document["not_understood"]) == (0, [])
    assert (ca.counts, contents(folder)) == (counts, before)
    (certificate,), (account,) = document["certificates"], document["accounts"]
    assert (certificate["name"], certificate["stored"], certificate["from"]) == (ZONE, True, "certbot")
    assert account["url"] == json.loads(next(folder.rglob("regr.json")).read_text())["uri"]
    secret = tool.target.parent / "rfc2136-tsig-secret.txt"
    assert (secret.read_text().strip(), secret.stat().st_mode & 0o777) == (tool.workspace.lab.key.secret, 0o600)
    assert {str(secret), str(tool.target)} == set(document["written"])

    tool.at_the_lab(trust=True)
    (known,) = tool.dnsrenew("status")[1]["certificates"]
    assert (known["state"], known["reason"]) == ("valid", "renew-before")
    outcome = renewed(tool)
    assert (outcome["status"], ca.counts["newOrder"], hook.exists()) == ("not-due", counts["newOrder"], False)
    tool.workspace.lab.flush()  # certbot's values live for two minutes
    outcome = renewed(tool, "--force")
    assert (outcome["status"], outcome["error"], ca.counts["newAccount"]) == ("renewed", None, 1)
    assert signed_by(ca) == {account["url"]}
    lineage, *domains = hook.read_text().split()
    assert (Path(lineage).name, domains) == ("current", [ZONE, f"*.{ZONE}"])


def test_an_import_can_be_repeated(tool: OldTool, ca: AcmeProxy) -> None:
    """A second import writes nothing. The key type and `reuse_key` are imported."""
    issue(tool, ca, "-d", f"twice.{ZONE}", "--key-type", "rsa", "--rsa-key-size", "3072", "--reuse-key")
    _, first = tool.imported(tool.root / "le", "certbot")
    text = tool.target.read_text("utf-8")
    status, second = tool.imported(tool.root / "le", "certbot")
    assert (status, second["written"], tool.target.read_text("utf-8")) == (0, [], text)
    assert [each["key"] for each in first["certificates"]] == ["rsa3072"]
    assert "reuse_key = true" in text
