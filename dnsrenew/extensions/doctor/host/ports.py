"""Whether the ports of the challenges can be opened, and whether a web server listens where one is needed."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from dnsrenew.base import host_port
from dnsrenew.base.found import printable
from dnsrenew.base.model import CertificateSpec, Check, CheckResult
from dnsrenew.challenges import CHALLENGES
from dnsrenew.extensions.doctor.facts import HTTP, TLS, Facts
from dnsrenew.extensions.doctor.host import texts
from dnsrenew.extensions.doctor.host.firewall import verdict_of
from dnsrenew.extensions.doctor.host.machine import (
    FAMILIES,
    LABELS,
    Family,
    Listener,
    PortFailure,
    ThisHost,
    family_of,
    is_loopback,
    listeners,
    machine,
    outbound_routes,
    own_addresses,
    port_failure,
    records,
)

_PORT: Final = 80
_LOOPBACK: Final[Mapping[Family, str]] = {"ipv4": "127.0.0.1", "ipv6": "::1"}
_WINDOWS: Final = os.name == "nt"


# ── can it be opened ────────────────────────────────────────────────────────────────────


def port_80_free(facts: Facts, spec: CertificateSpec | None) -> Check | None:
    """Open the ports of http-01 for a moment."""
    return _port_free(facts, spec, HTTP)


def port_443_free(facts: Facts, spec: CertificateSpec | None) -> Check | None:
    """Open the ports of tls-alpn-01 for a moment."""
    return _port_free(facts, spec, TLS)


def _port_free(facts: Facts, spec: CertificateSpec | None, challenges: tuple[str, ...]) -> Check | None:
    listens, answered_elsewhere = listen_addresses(spec, challenges)
    if not listens:
        return None
    failures = {listen: port_failure(facts, listen) for listen in listens}
    opened = [listen for listen, failure in failures.items() if failure is None]
    if opened:
        return Check.of(texts.PORT_FREE, "ok", {"listen": opened, "port": host_port.split(opened[0])[1]})
    listen, failure = next(iter(failures.items()))
    assert failure is not None  # noqa: S101  # for the type checker: no port could be opened
    return judge_port(listen, failure, machine(facts), spec, () if answered_elsewhere else challenges)


def listen_addresses(spec: CertificateSpec | None, challenges: tuple[str, ...]) -> tuple[list[str], bool]:
    """Return where routes of some challenges, all of one port, listen; and whether a web server answers others."""
    default = CHALLENGES[challenges[0]].listen or ""
    if spec is None:
        return [default], False
    routes = [route for route in spec.routes if route.challenge in challenges]
    own = [route.listen or default for route in routes if not (route.webroot or route.app)]
    return list(dict.fromkeys(own)), len(own) < len(routes)


def judge_port(
    listen: str, failure: PortFailure, here: ThisHost, spec: CertificateSpec | None, blocks: tuple[str, ...]
) -> Check:
    """Return the check of a port that cannot be opened."""
    port = host_port.split(listen)[1]
    number = failure.errno or 0
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


def _taken(
    evidence: dict[str, Any], owner: Listener | None, spec: CertificateSpec | None, blocks: tuple[str, ...]
) -> Check:
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


def port_80_listens(facts: Facts, spec: CertificateSpec | None) -> Check | None:
    """Look for a program that listens on port 80, or at where dnsrenew itself would listen."""
    if spec is not None and not listen_addresses(spec, HTTP)[1]:
        return _own_listening(facts, spec)
    here = machine(facts)
    listening = listeners(facts, _PORT)
    if listening is None:
        return Check.of(texts.LISTENS_UNREADABLE, "unknown", {"port": _PORT, "user": here.user()}, blocks=HTTP)
    if spec is None and not listening:
        return None  # no web server is needed yet
    own = own_addresses(facts)
    return judge_listening(
        listening,
        _served(facts, here, listening),
        {name: _families(its, own) for name, its in records(facts, spec).items()},
        forwarded={verdict_of(facts, family, _PORT) for family in FAMILIES},
        is_direct=_is_direct(facts, spec),
        only_listens=spec is None or not listen_addresses(spec, HTTP)[0],
    )


def _own_listening(facts: Facts, spec: CertificateSpec) -> Check | None:
    """Return the best check of the addresses at which routes of http-01 listen; None if none has an address."""
    here, listening = machine(facts), listeners(facts, _PORT)
    own = own_addresses(facts)
    wanted = {name: _families(its, own) for name, its in records(facts, spec).items()}
    is_passed_on = (
        listening is None
        or bool(spec.before)  # it may start a proxy
        or bool(_served(facts, here, listening))
        or bool({"passed on", "depends", "unknown"} & {verdict_of(facts, family, _PORT) for family in FAMILIES})
        or not _is_direct(facts, spec)
    )
    checks = [
        judge_own(listen, addresses, wanted, is_passed_on=is_passed_on)
        for listen in listen_addresses(spec, HTTP)[0]
        if (addresses := _addresses_of(listen))
    ]
    return min(checks, key=lambda check: ("ok", "unknown", "bad").index(check.result), default=None)


def _addresses_of(listen: str) -> list[str]:
    """Return the addresses that a renewal would listen on; ``port-80-free`` says why there are none."""
    host = host_port.split(listen)[0]
    if not host:
        return ["0.0.0.0", "::"]  # noqa: S104  # nothing is opened
    try:
        return [str(address[0]) for *_, address in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]
    except OSError:
        return []


def judge_own(
    listen: str, addresses: Sequence[str], wanted: Mapping[str, Sequence[Family]], *, is_passed_on: bool
) -> Check:
    """Return the check of an address at which dnsrenew itself listens.

    :param addresses: those that it stands for.
    :param wanted: the families by which a CA comes to each name.
    :param is_passed_on: whether something may pass port 80 on: a proxy, the firewall, a router.
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
    if port != _PORT:  # what passes port 80 on may take both families
        return Check.of(texts.LISTENS_OWN_ONE_FAMILY, "unknown", evidence)
    return Check.of(texts.LISTENS_OWN_ONE_FAMILY, "bad", evidence, blocks=HTTP if unserved else ())


def _is_direct(facts: Facts, spec: CertificateSpec | None) -> bool:
    """Return whether a name has an address of this machine, so that no router can change the port."""
    own = own_addresses(facts)
    found = [address for its in records(facts, spec).values() for address in its]
    return any(address in own and not is_loopback(address) for address in found)


def _not_reached(
    wanted: Mapping[str, Sequence[Family]], served: Sequence[Family]
) -> tuple[list[str], list[str], list[Family]]:
    """Return the names that no family reaches, those that not all reach, and the families that are missing."""
    unserved = [name for name, its in wanted.items() if its and not set(its) & set(served)]
    partly = [name for name, its in wanted.items() if set(its) - set(served)]
    return unserved, partly, sorted({family for name in partly for family in wanted[name]} - set(served))


def _families(addresses: Sequence[str], own: Collection[str]) -> list[Family]:
    """Return the families by which a CA comes to this machine.

    An IPv4 address may be that of a router in front. An IPv6 address that is not ours is another host, or a proxy.
    """
    return sorted({family_of(each) for each in addresses if family_of(each) == "ipv4" or each in own})


def _served(facts: Facts, here: ThisHost, listeners: Sequence[Listener]) -> list[Family]:
    """Return the families for which something answers from outside.

    Whether ``::`` includes IPv4 is a setting of the socket, and a port that the kernel passes on to a container has no
    socket; so the port is tried.
    """
    found = {family_of(one.address) for one in listeners if not is_loopback(one.address)}
    if any(one.address == "::" for one in listeners) and here.accepts(_LOOPBACK["ipv4"], _PORT):
        found.add("ipv4")
    for family, route in outbound_routes(facts).items():
        if family not in found and route is not None and here.accepts(route.source, _PORT):
            found.add(family)
    return sorted(found)


def judge_listening(
    listeners: Sequence[Listener],
    served: Sequence[Family],
    wanted: Mapping[str, Sequence[Family]],
    *,
    forwarded: Collection[str],
    is_direct: bool,
    only_listens: bool,
) -> Check:
    """Return the check.

    :param served: the families that are answered from outside.
    :param wanted: the families by which a CA comes to each name.
    :param forwarded: what the firewall does with the port, for each family (``verdict_of``).
    :param is_direct: whether a name has an address of this machine, so that no router can change the port.
    :param only_listens: False: a route of this challenge opens the port itself.
    """
    blocks = HTTP if only_listens else ()
    programs = [one.program for one in listeners if one.program]
    evidence: dict[str, Any] = {
        "port": _PORT,
        "addresses": sorted({one.address for one in listeners}),
        "programs": sorted(set(programs)),
    }
    if not served:
        return _not_served(evidence, listeners, forwarded, is_direct=is_direct, blocks=blocks)
    unserved, partly, missing = _not_reached(wanted, served)
    if partly:
        evidence |= {"names": unserved or partly, "served": _labels(served), "missing": _labels(missing)}
        return Check.of(texts.LISTENS_ONE_FAMILY, "bad", evidence, blocks=blocks if unserved else ())
    return Check.of(texts.LISTENS_OK, "ok", {**evidence, "served": _labels(served)})


def _not_served(
    evidence: dict[str, Any],
    listeners: Sequence[Listener],
    forwarded: Collection[str],
    *,
    is_direct: bool,
    blocks: tuple[str, ...],
) -> Check:
    if listeners:
        return Check.of(texts.LISTENS_LOOPBACK, "bad", evidence, blocks=blocks)
    if "passed on" in forwarded:
        return Check.of(texts.LISTENS_PASSED_ON, "ok", evidence)
    if not is_direct:
        return Check.of(texts.LISTENS_NOTHING_BEHIND, "unknown", evidence, blocks=blocks)
    if {"unknown", "depends"} & set(forwarded):
        return Check.of(texts.LISTENS_NOTHING_SEEN, "unknown", evidence, blocks=blocks)
    return Check.of(texts.LISTENS_NOTHING, "bad", evidence, blocks=blocks)


def _labels(families: Sequence[Family]) -> list[str]:
    return [LABELS[family] for family in families]
