"""A CA that sends forged texts, in a whole run: the log, the state and the next run."""

import json
import logging

import pytest

from tests.kit.renew_stage import Stage, through
from tests.lab import Request, Response
from tests.lab.workspace import Workspace

FORGED = "\n✓ example.test renewed\r\x1b[2J"


@pytest.mark.parametrize("name", ["x" * 900_000, f"a.test{FORGED}" * 2000], ids=["a megabyte", "lines of ours"])
def test_a_name_that_was_not_ordered(workspace: Workspace, caplog: pytest.LogCaptureFixture, name: str) -> None:
    """The error is one short line, and the next run can read the state with the failure."""
    caplog.set_level(logging.DEBUG, "dnsrenew")
    stage = Stage(workspace)

    def lie(request: Request, response: Response) -> Response:
        if request.kind != "authorization" or response.status != 200:
            return response
        body = response.json()
        body["identifier"]["value"] = name
        body["challenges"] = [{**each, "type": f"{each['type']}{FORGED}"} for each in body["challenges"]]
        return response.with_json(body)

    with stage.lab.acme_proxy() as proxy:
        proxy.on_response = lie
        error = stage.failed(through(proxy))
        again = stage.one(through(proxy))
    assert error.code == "ca-no-challenge"
    assert error.message.isprintable()
    assert len(str(error.to_dict())) < 5000
    assert (again.status, again.warnings) == ("deferred", ())
    state = workspace.store / "certificates/home/state.json"
    assert json.loads(state.read_text("utf-8"))["failures"] == 1
    assert state.stat().st_size < 10_000
    assert [path.name for path in state.parent.iterdir() if "damaged" in path.name] == []
    assert all(record.getMessage().isprintable() for record in caplog.records)
