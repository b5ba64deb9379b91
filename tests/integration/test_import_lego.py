"""`dnsrenew import` of a lego that has issued at the lab's CA, and of the timer that runs it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.kit.old_tools import OldTool, contents
from tests.lab import AcmeProxy
from tests.lab.workspace import Workspace

ZONE = "import-lego.test"


@pytest.fixture
def tool(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> OldTool:
    """A folder outside the workspace, because secret files are in it."""
    workspace.lab.add_zone(ZONE)
    return OldTool(workspace, tmp_path_factory.mktemp("lego"))


def environment(tool: OldTool) -> Mapping[str, str]:
    """Return lego's environment: the DNS host, and the root of the CA's endpoint."""
    lab = tool.workspace.lab
    return {
        "LEGO_CA_CERTIFICATES": str(tool.ca_file),
        "RFC2136_NAMESERVER": f"127.0.0.1:{lab.port}",
        "RFC2136_TSIG_KEY": f"{lab.key.name}.",
        "RFC2136_TSIG_ALGORITHM": "hmac-sha256.",
        "RFC2136_TSIG_SECRET": lab.key.secret,
    }


def options(tool: OldTool, ca: AcmeProxy, domain: str) -> list[str]:
    """Return the options before lego's command. They name the primary, so that the resolver caches nothing."""
    lab = tool.workspace.lab
    own = [
        "--path",
        str(tool.root / "data"),
        "--server",
        ca.directory_url,
        "--email",
        "me@example.test",
        "--accept-tos",
    ]
    return [
        *own,
        "--key-type",
        "ec384",
        "--dns",
        "rfc2136",
        "--dns.disable-cp",
        "--dns.resolvers",
        f"127.0.0.1:{lab.port}",
        "--domains",
        domain,
    ]


def script(tool: OldTool, ca: AcmeProxy, domain: str, hook: Path) -> None:
    """Write a script for cron, as a person does, beside lego's folder."""
    exports = [f"export {name}={value}" for name, value in environment(tool).items()]
    command = " ".join(["lego", *options(tool, ca, domain), "renew", "--days", "30", "--renew-hook"])
    lines = ["#!/bin/sh", *exports, f"{command} 'echo $LEGO_CERT_DOMAIN > {hook}'", ""]
    (tool.root / "renew.sh").write_text("\n".join(lines))


def test_lego_is_taken_over(tool: OldTool, ca: AcmeProxy) -> None:
    """The DNS host, its key and the hook are read from the script. The first renewal uses lego's account."""
    domain, hook, folder = f"*.{ZONE}", tool.root / "hook.txt", tool.root / "data"
    tool.run("lego", *options(tool, ca, domain), "run", env=environment(tool))
    script(tool, ca, domain, hook)
    before, counts = contents(folder), ca.counts

    status, document = tool.imported(folder, "lego")
    assert (status, document["not_understood"]) == (0, [])
    assert (ca.counts, contents(folder)) == (counts, before)
    (certificate,), (account,) = document["certificates"], document["accounts"]
    assert (certificate["name"], certificate["stored"], certificate["key"]) == (f"_.{ZONE}", True, "ecdsa-p384")
    registration = json.loads(next(folder.rglob("account.json")).read_text())["registration"]
    assert (account["url"], account["contact"]) == (registration["uri"], ["mailto:me@example.test"])

    tool.at_the_lab()
    (known,) = tool.dnsrenew("status")[1]["certificates"]
    assert (known["state"], known["reason"]) == ("valid", "renew-before")
    tool.workspace.lab.flush()
    (outcome,) = tool.dnsrenew("renew", "--force")[1]["outcomes"]
    assert (outcome["status"], outcome["error"], ca.counts["newAccount"]) == ("renewed", None, 1)
    assert {exchange.request.header["kid"] for exchange in ca.of_kind("newOrder")} == {account["url"]}
    assert hook.read_text().strip() == domain
