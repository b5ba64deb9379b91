"""A search for secrets after every test: no secret that the product gets may be in an output.

A secret is every text in a ``Secret``, every text that a reference leads to or that the redactor is given, and the
canaries of a workspace. After each test they are searched, in all encodings, in what was printed and logged (at level
DEBUG, so also by the libraries), in every error of ours with its causes and the variables of our frames, in every
event, and in every file below the test's folder that the test did not write them to. No private key may be printed.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Generator, Iterator
from functools import wraps
from pathlib import Path
from typing import Any, Final

import pytest

import dnsrenew
from dnsrenew.base.events import Emitter
from dnsrenew.base.secrets import HIDDEN, Secret
from dnsrenew.base.secrets.redactor import Redactor
from dnsrenew.errors import DnsRenewError
from tests.lab.canary import assert_no_canary
from tests.lab.workspace import Workspace

MARKER: Final = "shows_secret"
SHORTEST: Final = 12
"""Characters; a shorter text may occur by chance."""
_ERRORS: Final = 100
_TEXTS: Final = 2000
_LONGEST: Final = 10_000
_LARGEST: Final = 1 << 20
_GIVEN: Final = ("*.toml", "*.secret", "pebble.json")
"""Files in which a test gives secrets to the product, or to a server of the lab."""
_KEY: Final = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")
_OURS: Final = str(Path(dnsrenew.__file__).parent)
_SECTIONS: Final = pytest.StashKey[list[str]]()


class Seen:
    """The secrets, errors and texts of a test."""

    def __init__(self) -> None:
        self.secrets: set[str] = set()
        self.errors: deque[DnsRenewError] = deque(maxlen=_ERRORS)
        self.texts: deque[str] = deque(maxlen=_TEXTS)

    def note_secret(self, value: object) -> None:
        """Record a secret, if it can be searched for."""
        if isinstance(value, str) and len(value) >= SHORTEST and len(set(value)) > 4 and value != HIDDEN:
            self.secrets.add(value)

    def clear(self) -> None:
        """Forget everything."""
        self.secrets.clear()
        self.errors.clear()
        self.texts.clear()


SEEN: Final = Seen()


def _around(kind: type, name: str, note: Callable[..., None]) -> None:
    """Call ``note`` with the result and the arguments of each call of a method."""
    real = getattr(kind, name)

    @wraps(real)
    def noted(*args: Any, **kwargs: Any) -> Any:
        result = real(*args, **kwargs)
        note(result, *args, **kwargs)
        return result

    setattr(kind, name, noted)


def pytest_configure(config: pytest.Config) -> None:
    """Record secrets, errors, events and captured output in the whole session."""
    config.addinivalue_line("markers", f"{MARKER}: it shows a secret on purpose, and its docstring says where")
    _around(Secret, "__init__", lambda _, _self, value: SEEN.note_secret(value))
    _around(Secret, "reveal", lambda result, _self, **_: SEEN.note_secret(result))
    _around(Redactor, "add", lambda result, *_: SEEN.note_secret(result))
    _around(DnsRenewError, "__init__", lambda _, error, *_args, **_more: SEEN.errors.append(error))
    _around(Emitter, "emit", lambda _, _self, *what: SEEN.texts.append(repr(what)))
    _around(pytest.CaptureFixture, "readouterr", lambda result, _self, **_: SEEN.texts.extend(map(str, result)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep what was printed and logged so far."""
    report = yield
    item.stash[_SECTIONS] = [text for _, text in report.sections]
    return report


@pytest.fixture(autouse=True)
def no_secret_is_seen(request: pytest.FixtureRequest) -> Iterator[None]:
    """Search for every secret of the test after it."""
    SEEN.clear()
    yield
    try:
        if request.node.get_closest_marker(MARKER) is None:
            _search(request.node)
    finally:
        SEEN.clear()


def _search(item: pytest.Function) -> None:
    errors = [one for error in SEEN.errors for one in _chain(error)]
    texts = [*item.stash.get(_SECTIONS, []), *SEEN.texts, *map(_readable, errors)]
    workspaces = [value for value in item.funcargs.values() if isinstance(value, Workspace)]
    assert not any(map(_KEY.search, texts)), "a private key was printed, logged or told"
    secrets = SEEN.secrets.union(*(workspace.canaries for workspace in workspaces))
    if secrets:
        folders = [*(workspace.path for workspace in workspaces), *_folder(item)]
        texts += [text for workspace in workspaces for text in workspace.captured]
        texts += [text for error in errors for text in _variables(error)]
        assert_no_canary(secrets, paths=[path for folder in folders for path in _files(folder)], texts=texts)


def _folder(item: pytest.Function) -> list[Path]:
    folder = item.funcargs.get("tmp_path")
    return [folder] if isinstance(folder, Path) else []


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        given = path.is_symlink() or any(map(path.match, _GIVEN))
        if not given and path.is_file() and path.stat().st_size < _LARGEST:
            yield path


def _chain(error: BaseException) -> list[BaseException]:
    """Return the error and its causes and contexts."""
    found = [error]
    for one in found:
        found += [each for each in (one.__cause__, one.__context__) if each is not None and each not in found]
    return found


def _readable(error: BaseException) -> str:
    """Return all texts of an error."""
    return f"{error!r} {error} {vars(error)!r} {getattr(error, '__notes__', '')!r}"


def _variables(error: BaseException) -> Iterator[str]:
    """Yield the variables of our own frames, as an error monitor shows them."""
    trace = error.__traceback__
    while trace is not None:
        frame = trace.tb_frame
        if frame.f_code.co_filename.startswith(_OURS):
            yield f"{frame.f_code.co_filename}:{trace.tb_lineno} {_shown(frame.f_locals)}"
        trace = trace.tb_next


def _shown(variables: dict[str, Any]) -> str:
    try:
        return repr(variables)[:_LONGEST]
    except Exception as error:  # noqa: BLE001  # a stand-in of a test may have no repr
        return repr(error)
