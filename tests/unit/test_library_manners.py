"""The library inside another program: events, output, secrets, files."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from dnsrenew import Config, Event, Renewer, Secret
from tests.kit.renew_stage import Stage, certificates, error_of
from tests.lab.settings import to_toml


def test_a_listener_that_fails_breaks_nothing(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """An exception in a listener is logged, and the certificate is obtained."""

    def broken(event: Event) -> None:
        raise RuntimeError(f"no {event.kind} for me")

    with caplog.at_level(logging.ERROR, "dnsrenew"):
        (outcome,) = Renewer(stage.config(), on_event=broken).renew()
    assert outcome.status == "renewed"
    assert any("txt-writing" in record.getMessage() for record in caplog.records)


def test_included_files_take_part(stage: Stage) -> None:
    """Accounts and certificates of included files are used, with paths relative to these files."""
    workspace = stage.workspace
    folder = workspace.path / "conf.d"
    folder.mkdir()
    (folder / "secret.txt").write_text(f"{stage.lab.other_key.secret}\n")
    other = {**stage.other_account(), "tsig_secret": "file:secret.txt"}
    (folder / "a.toml").write_text(to_toml({"certificate": certificates("inside")}))
    (folder / "b.toml").write_text(
        to_toml({"dns": {"other": other}, "certificate": [{"name": "b", "domains": ["other.test"]}]})
    )
    workspace.write({"include": ["conf.d/*.toml"]})
    status, said = workspace.run_json("renew")
    assert status == 0, said
    told = [(outcome["name"], outcome["status"], outcome["route"]["dns"]) for outcome in said["outcomes"]]
    assert told == [("home", "renewed", ["home"]), ("inside", "renewed", ["home"]), ("b", "renewed", ["other"])]
    (folder / "secret.txt").unlink()


def test_secrets_are_read_when_a_due_certificate_needs_them(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing secret affects only due certificates of its account. `status` and other accounts still work."""
    monkeypatch.delenv("NOT_THERE", raising=False)
    both = {
        "dns.other": stage.other_account(),
        "certificate": [*certificates("a"), {"name": "o", "domains": ["other.test"]}, *certificates("b")],
    }
    assert {outcome.status for outcome in stage.run(both, names=["a", "o"])} == {"renewed"}
    broken = {**both, "dns.home.tsig_secret": Secret.env("NOT_THERE")}
    assert [status.state for status in stage.renewer(broken).status()] == ["valid", "valid", "missing"]
    outcomes = stage.run(broken)
    assert [outcome.status for outcome in outcomes] == ["not-due", "not-due", "failed"]
    error = error_of(outcomes[2])
    assert (error.code, error.evidence["reference"]) == ("secret-missing", "env:NOT_THERE")
    outcomes = stage.run(broken, force=True, names=["a", "o"])
    assert [outcome.status for outcome in outcomes] == ["failed", "renewed"]


def test_a_program_s_secret_is_run_once_for_many(stage: Stage) -> None:
    """The command of a secret runs once for eight due certificates."""
    log = stage.workspace.path / "asked.txt"
    script = stage.workspace.path / "ask.py"
    script.write_text(f"import os\nopen({str(log)!r}, 'a').write('x')\nprint(os.environ['THE_KEY'])\n")
    stage.workspace.env["THE_KEY"] = stage.lab.key.secret
    secret = {"command": ["python3", str(script)], "env": ["THE_KEY"]}
    stage.workspace.write(
        {"dns.home.tsig_secret": secret, "certificate": certificates(*(f"k{number}" for number in range(8)))}
    )
    status, said = stage.workspace.run_json("renew")
    assert (status, {outcome["status"] for outcome in said["outcomes"]}) == (0, {"renewed"})
    assert log.read_text() == "x"


@pytest.fixture(params=[0o000, 0o022, 0o077, 0o777])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    """The umask of the process."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_the_store_is_private_under_any_umask(stage: Stage, umask: int) -> None:
    """With any umask, folders are 0700, keys are 0600 and other files are at most 0644."""
    stage.renewed()
    stage.one()
    store = stage.workspace.store
    for path in [store, *store.rglob("*")]:
        if path.is_symlink():
            continue
        mode = stat.S_IMODE(path.stat().st_mode)
        if path.is_dir():
            assert mode == 0o700, path
        elif path.name in {"key.pem", "privkey.pem"}:
            assert mode == 0o600, path
        else:
            assert mode in {0o600, 0o644}, path
    assert not list(store.rglob(".tmp-*"))


def test_a_file_and_a_dictionary_are_equivalent(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate obtained with `Config.load` is not due with `Config.from_dict`, and the other way round."""
    monkeypatch.setenv("TSIG_SECRET", stage.lab.key.secret)
    loaded = Config.load(stage.workspace.config_path)
    (outcome,) = Renewer(loaded).renew()
    assert outcome.status == "renewed"
    assert stage.one().status == "not-due"
    assert stage.config().store == loaded.store
