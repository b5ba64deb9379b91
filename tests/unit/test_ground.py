"""Which paths only root and the running user can change: the rule "Ground" of the contract, case by case."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from dnsrenew.base import files
from dnsrenew.base.files import NotAFileError
from dnsrenew.base.path_trust import Ground
from tests.kit.access_lists import let
from tests.kit.namespaces import run_python
from tests.kit.users import acting_as

pwd = pytest.importorskip("pwd", reason="owners and modes of POSIX")
USER = pwd.getpwnam("daemon")
"""An ordinary user: its primary group has its name and no other member."""
OTHER = 54321
"""Another user, and the group of some others."""


def put(path: Path, owner: int = 0, group: int = 0, mode: int = 0o755) -> Path:
    """Make a folder, or a file if its name has a suffix."""
    path.touch() if path.suffix else path.mkdir()
    os.chown(path, owner, group)
    path.chmod(mode)
    return path


def put_link(path: Path, target: str | Path, owner: int = 0) -> Path:
    """Make a link."""
    path.symlink_to(target)
    os.chown(path, owner, owner, follow_symlinks=False)
    return path


def found(path: Path, *, any_entry: bool = False, uid: int = USER.pw_uid) -> tuple[str, str] | None:
    """Return what is wrong, and where."""
    weakness = Ground(uid).weakness(path, any_entry=any_entry)
    return None if weakness is None else (weakness.fault, weakness.path)


@pytest.mark.parametrize(
    ("owner", "group", "mode", "fault"),
    [
        (0, 0, 0o755, None),
        (0, 0, 0o775, None),  # group root: its only member is root
        (USER.pw_uid, USER.pw_gid, 0o755, None),
        (USER.pw_uid, USER.pw_gid, 0o775, None),  # umask 002
        (USER.pw_uid, 0, 0o775, None),
        (0, USER.pw_gid, 0o775, None),
        (USER.pw_uid, OTHER, 0o755, None),
        (USER.pw_uid, OTHER, 0o775, "group"),
        (0, OTHER, 0o775, "group"),
        (USER.pw_uid, USER.pw_gid, 0o757, "everybody"),
        (USER.pw_uid, OTHER, 0o777, "everybody"),
        (OTHER, 0, 0o700, "owner"),
        (OTHER, OTHER, 0o777, "owner"),
        (0, OTHER, 0o1775, None),  # sticky
        (0, 0, 0o1777, None),
        (OTHER, 0, 0o1777, "owner"),
    ],
)
def test_a_folder_on_the_way(tmp_path: Path, owner: int, group: int, mode: int, fault: str | None) -> None:
    """A folder must belong to root or the user. Others may write to it only if it is sticky."""
    above = put(tmp_path / "above", owner, group, mode)
    expected = None if fault is None else (fault, str(above))
    assert found(put(above / "file.txt")) == expected
    assert found(above / "missing" / "below") == expected


@pytest.mark.parametrize(("mode", "fault"), [(0o755, None), (0o1775, "group"), (0o1777, "everybody")])
def test_a_folder_in_which_any_file_is_used(tmp_path: Path, mode: int, fault: str | None) -> None:
    """The sticky bit does not excuse a folder in which any file is used, because others can add files."""
    folder = put(tmp_path / "store", 0, OTHER, mode)
    assert found(folder) is None
    assert found(folder, any_entry=True) == (fault and (fault, str(folder)))
    assert found(put_link(tmp_path / "link", folder), any_entry=True) == (fault and (fault, str(folder)))
    assert found(tmp_path / "missing", any_entry=True) is None


@pytest.mark.parametrize(
    ("owner", "group", "mode", "fault"),
    [
        (USER.pw_uid, USER.pw_gid, 0o664, None),
        (0, 0, 0o644, None),
        (0, OTHER, 0o664, "group"),
        (0, 0, 0o646, "everybody"),
        (0, 0, 0o1666, "everybody"),  # the sticky bit of a file means nothing
        (OTHER, 0, 0o600, "owner"),
    ],
)
def test_a_file(tmp_path: Path, owner: int, group: int, mode: int, fault: str | None) -> None:
    """A file is checked by its path, and again when it is open."""
    file = put(tmp_path / "file.txt", owner, group, mode)
    assert found(file) == (fault and (fault, str(file)))
    handle, weakness = Ground(USER.pw_uid).open(file)
    os.close(handle)
    assert (weakness and weakness.fault) == fault


@pytest.mark.parametrize(
    ("kind", "number", "rights", "fault"),
    [
        ("user", OTHER, 7, "list"),
        ("group", OTHER, 7, "list"),
        ("user", OTHER, 5, None),
        ("user", USER.pw_uid, 7, None),
        ("group", USER.pw_gid, 7, None),
    ],
)
def test_an_access_list(tmp_path: Path, kind: str, number: int, rights: int, fault: str | None) -> None:
    """A user or group with write access by an access list counts as another user. The command of the fix removes it."""
    folder = put(tmp_path / "folder", USER.pw_uid, USER.pw_gid)
    file = put(folder / "file.txt", USER.pw_uid, USER.pw_gid, 0o600)
    let(folder, kind, number, rights)
    assert found(file) == (fault and (fault, str(folder)))
    if fault:
        weakness = Ground(USER.pw_uid).weakness(folder)
        assert weakness is not None
        subprocess.run(["sh", "-c", weakness.command], check=True)
        assert found(file) is None


def test_an_access_list_of_a_secret(tmp_path: Path) -> None:
    """A user with read access by an access list counts as another user."""
    for part in tmp_path.parents:
        if part.stat().st_uid == 0 and not part.stat().st_mode & stat.S_IXOTH:
            part.chmod(part.stat().st_mode | 0o011)
    tmp_path.chmod(0o755)
    file = put(tmp_path / "token.txt", mode=0o600)
    let(file, "user", OTHER, 4)
    assert Ground(0).can_others_read(file)
    file.chmod(0o600)
    assert not Ground(0).can_others_read(file)


def test_links_are_judged_and_followed(tmp_path: Path) -> None:
    """A link, its folder and its whole path are checked, for relative, absolute and chained links."""
    good, weak = put(tmp_path / "good"), put(tmp_path / "weak", mode=0o777)
    put(good / "file.txt")
    put(weak / "file.txt")
    assert found(put_link(good / "of-another", "file.txt", OTHER)) == ("owner", str(good / "of-another"))
    assert found(put_link(good / "own", "file.txt", USER.pw_uid)) is None
    put_link(good / "up", "../weak")
    assert found(put_link(tmp_path / "two", good / "up" / "file.txt")) == ("everybody", str(weak))
    assert found(put_link(weak / "out", good / "file.txt")) == ("everybody", str(weak))
    put_link(tmp_path / "into", weak)
    assert found(tmp_path / "into" / ".." / "good" / "file.txt") == ("everybody", str(weak))
    assert found(put_link(tmp_path / "loop", "loop")) is None  # an error where it is opened


def test_the_topmost_part_is_named(tmp_path: Path) -> None:
    """The topmost weak part is named, because nothing below it can be trusted."""
    top = put(tmp_path / "top", OTHER)
    below = put(top / "below", mode=0o777)
    assert found(put(below / "file.txt", OTHER)) == ("owner", str(top))


def test_root_trusts_root_alone(tmp_path: Path) -> None:
    """Root does not trust a user's home folder. The user does."""
    home = put(tmp_path / "home", USER.pw_uid, USER.pw_gid, 0o755)
    file = put(home / "file.txt", 0)
    assert found(file, uid=0) == ("owner", str(home))
    assert found(file) is None
    group = put(tmp_path / "group", 0, USER.pw_gid, 0o775)
    assert found(group / "file.txt", uid=0) == ("group", str(group))


def test_a_file_that_is_replaced_after_the_look(tmp_path: Path) -> None:
    """The file that is opened is checked, not the one that was there before."""
    file = put(tmp_path / "file.txt")
    ground = Ground(USER.pw_uid)
    assert ground.weakness(file) is None
    file.unlink()
    put(file, OTHER)
    handle, weakness = ground.open(file)
    os.close(handle)
    assert weakness is not None
    assert (weakness.fault, weakness.path, weakness.owner) == ("owner", str(file), str(OTHER))
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(NotAFileError):
        ground.open(file)


@pytest.mark.parametrize("name", ["above", "it's here"])
def test_the_commands_fix_it(tmp_path: Path, name: str) -> None:
    """After running the command for each weak part, the path is trusted."""
    above = put(tmp_path / name, OTHER, OTHER, 0o777)
    file = put(above / "file.txt", 0, OTHER, 0o664)
    commands = []
    while (weakness := Ground(0).weakness(file)) is not None:
        commands.append(weakness.command.split()[0:2])
        assert weakness.user == "root"
        subprocess.run(["sh", "-c", weakness.command], check=True)
    assert commands == [["chown", "root"], ["chmod", "go-w"], ["chmod", "g-w"]]


@pytest.mark.parametrize(
    ("folder", "file", "group", "readable"),
    [
        (0o755, 0o644, 0, True),
        (0o755, 0o600, 0, False),
        (0o755, 0o640, OTHER, True),
        (0o755, 0o640, USER.pw_gid, False),
        (0o700, 0o644, 0, False),
        (0o711, 0o644, 0, True),
        (0o710, 0o644, 0, False),
    ],
)
def test_whether_others_can_read(tmp_path: Path, folder: int, file: int, group: int, readable: bool) -> None:
    """Others can read a file if its mode allows it and they can pass every folder above."""
    for part in tmp_path.parents:
        if part.stat().st_uid == 0 and not part.stat().st_mode & stat.S_IXOTH:
            part.chmod(part.stat().st_mode | 0o011)
    tmp_path.chmod(0o755)
    put(tmp_path / "folder", mode=folder)
    path = put(tmp_path / "folder" / "file.txt", 0, group, file)
    assert Ground(USER.pw_uid).can_others_read(path) is readable
    assert not Ground().can_others_read(tmp_path / "missing")


# ── other users, and user namespaces ────────────────────────────────────────────────────

GROUPS = """if True:
    import os, subprocess, sys
    from dnsrenew.base.path_trust import Ground
    folder, passwd, group = sys.argv[1:]
    for name, more in (("passwd", passwd), ("group", group)):
        with open(f"/etc/{name}") as file:
            lines = file.read() + more
        with open(f"{folder}/{name}", "w") as file:
            file.write(lines)
        subprocess.run(["mount", "--bind", f"{folder}/{name}", f"/etc/{name}"], check=True)
    os.mkdir(f"{folder}/home")
    os.chown(f"{folder}/home", 7001, 7001)
    os.chmod(f"{folder}/home", 0o775)
    weakness = Ground(7001).weakness(f"{folder}/home")
    print("-" if weakness is None else f"{weakness.fault} {weakness.owner} {weakness.group}")
"""
ANN = "ann:x:7001:7001::/:/bin/sh\n"


@pytest.mark.parametrize(
    ("passwd", "group", "said"),
    [
        (ANN, "ann:x:7001:\n", "-"),
        (ANN, "ann:x:7001:ann\n", "-"),
        (ANN, "ann:x:7001:bob\n", "group ann ann"),
        (ANN + "bob:x:7002:7001::/:/bin/sh\n", "ann:x:7001:\n", "group ann ann"),
        (ANN, "staff:x:7001:\n", "group ann staff"),
        ("ann:x:7001:7002::/:/bin/sh\n", "ann:x:7001:\nstaff:x:7002:\n", "group ann ann"),
        ("", "ann:x:7001:\n", "group 7001 ann"),
        ("", "", "group 7001 7001"),
    ],
)
def test_which_group_is_the_users_own(tmp_path: Path, passwd: str, group: str, said: str) -> None:
    """The user's own group is the primary one with the user's name and no other member."""
    assert run_python(GROUPS, str(tmp_path), passwd, group, unshare=("--mount",)).strip() == said


CONTAINER = """if True:
    import os, subprocess, sys
    from dnsrenew.base.path_trust import Ground
    above, volume = sys.argv[1:]
    def say(path):
        weakness = Ground().weakness(path, any_entry=True)
        print("-" if weakness is None else f"{weakness.fault} {weakness.path}")
    say(volume)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", volume], check=True)
    say(volume)
    say(above)
"""


def test_in_a_user_namespace_the_host_is_root_above_a_mount(tmp_path: Path) -> None:
    """In a rootless container, folders of unmapped users are trusted only above a mount point."""
    above = put(tmp_path / "abo ve", OTHER, OTHER)
    volume = put(above / "volume")
    said = run_python(CONTAINER, str(above), str(volume), unshare=("--map-root-user", "--mount")).splitlines()
    assert said == [f"owner {above}", "-", "-"]


def test_without_a_user_namespace_nobody_is_a_user(tmp_path: Path) -> None:
    """Without a user namespace a folder of `nobody` is weak."""
    above = put(tmp_path / "above", 65534)
    said = run_python(CONTAINER, str(above), str(put(above / "volume")), unshare=("--mount",)).splitlines()
    assert said == [f"owner {above}"] * 3


@pytest.mark.skipif(not hasattr(os, "O_PATH"), reason="no other system can look at what it opens")
def test_a_device_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device behind a link of another user is an error before it is opened: to open one can have an effect."""
    opened, call = list[str](), os.open

    def opens(path: str, flags: int, *arguments: int, **options: int) -> int:
        handle = call(path, flags, *arguments, **options)
        if stat.S_ISCHR(os.fstat(handle).st_mode) and not flags & os.O_PATH:
            opened.append(path)
        return handle

    monkeypatch.setattr(os, "open", opens)
    link = put_link(tmp_path / "link", "/dev/null", OTHER)
    for read in (files.read, Ground(0).open):
        with pytest.raises(NotAFileError) as caught:
            read(link)
        assert caught.value.kind == "a device"
    assert opened == []
    file = put(tmp_path / "file.txt")
    assert files.read(put_link(tmp_path / "to-file", file)) == b""
    monkeypatch.setattr(files, "_DESCRIPTORS", "/none")  # a system without /proc
    assert files.read(file) == b""


def test_a_file_that_may_not_be_read_is_named(open_path: Path) -> None:
    """The error of a file that may not be read has its path."""
    file = put(open_path / "file.txt", mode=0)
    with acting_as(OTHER), pytest.raises(PermissionError) as denied:
        files.read(file)
    assert denied.value.filename == str(file)


def test_a_path_with_a_nul_is_nothing(tmp_path: Path) -> None:
    """Nothing has a path with a NUL in it, so there is nothing to judge."""
    assert found(tmp_path / "a\0b") is None
