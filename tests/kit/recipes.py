"""The recipes of the guides: their files, and a world in memory in which they run as they are.

``python -m tests.kit.recipes FILE`` runs one of them; a ``sitecustomize.py`` with :data:`IN_EVERY_PROCESS` in a folder
of ``PYTHONPATH`` does the same for commands and their worker processes. Calls of ``dnsrenew.obtain`` and
``dnsrenew.serve`` get a CA, a DNS host and a store of the test in place of those that the guide names; the first
``obtain`` of a background thread renews, due or not.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import re
import runpy
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from unittest import mock
from urllib.request import urlopen

import dnsrenew
from dnsrenew.base.clock import SystemClock
from dnsrenew.testing import InMemoryDriver
from dnsrenew.testing.box.order_server import Proof
from dnsrenew.testing.box.resources import AcmeProblem
from tests.kit.acme_server import UNAUTHORIZED, AcmeServer
from tests.kit.certificates import issuer
from tests.kit.dns import MemoryDns
from tests.kit.memory import in_memory

GUIDES: Final = Path(__file__).resolve().parents[2] / "docs" / "guides"
DOMAIN: Final = "home.example.com"
IN_EVERY_PROCESS: Final = """
from pathlib import Path
from tests.kit.recipes import RecipeWorld
in_place = RecipeWorld(Path({folder!r}), seconds={seconds}).in_place()
in_place.__enter__()
"""
_CA: Final = "Recipe CA"
_DIRECTORY: Final = "https://ca.example.test/directory"


def recipe_files(page: str) -> dict[str, str]:
    """Return the Python files in a guide: blocks that begin with their name in a comment."""
    blocks = re.findall(r"```python\n(.*?)```", (GUIDES / page).read_text("utf-8"), re.DOTALL)
    named = ((re.match(r"# (\w+\.py)\n", block), block) for block in blocks)
    return {found[1]: block for found, block in named if found}


class RecipeWorld:
    """A CA, a DNS host and a store for the calls of ``obtain`` in a recipe.

    :param seconds: how long it takes until a TXT value is seen.
    :ivar on_event: called with every event of these calls.
    """

    def __init__(self, folder: Path, *, seconds: float = 0.0) -> None:
        self.driver = InMemoryDriver()
        self.on_event: Callable[[dnsrenew.Event], object] = lambda _: None
        self._store = folder / "state"
        self._dns = MemoryDns({"home": self.driver}, seconds=seconds)
        self._ca = AcmeServer(_DIRECTORY, SystemClock(), self._validate, name=_CA)
        self._obtain, self._aobtain, self._serve = dnsrenew.obtain, dnsrenew.aobtain, dnsrenew.serve
        self._renewed = threading.Event()

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Let ``dnsrenew.obtain`` use this world."""
        with (
            in_memory([self._ca], self._dns),
            mock.patch.multiple(dnsrenew, obtain=self.obtain, aobtain=self.aobtain, serve=self.serve),
        ):
            yield

    def obtain(self, *domains: Any, **arguments: Any) -> dnsrenew.Certificate:
        """Call ``obtain`` with the recipe's arguments, except those that lead out of this process."""
        own = self._own(self._obtain, domains, arguments)
        is_main = threading.current_thread() is threading.main_thread()
        force = {} if is_main or self._renewed.is_set() else {"force": True}
        if force:
            self._renewed.set()
        return self._obtain(*domains, **{**own, **force})

    async def aobtain(self, *domains: Any, **arguments: Any) -> dnsrenew.Certificate:
        """Call ``aobtain`` in the same way."""
        return await self._aobtain(*domains, **self._own(self._aobtain, domains, arguments))

    def serve(self, *domains: Any, **arguments: Any) -> dnsrenew.Served:
        """Call ``serve`` in the same way."""
        return self._serve(*domains, **self._own(self._serve, domains, arguments))

    def _own(self, function: Callable[..., object], domains: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments for this world, after a check that the function takes those of the recipe."""
        inspect.signature(function).bind(*domains, **arguments)
        own = {"dns": self.driver, "ca": dnsrenew.CA(_DIRECTORY, name="lab"), "store": self._store}
        return {**arguments, **own, "on_event": self._hear}

    def _hear(self, event: dnsrenew.Event) -> None:
        self.on_event(event)

    def _validate(self, proof: Proof) -> AcmeProblem | None:
        if proof.challenge == "http-01":
            return self._look(f"http://127.0.0.1:{os.environ['RECIPE_PORT']}", proof)
        return None if proof.expected in self.driver.look(proof.txt_name) else UNAUTHORIZED

    def _look(self, url: str, proof: Proof) -> AcmeProblem | None:
        with urlopen(f"{url}/.well-known/acme-challenge/{proof.token}", timeout=10) as answer:  # noqa: S310  # a constant
            return None if answer.read() == proof.expected.encode() else UNAUTHORIZED


def main() -> None:
    """Run a recipe in the current folder. ``root.pem`` there is the root of its certificates."""
    folder = Path.cwd()
    root = Path(f"root.{os.getpid()}")  # of its own: several processes of a recipe may start together
    root.write_text(issuer(f"{_CA} 1").pem, "ascii")
    root.replace("root.pem")  # at once whole, for a test that waits for it
    sys.path.insert(0, str(folder))
    with RecipeWorld(folder).in_place():
        runpy.run_path(sys.argv[1], run_name="__main__")


if __name__ == "__main__":
    main()
