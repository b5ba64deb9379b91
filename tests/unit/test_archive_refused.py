"""What `restore` refuses: existing targets, and damaged or hostile files. Nothing is written then."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dnsrenew.base.x509.sealing import SealedWriter
from dnsrenew.store import FolderStore
from tests.kit.archives import (
    PASSPHRASE,
    exported,
    failure,
    fill_config,
    fill_store,
    header,
    make_tar,
    refused,
    restored,
    tree,
)

TOML = b'agree_terms = true\nstore = "state"\n'


@pytest.fixture(scope="module", autouse=True)
def cheap() -> Iterator[None]:
    """Seal with the least cost that is read."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SealedWriter.__init__.__kwdefaults__, "cost", 14)  # type: ignore[arg-type]  # it has some
        yield


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a configuration, its store, and both exports of it."""
    folder = tmp_path_factory.mktemp("source") / "old"
    folder.mkdir(mode=0o700)
    config = fill_config(folder)
    fill_store(folder / "state", str(config))
    exported(config, folder.parent / "sealed.dr")
    exported(config, folder.parent / "plain.tgz", None)
    return folder.parent


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Return the target of a restore. Its folder does not exist yet."""
    return tmp_path / "new/etc/dnsrenew.toml"


@pytest.mark.parametrize("name", ["dnsrenew.toml", "conf.d/certificates.toml", "state/accounts/x", "state/other.txt"])
def test_nothing_is_overwritten(source: Path, target: Path, name: str) -> None:
    """Restore refuses to overwrite a configuration, an included file, a store or another file in its folder."""
    path = target.parent / name
    path.parent.mkdir(parents=True, mode=0o700)
    path.write_text("mine")
    assert refused(source / "sealed.dr", target, PASSPHRASE).code == "restore-exists"
    assert path.read_text() == "mine"


def test_an_empty_folder_is_used(source: Path, target: Path) -> None:
    """An empty folder is used, such as a mounted volume."""
    (target.parent / "state/lost+found").mkdir(parents=True, mode=0o700)
    (target.parent / "state").chmod(0o700)
    restored(source / "sealed.dr", target)
    assert FolderStore(target.parent / "state").names() == ["home", "second"]


def test_a_wrong_passphrase(source: Path, target: Path) -> None:
    """A wrong passphrase is reported, without showing it."""
    error = refused(source / "sealed.dr", target, "correct horse batterz")
    assert error.code == "restore-passphrase"
    assert "batterz" not in f"{error} {error.evidence}"
    assert str(source / "sealed.dr") in error.message


@pytest.mark.parametrize("kind", ["sealed.dr", "plain.tgz"])
def test_a_file_that_is_cut_off(source: Path, target: Path, tmp_path: Path, kind: str) -> None:
    """A file that is cut off at any place is reported as damaged."""
    data = (source / kind).read_bytes()
    passphrase = PASSPHRASE if kind == "sealed.dr" else None
    file = tmp_path / "cut"
    for size in (0, 5, 30, 60, len(data) // 2, len(data) - 9, len(data) - 1):
        file.write_bytes(data[:size])
        assert refused(file, target, passphrase).code == "restore-damaged", size


def test_a_changed_bit_in_a_plain_file(source: Path, target: Path, tmp_path: Path) -> None:
    """A changed bit is detected, or the restored content is the exported one (some fields of gzip have no effect)."""
    data = (source / "plain.tgz").read_bytes()
    restored(source / "plain.tgz", target, None)
    expected = tree(target.parent)
    file = tmp_path / "flipped"
    for number, at in enumerate([*range(24), *range(24, len(data), 211), *range(len(data) - 12, len(data))]):
        broken = bytearray(data)
        broken[at] ^= 1 << number % 8
        file.write_bytes(bytes(broken))
        other = tmp_path / f"n{number}/etc/dnsrenew.toml"
        error = failure(file, other)
        if error is not None:
            assert error.code in {"restore-damaged", "restore-newer"}
            assert not other.parent.parent.exists()
        else:
            here, there = os.fsencode(other), os.fsencode(target)
            found = {name: os.fsencode(value).replace(here, there) for name, value in tree(other.parent).items()}
            assert found == {name: os.fsencode(value) for name, value in expected.items()}


def link(name: str, kind: bytes = tarfile.SYMTYPE, to: str = "/etc/passwd") -> tarfile.TarInfo:
    """An entry that is no regular file."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, to
    return info


@pytest.mark.parametrize(
    "name",
    [
        *(
            "config/../evil",
            "config//etc/evil",
            "config/.",
            "config/a/../../evil",
            "config/a\\..\\evil",
            "config/c:evil",
        ),
        *("config/", "/etc/evil", "evil", "store/../evil", "store/certificates/../../evil", "store/locks/x"),
        *("store/certificates/con/state.json", "store/certificates/x/versions/1/../../../evil", "store/journal/a.json"),
        *("store/certificates/home/order/key.pem", "store/certificates/home/versions/0/cert.pem", "config/a\x07b"),
    ],
)
def test_paths_that_lead_elsewhere(target: Path, tmp_path: Path, name: str) -> None:
    """An archive with paths outside its folder is refused, even with correct checksums."""
    file = tmp_path / "evil.tgz"
    file.write_bytes(make_tar({"archive.json": header(), "config/dnsrenew.toml": TOML, name: b"x"}))
    assert refused(file, target).code == "restore-damaged"


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE]
)
def test_members_that_are_no_files(target: Path, tmp_path: Path, kind: bytes) -> None:
    """Links, devices, pipes and folders in an archive are refused."""
    file = tmp_path / "evil.tgz"
    files = {"archive.json": header(), "config/dnsrenew.toml": TOML}
    file.write_bytes(make_tar(files, members=[link("config/evil", kind)]))
    assert refused(file, target).code == "restore-damaged"


def test_other_hostile_files(target: Path, tmp_path: Path) -> None:
    """A wrong version, a duplicate name, no configuration, a huge size, a bomb and a newer format are refused."""
    state = b'{"schema": 1, "version": 2, "not_before": "2026-01-01T00:00:00Z", "not_after": "2026-02-01T00:00:00Z"}'
    base = {"archive.json": header(), "config/dnsrenew.toml": TOML}
    name = "store/certificates/home"
    huge = tarfile.TarInfo("config/huge")
    huge.size = 0
    cases: list[tuple[bytes, str]] = [
        (make_tar({**base, f"{name}/state.json": state, f"{name}/versions/1/cert.pem": b"x"}), "restore-damaged"),
        (make_tar({**base, f"{name}/state.json": b"{}"}), "restore-damaged"),
        (make_tar({**base, f"{name}/state.json": b'{"schema": 99}'}), "restore-newer"),
        (make_tar(base, members=[tarfile.TarInfo("config/dnsrenew.toml")]), "restore-damaged"),
        (make_tar({"archive.json": header()}), "restore-damaged"),
        (make_tar({"config/dnsrenew.toml": TOML}), "restore-damaged"),
        (make_tar({**base, "config/bomb": bytes(33 << 20)}), "restore-damaged"),
        (make_tar({**base, **{f"config/b{number}": bytes(16 << 20) for number in range(5)}}), "restore-damaged"),
        (make_tar({"archive.json": header(format=2), "config/dnsrenew.toml": TOML}), "restore-newer"),
        (make_tar(base, sums=b"0" * 64 + b"  archive.json\n"), "restore-damaged"),
        (make_tar({"archive.json": header(), "config/dnsrenew.toml": b'store = "postgresql://x"'}), "restore-damaged"),
        (make_tar(base) + b"more", "restore-damaged"),
        (b"not an archive at all", "restore-damaged"),
    ]
    for number, (data, code) in enumerate(cases):
        file = tmp_path / f"evil{number}"
        file.write_bytes(data)
        assert refused(file, target).code == code, number


def test_what_is_no_file(target: Path, tmp_path: Path) -> None:
    """A folder, a missing file and a pipe are errors at once."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "nothing", tmp_path / "pipe"):
        assert refused(path, target).code == "restore-unreadable"
