"""`dnsrenew doctor` as a whole: real servers, healthy hosts of many shapes, output forms, exit statuses."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from tests.kit.program import WorkspaceHere, named_in
from tests.lab import Request, Response
from tests.lab.workspace import Workspace

WORKSPACE = WorkspaceHere

NOT_OF_THE_LAB: Final = {"schedule"}
"""Nothing renews by itself on a machine that runs tests."""
CHINESE: Final = re.compile(r"[\u4e00-\u9fff]")
Change = Callable[[Workspace], dict[str, Any]]


def http(workspace: Workspace) -> dict[str, Any]:
    """A route that listens; only a host outside can tell whether it works."""
    return {"challenge": "http-01", "listen": f"127.0.0.1:{workspace.lab.reserve()}"}


SHAPES: Final[dict[str, Change]] = {
    "as the quick start": lambda _: {},
    "one name": lambda _: {"certificate.0.domains": ["example.test"]},
    "a wildcard alone": lambda _: {"certificate.0.domains": ["*.example.test"]},
    "many names": lambda _: {"certificate.0.domains": [f"n{number}.example.test" for number in range(20)]},
    "port 80 first": lambda workspace: {
        "dns.home.zones": ["example.test", "eighty.test"],
        "certificate.0.domains": ["eighty.test"],
        "certificate.0.routes": [http(workspace), {"challenge": "dns-01", "dns": "home"}],
    },
    "the account by name": lambda _: {"certificate.0.routes": [{"challenge": "dns-01", "dns": "home"}]},
    "two accounts": lambda workspace: {"dns.other": workspace.other_account()},
    "another key": lambda _: {"certificate.0.key": "rsa2048", "certificate.0.reuse_key": True},
    "a fixed time": lambda _: {"certificate.0.renew_before": "10d"},
    "two certificates": lambda _: {
        "certificate": [{"name": name, "domains": [f"{name}.example.test"]} for name in ("a", "b")],
    },
}


def bad(document: dict[str, Any]) -> set[str]:
    """Return the codes of all bad checks, except those that no lab can pass."""
    checks = [check for diagnosis in document["diagnoses"] for check in diagnosis["checks"]]
    return {check["code"] for check in checks if check["result"] == "bad"} - NOT_OF_THE_LAB


LIKE_ANOTHER: Final = {"one name", "a wildcard alone", "the account by name", "another key", "a fixed time"}
"""They differ from the others in what no check looks at: `make soak` runs them."""


@pytest.mark.parametrize(
    "shape", [pytest.param(each, marks=[pytest.mark.slow] if each in LIKE_ANOTHER else []) for each in SHAPES]
)
def test_a_healthy_host_has_no_fault(workspace: Workspace, shape: str) -> None:
    """With each configuration no check is bad. The route is the first that nothing rules out, as `renew` tries it."""
    if shape == "port 80 first":
        workspace.lab.add_zone("eighty.test", "@ A 127.0.0.1\n")
    workspace.write(SHAPES[shape](workspace))
    status, document = workspace.run_json("doctor")
    assert bad(document) == set(), document
    assert status == 0
    for diagnosis in document["diagnoses"]:
        assert diagnosis["renewable"] is True, diagnosis
        assert diagnosis["route"]["challenge"] == ("http-01" if shape == "port 80 first" else "dns-01")
    workspace.assert_clean()


def test_before_and_after_the_first_renewal(workspace: Workspace) -> None:
    """No check is bad before or after the first renewal. `expiry` is unknown before it and ok after it."""
    _, before = workspace.run_json("doctor")
    assert workspace.run("renew").returncode == 0
    _, after = workspace.run_json("doctor", "--probe", "--record")
    assert (bad(before), bad(after)) == (set(), set()), after
    results = [{check["code"]: check["result"] for check in each["diagnoses"][0]["checks"]} for each in (before, after)]
    assert [each["expiry"] for each in results] == ["unknown", "ok"]
    assert {results[1][code] for code in ("dns-credentials", "txt-probe")} == {"ok"}
    workspace.assert_clean()


def test_without_a_configuration_the_host_is_looked_at(workspace: Workspace) -> None:
    """Without a configuration the error is shown, the host is examined, and the exit status is 2."""
    workspace.config_path.unlink()
    status, document = workspace.run_json("doctor")
    assert (status, document["error"]["code"]) == (2, "config-missing")
    (diagnosis,) = document["diagnoses"]
    assert (diagnosis["name"], diagnosis["renewable"], diagnosis["route"]) == (None, None, None)
    assert {"internet", "port-80-free"} <= {check["code"] for check in diagnosis["checks"]}


def test_a_mistake_in_the_configuration(workspace: Workspace) -> None:
    """A mistake in the configuration is shown as by `check`, and the host is examined."""
    workspace.write({"certificate.0.key": "rsa1"})
    status, document = workspace.run_json("doctor")
    assert (status, document["error"]["code"]) == (2, "config-invalid")
    assert document["error"]["evidence"]["mistakes"]
    assert document["diagnoses"][0]["next_action"].startswith("Correct the mistakes in the configuration")
    unknown = [check for check in document["diagnoses"][0]["checks"] if check["result"] == "unknown"]
    assert unknown
    assert {check["evidence"]["follows_from"] for check in unknown} == {"config-invalid"}
    shown = workspace.run("doctor")
    assert not [check["summary"] for check in unknown if check["summary"] in shown.stdout]
    assert "key" in shown.stderr
    assert shown.stdout.splitlines()[-1].startswith("Next: Correct the mistakes")


def test_an_unknown_certificate(workspace: Workspace) -> None:
    """The name of a certificate that is not configured is wrong usage."""
    status, document = workspace.run_json("doctor", "nothing")
    assert (status, document["error"]["code"]) == (2, "certificate-unknown")


def test_what_cannot_be_renewed(workspace: Workspace) -> None:
    """If a certificate cannot be renewed, the exit status is 1 and the next action is the fix of a blocking check."""
    workspace.write({"certificate.0.domains": ["gone.elsewhere.test"], "dns.home.zones": ["example.test"]})
    status, document = workspace.run_json("doctor")
    (diagnosis,) = document["diagnoses"]
    assert (status, diagnosis["renewable"], diagnosis["route"]) == (1, False, None)
    fixes = [check["fix"] for check in diagnosis["checks"] if check["result"] == "bad" and check["blocks"]]
    assert diagnosis["next_action"] in fixes


def test_an_account_that_was_refused_is_tested_as_the_doctor_says(workspace: Workspace) -> None:
    """After a refusal the doctor names the command that tests the account, and that tells whether it works now."""
    workspace.write({"dns.home.tsig_name": "another"})
    assert workspace.run("renew").returncode == 1
    command = named_in(workspace.run("doctor").stdout, "doctor --probe")
    _, document = workspace.run_json(*command.split())
    assert bad(document) >= {"dns-credentials"}


REFUSED: Final = 0
"""In the place of a status: nothing listens."""


@pytest.mark.parametrize(
    ("status", "before"),
    [(REFUSED, ""), (404, "renew"), (500, "tried"), pytest.param(REFUSED, "tried", marks=pytest.mark.slow)],
)
def test_a_ca_that_does_not_answer_is_one_finding(workspace: Workspace, status: int, before: str) -> None:
    """What a CA answered is said once, and no line advises a renewal that would fail; its own advice works later.

    So it is before the first renewal, after it, and after one that has failed for that reason.
    """
    down = status

    def answer(_: Request) -> Response | None:
        return Response(down, b"<h1>Sorry</h1>", (("Content-Type", "text/html"),)) if down else None

    with workspace.lab.acme_proxy(answer) as proxy:
        good, closed = proxy.directory_url, f"https://127.0.0.1:{workspace.lab.reserve()}/dir"
        serve = {"certificate.0.deploy": [{"to": "files", "certificate": "a.pem", "key": "b.pem", "verify": "[::1]:9"}]}
        if before == "renew":
            down = 0
            workspace.write({"ca.lab.directory": good})
            assert workspace.run("renew").returncode == 0
            down = status
        workspace.write({"ca.lab.directory": good if status else closed, **(serve if before != "renew" else {})})
        if before == "tried":
            assert workspace.run("renew").returncode == 1
        ended = workspace.run("doctor")
        said = " ".join(ended.stdout.split())
        assert (ended.returncode, said.count("✗")) == (1, 2), said  # the headline, and the CA
        if status:
            assert f"{good} answers with HTTP status {status}" in said or (
                f"directory at {good}: the answer is HTTP status {status}" in said
            )
        assert not re.search(r"again:|[Oo]btain it|by hand|did not answer|when the CA", said.partition("✗ ")[2]), said
        next_line = said.partition("Next: ")[2]
        down = 0
        workspace.write({"ca.lab.directory": good, **(serve if before != "renew" else {})})
        assert said.count("dnsrenew renew") == 2, said  # with the finding, and as what comes next
        _, document = workspace.run_json(*named_in(next_line, "renew").split(), "--now")
        assert document["outcomes"][0]["status"] in {"renewed", "not-due"}


def test_a_store_that_others_can_change(workspace: Workspace) -> None:
    """A store that other users can change is bad. The fix has the command, and the doctor reads nothing from it."""
    workspace.run("renew")
    workspace.store.chmod(0o777)
    status, document = workspace.run_json("doctor")
    found = {check["code"]: check for check in document["diagnoses"][0]["checks"]}
    assert (status, found["store"]["result"], found["store"]["blocks"]) == (1, "bad", ["all"])
    assert "chmod" in document["diagnoses"][0]["next_action"]
    assert found["expiry"]["result"] == "unknown"
    assert found["last-run"]["evidence"]["error"]["code"] == "store-not-private"
    assert workspace.run("doctor", "--record").returncode == 1
    assert not list(workspace.store.rglob("doctor.json"))


def test_the_forms(workspace: Workspace, tmp_path: Path) -> None:
    """`doctor` prints to the terminal, as Markdown without names, and to a page that only the user can read."""
    report = tmp_path / "report.html"
    done = workspace.run("doctor", "--report", str(report))
    assert done.returncode == 0
    assert "no problem was found for dns-01" in done.stdout
    assert report.stat().st_mode & 0o777 == 0o600
    assert "example.test" in report.read_text("utf-8")
    redacted = workspace.run("doctor", "--markdown", "--redact")
    assert redacted.returncode == 0
    assert "example.test" not in redacted.stdout
    assert workspace.run("doctor", "--redact").returncode == 2
    assert workspace.run("doctor", "--report", str(tmp_path / "no" / "r.html")).returncode == 2


def test_the_language(workspace: Workspace) -> None:
    """The terminal follows the environment. JSON is Chinese only with `--lang zh`, and then completely."""
    chinese = {"LANG": "zh_CN.UTF-8", "LC_ALL": ""}
    assert "续期" in workspace.run("doctor", env=chinese).stdout
    plain, asked = (
        [part for each in json.loads(done.stdout)["diagnoses"] for check in each["checks"] for part in parts(check)]
        for done in (workspace.run("doctor", "--json", env=chinese), workspace.run("doctor", "--json", "--lang", "zh"))
    )
    assert not [part for part in plain if CHINESE.search(part)]
    assert [part for part in asked if not CHINESE.search(part)] == []


def parts(check: dict[str, Any]) -> list[str]:
    """Return the sentences of a check."""
    return [part for part in (check["summary"], check["fix"]) if part]


def test_a_failed_renewal_says_what_the_doctor_found(workspace: Workspace) -> None:
    """The checks that fit the error are in its evidence; what only repeats the error is not shown again."""
    workspace.write({"ca.lab.directory": f"https://127.0.0.1:{workspace.lab.reserve()}/dir"})
    status, document = workspace.run_json("renew")
    (outcome,) = document["outcomes"]
    found = {check["code"]: check["result"] for check in outcome["error"]["evidence"]["checks"]}
    assert (status, found["ca-reachable"]) == (1, "bad")
    shown = workspace.run("renew", "--now").stdout
    assert (shown.count("found"), shown.count("cannot be reached")) == (0, 1)


def test_a_challenge_that_only_an_order_shows(workspace: Workspace) -> None:
    """dns-persist-01 does not count as a working route before an order. Afterwards the recorded result is shown."""
    routes = [{"challenge": "dns-persist-01"}, {"challenge": "dns-01", "dns": "home"}]
    workspace.write({"certificate.0.routes": routes})
    before = workspace.run("doctor").stdout
    assert "home: no problem was found for dns-01 with home at lab." in before
    assert "Only an order shows whether the CA" in before
    assert workspace.run("renew").returncode == 0
    after = workspace.run("doctor").stdout
    assert "home: no problem was found for dns-01 with home at lab." in after
    assert "did not offer dns-persist-01" in after


def test_routes_that_no_run_without_a_person_can_use(workspace: Workspace) -> None:
    """For a manual account and for acme-dns without a CNAME record, the next action names a command for it."""
    for account, command in (
        ({"provider": "manual"}, "dnsrenew providers --search"),  # the other account of the lab takes no CNAME record
        ({"provider": "acme-dns", "api": "https://127.0.0.1:1"}, "dnsrenew delegate example.test"),
    ):
        workspace.write({"dns.other": account, "certificate.0.routes": [{"challenge": "dns-01", "dns": "other"}]})
        end = workspace.run("doctor").stdout.splitlines()[-1]
        assert end.startswith("Next: Run ")
        assert command in end
