"""Runs the checks of some certificates at once, and makes a diagnosis for each."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import zip_longest
from typing import Any, Final

from dnsrenew.base import threads
from dnsrenew.base.model import CertificateSpec, Check, Diagnosis, Route, RouteTaken
from dnsrenew.base.names import is_ip
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import replace
from dnsrenew.challenges import CHALLENGES
from dnsrenew.challenges.records import DnsInstead, needs_port
from dnsrenew.challenges.texts import INIT_INSTEAD
from dnsrenew.config import Config
from dnsrenew.errors import Cancelled, DnsRenewError, StoreError
from dnsrenew.extensions.doctor import texts
from dnsrenew.extensions.doctor.accounts.accounts import AccountPlacements, accounts_of, placements
from dnsrenew.extensions.doctor.accounts.probe import propagation_limit
from dnsrenew.extensions.doctor.facts import DNS, INBOUND, PERSIST, Facts, MaybeSpec, kind_of
from dnsrenew.extensions.doctor.folding import OPEN, fold, following, follows, says, while_stopped, with_mended
from dnsrenew.extensions.doctor.keeping.texts import LAST_RUN_FAILED, LAST_RUN_FORCED, LAST_RUN_UNTESTED
from dnsrenew.extensions.doctor.table import TABLE, CheckEntry
from dnsrenew.renewal import planner
from dnsrenew.renewal.planner import Candidates, Selection
from dnsrenew.store import Store

SECONDS: Final = 13.0
"""Seconds for all checks that write nothing, regardless of their number.

With start and output, an examination ends within 15 s.
"""

Key = tuple[str, ...]
"""The code of a check, and the names of its subject."""


def examine(
    context: Context,
    config: Config | None,
    store: Store | None,
    specs: Sequence[CertificateSpec],
    *,
    probe: bool = False,
    store_error: StoreError | None = None,
    spent: float = 0.0,
    may_init: bool = False,
) -> list[Diagnosis]:
    """Return a diagnosis for each certificate; without a configuration, one for the machine.

    :param probe: also write a test value to DNS with each account, and remove it. This may take the propagation
        time-out of the certificate.
    :param store_error: why the store cannot be read. Without certificates, only the machine is examined.
    :param spent: the seconds that have already passed.
    :param may_init: whether there is no configuration yet, rather than one with mistakes.
    :raises Cancelled: the caller cancelled.
    """
    host_alone = config is None or (store_error is not None and not specs)
    waits = [propagation_limit(config, spec) for spec in specs] if probe and config else []
    seconds = max(SECONDS - spent, 3.0) + max(waits, default=0.0)  # a store that hangs may have taken most of the time
    if config is not None:  # the certificates of a fleet have no table, but need the same machine
        names = {spec.name for spec in config.certificates}
        others = [spec for spec in specs if spec.name not in names]
        config = replace(config, certificates=(*config.certificates, *others)) if others else config
    facts = Facts(context.within(seconds), config, store, probe=probe, store_error=store_error)
    try:
        found = run_all(context, jobs(facts, [None] if host_alone else specs))
    finally:
        facts.close()
    if host_alone:
        alone = Diagnosis(name=None, renewable=None, route=None, next_action=None, checks=tuple(found.values()))
        stopping = (each for each in alone.checks if each.result == "bad" or each.code == "internet")
        stopped = next((each.fix for each in stopping if each.result != "ok" and "all" in each.blocks), None)
        if config is not None or (may_init and stopped):
            return [replace(alone, next_action=stopped if may_init else None)]
        if not may_init:  # the mistakes of the configuration come first, and it may have a dns-01 route
            checks = (following(each, "config-invalid") if each.result == "unknown" else each for each in alone.checks)
            return [replace(alone, checks=tuple(checks), next_action=texts.MISTAKES_FIRST)]
        return [_with_dns_first(alone, lambda fix: INIT_INSTEAD.format(fix=fix))]
    its, diagnoses = facts.its, []
    instead = DnsInstead(its.accounts, its.providers, has_file=its.path is not None)
    for spec in specs:
        own = with_mended([found[key] for _, key, _ in subjects(facts, spec) if key in found])
        each = diagnosis(spec, options(facts, spec), own)
        diagnoses.append(_with_dns_first(each, partial(instead.advice, spec)) if needs_port(spec) else each)
    return diagnoses


def subjects(facts: Facts, spec: MaybeSpec) -> Iterator[tuple[CheckEntry, Key, dict[str, Any]]]:
    """Yield the checks that concern the routes of a certificate, each with its key and its subject.

    :param spec: None for only the machine.
    """
    challenges = facts.challenges(spec) if spec is not None else set()
    has_names = spec is None or not all(map(is_ip, spec.identifiers))
    for entry in TABLE:
        scope, code = entry.scope, entry.code
        if spec is None:
            if scope == "host" or entry.on_host:
                yield entry, (code,), {} if scope == "host" else {"spec": None}
            continue
        is_made = (facts.probe or scope != "certificate-account") and (has_names or not entry.only_names)
        if not is_made or (entry.challenges and challenges.isdisjoint(entry.challenges)):
            continue
        certificate = {"spec": spec} if scope.startswith("certificate") else {}
        key = (code, spec.name) if certificate else (code,)
        if scope.endswith("ca"):
            yield from ((entry, (*key, f"ca {ca}"), {**certificate, "ca": ca}) for ca in facts.cas(spec))
        elif scope.endswith("account"):
            yield from ((entry, (*key, f"dns {its}"), {**certificate, "account": its}) for its in facts.accounts(spec))
        else:
            yield entry, key, certificate


def jobs(
    facts: Facts, specs: Iterable[MaybeSpec], wanted: Collection[str] | None = None
) -> dict[Key, partial[Check | None]]:
    """Return a call for each check. Several certificates share one call if possible.

    :param wanted: the codes of the checks; None for all.
    """
    every = [each for spec in specs for each in subjects(facts, spec) if wanted is None or each[0].code in wanted]
    return {key: partial(_make, facts, entry, **about) for entry, key, about in every}


def run_all(context: Context, jobs: Mapping[Key, partial[Check | None]]) -> dict[Key, Check]:
    """Run the calls at once. A call that has not ended by the deadline is unknown."""
    tasks = dict(zip(jobs, threads.start_all(list(jobs.values()), 64), strict=True))
    found: dict[Key, Check] = {}
    for key, task in tasks.items():
        facts, entry = jobs[key].args
        try:
            facts.context.wait_for(task.done)
        except Cancelled:
            context.check()
        check = _late(entry, jobs[key].keywords) if not task.done.is_set() else task.result()
        if check is not None:
            found[key] = check
    context.check()  # a cancel ends the checks themselves too
    return fold(found)


def _make(facts: Facts, entry: CheckEntry, **about: Any) -> Check | None:
    """Make one check. An error in it does not end the examination."""
    try:
        check = entry.function(facts, **about)
    except Cancelled:
        return _late(entry, about)
    except DnsRenewError as error:
        evidence = {**_about(about), "error": error.to_dict()}
        return Check(entry.code, "unknown", error.message, evidence, error.fix, entry.blocks)
    except Exception as error:  # noqa: BLE001  # one check must not stop the others
        text = texts.CHECK_FAILED._replace(code=entry.code)
        evidence = {**_about(about), "cause": type(error).__name__}
        return Check.of(text, "unknown", evidence, blocks=entry.blocks)
    return check and replace(check, code=entry.code, evidence={**_about(about), **check.evidence})


def _late(entry: CheckEntry, about: Mapping[str, Any]) -> Check:
    return Check.of(texts.CHECK_LATE._replace(code=entry.code), "unknown", _about(about), blocks=entry.blocks)


def _about(about: Mapping[str, Any]) -> dict[str, Any]:
    """Return the CA or account of a check."""
    named = {"ca": about.get("ca"), "dns": about.get("account")}
    return {key: value for key, value in named.items() if value is not None}


# ── verdict ────────────────────────────────────────────────────────────────────────────

# Makes the diagnosis of a certificate from its checks. Pure.

_ABOUT_PORTS: Final = frozenset(its.code for its in TABLE if set() < {*its.challenges, *its.blocks} <= {*INBOUND})


_OUTSIDE: Final = frozenset({"internet", "ca-reachable"})
"""If these are unknown, there was no answer."""


def diagnosis(spec: CertificateSpec, options: Options, checks: Sequence[Check]) -> Diagnosis:
    """Return the diagnosis.

    :param options: the routes of each identifier.
    :param checks: the checks in the order of urgency.
    """
    certain = _choose(options, [check for check in checks if check.result != "ok"])
    bad = [check for check in checks if check.result == "bad"]
    possible = _choose(options, bad)
    # The first route that a run would try. Unknown results rule out only a challenge that the CA may not offer.
    first = _choose(options, [*bad, *(each for each in checks if each.result != "ok" and each.blocks == PERSIST)])
    renewable = True if certain else None if possible else False
    route = taken(first) if certain and first else None
    stopping = [each for each in checks if each.result == "bad" or (each.result != "ok" and each.code in _OUTSIDE)]
    cause = next((each.code for each in stopping if each.blocks and not follows(each)), None)
    if cause and _choose(options, stopping) is None:
        checks = while_stopped(checks, cause)
    checks = tuple(_open(check, route) for check in checks)
    action = _next_action(options, checks, renewable=renewable)
    return Diagnosis(name=spec.name, renewable=renewable, route=route, next_action=action, checks=checks)


_FAILURES: Final = (LAST_RUN_FAILED, LAST_RUN_FORCED)


def _open(check: Check, route: RouteTaken | None) -> Check:
    """Return a check. The failure of the route that a run would take now is open, until a test of its account."""
    evidence = check.evidence
    if not says(check, _FAILURES) or route is None or evidence.get("route") != route.to_dict():
        return check
    is_hosts = check.fix and str(evidence.get("code", "")).startswith("provider-")
    fix = LAST_RUN_UNTESTED.format(advice=check.fix) if is_hosts else check.fix
    return replace(check, evidence={**evidence, OPEN: True}, fix=fix)


def _choose(options: Options, against: Collection[Check]) -> Selection | None:
    """Return the routes that a run would take now if each of these checks stopped its subject."""
    order = dict.fromkeys(route for several in zip_longest(*options.values()) for route in several if route is not None)
    candidates = Candidates(options, list(order))
    for identifier, route in ((identifier, route) for identifier, its in options.items() for route in its):
        if any(stops(check, route, identifier) for check in against):
            candidates.drop(route, [identifier])
    return candidates.choose()


def stops(check: Check, route: Route, identifier: str) -> bool:
    """Return whether a check concerns a route of a name and stops its challenge."""
    evidence = check.evidence
    return (
        not {"all", route.challenge, kind_of(route.challenge)}.isdisjoint(check.blocks)
        and evidence.get("ca", route.ca) == route.ca
        and ("dns" not in evidence or evidence["dns"] in route.dns)
        and identifier in evidence.get("names", [identifier])
    )


def taken(selection: Selection) -> RouteTaken:
    """Return the selection as the route of an outcome."""
    chosen = selection.distinct()
    accounts = tuple(dict.fromkeys(name for route in chosen for name in route.dns))
    if len({route.challenge for route in chosen}) == 1:
        return RouteTaken(ca=selection.ca, challenge=chosen[0].challenge, dns=accounts)
    routes = selection.routes.items()
    names = {identifier: {"challenge": route.challenge, "dns": list(route.dns)} for identifier, route in routes}
    return RouteTaken(ca=selection.ca, challenge="mixed", dns=accounts, names=names)


def _next_action(options: Options, checks: Sequence[Check], *, renewable: bool | None) -> str | None:
    """Return the fix of the most urgent check.

    First come checks that stop the renewal, then checks that may stop it, then checks that need an action.
    """
    if renewable is False:
        candidates: Iterable[Check] = (check for check in checks if check.result == "bad" and _concerns(check, options))
    elif renewable is None:
        candidates = (check for check in checks if check.result != "ok" and _concerns(check, options))
    else:  # a blocked route needs no action as long as another one works, but for an account that has failed its test
        bad = [check for check in checks if check.result == "bad" and not check.blocks and not follows(check)]
        # Another run would only fail again, and a certificate that is not due waits.
        failed = (check for check in bad if check.code == "last-run" and not says(check, [LAST_RUN_FORCED]))
        expiry = (check for check in checks if check.code == "expiry")
        # It does not exist yet, or is no longer good.
        needed = (check for check in expiry if check.result == "bad" or check.evidence.get("not_after", "") is None)
        refused = (check for check in checks if check.result == "bad" and check.code == "dns-credentials")
        lasting = (check for check in bad if check.code != "txt-stale")  # an old value stops no renewal
        candidates = itertools.chain(failed, needed, refused, lasting, bad)
    return next((check.fix for check in candidates if check.fix), None)


def _with_dns_first(found: Diagnosis, advice: Callable[[str], str]) -> Diagnosis:
    """Return the diagnosis. If its advice is to open a port, the way without an open port comes first."""
    by_port = [check for check in found.checks if check.code in _ABOUT_PORTS and check.fix and check.result != "ok"]
    by_port.sort(key=lambda check: (check.result != "bad", not check.blocks and check.result == "bad"))
    following = found.next_action if found.name is not None else next((each.fix for each in by_port), None)
    if not any(each.fix == following for each in by_port):
        return found
    first = by_port[0]
    checks = tuple(replace(check, fix=advice(check.fix)) if check is first else check for check in found.checks)
    return replace(found, next_action=advice(following or ""), checks=checks)


def _concerns(check: Check, options: Options) -> bool:
    """Return whether a check stops a route of a name.

    A name without a route is blocked by the check that ruled out its last one.
    """
    stopped = (not its or any(stops(check, route, name) for route in its) for name, its in options.items())
    return bool(check.blocks) and any(stopped)


# ── options ────────────────────────────────────────────────────────────────────────────

# The routes that each name of a certificate could take, as a renewal would expand them.

Options = Mapping[str, list["Route"]]
"""The routes of each identifier in order, each with its CA, and with its accounts for dns-01."""


def options(facts: Facts, spec: CertificateSpec) -> Options:
    """Return the routes of each identifier. If DNS does not show which accounts write, use the configuration."""
    found, in_order = _placements(facts, spec), _order(facts, spec)
    routes = in_order([replace(route, ca=route.ca or spec.ca) for route in spec.routes])
    its: dict[str, list[Route]] = {}
    for identifier in spec.identifiers:
        fit = [route for route in routes if not CHALLENGES[route.challenge].is_unfit(identifier)]
        every = [each for route in fit for each in in_order(_expanded(facts, route, identifier, found))]
        its[identifier] = list(dict.fromkeys(every))
    return its


def _order(facts: Facts, spec: CertificateSpec) -> Callable[[Iterable[Route]], list[Route]]:
    """Return a key that sorts routes in the order in which a run would try them now."""
    try:
        state = facts.state(spec.name)
    except (Cancelled, DnsRenewError, LookupError):  # the checks of the store report this
        return list
    return lambda routes: planner.order_routes(routes, spec.ca, state, facts.context.clock.now())


def _placements(facts: Facts, spec: CertificateSpec) -> AccountPlacements:
    if not facts.challenges(spec).isdisjoint(DNS):
        with suppress(Cancelled, DnsRenewError):  # the checks report this
            return placements(facts, spec)
    return AccountPlacements({}, {})


def _expanded(facts: Facts, route: Route, identifier: str, found: AccountPlacements) -> Iterator[Route]:
    """Yield the routes to which a route expands, for one name."""
    if kind_of(route.challenge) not in DNS:
        yield route
    elif identifier in found.placements:
        for accounts in (tuple(accounts_of(each)) for each in found.placements[identifier]):
            if not route.dns or set(accounts) == set(route.dns):
                yield replace(route, dns=route.dns or accounts)
    elif route.dns:
        yield route
    else:
        yield from (replace(route, dns=(name,)) for name in facts.its.accounts if facts.may_write(name, identifier))
