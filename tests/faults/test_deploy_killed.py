"""SIGKILL at every step of a deployment: a pair that fits is in place, and the next run succeeds."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from dnsrenew.store import FolderStore
from tests.kit.processes import NEVER, End, Zygote
from tests.kit.stores import issue, keep
from tests.lab.settings import to_toml
from tests.lab.workspace import Workspace

PAIR = ("cert.pem", "key.pem")


class Place:
    """A store with a certificate, a target with an old pair, and a reload that reports what a server would load.

    :ivar path: the folder of the program, and in ``env`` its environment: what a Zygote wants of a workspace.
    """

    def __init__(self, path: Path, kind: str) -> None:
        self.path = path
        self.env = {"HOME": str(path), "PATH": "/usr/bin:/bin"}
        self.target, self.store, self.loaded = path / "target", path / "state", path / "loaded.pem"
        self.target.mkdir(parents=True)
        keep(FolderStore(self.store), 2)
        self.old, self.new = (self._pair(number) for number in (1, 2))
        if kind != "first":
            for name, content in zip(PAIR, self.old, strict=True):
                (self.target / name).write_bytes(content)
            self.loaded.write_bytes(b"".join(self.old))
        self.configure(fails=kind == "rollback")

    @staticmethod
    def _pair(number: int) -> tuple[bytes, bytes]:
        pem, key, _ = issue(number)
        return pem.encode(), key

    def configure(self, *, fails: bool = False) -> None:
        """Write the configuration; the reload may refuse the new pair."""
        files = [str(self.target / name) for name in PAIR]
        copy = f"cat {' '.join(files)} > {self.loaded}"
        if fails:
            marker = self.path / "new.pem"
            marker.write_bytes(self.new[0])
            copy = f"! cmp -s {files[0]} {marker} && {copy}"
        entry = {"to": "files", "certificate": files[0], "key": files[1], "reload": ["sh", "-c", copy]}
        home = {"name": "home", "domains": ["münchen.test"], "ca": "lab", "deploy": [entry],
                "routes": [{"challenge": "http-01", "webroot": str(self.path)}]}  # fmt: skip
        settings: dict[str, Any] = {"store": str(self.store), "ca": {"lab": {"directory": "https://ca.test/dir"}}}
        (self.path / "dnsrenew.toml").write_text(to_toml({**settings, "certificate": [home]}))

    def run(self, zygote: Zygote, point: str, *arguments: str) -> End:
        """Deploy until this point."""
        return zygote.start(cast("Workspace", self), point, "deploy", *arguments).ended()

    def pair(self) -> tuple[bytes, bytes] | None:
        """Return the pair that is in place."""
        files = [self.target / name for name in PAIR]
        return (files[0].read_bytes(), files[1].read_bytes()) if all(file.exists() for file in files) else None

    def noted(self) -> list[Path]:
        """Return the renames in the journal."""
        return list((self.store / "journal").glob("*.renames"))

    def assert_fits(self) -> None:
        """Check that a fitting pair is in place, or that the journal has the renames of the mixed one."""
        pair = self.pair()
        mixed = [] if pair is None else [part for part in pair if part in (*self.old, *self.new)]
        assert pair in {None, self.old, self.new} or (len(mixed) == 2 and self.noted()), pair
        if self.loaded.exists():  # a server that was reloaded has a whole pair
            assert self.loaded.read_bytes() in {b"".join(self.old), b"".join(self.new)}

    def assert_right(self) -> None:
        """Check that the new pair is in place and loaded, and that no file, journal entry or descriptor is left."""
        assert (self.pair(), self.loaded.read_bytes()) == (self.new, b"".join(self.new))
        assert sorted(path.name for path in self.target.iterdir()) == list(PAIR)
        assert self.noted() == []
        assert list(self.store.rglob("*.begun")) == []


@pytest.fixture(scope="module")
def dying() -> Iterator[Zygote]:
    """The loaded program, of which processes are forked."""
    with Zygote("tests.kit.dying_deploy") as started:
        yield started


@pytest.mark.parametrize("kind", ["renewal", "first", "rollback"])
def test_killed_at_every_step(tmp_path: Path, dying: Zygote, kind: str) -> None:
    """A deployment, a first one and one that is rolled back are killed at every step. The next run succeeds."""
    path = tmp_path / "place"  # always the same: the store names the files of an entry by its options
    whole = Place(path, kind).run(dying, NEVER)
    assert whole.status == (1 if kind == "rollback" else 0), whole
    points = whole.passed
    for needed in ("event deploy-started", "file: write key.pem", "file: rename cert.pem", "program: run"):
        assert needed in points
    assert ("event deploy-rolled-back" in points) == (kind == "rollback")
    assert len(points) == len(set(points))
    for point in points:
        shutil.rmtree(path)
        place = Place(path, kind)
        end = place.run(dying, point)
        assert end.status == -signal.SIGKILL, (point, end)
        try:
            place.assert_fits()
            place.configure()
            end = place.run(dying, NEVER, "--json")
            (outcome,) = json.loads(end.out)["outcomes"]
            assert (end.status, outcome["error"], outcome["warnings"]) == (0, None, []), outcome
            place.assert_right()
        except BaseException as error:
            error.add_note(f"killed at {point}")
            raise


def test_a_mixed_pair_is_completed_before_anything_else(tmp_path: Path, dying: Zygote) -> None:
    """A mixed pair is completed first, even if its entry is no longer in the configuration."""
    place = Place(tmp_path / "place", "renewal")
    place.run(dying, "file: rename key.pem")
    assert place.pair() == (place.new[0], place.old[1])
    assert place.noted()
    config = place.path / "dnsrenew.toml"
    config.write_text("".join(line for line in config.read_text().splitlines(True) if not line.startswith("deploy")))
    place.run(dying, NEVER)
    assert (place.pair(), place.noted()) == (place.new, [])
