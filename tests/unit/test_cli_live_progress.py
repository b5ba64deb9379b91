"""The live display, seen as a terminal would show it."""

import io
import re
import threading
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from dnsrenew.base.events import Emitter
from dnsrenew.base.translation import Translator
from dnsrenew.cli import formatting, live_progress, terminal, texts
from dnsrenew.cli.live_progress import LiveProgress
from dnsrenew.cli.progress import PlainProgress
from dnsrenew.dns import texts as dns_texts
from docs.tables import EVENTS
from tests.kit.cli_stage import Script, crowd, failed, happy, late, outcome, unhappy
from tests.kit.clock import FakeClock


class Terminal(io.StringIO):
    """As much of a terminal as the display uses: it keeps lines, wraps, and knows a cursor."""

    def __init__(self, columns: int = 80, rows: int = 24) -> None:
        super().__init__()
        self.columns, self.rows = columns, rows
        self.lines: list[str] = [""]
        self.at = 0
        self.cursor = True
        self.most = 0

    def isatty(self) -> bool:
        """It is."""
        return True

    def write(self, text: str) -> int:
        """Show the text."""
        for part in re.findall(r"\x1b\[[?\d;]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", text):
            self._take(part)
        return len(text)

    def _take(self, part: str) -> None:
        if part == "\n":
            self.at += 1
            self.lines += [""] * (self.at + 1 - len(self.lines))
        elif part.endswith("A") and part[0] == "\x1b":
            self.at -= int(part[2:-1])
            assert self.at >= 0
        elif part == "\x1b[J":
            del self.lines[self.at + 1 :]
            self.lines[self.at] = ""
        elif part in (terminal.SHOW_CURSOR, "\x1b[?25l"):
            self.cursor = part == terminal.SHOW_CURSOR
        elif part[0] not in "\x1b\r":
            self.lines[self.at] += part
            self.most = max(self.most, len(self.lines[self.at]))

    @property
    def shown(self) -> list[str]:
        """The lines, without empty ones at the end."""
        return "\n".join(self.lines).rstrip().split("\n")


class DisplayStage:
    """A display on a terminal, and a script that plays to it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, columns: int = 80, rows: int = 24) -> None:
        monkeypatch.setenv("TERM", "xterm")
        self.terminal = Terminal(columns, rows)
        monkeypatch.setattr("sys.stderr", self.terminal)
        monkeypatch.setattr("sys.stdout", self.terminal)
        monkeypatch.setattr(terminal.Output, "size", lambda _self: (self.terminal.columns, self.terminal.rows))
        self.clock = FakeClock(datetime.fromtimestamp(1_795_600_000, UTC))
        self.output = terminal.Terminal(colour=False)
        self.progress = live_progress.make_progress(self.output, self.clock)
        self.emitter = Emitter(self.clock, self.progress)
        self.script = Script(self.emitter, threading.Event())

    def run_started(self, *names: str) -> None:
        """The run begins."""
        self.emitter.emit("run-started", None, {"certificates": names})

    def waiting(self, *states: str, seconds: float = 0.0) -> None:
        """Send an event with name servers in the given states."""
        self.clock.elapsed += 1  # so that it is drawn
        rows: list[dict[str, Any]] = [
            {"server": f"ns{n}.example.test.", "address": f"127.0.0.{n}", "state": state, "detail": "serial 4"}
            for n, state in enumerate(states, 1)
        ]
        self.script.say("dns-waiting", seconds=seconds, timeout=120, servers=rows)

    @property
    def shown(self) -> list[str]:
        """What the terminal shows."""
        return self.terminal.shown


def test_name_servers_are_shown_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """While waiting for DNS, each name server is shown with its state, and the elapsed time is updated."""
    stage = DisplayStage(monkeypatch)
    stage.run_started("home")
    stage.script.begin()
    stage.waiting("agrees", "waiting", "unreachable", "skipped")
    stage.clock.elapsed += 2
    stage.progress.tick()
    assert stage.shown[-5:] == [
        "  … waiting for DNS (at most 120 s)  2 s",
        "      ✓ ns1.example.test 127.0.0.1",
        "      … ns2.example.test 127.0.0.2  serial 4",
        "      ! ns3.example.test 127.0.0.3  serial 4",
        "      · ns4.example.test 127.0.0.4  serial 4",
    ]
    assert not stage.terminal.cursor
    stage.waiting("agrees", "agrees", "unreachable", "skipped", seconds=2)
    assert stage.shown[-3] == "      ✓ ns2.example.test 127.0.0.2"


def test_finished_steps_stay_and_the_block_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the end the finished steps are shown with their times, the block is removed and the cursor is visible."""
    stage = DisplayStage(monkeypatch)
    happy(stage.emitter, threading.Event())
    stage.progress.close()
    assert [re.sub(r" +[\d.]+ s$", "", line) for line in stage.shown] == [
        "home  obtaining: example.test, *.example.test",
        "  ✓ order created at lab",
        "  ✓ 2 TXT values written to example.test",
        "  ✓ visible on both name servers",
        "  ✓ lab validated example.test, *.example.test",
        "  ✓ 2 TXT values removed",
        "  ✓ certificate issued, checked and stored",
    ]
    assert "  ✓ visible on both name servers                             3.0 s" in stage.shown
    assert stage.terminal.cursor
    assert stage.output.display is None


def test_the_times_of_the_steps_make_the_total(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last step's time includes waiting for issuance. No time is counted twice."""
    stage = DisplayStage(monkeypatch)
    script = stage.script
    script.begin()
    for kind, data in (
        ("dns-visible", {"seconds": 0.5}),
        ("authorizations-valid", {"domains": ["*.example.test", "example.test"]}),
        ("order-finalized", {}),
        ("txt-removed", {"records": script.records, "seconds": 0.25}),
        ("certificate-stored", {}),
    ):
        stage.clock.elapsed += 1
        script.say(kind, **data)
    stage.progress.close()
    assert [re.sub(" {3,}", " ", line.strip()) for line in stage.shown[3:]] == [
        "✓ visible on the name servers 1 s",
        "✓ lab validated example.test, *.example.test 1 s",
        "✓ 2 TXT values removed 0.25 s",
        "✓ certificate issued, checked and stored 2.8 s",
    ]


def test_idns_stay_as_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names are shown as configured and in that order, although the CA uses A-labels."""
    stage = DisplayStage(monkeypatch)
    stage.script.say("certificate-started", reason="missing", domains=["bücher.test", "a.test"])
    stage.script.say("order-created", url="", domains=["xn--bcher-kva.test", "a.test"], pending=[])
    stage.script.say("authorizations-valid", domains=["a.test", "xn--bcher-kva.test"])
    assert "validated bücher.test, a.test" in stage.shown[-2]


def test_an_order_that_is_taken_up_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """A resumed order is reported as the reason why nothing is ordered or written to DNS."""
    stage = DisplayStage(monkeypatch)
    stage.script.say("certificate-started", reason="missing", domains=["a.test"])
    stage.script.say("order-resumed", ca="lab", url="", domains=["a.test"], status="valid")
    assert "resumed the order of an interrupted run at lab" in stage.shown[-2]
    assert "requesting the certificate from lab" in stage.shown[-1]


def test_what_is_waited_for_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the CA issues, a deployment runs or the value of a test is removed, that is what the line says."""
    stage = DisplayStage(monkeypatch)
    stage.script.begin()
    for kind, data, activity in (
        ("order-finalized", {}, "waiting for lab to issue the certificate"),
        ("txt-removed", {"records": stage.script.records}, "waiting for lab to issue the certificate"),
        ("certificate-stored", {}, "finishing"),
        ("deploy-started", {"to": "hfs", "target": "http://127.0.0.1"}, "deploying to hfs http://127.0.0.1"),
    ):
        stage.script.say(kind, **data)
        stage.progress.tick()
        assert stage.shown[-1] == f"  … {activity}"
    test = DisplayStage(monkeypatch)  # of a DNS account: there is no CA
    test.script.say("txt-written", records=stage.script.records)
    test.script.say("dns-visible", seconds=0.5)
    assert test.shown[-1] == "  … removing the test value"


def test_a_time_is_never_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a narrow window the time moves to the next line together with the last word."""
    stage = DisplayStage(monkeypatch, 40)
    stage.script.begin()
    assert stage.shown[-3:-1] == ["  ✓ 2 TXT values written to", "    example.test  0.02 s"]


def test_after_a_pause_the_block_is_drawn_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """After Ctrl-Z, the shell's output is not overwritten, and the cursor is hidden again."""
    stage = DisplayStage(monkeypatch)
    stage.run_started("home")
    stage.script.begin()
    stage.waiting("waiting")
    stage.terminal.write(terminal.SHOW_CURSOR + "[1]+  Stopped\n")
    assert isinstance(stage.progress, LiveProgress)
    stage.progress.resume()
    stage.progress.tick()
    assert "[1]+  Stopped" in stage.shown
    assert not stage.terminal.cursor
    stage.progress.close()
    assert stage.shown[-1] == "[1]+  Stopped"


def test_other_lines_come_above_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other lines are written above the block."""
    stage = DisplayStage(monkeypatch)
    stage.run_started("home")
    stage.script.begin()
    stage.waiting("waiting")
    stage.output.write_message("a line")
    assert stage.shown[-3] == "a line"
    assert stage.shown[-2].startswith("  … waiting for DNS")
    stage.script.say("warning", code="x", message="Look.", fix="Do.")
    assert stage.shown[-3] == "! home: Look. Do."


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_no_line_is_wider_than_the_window(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    """Lines are cut or broken between words, down to 40 columns. The block is narrower than the window."""
    stage = DisplayStage(monkeypatch, columns)
    stage.run_started("home")
    stage.script.begin()
    stage.waiting("waiting", "agrees")
    moving = stage.shown[-3:]
    assert max(map(len, moving)) < columns
    unhappy(stage.emitter, threading.Event())
    assert stage.terminal.most <= columns


def test_a_low_window_shows_what_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """If more certificates are in progress than lines fit, the rest is counted."""
    stage = DisplayStage(monkeypatch, rows=10)
    names = [f"site{number}" for number in range(12)]
    stage.run_started(*names)
    for name in names:
        stage.emitter.emit("certificate-started", name, {"reason": "missing", "domains": [name]})
    stage.clock.elapsed += 1
    stage.progress.tick()
    assert len(stage.shown) < 10
    assert stage.shown[-2:] == ["    … and 7 more certificates in progress", "  0 of 12 certificates done"]


def test_a_run_of_many_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Below the block the finished and failed certificates are counted."""
    stage = DisplayStage(monkeypatch)
    names = [f"site{number}" for number in range(300)]
    stage.run_started(*names)
    for number, name in enumerate(names[:39]):
        stage.emitter.emit("certificate-started", name, {"reason": "missing", "domains": [name]})
        if number < 36:
            stage.emitter.emit("certificate-finished", name, outcome(name).to_dict())
    stage.progress.tick()
    assert stage.shown[-1] == "  36 of 300 certificates done"
    stage.emitter.emit("certificate-finished", names[36], failed(names[36]).to_dict())
    stage.progress.tick()
    assert stage.shown[-1] == "  37 of 300 certificates done, 1 failed"
    stage.progress.close()
    assert "37 of 300" not in "".join(stage.shown)


def test_a_window_that_became_narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a resize, as many lines are erased as the old block now covers."""
    stage = DisplayStage(monkeypatch, 80)
    stage.run_started("home")
    stage.script.begin()
    stage.waiting("waiting")
    wide = stage.shown[-2:]
    stage.terminal.columns = 20
    erased = re.search(r"\x1b\[(\d+)A", stage.progress._erased())  # type: ignore[attr-defined]
    assert erased is not None
    assert int(erased[1]) == sum(-(-len(line) // 20) for line in wide)


def test_several_show_their_step_and_their_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """With several certificates, only results and failures stay. Their current steps are shown in the block."""
    stage = DisplayStage(monkeypatch)
    crowd(stage.emitter, threading.Event())
    stage.progress.close()
    shown = sorted(re.sub(r" +[\d.]+ s$", "", line) for line in stage.shown)
    assert shown == [
        "  ✓ site0  obtained",
        "  ✓ site1  obtained",
        "  ✓ site3  obtained",
        "  ✓ site4  obtained",
        "  ✓ site5  obtained",
        "  ✗ site2  dns-01 with home at lab failed",
        "  ✗ site2  failed",
    ]


def test_many_servers_are_summed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A zone with many name servers takes one line."""
    stage = DisplayStage(monkeypatch, 120)
    stage.run_started("home")
    stage.script.begin()
    stage.waiting(*["agrees"] * 10, "waiting")
    assert stage.shown[-1] == "      not updated yet: ns11.example.test 127.0.0.11; 10 of 11 name servers updated"


def test_the_error_is_reported_where_the_result_is_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """If standard output goes elsewhere, the progress shows the failure's message once."""
    stage = DisplayStage(monkeypatch)
    progress = LiveProgress(stage.output, stage.clock, show_errors=True)
    emitter = Emitter(stage.clock, progress)
    script = Script(emitter, threading.Event())
    error = late()
    script.say("route-failed", ca="lab", challenge="dns-01", dns=["home"], error=error.to_dict())
    script.finish(failed(error=error))
    assert "\n".join(stage.shown).count("After 120 s not every") == 1


def test_nothing_is_said_after_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """After close() an abandoned thread cannot write to the terminal."""
    stage = DisplayStage(monkeypatch)
    stage.progress.close()
    happy(stage.emitter, threading.Event())
    assert stage.shown == [""]


def test_not_due_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate that another run has renewed meanwhile is not reported."""
    stage = DisplayStage(monkeypatch)
    stage.run_started("home", "shop")
    stage.script.finish(outcome(status="not-due"))
    stage.progress.close()
    assert stage.shown == [""]


def test_dumb_terminals_get_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a dumb terminal or -q there is no live display."""
    monkeypatch.setattr("sys.stderr", Terminal())
    monkeypatch.setenv("TERM", "dumb")
    assert type(live_progress.make_progress(terminal.Terminal(), FakeClock())) is PlainProgress
    monkeypatch.setenv("TERM", "xterm")
    assert type(live_progress.make_progress(terminal.Terminal(quiet=True), FakeClock())) is PlainProgress
    assert type(live_progress.make_progress(terminal.Terminal(), FakeClock())) is LiveProgress


def test_only_events_that_exist_are_reported() -> None:
    """Every text for an event belongs to an existing kind."""
    assert {key.partition("/")[0] for key in texts.EVENTS} <= set(EVENTS)


def test_nothing_moves_for_a_reader_that_does_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the terminal is paused (Ctrl-S), the block is not redrawn. Finished steps are still written."""
    stage = DisplayStage(monkeypatch)
    stage.run_started("home", "shop")
    stage.script.begin()
    stage.output.err.writer = SimpleNamespace(is_behind=True, put=lambda write: write())  # type: ignore[assignment]
    before = stage.shown
    stage.clock.elapsed += 2
    stage.progress.tick()
    stage.waiting("agrees", "waiting")
    assert stage.shown == before
    stage.output.write_message("A line that stays.")
    assert "A line that stays." in stage.shown


def test_the_state_of_a_name_server_is_in_the_language(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a name server has not done yet is said in the language of the program, as all else is."""
    monkeypatch.setattr(formatting, "_translator", [Translator("zh")])
    stage = DisplayStage(monkeypatch, 120)
    stage.run_started("home")
    stage.script.begin()
    server = {"server": "ns1.example.test.", "address": "127.0.0.1", "state": "waiting"}
    stage.clock.elapsed += 1
    stage.script.say("dns-waiting", seconds=0.0, timeout=120, servers=[{**server, "detail": dns_texts.NOT_UPDATED}])
    assert stage.shown[-1].endswith("尚未更新")
