"""Checks whether other users can change the files of a configuration or read its secrets."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dnsrenew.base.model import Eab
from dnsrenew.base.path_trust import Ground
from dnsrenew.base.x509 import make_csr, new_key
from dnsrenew.config import Config
from dnsrenew.errors import ConfigError
from tests.kit.config_files import CERTIFICATE, GOOD, ROOTS, write
from tests.kit.users import NOBODY, acting_as, as_root

OWN_PROVIDER = (
    'title = "Own"\ndriver = "rfc2136"\n[options.server]\n[options.tsig_name]\n[options.tsig_secret]\nsecret = true\n'
)
EVERYTHING = (
    'include = ["conf.d/*.toml"]\n'
    + GOOD.replace("[[", 'tsig_name = "k"\ntsig_secret = "file:token"\n[[')
    + '[[certificate]]\nname = "site"\ncsr = "site.csr"\n'
    + '[ca.lab]\ndirectory = "https://h/d"\ntrust = "roots.pem"\n'
    + 'eab = { kid = "k", hmac = { command = ["./tell"] } }\n'
)
FILES = ("dnsrenew.toml", "conf.d/more.toml", "providers/rfc2136.toml", "roots.pem", "site.csr", "token", "tell")
Weakening = Callable[[Path], None]


@pytest.fixture(autouse=True)
def folder(open_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration that uses every kind of file, in a folder that every user may enter; it is the current one."""
    monkeypatch.setenv("HOME", str(open_path / "home"))
    for name in ("XDG_CONFIG_HOME", "DNSRENEW_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    path = open_path / "srv"
    path.mkdir()
    write(path, EVERYTHING)
    write(path, CERTIFICATE.replace("example", "b"), "conf.d/more.toml")
    write(path, OWN_PROVIDER, "providers/rfc2136.toml")
    write(path, ROOTS, "roots.pem")
    (path / "site.csr").write_bytes(make_csr(new_key("ecdsa-p256"), ["site.example.test"]))
    write(path, "secret\n", "token")
    write(path, "#!/bin/sh\necho told\n", "tell").chmod(0o755)
    (path / "token").chmod(0o600)
    monkeypatch.chdir(path)
    return path


def give_away(path: Path) -> None:
    """Give the file to another user."""
    os.chown(path, NOBODY, -1, follow_symlinks=False)


def open_to_all(path: Path) -> None:
    """Let everybody write to it."""
    path.chmod(path.stat().st_mode | 0o002)


def open_to_a_group(path: Path) -> None:
    """Let a group write to it that has other users."""
    os.chown(path, -1, NOBODY)
    path.chmod(path.stat().st_mode | 0o020)


def make_sticky(path: Path) -> None:
    """Let everybody add files, but not replace any."""
    path.chmod(0o1777)


def refused(load: Callable[[], Config]) -> dict[str, Any]:
    """Load a configuration that is refused, and return the evidence."""
    with pytest.raises(ConfigError) as caught:
        load()
    assert caught.value.code == "config-untrusted"
    assert caught.value.evidence["path"] in caught.value.message
    assert "insist=True" in caught.value.fix
    return caught.value.evidence


def of_ground(config: Config) -> list[str]:
    """The warnings about what others can change."""
    return [f"{notice.message} {notice.fix}" for notice in config.warnings if notice.code == "config-untrusted"]


def test_a_sound_folder_is_used_without_a_word(folder: Path) -> None:
    """There is no warning if only root and the user can write, or the user's own group."""
    if Ground().is_own_group(os.getegid()):  # as with a umask of 002
        (folder / "conf.d").chmod(0o775)
        (folder / "token").chmod(0o660)
    for config in (Config.find(), Config.load("dnsrenew.toml"), Config.find(folder / "dnsrenew.toml")):
        assert [notice.code for notice in config.warnings] == []
        assert len(config.certificates) == 3
        assert not config.insist


@as_root
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    ("weaken", "fault", "command"),
    [
        (give_away, "owner", "chown root"),
        (open_to_all, "everybody", "chmod go-w"),
        (open_to_a_group, "group", "chmod g-w"),
    ],
)
def test_root_refuses_every_weak_file(folder: Path, name: str, weaken: Weakening, fault: str, command: str) -> None:
    """Root refuses each file that others can change. The error has the path and the command; insist=True uses it."""
    weaken(folder / name)
    for load in (Config.find, lambda: Config.load("dnsrenew.toml"), lambda: Config.find("dnsrenew.toml")):
        evidence = refused(load)
        assert (evidence["path"], evidence["fault"]) == (str(folder / name), fault)
        assert evidence["command"] == f"{command} {folder / name}"
    for config in (Config.load("dnsrenew.toml", insist=True), Config.find(insist=True)):
        assert config.insist
        assert of_ground(config) == []


@as_root
def test_an_empty_folder_of_includes_is_not_sticky_either(folder: Path) -> None:
    """Others could add a file to a folder of includes that is writable by all, though there is none in it yet."""
    (folder / "conf.d/more.toml").unlink()
    (folder / "conf.d").chmod(0o1777)
    assert refused(Config.find)["path"] == str(folder / "conf.d")


@as_root
@pytest.mark.parametrize("weak", ["conf.d", "providers"])
def test_nobody_else_may_add_files(folder: Path, weak: str) -> None:
    """A sticky folder is refused if any file in it is used, but accepted above a named file."""
    make_sticky(folder)
    assert of_ground(Config.find()) == []
    make_sticky(folder / weak)
    assert refused(Config.find)["path"] == str(folder / weak)


@as_root
def test_a_folder_above_that_belongs_to_another_user(folder: Path) -> None:
    """The fix does not change the owner of another user's folder."""
    give_away(folder)
    with pytest.raises(ConfigError) as caught:
        Config.load("dnsrenew.toml")
    assert caught.value.evidence["path"] == str(folder)
    assert "chown" not in caught.value.fix
    assert f"Run dnsrenew as {caught.value.evidence['owner']}" in caught.value.fix


@as_root
def test_a_link_of_another_user(folder: Path) -> None:
    """The command changes the owner of the link, not of its target."""
    (folder / "roots.pem").rename(folder / "real.pem")
    (folder / "roots.pem").symlink_to("real.pem")
    assert of_ground(Config.find()) == []
    give_away(folder / "roots.pem")
    assert refused(Config.find)["command"] == f"chown -h root {folder / 'roots.pem'}"
    give_away(folder / "real.pem")
    os.chown(folder / "roots.pem", 0, 0, follow_symlinks=False)
    assert refused(Config.find)["path"] == str(folder / "real.pem")


@as_root
@pytest.mark.parametrize("weaken", [open_to_all, open_to_a_group])
@pytest.mark.parametrize("name", FILES)
def test_a_user_is_warned_of_what_he_named(folder: Path, name: str, weaken: Weakening) -> None:
    """A configuration that was found is refused, one that was named is used with one warning for each weak part."""
    (folder / "token").chmod(0o644)
    weaken(folder / name)
    with acting_as(NOBODY):
        assert refused(Config.find)["path"] == str(folder / name)
        (said,) = of_ground(Config.load("dnsrenew.toml"))
        assert str(folder / name) in said
        assert of_ground(Config.load("dnsrenew.toml", insist=True)) == []


@as_root
def test_one_warning_for_one_folder(folder: Path) -> None:
    """A folder causes one warning, however many files are in it."""
    open_to_all(folder)
    (folder / "token").chmod(0o644)
    with acting_as(NOBODY):
        assert len(of_ground(Config.load("dnsrenew.toml"))) == 1


@as_root
def test_a_configuration_of_python(folder: Path) -> None:
    """The `trust` file and the provider files of a Python configuration are checked like those of a named file."""
    tables = {"ca": {"lab": {"directory": "https://h/d", "trust": "roots.pem"}}}
    open_to_all(folder / "roots.pem")
    assert refused(lambda: Config.from_dict(tables, base="."))["path"] == str(folder / "roots.pem")
    assert Config.from_dict(tables, base=".", insist=True).insist
    with acting_as(NOBODY):
        assert len(of_ground(Config.from_dict(tables, base="."))) == 1
    open_to_all(folder / "providers/rfc2136.toml")
    dns = {"dns": {"home": {"provider": "rfc2136", "server": "h"}}}
    assert refused(lambda: Config.from_dict(dns, base="."))["path"] == str(folder / "providers/rfc2136.toml")


@as_root
@pytest.mark.parametrize("name", ["dnsrenew.toml", "conf.d/more.toml", "providers/rfc2136.toml", "roots.pem"])
def test_what_is_read_is_what_was_judged(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A file that is replaced after its check is checked again when it is opened."""
    real_open = os.open

    def replace_first(path: Any, *arguments: Any, **more: Any) -> int:
        if path == str(folder / name):
            shutil.copy(path, f"{path}.new")
            give_away(Path(f"{path}.new"))
            os.replace(f"{path}.new", path)
        return real_open(path, *arguments, **more)

    monkeypatch.setattr(os, "open", replace_first)
    assert refused(Config.find)["path"] == str(folder / name)


@as_root
def test_a_secret_that_is_not_there_yet(folder: Path) -> None:
    """The folder of a missing secret file is checked: another user must not be able to create the file."""
    (folder / "token").unlink()
    assert of_ground(Config.find()) == []
    make_sticky(folder)
    assert refused(Config.find)["path"] == str(folder)
    for device in ("/dev/stdin", os.devnull):  # the same if there is no input
        (folder / "dnsrenew.toml").write_text(EVERYTHING.replace("file:token", f"file:{device}"))
        assert of_ground(Config.find()) == []


def test_a_pipe_of_the_shell(folder: Path) -> None:
    """A pipe of the shell, `<(…)`, is refused with that reason."""
    reading, writing = os.pipe()
    try:
        with pytest.raises(ConfigError, match="it is a pipe"):
            Config.load(f"/dev/fd/{reading}")
    finally:
        os.close(reading)
        os.close(writing)


def test_a_program_is_relative_to_its_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative program is found beside its configuration file, not in the current folder."""
    elsewhere = folder / "elsewhere"
    write(elsewhere, "#!/bin/sh\necho wrong\n", "tell").chmod(0o755)
    monkeypatch.chdir(elsewhere)
    hmac = Config.load(folder / "dnsrenew.toml").cas["lab"].eab
    assert isinstance(hmac, Eab)
    assert hmac.hmac.reveal() == "told"


@as_root
def test_a_program_in_path(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program found in PATH is checked, and the same one runs even if another one appears before it later."""
    monkeypatch.setenv("PATH", f"{folder}/first:{folder}:{os.environ['PATH']}")
    (folder / "dnsrenew.toml").write_text(EVERYTHING.replace("./tell", "tell"))
    hmac = Config.find().cas["lab"].eab
    write(folder, "#!/bin/sh\necho wrong\n", "first/tell").chmod(0o755)
    assert isinstance(hmac, Eab)
    assert (hmac.hmac.reveal(), hmac.hmac.reference) == ("told", "command:tell")
    make_sticky(folder / "first")
    assert of_ground(Config.find()) == []
    open_to_all(folder / "first/tell")
    assert refused(Config.find)["path"] == str(folder / "first/tell")
    (folder / "dnsrenew.toml").write_text(EVERYTHING.replace("./tell", "no-such-program"))
    assert refused(Config.find)["path"] == str(folder / "first")  # anybody could put it there
    (folder / "first").chmod(0o755)
    assert of_ground(Config.find()) == []


def test_a_folder_is_judged_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each folder is checked once. Each included file costs one lstat."""
    for number in range(50):
        write(folder, CERTIFICATE.replace("example", f"a{number}"), f"conf.d/{number}.toml")
    looks: list[str] = []
    real_lstat = os.lstat

    def counting(path: Any, **more: Any) -> os.stat_result:
        looks.append(str(path))
        return real_lstat(path, **more)

    monkeypatch.setattr(os, "lstat", counting)
    monkeypatch.setattr(os.path, "realpath", lambda path, **_: path)  # reads each path again
    assert len(Config.find().certificates) == 53
    assert sum("conf.d/" in path for path in looks) == 51
    assert looks.count(str(folder / "conf.d")) <= 3


def test_a_folder_that_did_not_exist_is_judged_when_it_does(folder: Path) -> None:
    """A folder that did not exist is checked again after its creation."""
    ground, path = Ground(), folder / "later/providers"
    assert ground.weakness(path / "a.toml") is None
    path.mkdir(parents=True)
    open_to_all(path.parent)
    weakness = ground.weakness(path / "b.toml")
    assert weakness is not None
    assert weakness.path == str(path.parent)


# ── secrets that others can read ────────────────────────────────────────────────────────


def open_files(config: Config) -> str:
    """The warning about secrets that others can read."""
    return "".join(f"{notice.message} {notice.fix}" for notice in config.warnings if notice.code == "secret-open")


def test_a_secret_file_that_others_can_read(folder: Path) -> None:
    """A secret file that others can read causes a warning with the command, unless a folder above is private."""
    (folder / "token").chmod(0o644)
    for insist in (False, True):
        said = open_files(Config.load("dnsrenew.toml", insist=insist))
        assert said.endswith(f"Run `chmod 600 {folder}/token`.")
    folder.chmod(0o700)
    assert open_files(Config.load("dnsrenew.toml")) == ""


@pytest.mark.parametrize("value", ['"canary"', '"literal:canary"', '"vault:canary"'])
def test_a_secret_in_a_file_that_others_can_read(folder: Path, value: str) -> None:
    """A configuration with a plain secret causes a warning if others can read it."""
    (folder / "dnsrenew.toml").write_text(EVERYTHING.replace('"file:token"', value))
    said = open_files(Config.load("dnsrenew.toml"))
    assert f"chmod 600 {folder}/dnsrenew.toml" in said
    assert "canary" not in said
    (folder / "dnsrenew.toml").chmod(0o600)
    assert open_files(Config.load("dnsrenew.toml")) == ""


@as_root
def test_a_secret_of_root_that_a_user_reads(folder: Path) -> None:
    """The fix changes the owner too, because the mode alone would exclude the user."""
    (folder / "token").chmod(0o644)
    with acting_as(NOBODY):
        said = open_files(Config.load("dnsrenew.toml"))
    assert f"chown nobody {folder}/token && chmod 600 {folder}/token" in said


IN_A_CONTAINER = """if True:
    import os, subprocess, sys
    from dnsrenew.config import Config
    where = sys.argv[1]
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0777", "tmpfs", where], check=True)
    os.mkdir(f"{where}/..data")
    with open(f"{where}/..data/dnsrenew.toml", "w") as file:
        file.write(sys.argv[2])
    with open(f"{where}/..data/token", "w") as file:
        file.write("secret")
    for name in ("dnsrenew.toml", "token"):
        os.symlink(f"..data/{name}", f"{where}/{name}")
    subprocess.run(["mount", "-o", "remount,ro", where], check=True)
    print(len(Config.load(f"{where}/dnsrenew.toml").warnings))
"""


def test_the_volumes_of_kubernetes(open_path: Path) -> None:
    """Volumes of Kubernetes, whose modes cannot be changed, cause no warning."""
    text = GOOD.replace("[[", 'tsig_name = "k"\ntsig_secret = "file:token"\n[[')
    own = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
    done = subprocess.run(
        [*own, sys.executable, "-c", IN_A_CONTAINER, str(open_path), text],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "0\n", done.stderr
