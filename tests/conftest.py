"""What all tests share; the servers' fixtures are in tests/integration and tests/lab."""

import functools
import gc
import os
import signal

import pytest
from hypothesis import settings

from dnsrenew.cli import formatting
from dnsrenew.drivers import catalogue

pytest_plugins = ["tests.kit.postgres_fixtures", "tests.kit.secrecy", "tests.kit.store_sites", "tests.kit.users"]

# Started in the background of a shell, or by nohup: what we start would inherit that, and signals could not be tested.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # not on Windows
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# No deadline: two workers and their servers share two cores.
# In CI the same examples every time, so that a red run can be repeated.
settings.register_profile(
    "dnsrenew",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    max_examples=int(os.environ.get("DNSRENEW_EXAMPLES", "30")),  # `make soak` has more
)
settings.load_profile("dnsrenew")


# Python looks for garbage whenever 700 objects more are there: with all that tests keep, a fifth of their time.
gc.set_threshold(20_000, 20, 100)

# The disk is not tested in this process, and fsync waits for it; the programs that tests start wait too.
os.fsync = os.fstat  # type: ignore[assignment]  # it still refuses what is no open file

# A command parses the file of a DNS host once; here hundreds of them run in one process.
catalogue.parse_provider = functools.cache(catalogue.parse_provider)


LONGEST = (
    *("integration/test_image.py", "integration/test_systemd.py", "integration/test_systemd_power.py"),
    *("faults/test_killed.py", "integration/test_serving_servers.py", "integration/test_serve_command.py"),
    *("integration/test_init.py", "integration/test_bad_dns.py", "unit/hosts/test_all.py"),
    *(
        "integration/test_fleet_worker.py",
        "integration/test_fleet_serving.py",
        "unit/test_docs.py",
        "unit/test_year.py",
    ),
)
"""Files that take a minute each; a worker that began one at the end would be waited for."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files; the others stay in their order."""
    items.sort(key=lambda item: not item.nodeid.split("::")[0].endswith(LONGEST))


def pytest_collection_finish() -> None:
    """Leave the collected tests out of every later collection of garbage, and collect less often.

    It took a tenth of a worker's time. A test that needs a collection calls it.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


@pytest.fixture(scope="session", autouse=True)
def _folder_of_inner_runs(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A pytest that a test starts closes the folder of all temporary folders to other users: it gets another one."""
    os.environ["PYTEST_DEBUG_TEMPROOT"] = str(tmp_path_factory.mktemp("inner"))


@pytest.fixture(autouse=True)
def _commands_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Undo what a call of the program does to the commands in messages: it is for a whole process."""
    monkeypatch.setattr(formatting, "typed", formatting.typed)
