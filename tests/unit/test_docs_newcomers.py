"""What the pages for newcomers and operators list, against the code: answers of init, servers, changes, metrics."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import get_args

import dnsrenew
from dnsrenew.config.extension_tables import ChangeKind, MetricsSettings, NotifySettings
from dnsrenew.extensions.setup.commands.init import _FLAGS
from dnsrenew.extensions.setup.importing import KINDS
from dnsrenew.extensions.setup.importing.tool_hosts import hosts_of
from dnsrenew.extensions.setup.init import servers
from dnsrenew.extensions.setup.init.answers import KEYS, PROVIDER
from dnsrenew.extensions.watch import metrics_texts
from dnsrenew.extensions.watch.metrics import STATES, LastRun, exposition
from tests.kit.clock import START
from tests.kit.documents import DOCS
from tests.kit.watching import numbers

PACKAGE = Path(dnsrenew.__file__).parent
START_PAGE = (DOCS / "getting-started.md").read_text("utf-8")
MONITORING = (DOCS / "guides" / "monitoring.md").read_text("utf-8")
NOTIFICATIONS = (DOCS / "guides" / "notifications.md").read_text("utf-8")
MOVING = (DOCS / "guides" / "moving.md").read_text("utf-8")


def test_the_file_of_answers_has_every_answer() -> None:
    """The example has exactly the known keys. Each is an option of the command too."""
    (block,) = (text for text in re.findall(r"```text\n(.*?)```", START_PAGE, re.DOTALL) if "agree_terms" in text)
    answers = tomllib.loads(block)
    assert set(answers) - {"token"} == {*KEYS, PROVIDER}
    assert set(answers) - {"token"} == set(_FLAGS)


def test_the_servers_that_init_finds() -> None:
    """The page names exactly the supported servers."""
    titles = {kind.title for kind in servers._KINDS}
    listed = re.search(r"It finds ([^;]*);", START_PAGE)
    assert listed is not None
    assert set(re.split(r",\s+|\s+and\s+", " ".join(listed[1].split()))) == titles


def test_the_changes_that_are_reported() -> None:
    """The guide's example lists all kinds of changes. The default of `on` has all but the last."""
    (line,) = re.findall(r"^on = .*$", NOTIFICATIONS, re.MULTILINE)
    kinds = tomllib.loads(line)["on"]
    assert tuple(kinds) == get_args(ChangeKind)
    assert NotifySettings().on == get_args(ChangeKind)[:-1]


def test_each_metric_has_the_labels_and_states_of_the_table() -> None:
    """The guide's table has exactly the metrics with their labels and states."""
    text = exposition([numbers(deployed={("files", "/a"): True})], LastRun(START, success=True))
    found = {
        (name, tuple(re.findall(r'(\w+)="', labels)))
        for name, labels in re.findall(r"^(dnsrenew_\w+)(\{.*\})? \d", text, re.MULTILINE)
    }
    rows = re.findall(r"^\| `(dnsrenew_\w+)(?:\{([\w,]+)\})?` \| (.*) \|$", MONITORING, re.MULTILINE)
    assert {(name, tuple(labels.split(",")) if labels else ()) for name, labels, _ in rows} == found
    (states,) = (text for name, _, text in rows if name.endswith("_state"))
    assert tuple(re.findall(r"`([a-z-]+)`", states)) == STATES


def test_the_answer_of_healthz() -> None:
    """The page shows the texts that the endpoint returns."""
    assert f"$ curl http://127.0.0.1:9719/healthz\n{metrics_texts.MISSING.format(names='shop')}\n" in MONITORING
    assert f"answers 200 and `{metrics_texts.HEALTHY}`" in MONITORING


def test_the_keys_of_metrics() -> None:
    """The guide shows both keys."""
    tables = [tomllib.loads(text) for text in re.findall(r"```toml\n(\[metrics\].*?)```", MONITORING, re.DOTALL)]
    assert {key for table in tables for key in table["metrics"]} == set(vars(MetricsSettings()))


def test_every_tool_of_the_import_has_its_row() -> None:
    """Each tool has its row. PEM files and HFS are described in the text."""
    rows = set(re.findall(r"^\| (\S+) \| (?:`|its )", MOVING.partition("## Move by hand")[0], re.MULTILINE))
    assert rows == {kind.title for name, kind in KINDS.items() if name not in {"pem", "hfs"}}
    assert "~/.hfs" in MOVING


def test_the_credentials_of_certbot_are_those_of_the_import() -> None:
    """The table maps certbot's keys to the options that the import uses."""
    rows = re.findall(r"^\| (`dns_.*?) \| (`provider = .*) \|$", MOVING, re.MULTILINE)
    assert rows
    for left, right in rows:
        provider = re.search(r'provider = "(\w+)"', right)
        assert provider is not None
        plugin = re.match(r"`dns_([a-z0-9]+)_", left)
        assert plugin is not None
        known = hosts_of("certbot")[plugin[1]]
        assert known.provider == provider[1]
        options = set(re.findall(r"`((?:auth|tsig)_\w+)`", right))
        assert options <= set(known.options.values())
