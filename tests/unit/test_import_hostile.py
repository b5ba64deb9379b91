"""A hostile file is a finding with its name within 5 s and 64 MiB, and nothing is half taken over: the real command."""

import json
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from dnsrenew.config import Config
from tests.kit.import_stage import Imported, ImportStage
from tests.kit.users import as_root

pytestmark = as_root
SECONDS = 5
MIB = 64
SPARSE = 700 << 20
KEY = "certificates/example.test.key"
CERTIFICATE = "certificates/example.test.crt"
ACCOUNT = "accounts/acme-v02.api.letsencrypt.org/me@example.test"


@pytest.fixture
def stage(open_path: Path) -> ImportStage:
    """A machine on which root has lego's folder `/etc/lego`, with an account and a certificate for example.test."""
    made = ImportStage(open_path)
    made.machine.lego_account()
    made.machine.lego_certificate(["example.test"])
    shutil.move(made.machine.lego, made.machine.root / "etc/lego")
    return made


@pytest.fixture(scope="module")
def at_rest(tmp_path_factory: pytest.TempPathFactory) -> float:
    """The memory of an import of nothing, MiB."""
    return ImportStage(tmp_path_factory.mktemp("rest")).run().memory


def notes(done: Imported) -> dict[str, str]:
    """The codes of the findings by file."""
    return {each["file"]: each["code"] for each in done.document["not_understood"]}


def assert_bounded(done: Imported, at_rest: float) -> None:
    """Check the processor time and the memory of an import."""
    assert done.seconds < SECONDS
    assert done.memory - at_rest < MIB


# ── what is no text ─────────────────────────────────────────────────────────────────────


def test_half_a_surrogate_pair_is_no_contact(stage: ImportStage) -> None:
    """JSON with half of a surrogate pair is damaged; the key of the account is imported, and the configuration is."""
    file = stage.machine.root / "etc/lego" / ACCOUNT / "account.json"
    file.write_text(json.dumps({"email": "\ud800", "registration": {"body": {"contact": ["mailto:\udfff"]}}}))
    done = stage.run()
    assert (done.status, notes(done)[f"/etc/lego/{ACCOUNT}/account.json"]) == (0, "import-damaged")
    assert [each["stored"] for each in done.document["accounts"]] == [True]
    assert Config.load(stage.config).certificates[0].name == "example.test"


def test_a_folder_whose_name_is_no_text_is_refused_before_anything_is_written(stage: ImportStage) -> None:
    """A path that no configuration can name is an error, and neither the store nor the folder gets anything."""
    odd = os.fsencode(stage.machine.root / "srv-") + b"\xff"
    os.rename(stage.machine.root / "etc/lego", odd)
    done = stage.run(Path(os.fsdecode(odd)))
    assert (done.status, done.error["code"]) == (1, "import-unwritable")
    assert os.listdir(stage.config.parent) == []


def test_a_file_whose_name_is_no_text_is_left_out(stage: ImportStage) -> None:
    """Files with such names beside the others are not looked at."""
    folder = os.fsencode(stage.machine.root / "etc/lego/certificates")
    for end in (b".crt", b".key", b".json"):
        shutil.copy(folder + b"/example.test" + end, folder + b"/\xff" + end)
    done = stage.run()
    assert (done.status, len(done.document["certificates"])) == (0, 1)


# ── what has no end ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "text",
    [
        "(a) {\n" + "import a\n" * 12 + "}\nimport a\n",
        "(a) {\n" + "import a {args[0]}{args[0]}\n" * 2 + "}\nimport a " + "x" * 100_000 + "\n",
        "(a) {\n" + "import b\n" * 12 + "}\n(b) {\n" + "import a\n" * 12 + "}\nimport a\n",
        "import Caddyfile\n" * 12,
        "{\n" * 20_000,
        "x {\n" * 20_000 + "}\n" * 20_000,
    ],
    ids=["itself", "arguments", "each other", "its file", "open", "closed"],
)
def test_a_caddyfile_without_an_end(stage: ImportStage, at_rest: float, text: str) -> None:
    """Snippets that import themselves or each other, a file that imports itself, and 20,000 blocks are one finding."""
    file = stage.machine.write("etc/caddy/Caddyfile", text)
    done = stage.run(file.parent, "--from", "caddy")
    assert notes(done) == {str(file): "import-unreadable"}
    assert_bounded(done, at_rest)


def test_a_caddyfile_with_one_long_word(stage: ImportStage, at_rest: float) -> None:
    """A word of a MiB takes no longer than many short ones."""
    file = stage.machine.write("etc/caddy/Caddyfile", "x" * (1 << 19))
    assert_bounded(stage.run(file.parent, "--from", "caddy"), at_rest)


# ── what is no file, or too large ───────────────────────────────────────────────────────


def make_sparse(path: Path) -> None:
    """Make a file of 700 MB that takes no space."""
    path.touch()
    os.truncate(path, SPARSE)


def make_socket(path: Path) -> None:
    """Make a UNIX socket."""
    here = os.getcwd()
    os.chdir(path.parent)  # its path is too long
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


MAKERS: dict[str, Callable[[Path], object]] = {
    "sparse": make_sparse,
    "pipe": lambda path: os.mkfifo(path, 0o600),
    "device": lambda path: path.symlink_to("/dev/zero"),
    "socket": make_socket,
}


@pytest.mark.parametrize("kind", MAKERS)
def test_files_of_the_tool_that_cannot_be_read(stage: ImportStage, at_rest: float, kind: str) -> None:
    """700 MB, a pipe, a device and a socket are named, wherever a file is expected."""
    places = (KEY, CERTIFICATE, f"{ACCOUNT}/account.json", f"{ACCOUNT}/keys/me@example.test.key", "renew.sh",
              "compose.yaml")  # fmt: skip
    for place in places:
        file = stage.machine.root / "etc/lego" / place
        file.unlink(missing_ok=True)
        MAKERS[kind](file)
    done = stage.run()
    assert {f"/etc/lego/{place}": "import-unreadable" for place in places}.items() <= notes(done).items()
    assert (done.status, done.document["written"]) == (1, [])
    assert_bounded(done, at_rest)


@pytest.mark.parametrize("kind", MAKERS)
def test_a_pem_file_that_cannot_be_read(stage: ImportStage, at_rest: float, kind: str) -> None:
    """In a folder of PEM files it is named too."""
    folder = stage.machine.root / "etc/tls"
    shutil.copytree(stage.machine.root / "etc/lego/certificates", folder)
    MAKERS[kind](folder / "other.key")
    done = stage.run("/etc/tls", "--from", "pem")
    assert (done.status, notes(done)["/etc/tls/other.key"]) == (0, "import-unreadable")
    assert_bounded(done, at_rest)


@pytest.mark.parametrize(
    "text",
    ["[" * 60_000, '{"a":' * 12_000, '{"contact":[' + "{}," * 20_000 + "1]}", "[" + "0," * 500_000 + "0]"],
    ids=["lists", "objects", "many", "large"],
)
def test_a_json_file_of_the_tool_that_is_deep_or_large(stage: ImportStage, at_rest: float, text: str) -> None:
    """The key of the account is imported, and the file is named."""
    (stage.machine.root / "etc/lego" / ACCOUNT / "account.json").write_text(text)
    done = stage.run()
    assert (done.status, len(done.document["accounts"])) == (0, 1)
    assert_bounded(done, at_rest)
