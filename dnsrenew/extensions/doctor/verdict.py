"""From the checks of a certificate to its diagnosis. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from dnsrenew.base.model import Check, Diagnosis, RouteTaken
from dnsrenew.fallback.candidates import Candidates, Selection

if TYPE_CHECKING:
    from dnsrenew.base.model import CertificateSpec, Route
    from dnsrenew.extensions.doctor.options import Options

_EXPIRY: Final = "expiry"
_LAST_RUN: Final = "last-run"


def diagnosis(spec: CertificateSpec, options: Options, checks: Sequence[Check]) -> Diagnosis:
    """Return the diagnosis.

    :param options: the routes of each identifier.
    :param checks: in the order of urgency.
    """
    certain = _choose(options, [check for check in checks if check.result != "ok"])
    possible = certain or _choose(options, [check for check in checks if check.result == "bad"])
    renewable = True if certain else None if possible else False
    return Diagnosis(
        name=spec.name,
        renewable=renewable,
        route=taken(certain) if certain else None,
        next_action=_next_action(options, checks, renewable=renewable),
        checks=tuple(checks),
    )


def _choose(options: Options, against: Collection[Check]) -> Selection | None:
    """Return the routes that a run would take now if every one of these checks stopped what it is about."""
    order = dict.fromkeys(route for several in zip_longest(*options.values()) for route in several if route is not None)
    candidates = Candidates(options, list(order))
    for identifier, its in options.items():
        for route in its:
            if any(stops(check, route, identifier) for check in against):
                candidates.drop(route, [identifier])
    return candidates.choose()


def stops(check: Check, route: Route, identifier: str) -> bool:
    """Tell whether a check is about a route of a name, and stops its challenge."""
    evidence = check.evidence
    if "all" not in check.blocks and route.challenge not in check.blocks:
        return False
    if "ca" in evidence and evidence["ca"] != route.ca:
        return False
    if "dns" in evidence and evidence["dns"] not in route.dns:
        return False
    return identifier in evidence.get("names", [identifier])


def taken(selection: Selection) -> RouteTaken:
    """Return the selection as the route of an outcome."""
    chosen = selection.distinct()
    accounts = tuple(dict.fromkeys(name for route in chosen for name in route.dns))
    if len({route.challenge for route in chosen}) == 1:
        return RouteTaken(ca=selection.ca, challenge=chosen[0].challenge, dns=accounts)
    names = {
        identifier: {"challenge": route.challenge, "dns": list(route.dns)}
        for identifier, route in selection.routes.items()
    }
    return RouteTaken(ca=selection.ca, challenge="mixed", dns=accounts, names=names)


def _next_action(options: Options, checks: Sequence[Check], *, renewable: bool | None) -> str | None:
    """Return the fix of the most urgent check: that stops the renewal, or may stop it, or only needs a person."""
    if renewable is False:
        candidates: Iterable[Check] = (check for check in checks if check.result == "bad" and _concerns(check, options))
    elif renewable is None:
        candidates = (check for check in checks if check.result != "ok" and _concerns(check, options))
    else:  # a route that is stopped needs nobody as long as another works
        bad = [check for check in checks if check.result == "bad" and not check.blocks]
        failed = (check for check in bad if check.code == _LAST_RUN)  # another run would only fail again
        missing = (
            check for check in checks if check.code == _EXPIRY and check.result == "unknown" and _is_absent(check)
        )
        candidates = itertools.chain(failed, missing, bad)
    return next((check.fix for check in candidates if check.fix), None)


def _is_absent(check: Check) -> bool:
    """Tell whether there is no certificate yet, so that obtaining it comes first."""
    evidence = check.evidence
    return check.code == _EXPIRY and "not_after" in evidence and evidence["not_after"] is None


def _concerns(check: Check, options: Options) -> bool:
    """Tell whether a check stops a route of a name; a name without any route is stopped by what leaves it none."""
    return bool(check.blocks) and any(
        not its or any(stops(check, route, identifier) for route in its) for identifier, its in options.items()
    )
