"""Finding the configuration file, its includes, and its relative paths."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from dnsrenew.base.model import Deployment
from dnsrenew.config import Config, find_config, sources
from dnsrenew.errors import ConfigError
from tests.kit.config_files import CERTIFICATE, GOOD, HOME, ROOTS, load, mistakes, write


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without a configuration."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "DNSRENEW_CONFIG"):
        monkeypatch.delenv(name, raising=False)


def test_the_order_of_the_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """--config, $DNSRENEW_CONFIG, the current folder, the user's folder: the first existing file is used."""
    own = write(tmp_path / "home/.config/dnsrenew", GOOD)
    here = write(tmp_path / "here", GOOD)
    named = write(tmp_path, GOOD, "named.toml")
    monkeypatch.chdir(tmp_path)
    assert find_config() == own
    monkeypatch.chdir(here.parent)
    assert find_config() == here
    monkeypatch.setenv("DNSRENEW_CONFIG", str(named))
    assert find_config() == named
    monkeypatch.chdir(tmp_path)
    assert find_config("here/dnsrenew.toml") == here


def test_no_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a configuration the error names every path that was searched."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        find_config()
    assert caught.value.code == "config-missing"
    assert caught.value.evidence["searched"] == [
        str(tmp_path / "dnsrenew.toml"),
        str(tmp_path / "home/.config/dnsrenew/dnsrenew.toml"),
        "/etc/dnsrenew/dnsrenew.toml",
    ]


def test_a_named_file_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A named file must exist. No other file is read instead."""
    write(tmp_path, GOOD)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"--config names .*no\.toml") as caught:
        find_config("no.toml")
    assert caught.value.code == "config-missing"
    monkeypatch.setenv("DNSRENEW_CONFIG", "no.toml")
    with pytest.raises(ConfigError, match=r"\$DNSRENEW_CONFIG names .*no\.toml") as caught:
        find_config()
    assert caught.value.code == "config-missing"
    with pytest.raises(ConfigError) as caught:
        Config.load(tmp_path / "no.toml")
    assert caught.value.code == "config-missing"


def test_a_file_with_a_second_ending(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names a file that Notepad saved as dnsrenew.toml.txt, and its fix."""
    (tmp_path / "dnsrenew.toml.txt").write_text(GOOD)
    monkeypatch.chdir(tmp_path)
    for explicit in (None, "dnsrenew.toml"):
        with pytest.raises(ConfigError) as caught:
            find_config(explicit)
        assert caught.value.code == "config-missing"
        assert caught.value.evidence["found"] == str(tmp_path / "dnsrenew.toml.txt")
        assert caught.value.fix == "Rename it to dnsrenew.toml."


def test_a_current_folder_that_was_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The search continues if the current folder was deleted."""
    own = write(tmp_path / "home/.config/dnsrenew", GOOD)
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert find_config() == own
    assert Config.from_dict({}).certificates == ()
    monkeypatch.chdir(tmp_path)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """A folder, a pipe, a device, or a file that is not UTF-8 is an error at once."""
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "latin.toml").write_bytes(b"# \xe9\n")
    for path, said, todo in (
        (tmp_path, "it is a folder", "Name a file in that folder"),
        (tmp_path / "latin.toml", "it is not UTF-8 text (byte 3)", "Save it"),
        (tmp_path / "pipe.toml", "it is a pipe", "Write the configuration to a regular file"),
        (Path(os.devnull), "it is a device", "Write the configuration to a regular file"),
        (tmp_path / "a\0b", "this is not a valid path", "Check the path."),
    ):
        with pytest.raises(ConfigError) as caught:
            Config.load(path)
        assert caught.value.code == "config-unreadable"
        assert said in caught.value.message
        assert todo in caught.value.fix


def test_a_file_of_somebody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error of an unreadable file names the user that needs access."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    path = write(tmp_path, GOOD)
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(ConfigError) as caught:
        Config.load(path)
    assert caught.value.message.endswith("cannot be read: permission denied.")
    assert "the user that runs dnsrenew" in caught.value.fix


def test_a_file_of_windows(tmp_path: Path) -> None:
    """A byte order mark and CRLF are accepted, and lines are counted correctly."""
    path = tmp_path / "w.toml"
    path.write_bytes(("\ufeff" + GOOD + "key = 'x'\n").replace("\n", "\r\n").encode())
    with pytest.raises(ConfigError) as caught:
        Config.load(path)
    assert caught.value.evidence["mistakes"][0]["line"] == 6


def test_folders_of_each_system() -> None:
    """The user's folders follow the conventions of each system. Without a home there is none."""
    linux = {"HOME": "/h", "XDG_CONFIG_HOME": "/c", "XDG_STATE_HOME": "rel"}
    assert sources.user_folder(linux, "linux") == "/c/dnsrenew"
    assert sources.user_store(linux, "linux") == "/h/.local/state/dnsrenew", "a relative XDG folder is ignored"
    assert sources.user_folder({"HOME": "/h"}, "darwin") == "/h/Library/Application Support/dnsrenew"
    assert sources.user_store({"HOME": "/h"}, "darwin") == "/h/Library/Application Support/dnsrenew/state"
    assert sources.user_folder({"APPDATA": "/a"}, "win32") == os.path.join("/a", "dnsrenew")
    assert sources.user_store({"LOCALAPPDATA": "/l"}, "win32") == os.path.join("/l", "dnsrenew", "state")
    assert sources.user_folder({}, "win32") is None


def test_default_stores(tmp_path: Path) -> None:
    """The default store: /var/lib for the system's file, the state folder for the user's, else beside the file."""
    environ = {"HOME": str(tmp_path)}
    assert sources.default_store("/etc/dnsrenew", environ) == "/var/lib/dnsrenew"
    assert sources.default_store(f"{tmp_path}/.config/dnsrenew", environ) == f"{tmp_path}/.local/state/dnsrenew"
    assert sources.default_store("/srv/x", environ) == "/srv/x/state"
    assert load(tmp_path, GOOD).store == tmp_path / "state"
    own = write(tmp_path / "home/.config/dnsrenew", GOOD)
    assert Config.load(own).store == tmp_path / "home/.local/state/dnsrenew"


def test_paths_are_relative_to_their_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths are relative to their own file, which may be an included one. ~ is the home folder."""
    monkeypatch.chdir("/")
    write(tmp_path, ROOTS, "conf.d/roots.pem")
    write(tmp_path, '[ca.lab]\ndirectory = "https://h/d"\ntrust = "roots.pem"\n', "conf.d/lab.toml")
    config = load(
        tmp_path, 'include = ["conf.d/lab.toml"]\nstore = "~/s"\n' + GOOD + 'deploy = [{to="files", key="k"}]'
    )
    assert config.cas["lab"].trust == str(tmp_path / "conf.d/roots.pem")
    assert config.store == tmp_path / "home/s"
    deployment = config.certificates[0].deploy[0]
    assert isinstance(deployment, Deployment)
    assert deployment.options["key"] == str(tmp_path / "k")
    assert config.path == tmp_path / "dnsrenew.toml"


def test_include(tmp_path: Path) -> None:
    """Included tables follow the file's own, sorted, each read once. A pattern without a match causes a warning."""
    write(tmp_path, CERTIFICATE.replace("example", "b"), "conf.d/b.toml")
    write(
        tmp_path, CERTIFICATE.replace("example", "a") + '[dns.other]\nprovider="rfc2136"\nserver="h"', "conf.d/a.toml"
    )
    config = load(tmp_path, 'include = ["none/*.toml", "conf.d/*.toml", "*.toml", "conf.d/b.toml"]\n' + GOOD)
    assert [one.name for one in config.certificates] == ["example.test", "a.test", "b.test"]
    assert list(config.accounts) == ["home", "other"]
    (notice,) = config.warnings
    assert notice.code == "include-empty"
    assert "none/*.toml" in notice.message


def test_the_folder_of_a_pattern_is_no_pattern(tmp_path: Path) -> None:
    """Brackets in the folder's name are not part of the pattern."""
    write(tmp_path / "[x]", CERTIFICATE.replace("example", "b"), "conf.d/b.toml")
    assert len(load(tmp_path / "[x]", 'include = ["conf.d/*.toml"]\n' + GOOD).certificates) == 2


def test_clashes_across_files(tmp_path: Path) -> None:
    """An account, a CA or a certificate may be defined once. An included file may not include others."""
    again = 'include = ["x.toml"]\n' + GOOD + '[ca.lab]\ndirectory = "https://h/d"\n'
    write(tmp_path, again, "conf.d/a.toml")
    said = mistakes(tmp_path, 'include = ["conf.d/*"]\n' + GOOD + '[ca.lab]\ndirectory = "https://h/d"\n')
    assert [(one["line"], one["key"]) for one in said] == [
        (1, "include"),
        (2, "dns.home"),
        (5, "certificate[0].name"),
        (7, "ca.lab"),
    ]
    assert all(str(tmp_path / "dnsrenew.toml") in one["expected"] for one in said[1:])


def test_a_syntax_error_in_an_included_file(tmp_path: Path) -> None:
    """The mistake names the included file."""
    write(tmp_path, "a = = 1\n", "more.toml")
    (said,) = mistakes(tmp_path, 'include = ["more.toml"]\n' + GOOD)
    assert said["file"] == str(tmp_path / "more.toml")


# ── the roots of a CA ───────────────────────────────────────────────────────────────────

LAB = GOOD + '[ca.lab]\ndirectory = "https://h/d"\ntrust = "roots.pem"\n'


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"none\n",
        b"0\x82\x01\n",  # DER
        b"\xef\xbb\xbf" + ROOTS.encode(),  # OpenSSL does not look behind it
        ROOTS.encode("utf-16"),
        ROOTS.rpartition("-----END")[0].encode(),
        ROOTS.replace("CERTIFICATE", "PRIVATE KEY").encode(),
    ],
)
def test_a_file_of_roots_without_a_certificate(tmp_path: Path, content: bytes) -> None:
    """A file without a certificate is a mistake with its line, before any renewal."""
    (tmp_path / "roots.pem").write_bytes(content)
    (said,) = mistakes(tmp_path, LAB)
    assert (said["line"], said["key"]) == (8, "ca.lab.trust")
    assert said["found"] == '"roots.pem" contains no certificate in PEM format.'


@pytest.mark.parametrize("kind", ["CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"])
def test_a_file_of_roots(tmp_path: Path, kind: str) -> None:
    """Text around the certificates is ignored, and the PEM labels that OpenSSL accepts are accepted."""
    (tmp_path / "roots.pem").write_text("# our own\n" + ROOTS.replace("CERTIFICATE", kind), newline="\r\n")
    assert load(tmp_path, LAB).cas["lab"].trust == str(tmp_path / "roots.pem")


def test_a_file_of_roots_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mistake has the reason why the file cannot be read."""
    path = tmp_path / "roots.pem"
    path.write_text(ROOTS)

    real_open = os.open

    def refusing(file: Any, *arguments: Any, **more: Any) -> int:
        if file == str(path):
            raise PermissionError(errno.EACCES, "Permission denied")
        return real_open(file, *arguments, **more)

    monkeypatch.setattr(os, "open", refusing)
    (said,) = mistakes(tmp_path, LAB)
    assert (said["line"], said["found"]) == (8, '"roots.pem" cannot be read (permission denied).')


# ── the search and links ────────────────────────────────────────────────────────────────


def test_a_broken_link_is_not_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken link in the current folder is an error, and the user's file is not used instead."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "home/.config/dnsrenew", GOOD)
    (tmp_path / "dnsrenew.toml").symlink_to("nowhere")
    with pytest.raises(ConfigError) as caught:
        Config.find()
    assert caught.value.code == "config-missing"


# ── the user's own providers ────────────────────────────────────────────────────────────


def test_own_providers_come_first(tmp_path: Path) -> None:
    """`providers/` beside the configuration precedes the user's config folder, which precedes the shipped files."""
    text = 'title = "{}"\ndriver = "rfc2136"\n[options.server]\n'
    write(tmp_path / "home/.config/dnsrenew", text.format("user"), "providers/rfc2136.toml")
    assert load(tmp_path, GOOD).providers["rfc2136"].title == "user"
    write(tmp_path, text.format("beside"), "providers/rfc2136.toml")
    assert load(tmp_path, GOOD).providers["rfc2136"].title == "beside"


def test_a_pipe_in_the_place_of_an_own_provider(tmp_path: Path) -> None:
    """A pipe in place of a provider file is a mistake. It is not read."""
    (tmp_path / "providers").mkdir()
    os.mkfifo(tmp_path / "providers/mine.toml")
    said = mistakes(tmp_path, HOME.replace("rfc2136", "mine") + CERTIFICATE)
    assert [(Path(one["file"]).name, one["found"]) for one in said] == [
        ("mine.toml", "This file cannot be read: it is a pipe.")
    ]


def test_a_pipe_that_is_included(tmp_path: Path) -> None:
    """A pipe is refused as an included file."""
    os.mkfifo(tmp_path / "more.toml")
    with pytest.raises(ConfigError, match=r"more\.toml cannot be read: it is a pipe"):
        load(tmp_path, 'include = ["more.toml"]\n' + GOOD)


def test_a_mistake_in_an_own_provider(tmp_path: Path) -> None:
    """A mistake in a provider file is listed with the others, once, with its file and line."""
    write(tmp_path, 'title = "x"\ndriver = "rfc2136"\nwat = 1\n', "providers/mine.toml")
    twice = HOME.replace("rfc2136", "mine") + HOME.replace("rfc2136", "mine").replace("home", "b")
    said = mistakes(tmp_path, "agree_terms = 1\n" + twice + CERTIFICATE)
    assert [(Path(one["file"]).name, one["line"]) for one in said] == [("dnsrenew.toml", 1), ("mine.toml", 3)]
