"""The contents of an exported file, and what is left out."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tarfile
import threading
from pathlib import Path

import pytest

from dnsrenew.base.runtime import Context
from dnsrenew.base.values import replace
from dnsrenew.config import Config
from dnsrenew.errors import Cancelled, ConfigError, StoreError
from dnsrenew.extensions.setup.archive import archive_file, config_files
from dnsrenew.extensions.setup.archive import export as operation
from dnsrenew.extensions.setup.archive.config_files import masked
from dnsrenew.store import FolderStore
from dnsrenew.store.atomic_io import AtomicFiles
from dnsrenew.store.snapshot import StoreSnapshot
from tests.kit.archives import CANARIES, exported, fill_config, fill_store
from tests.kit.clock import FakeClock
from tests.kit.stores import SPEC, Counting, issue
from tests.lab.canary import assert_no_canary


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration and a store with every kind of file."""
    folder = tmp_path / "old"
    folder.mkdir(mode=0o700)
    path = fill_config(folder)
    fill_store(folder / "state", str(path))
    return path


def contents(file: Path) -> dict[str, bytes]:
    """The files of an archive that is not sealed, by name."""
    with tarfile.open(file) as tar:
        return {info.name: (tar.extractfile(info) or io.BytesIO()).read() for info in tar}


def test_without_secrets_no_key_and_no_secret_is_in_it(config: Path, tmp_path: Path) -> None:
    """No byte of the file is from a key or a secret: in plain, in files, in comments or in commented-out lines."""
    result = exported(config, tmp_path / "a.tgz", None)
    found = contents(tmp_path / "a.tgz")
    assert_no_canary(CANARIES, texts=[data.decode("latin-1") for data in found.values()])
    assert not any(b"PRIVATE KEY" in data for data in found.values())
    assert not [name for name in found if name.endswith(("key.pem", "privkey.pem", "fingerprint.key"))]
    assert "store/certificates/second/versions/2/fullchain.pem" in found
    assert [(each.key, each.line) for each in result.masked] == [("ca.lab.eab.hmac", 8), ("dns.home.token", 13)]
    folder = config.parent
    left_out = {each.path for each in result.left_out}
    assert {str(folder / "hook.sh"), str(folder / "secrets/own-token.secret")} <= left_out


def test_a_run_s_own_files_stay_behind(config: Path, tmp_path: Path) -> None:
    """Journal, orders and kept files of deployments are not exported. The first two are named."""
    result = exported(config, tmp_path / "a.tgz", None)
    names = contents(tmp_path / "a.tgz")
    assert not [
        name for name in names if "/journal" in name or "/order" in name or "/deploy" in name or "locks" in name
    ]
    assert [each.path for each in result.left_out][-2:] == ["certificates/second/order", "journal/home-1.json"]


def test_the_sums_are_those_of_sha256sum(config: Path, tmp_path: Path) -> None:
    """SHA256SUMS has a line for every other file, in the format of sha256sum."""
    exported(config, tmp_path / "a.tgz", None)
    found = contents(tmp_path / "a.tgz")
    sums = found.pop("SHA256SUMS").decode()
    assert sums == "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in found.items())


def test_it_is_private_and_replaces_nothing(config: Path, tmp_path: Path) -> None:
    """The file has mode 0600. An existing file or link is not replaced."""
    file = tmp_path / "a.tgz"
    exported(config, file, None)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = file.read_bytes()
    with pytest.raises(ConfigError) as caught:
        exported(config, file, None)
    assert caught.value.code == "export-exists"
    assert file.read_bytes() == before
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "nowhere")
    with pytest.raises(ConfigError):
        exported(config, link, None)


def test_a_full_disk_leaves_no_file(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk leaves no partial file. The error tells the reason."""

    def refuse(_file: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(archive_file, "sync", refuse)
    with pytest.raises(StoreError) as caught:
        exported(config, tmp_path / "a.tgz", None)
    assert caught.value.code == "export-unwritable"
    assert "no space left" in caught.value.message
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


def test_a_cancel_leaves_no_file(config: Path, tmp_path: Path) -> None:
    """Ctrl-C during a long export leaves no file."""
    cancel = threading.Event()
    cancel.set()
    context = Context(clock=FakeClock(), cancel=cancel)
    with pytest.raises(Cancelled):
        operation.export(Config.load(config), tmp_path / "a.tgz", context, passphrase=None)
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


def test_files_elsewhere_are_named(config: Path, tmp_path: Path) -> None:
    """Files outside the configuration's folder are named and not exported."""
    token = tmp_path / "token.secret"
    token.write_text("outside-canary\n")
    token.chmod(0o600)
    config.write_text(config.read_text().replace('"plain-canary-4711"', '"file:../token.secret"'))
    result = exported(config, tmp_path / "a.dr")
    assert (str(token), "it is not in the folder of the configuration") in [
        (each.path, each.reason) for each in result.left_out
    ]


def test_a_damaged_certificate_is_named(config: Path, tmp_path: Path) -> None:
    """The damaged certificate is listed as left out. Its state is exported, so that a restored store renews it."""
    (config.parent / "state/certificates/home/versions/1/privkey.pem").unlink()
    result = exported(config, tmp_path / "a.tgz", None)
    assert result.certificates == 1
    assert "home" in [each.path for each in result.left_out]
    assert "store/certificates/home/state.json" in contents(tmp_path / "a.tgz")


def test_a_renewal_meanwhile_does_no_harm(tmp_path: Path) -> None:
    """If a version is pruned between reading the state and its files, the state is read again."""
    root = tmp_path / "state"
    store = fill_store(root)

    class Renewing(Counting):
        renewed = False

        def __call__(self, operation: str, path: str) -> None:
            if path.endswith("versions/1/cert.pem") and not self.renewed:
                self.renewed = True
                for serial in (4, 5, 6, 7):
                    store.keep(replace(SPEC, name="home"), "lab", *issue(serial), state=store.read_state("home"))

    found = StoreSnapshot(root, disk=AtomicFiles(Renewing())).certificate("home")
    assert found is not None
    assert found.state.serial == "7"
    files = {file.name.rpartition("/")[2]: file.data for file in found.files}
    assert (files["fullchain.pem"].decode(), files["privkey.pem"]) == issue(7)[:2]


def test_nothing_is_written_to_the_store(config: Path, tmp_path: Path) -> None:
    """Export does not change the store, even a damaged one: only renew repairs it."""
    state = config.parent / "state/certificates/home/state.json"
    state.write_text("{")
    before = sorted(path for path in config.parent.rglob("*"))
    exported(config, tmp_path / "a.tgz", None)
    assert sorted(path for path in config.parent.rglob("*")) == before
    assert state.read_text() == "{"
    assert FolderStore(config.parent / "state").names() == ["home", "second"]


# ── masking ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "keys", "expected"),
    [
        ('a = "s"', [("a",)], 'a = "•••"'),
        ("a = '''s\nt'''  # c", [("a",)], 'a = "•••"  # c'),
        ('a = ["s", "t"]', [("a", 1)], 'a = ["s", "•••"]'),
        ('[[d]]\nx = {p = "s"}\n[[d]]\nx.p = "t"', [("d", 1, "x", "p")], '[[d]]\nx = {p = "s"}\n[[d]]\nx.p = "•••"'),
        ('# token = "x"  # env', [], '# token = "•••"  # env'),
        ('# token = "env:X"', [], '# token = "env:X"'),
        ('# name = "x"', [], '# name = "x"'),
        ('a = "# token = 1"', [], 'a = "# token = 1"'),
        ('a = "s"\r\nb = 1', [("a",)], 'a = "•••"\nb = 1'),
        ('a = "s"', [("b",)], None),
    ],
)
def test_masked(text: str, keys: list[tuple[str | int, ...]], expected: str | None) -> None:
    """Only the values at the keys change, and texts in commented-out lines that can be secrets."""
    assert masked(text, keys, redact=str) == expected


def test_a_secret_in_another_place_is_masked_too() -> None:
    """A secret is masked in comments and in other values too."""
    text = 'a = "geheim"\nurl = "https://x/?t=geheim"  # geheim'
    found = masked(text, [("a",)], redact=lambda part: part.replace("geheim", "•••"))
    assert found == 'a = "•••"\nurl = "https://x/?t=•••"  # •••'


def test_options_of_a_plug_in_can_be_secrets(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All texts in the options of a plug-in are masked. References, zones and numbers stay."""
    monkeypatch.setattr("dnsrenew.drivers.catalogue.plug_in_names", lambda: ["myplugin"])
    table = """
[dns.plugged]
provider = "myplugin"
zones = ["example.test"]
login = "env:LOGIN"
parts = ["plugged-canary", { n = 1 }]
"""
    config.write_text(config.read_text() + table)
    result = exported(config, tmp_path / "a.tgz", None)
    text = contents(tmp_path / "a.tgz")["config/dnsrenew.toml"].decode()
    assert text.endswith(table.replace("plugged-canary", "•••"))
    assert "item 1 of dns.plugged.parts" in [each.key for each in result.masked]


def test_arguments_that_could_hold_a_secret_are_named(config: Path, tmp_path: Path) -> None:
    """Arguments that could hold a secret are exported unchanged and listed. In a sealed file they are not listed."""
    included = config.parent / "conf.d/certificates.toml"
    text = included.read_text()
    entries = """deploy = [
    { run = ["/usr/bin/curl", "-u", "me:word", "https://box.test/"] },
    { run = ["/usr/bin/alone"] },
    { to = "files", combined = "/srv/x.pem", reload = ["systemctl", "reload", "nginx"] },
    { to = "webhook", url = "https://hook.test/?key=word" },
]
before = ["/bin/sh", "-c", "stop"]
"""
    included.write_text(
        text.replace('\n[[certificate]]\nname = "second"', f'{entries}\n[[certificate]]\nname = "second"')
    )
    main_text = config.read_text()
    config.write_text(main_text + '[dns.told]\nprovider = "duckdns"\ntoken = { command = ["./tell", "--pin", "4"] }\n')
    (config.parent / "tell").write_text("#!/bin/sh\n")
    (config.parent / "tell").chmod(0o700)
    result = exported(config, tmp_path / "a.tgz", None)
    assert [(each.file, each.key) for each in result.kept] == [
        ("dnsrenew.toml", "dns.told.token.command"),
        ("conf.d/certificates.toml", "certificate home, deployment 1, run"),
        ("conf.d/certificates.toml", "certificate home, deployment 4, url"),
        ("conf.d/certificates.toml", "certificate home, before"),
    ]
    assert all(each.line for each in result.kept)
    assert result.to_dict()["kept"][0] == vars(result.kept[0])
    assert exported(config, tmp_path / "b.dr").kept == ()


def test_programs_that_somebody_put_there_are_named(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program of `/usr/local` is named as left out, also within `sh -c`, although it is found by its name."""
    local = tmp_path / "local" / "bin"
    local.mkdir(parents=True)
    for name in ("dnsauth", "packaged"):
        (local / name).write_text("#!/bin/sh\n")
        (local / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{local}{os.pathsep}{os.environ['PATH']}")
    (tables,) = (path for path in config.parent.rglob("*.toml") if "[[certificate]]" in path.read_text())
    text = tables.read_text()
    entry = f'deploy = [{{ run = ["sh", "-c", "{local}/dnsauth --now"] }}]'
    tables.write_text(text.replace("[[certificate]]", f"[[certificate]]\n{entry}", 1))
    assert str(local / "dnsauth") not in {each.path for each in exported(config, tmp_path / "a.tgz", None).left_out}
    monkeypatch.setattr(config_files, "_BY_HAND", (f"{local}/",))
    assert str(local / "dnsauth") in {each.path for each in exported(config, tmp_path / "b.tgz", None).left_out}
