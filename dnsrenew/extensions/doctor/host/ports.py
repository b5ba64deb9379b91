"""Whether the ports of the challenges can be opened, and whether a web server listens where one is needed."""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from dnsrenew.base import host_port
from dnsrenew.base.model import Check, CheckResult
from dnsrenew.challenges import CHALLENGES
from dnsrenew.challenges.listeners import endpoints_of
from dnsrenew.errors import printable
from dnsrenew.extensions.doctor.facts import HTTP, Facts, MaybeSpec
from dnsrenew.extensions.doctor.host import machine, texts
from dnsrenew.extensions.doctor.host.firewall import verdict_of
from dnsrenew.extensions.doctor.host.machine import LABELS, Family, PortFailure, ThisHost, family_of, is_loopback

_PORT: Final = 80
_WINDOWS: Final = os.name == "nt"

Wanted = Mapping[str, Sequence[Family]]
"""The address families by which a CA reaches each name."""


# ── can it be opened ────────────────────────────────────────────────────────────────────


def port_free(challenges: tuple[str, ...], facts: Facts, spec: MaybeSpec) -> Check | None:
    """Open the port of some challenges for a moment, for ``port-80-free`` or ``port-443-free``."""
    listens, answered_elsewhere = listen_addresses(spec, challenges)
    failures = {listen: machine.port_failure(facts, listen) for listen in listens}
    if opened := [listen for listen, failure in failures.items() if failure is None]:
        return Check.of(texts.PORT_FREE, "ok", {"listen": opened, "port": host_port.split(opened[0])[1]})
    blocks = () if answered_elsewhere else challenges
    here = machine.this_host(facts)
    return next((judge_port(listen, each, here, spec, blocks) for listen, each in failures.items() if each), None)


def listen_addresses(spec: MaybeSpec, challenges: tuple[str, ...]) -> tuple[list[str], bool]:
    """Return the listen addresses of routes with one port, and whether a web server answers for other routes."""
    default = CHALLENGES[challenges[0]].listen or ""
    if spec is None:
        return [default], False
    routes = [route for route in spec.routes if route.challenge in challenges]
    own = [route.listen or default for route in routes if not (route.webroot or route.app)]
    return list(dict.fromkeys(own)), len(own) < len(routes)


def judge_port(listen: str, failure: PortFailure, here: ThisHost, spec: MaybeSpec, blocks: tuple[str, ...]) -> Check:
    """Return the check of a port that cannot be opened."""
    port, number = host_port.split(listen)[1], failure.errno or 0
    evidence: dict[str, Any] = {"listen": listen, "port": port, "errno": number}
    evidence["error"] = errno.errorcode.get(number, failure.cause)
    if failure.kind == "port-taken":
        owner = next((one for one in here.listeners(port) or () if one.program), None)
        return _taken(evidence, owner, spec, blocks)
    if failure.kind == "port-forbidden":
        evidence["user"] = here.user()
        result: CheckResult = "unknown" if spec is None else "bad"  # it may be free for the user who will run dnsrenew
        return Check.of(texts.PORT_FORBIDDEN, result, evidence, blocks=blocks)
    text = texts.PORT_NO_ADDRESS if failure.kind == "address-missing" else texts.PORT_FAILED
    return Check.of(text, "bad", evidence, blocks=blocks)


def _taken(evidence: dict[str, Any], owner: machine.Listener | None, spec: MaybeSpec, blocks: tuple[str, ...]) -> Check:
    evidence |= {"owner": None, "pid": None, "user": None}
    if owner is not None:
        evidence |= {"owner": owner.program, "pid": owner.pid, "user": owner.user or "?", "address": owner.address}
    if spec is not None and spec.before:
        before = {**evidence, "before": printable(os.path.basename(spec.before[0]))}
        return Check.of(texts.PORT_FREED_BEFORE, "ok", before)
    if owner is not None and not owner.is_trusted and not _WINDOWS:
        return Check.of(texts.PORT_TAKEN_STRANGE, "unknown" if spec is None else "bad", evidence, blocks=blocks)
    if spec is None:
        return Check.of(texts.PORT_IN_USE if owner else texts.PORT_IN_USE_UNKNOWN, "ok", evidence)
    if owner:
        text = texts.PORT_TAKEN if blocks == HTTP or evidence["port"] == _PORT else texts.PORT_TAKEN_TLS
    else:
        text = texts.PORT_TAKEN_UNKNOWN_WINDOWS if _WINDOWS else texts.PORT_TAKEN_UNKNOWN
    return Check.of(text, "bad", evidence, blocks=blocks)


# ── does a web server listen ────────────────────────────────────────────────────────────


def port_80_listens(facts: Facts, spec: MaybeSpec) -> Check | None:
    """Look for a program that listens on port 80, or at the address at which dnsrenew itself would listen."""
    listens, needs_server = listen_addresses(spec, HTTP) if spec is not None else ([], True)
    here, found = machine.this_host(facts), machine.listeners(facts, _PORT)
    if needs_server and found is None:
        return Check.of(texts.LISTENS_UNREADABLE, "unknown", {"port": _PORT, "user": here.user()}, blocks=HTTP)
    if spec is None and not found:
        return None  # no web server is needed yet
    own, addresses = machine.own_addresses(facts), machine.records(facts, spec)
    wanted = {name: machine.families_here(its, own) for name, its in addresses.items()}
    is_direct = any(each in own and not is_loopback(each) for its in addresses.values() for each in its)
    served = _served(facts, here, found) if found is not None else []
    forwarded = {verdict_of(facts, family, _PORT) for family in machine.FAMILIES}
    if needs_server:
        about: dict[str, Any] = {"forwarded": forwarded, "is_direct": is_direct, "only_listens": not listens}
        return judge_listening(found or (), served, wanted, **about)
    may_change = found is None or served or not is_direct or (spec and spec.before)  # a program may start a proxy
    is_passed_on = bool(may_change or {"passed on", "depends", "unknown"} & forwarded)
    places = [(listen, _addresses_of(listen)) for listen in listens]
    checks = [judge_own(listen, its, wanted, is_passed_on=is_passed_on) for listen, its in places if its]
    return min(checks, key=lambda check: ("ok", "unknown", "bad").index(check.result), default=None)


def _addresses_of(listen: str) -> list[str]:
    """Return the addresses that a renewal would listen on. Without any, ``port-80-free`` says why."""
    try:
        return [str(each.address[0]) for each in endpoints_of(listen)]
    except OSError:
        return []


def judge_own(listen: str, addresses: Sequence[str], wanted: Wanted, *, is_passed_on: bool) -> Check:
    """Return the check of an address at which dnsrenew itself listens.

    :param addresses: the addresses that it stands for.
    :param is_passed_on: whether a proxy, the firewall or a router may pass port 80 on.
    """
    port = host_port.split(listen)[1]
    evidence: dict[str, Any] = {"port": port, "listen": listen}
    served = sorted({family_of(address) for address in addresses if not is_loopback(address)})
    if not served:
        if is_passed_on:
            return Check.of(texts.LISTENS_OWN_LOOPBACK, "unknown", evidence)
        return Check.of(texts.LISTENS_OWN_UNREACHED, "bad", evidence, blocks=HTTP)
    unserved, partly, missing = _not_reached(wanted, served)
    if not partly:
        return Check.of(texts.LISTENS_OWN, "ok", evidence)
    evidence |= {"names": unserved or partly, "served": _labels(served), "missing": _labels(missing)}
    if port != _PORT:  # what passes port 80 on may accept both families
        return Check.of(texts.LISTENS_OWN_ONE_FAMILY, "unknown", evidence)
    return Check.of(texts.LISTENS_OWN_ONE_FAMILY, "bad", evidence, blocks=HTTP if unserved else ())


def _not_reached(wanted: Wanted, served: Sequence[Family]) -> tuple[list[str], list[str], list[Family]]:
    """Return the names that no family reaches, the names that only some reach, and the missing families."""
    unserved = [name for name, its in wanted.items() if its and not set(its) & set(served)]
    partly = [name for name, its in wanted.items() if set(its) - set(served)]
    return unserved, partly, sorted({family for name in partly for family in wanted[name]} - set(served))


def _served(facts: Facts, here: ThisHost, listeners: Sequence[machine.Listener]) -> list[Family]:
    """Return the address families in which there is an answer from outside.

    A socket's setting decides whether ``::`` includes IPv4, and a port that the kernel passes on to a container has no
    socket. So the port is tried.
    """
    found = {family_of(one.address) for one in listeners if not is_loopback(one.address)}
    if any(one.address == "::" for one in listeners) and here.accepts("127.0.0.1", _PORT):
        found.add("ipv4")
    for family, route in machine.outbound_routes(facts).items():
        if family not in found and route is not None and here.accepts(route.source, _PORT):
            found.add(family)
    return sorted(found)


def judge_listening(
    listeners: Sequence[machine.Listener],
    served: Sequence[Family],
    wanted: Wanted,
    *,
    forwarded: Collection[str],
    is_direct: bool,
    only_listens: bool,
) -> Check:
    """Return the check.

    :param served: the address families with an answer from outside.
    :param forwarded: the firewall's verdict on the port, for each family (``verdict_of``).
    :param is_direct: whether a name has an address of this machine, so that no router can change the port.
    :param only_listens: False if a route of this challenge opens the port itself.
    """
    blocks = HTTP if only_listens else ()
    addresses, programs = ({one.address for one in listeners}, {one.program for one in listeners if one.program})
    evidence: dict[str, Any] = {"port": _PORT, "addresses": sorted(addresses), "programs": sorted(programs)}
    unserved, partly, missing = _not_reached(wanted, served)
    if served and partly:
        evidence |= {"names": unserved or partly, "served": _labels(served), "missing": _labels(missing)}
        return Check.of(texts.LISTENS_ONE_FAMILY, "bad", evidence, blocks=blocks if unserved else ())
    if served:
        return Check.of(texts.LISTENS_OK, "ok", {**evidence, "served": _labels(served)})
    if listeners:
        return Check.of(texts.LISTENS_LOOPBACK, "bad", evidence, blocks=blocks)
    if "passed on" in forwarded:
        return Check.of(texts.LISTENS_PASSED_ON, "ok", evidence)
    if is_direct and not {"unknown", "depends"} & set(forwarded):
        return Check.of(texts.LISTENS_NOTHING, "bad", evidence, blocks=blocks)
    text = texts.LISTENS_NOTHING_SEEN if is_direct else texts.LISTENS_NOTHING_BEHIND
    return Check.of(text, "unknown", evidence, blocks=blocks)


def _labels(families: Sequence[Family]) -> list[str]:
    return [LABELS[family] for family in families]
