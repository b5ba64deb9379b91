"""The table [metrics] of the configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from dnsrenew import Config
from dnsrenew.config.extension_tables import MetricsSettings
from tests.kit.config_files import AGREED, GOOD, check, load, mistake


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    """The path of the text file is relative to the configuration file."""
    config = load(tmp_path, GOOD + '[metrics]\ntextfile = "prom/dnsrenew.prom"\nlisten = "[::1]:9719"\n')
    assert config.metrics == MetricsSettings(textfile=str(tmp_path / "prom" / "dnsrenew.prom"), listen="[::1]:9719")


def test_each_key_may_be_missing(tmp_path: Path) -> None:
    """Each key is optional. Without the table there are no metrics."""
    assert load(tmp_path, GOOD).metrics is None
    assert load(tmp_path, GOOD + '[metrics]\nlisten = ":9719"\n').metrics == MetricsSettings(listen=":9719")
    assert load(tmp_path, GOOD + "[metrics]\n").metrics == MetricsSettings()


def test_a_python_program_may_have_it(tmp_path: Path) -> None:
    """In Python the path is relative to `base`."""
    config = Config.from_dict({"metrics": {"textfile": "a.prom"}}, base=tmp_path)
    assert config.metrics == MetricsSettings(textfile=str(tmp_path / "a.prom"))


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('listen = "9719"', "listen"),
        ("listen = 9719", "listen"),
        ('listen = "127.0.0.1"', "listen"),
        ('listen = "127.0.0.1:99999"', "listen"),
        ('listen = "::1:9719"', "listen"),
        ("textfile = 1", "textfile"),
        ('textfile = ""', "textfile"),
        ('textfiles = "a"', "textfiles"),
    ],
)
def test_a_mistake_names_its_key(tmp_path: Path, line: str, key: str) -> None:
    """A mistake has its key and line."""
    found = mistake(tmp_path, f"{GOOD}[metrics]\n{line}\n")
    assert found["key"] == f"metrics.{key}"
    assert found["line"] == len(GOOD.splitlines()) + 2


def test_an_included_file_has_no_such_table(tmp_path: Path) -> None:
    """An included file may not have a `[metrics]` table."""
    (tmp_path / "more.toml").write_text('[metrics]\nlisten = ":9719"\n')
    found = mistake(tmp_path, 'include = ["more.toml"]\n' + GOOD)
    assert found["key"] == "metrics"


@pytest.mark.parametrize(
    ("name", "suggested"), [("metrics.txt", "metrics.prom"), ("dnsrenew", "dnsrenew.prom"), ("a.prom", None)]
)
def test_a_name_that_the_node_exporter_ignores_is_a_warning(tmp_path: Path, name: str, suggested: str | None) -> None:
    """`check` warns of a file name that the node exporter ignores, and proposes one that it reads."""
    config = check(tmp_path, AGREED + GOOD.replace("example.test", "example.org") + f'[metrics]\ntextfile = "{name}"\n')
    found = [notice for notice in config.warnings if notice.code == "metrics-file-name"]
    assert [suggested in notice.fix for notice in found if suggested] == ([True] if suggested else [])
