"""The requests of a whole run to the CA."""

from __future__ import annotations

import shutil
from collections import Counter

import pytest

from tests.kit.renew_stage import Stage, certificates, names_in, through
from tests.lab import AcmeProxy, Request, Response

KEYS = {"ec": "ecdsa-p256", "rsa": "rsa2048"}
ONCE = {"directory", "newNonce", "newAccount"}


def requests(stage: Stage, proxy: AcmeProxy, count: int) -> Counter[str]:
    """Count the requests for a certificate with this number of names, without directory, nonce and account."""
    domains = [f"n{number}.example.test" for number in range(count)]
    before = proxy.counts
    stage.renewed({**through(proxy), "certificate.0.domains": domains}, force=True)
    assert len(names_in(stage.leaf())) == count
    return Counter({kind: number for kind, number in (proxy.counts - before).items() if kind not in ONCE})


@pytest.mark.parametrize("count", [1, 3, 20])
def test_n_names_take_4_plus_2n_requests(stage: Stage, count: int) -> None:
    """An order for N names takes 4 + 2N signed requests, and one unsigned request.

    On a busy machine the CA may need longer, which costs one more poll, and is remembered with the account: the best of
    five runs counts.
    """
    wanted = {
        "newOrder": 1,
        "authorization": count,
        "challenge": count,
        "finalize": 1,
        "order": 1,
        "certificate": 1,
        "renewalInfo": 1,
    }
    seen = []
    with stage.lab.acme_proxy() as proxy:
        for _ in range(5):
            seen.append(requests(stage, proxy, count))
            if seen[-1] == wanted:
                return
            shutil.rmtree(stage.workspace.store)  # a certificate of another account costs a second order
    pytest.fail(f"not once {wanted}: {seen}")


def test_many_certificates_share_directory_and_account(stage: Stage) -> None:
    """Twelve certificates in eight threads: one directory, one account, twelve orders."""
    names = [f"c{number}" for number in range(12)]
    with stage.lab.acme_proxy() as proxy:
        outcomes = stage.run({**through(proxy), "certificate": certificates(*names)})
    assert [outcome.name for outcome in outcomes] == names
    assert {outcome.status for outcome in outcomes} == {"renewed"}
    assert (proxy.counts["directory"], proxy.counts["newAccount"], proxy.counts["newOrder"]) == (1, 1, 12)


def test_one_worker_does_one_certificate_after_the_other(stage: Stage) -> None:
    """`workers` limits the certificates that are renewed at the same time."""
    stage.run({"certificate": certificates("a", "b", "c")}, workers=1)
    steps = [(event.kind, event.certificate) for event in stage.events]
    steps = [step for step in steps if step[0] in {"certificate-started", "certificate-finished"}]
    assert steps == [(f"certificate-{what}", name) for name in "abc" for what in ("started", "finished")]


def test_two_certificates_for_the_same_names(stage: Stage) -> None:
    """An EC and an RSA certificate are obtained at a CA that returns one pending order for both, as Boulder does."""
    pending: dict[str, Response] = {}

    def one_order(request: Request, response: Response) -> Response:
        if request.kind == "newOrder" and response.status == 201:
            nonce = [header for header in response.headers if header[0].lower() == "replay-nonce"]
            first = pending.setdefault("order", response)
            kept = [header for header in first.headers if header[0].lower() != "replay-nonce"]
            return Response(201, first.body, (*kept, *nonce))
        if request.kind == "finalize":
            pending.clear()
        return response

    both = [{"name": name, "domains": ["example.test"], "key": key} for name, key in KEYS.items()]
    with stage.lab.acme_proxy() as proxy:
        proxy.on_response = one_order
        outcomes = stage.run({**through(proxy), "certificate": both})
    assert [(outcome.status, outcome.error) for outcome in outcomes] == [("renewed", None)] * 2
    assert proxy.counts["newOrder"] == 2
