"""Where text leaves the program: nothing steers the terminal, nothing raises, one JSON document."""

import errno
import io
import json
from typing import Any

import pytest

from dnsrenew.cli.terminal import Output, Terminal, green
from dnsrenew.errors import ConfigError, stopped


class FakeTerminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """It is."""
        return True


class Broken(io.StringIO):
    """A stream that cannot be written to."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def write(self, text: str) -> int:
        """Fail."""
        raise self.error


def written(text: str, stream: io.StringIO, **how: Any) -> str:
    """What arrives of a line."""
    Output(stream, **{"colour": True, "dumb": False} | how).write_line(text)
    return stream.getvalue()


def test_control_characters_never_arrive() -> None:
    """What a CA or a name server says cannot move the cursor, set a title or turn the writing round."""
    arrived = written("a\x1b[2Jb\x9b1mc\u202ed\x07\re", FakeTerminal())
    assert arrived == "a?[2Jb?1mc?d??e\n"


def test_colours_only_on_a_terminal() -> None:
    """Colours arrive on a terminal, and not in files, on dumb terminals or where nobody wants them."""
    assert written(green("ok"), FakeTerminal()) == "\x1b[32mok\x1b[0m\n"
    assert written(green("ok"), io.StringIO()) == "ok\n"
    assert written(green("ok"), FakeTerminal(), dumb=True) == "ok\n"
    assert written(green("ok"), FakeTerminal(), colour=False) == "ok\n"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_other_encodings_get_characters_they_have(encoding: str) -> None:
    """Where UTF-8 is missing, signs become ASCII and names are escaped; nothing raises."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    Output(stream, colour=False, dumb=False).write_line("✓ … — “a” 日本")
    assert raw.getvalue().decode(encoding) == '+ ... - "a" \\u65e5\\u672c\n'


@pytest.mark.parametrize(
    ("error", "failed"),
    [
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), ""),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (ValueError("I/O operation on closed file"), "it is closed"),
    ],
)
def test_writing_never_raises(error: Exception, failed: str) -> None:
    """A reader that left, a full disk and a closed stream are remembered and left alone."""
    output = Output(Broken(error), colour=False, dumb=False)
    output.write_line("x")
    output.write_line("y")
    assert output.failure == failed


def test_a_missing_stream_is_nothing() -> None:
    """With standard output closed from the start, nothing is written and nothing raises."""
    output = Output(None, colour=True, dumb=False)
    output.write_line("x")
    assert (output.is_terminal, output.failure, output.size()) == (False, None, (None, 24))


def test_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    """With --json results for people are silent, and a second document is dropped."""
    terminal = Terminal(json=True)
    terminal.write_result("for people")
    terminal.write_document({"ok": True})
    terminal.write_error_document(ConfigError("x", "y", fix="z"))
    assert json.loads(capsys.readouterr().out) == {"version": 1, "ok": True}


def test_the_final_message_is_the_document(capsys: pytest.CaptureFixture[str]) -> None:
    """Of a run that is ended at once while its result waits for the reader of standard error."""

    class Ended(Exception):
        """The process is no more."""

    class Stuck:
        """Takes nothing; the second signal comes meanwhile."""

        def drain(self, _most: float) -> bool:
            """Never."""
            terminal.err.writer = None
            terminal.write_error_document(stopped())
            raise Ended

    terminal = Terminal(json=True)
    terminal.err.writer = Stuck()  # type: ignore[assignment]
    with pytest.raises(Ended):
        terminal.write_document({"ok": True})
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "cancelled"


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_the_environment_turns_colours_off(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """NO_COLOR and TERM=dumb are heard."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("sys.stdout", FakeTerminal())
    assert Terminal().out.colour
    monkeypatch.setenv(name, value)
    assert not Terminal().out.colour
