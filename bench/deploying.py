"""The time of a deployment to files, beside the renewal."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from bench.figures import MILLISECONDS, Figure, of_samples
from dnsrenew.base.model import Deployment
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import replace
from dnsrenew.renewal import deploying
from dnsrenew.renewal.due import outcome
from dnsrenew.store import FolderStore
from tests.kit.stores import SPEC, keep


def files(rounds: int | None) -> list[Figure]:
    """A pair is replaced by the next one, from the check to the record in the state; the first time does not count."""
    with tempfile.TemporaryDirectory(prefix="dnsrenew-bench-") as folder:
        samples = [_deploy(Path(folder), number) for number in range(1, (rounds or 30) + 2)]
    return [
        of_samples("deploy-files", "a deployment to `files`, certificate and key", MILLISECONDS, 0.030, samples[1:])
    ]


def _deploy(folder: Path, number: int) -> float:
    store = FolderStore(folder / "state")
    paths = {"certificate": str(folder / "cert.pem"), "key": str(folder / "key.pem")}
    spec = replace(SPEC, deploy=(Deployment("files", **paths),))
    keep(store, number)
    context = Context().for_certificate(spec.name)
    with store.lock(spec.name, context=context):
        state = store.read_state(spec.name)
        known = outcome(spec, store, state, "not-due", context)
        begin = time.perf_counter()
        done = deploying.deploy_pending(spec, known, state, store, context)
        seconds = time.perf_counter() - begin
    assert [(one.ok, one.changed) for one in done.deployed] == [(True, True)]
    return seconds
