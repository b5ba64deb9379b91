"""What stands in the store for a certificate, and what is going to happen to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dnsrenew import due, memory
from dnsrenew.errors import StoreError
from dnsrenew.frozen import Frozen, replace
from dnsrenew.job import Wishes
from dnsrenew.model import rfc3339
from dnsrenew.renewal import why
from dnsrenew.store import State

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from dnsrenew.context import Context
    from dnsrenew.model import CertificateSpec
    from dnsrenew.store import Store


class CertificateStatus(Frozen, kw_only=True):
    """What ``dnsrenew status`` says of one certificate; fields as in its JSON.

    :ivar route: the way that led to the certificate in force, as in an outcome; None where that is not known.
    """

    name: str
    domains: tuple[str, ...]
    ca: str
    issuer: str | None
    serial: str | None
    not_before: datetime | None
    not_after: datetime | None
    state: str
    next_renewal: datetime | None
    reason: str
    route: dict[str, Any] | None
    last_failure: dict[str, Any] | None
    next_attempt: datetime | None
    path: Path | None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        form = dict(vars(self))
        for name in ("not_before", "not_after", "next_renewal", "next_attempt"):
            form[name] = rfc3339(form[name])
        form["domains"] = list(self.domains)
        form["path"] = None if self.path is None else str(self.path)
        return form


def status_of(spec: CertificateSpec, store: Store, context: Context) -> CertificateStatus:
    """Return what stands in the store for a certificate; asks nobody."""
    try:
        state = store.read_state(spec.name, aside=False)
        reason = why(spec, store, state, context, Wishes())
    except StoreError as error:  # of this one: the others can be told of
        now = rfc3339(context.clock.now())
        failure = {"time": now, "code": error.code, "message": error.message, "fix": error.fix}
        state, reason = replace(State(), last_failure=failure), "missing"
    for notice in state.notices:
        context.for_certificate(spec.name).emit("warning", **notice.to_dict())
    stands = state.version is not None and reason != "missing"
    words = {None: "valid", "missing": "missing", "expired": "expired", "revoked": "revoked"}
    return CertificateStatus(
        name=spec.name,
        domains=spec.domains,
        ca=state.ca or spec.ca,
        issuer=state.issuer if stands else None,
        serial=state.serial if stands else None,
        not_before=state.not_before if stands else None,
        not_after=state.not_after if stands else None,
        state=words.get(reason, "due"),
        next_renewal=due.next_renewal(spec, state) if stands else None,
        reason=reason or due.next_reason(spec, state),
        route=_route(state.worked) if stands else None,
        last_failure=None if state.last_failure is None else dict(state.last_failure),
        next_attempt=memory.deferred_until(state, context.clock.now()),
        path=store.current(spec.name) if stands else None,
    )


def _route(worked: Sequence[str]) -> dict[str, Any] | None:
    """Return the way that keys of routes stand for (:func:`dnsrenew.memory.route_key`), in the form of an outcome's.

    Of a mix it is not kept which name went which way: it has no ``names``.
    """
    from urllib.parse import unquote  # slow to load, and ``renew`` does not need it

    split = [key.split("/") for key in worked if "/" in key]
    ways = [(unquote(ca), unquote(challenge)) for ca, challenge, *_ in split]
    if not ways:
        return None
    writers = [
        part[4:] for _, challenge, *rest in split if challenge == "dns-01" for part in rest if part.startswith("dns=")
    ]
    accounts = dict.fromkeys(unquote(account) for several in writers for account in several.split("+"))
    challenges = {challenge for _, challenge in ways}
    return {"ca": ways[0][0], "challenge": challenges.pop() if len(challenges) == 1 else "mixed", "dns": list(accounts)}
