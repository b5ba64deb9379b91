"""The router in front of this machine: whether it translates addresses, and whether it forwards port 80."""

from __future__ import annotations

from typing import Final

from dnsrenew.base import host_port
from dnsrenew.base.model import CertificateSpec, Check
from dnsrenew.extensions.doctor.facts import HTTP, INBOUND, Facts
from dnsrenew.extensions.doctor.router import outside, texts
from dnsrenew.extensions.doctor.router.surroundings import Surroundings, kind_of, surroundings

_NO_CONNECTION: Final = {
    "cgnat": (texts.NAT_CGNAT, texts.NAT_CGNAT_IPV6),
    "ds-lite": (texts.NAT_DS_LITE, texts.NAT_DS_LITE_IPV6),
}


# ── the checks ──────────────────────────────────────────────────────────────────────────


def nat(facts: Facts) -> Check:
    """Return whether connections from the Internet can reach this machine by IPv4."""
    here = surroundings(facts)
    seen = [] if here.is_public else outside.seen_addresses(facts)
    return judge_nat(here, [address for address in seen if kind_of(address) == "public"])


def judge_nat(here: Surroundings, seen: list[str]) -> Check:
    """Return what the addresses say. Pure.

    :param seen: the public IPv4 addresses of this machine that a helper outside sees.
    """
    evidence = {**here.evidence(), "seen": seen}
    if here.host is None:
        text = texts.NAT_ONLY_IPV6 if here.ipv6 else texts.NAT_NO_ADDRESS
        return Check.of(text, "ok" if here.ipv6 else "unknown", evidence, address=here.ipv6)
    if here.is_public:
        return Check.of(texts.NAT_NONE, "ok", evidence, address=here.host)
    wan = here.host if kind_of(here.host) in _NO_CONNECTION else here.wan_address
    if wan is None:
        text = texts.NAT_SILENT if here.gateway else texts.NAT_NO_GATEWAY
        return Check.of(text, "unknown", evidence, address=here.host)
    kind = kind_of(wan)
    if kind in _NO_CONNECTION:
        blocks = () if here.ipv6 else INBOUND
        return Check.of(_NO_CONNECTION[kind][bool(here.ipv6)], "bad", evidence, blocks=blocks, wan=wan)
    if kind == "private":
        return Check.of(texts.NAT_DOUBLE, "bad", evidence, wan=wan)
    if kind == "none":
        return Check.of(texts.NAT_EMPTY, "unknown", evidence)
    if seen and wan not in seen:
        return Check.of(texts.NAT_OTHER_ADDRESS, "unknown", evidence, wan=wan)
    return Check.of(texts.NAT_ROUTER, "ok", evidence, wan=wan)


def port_80_forwarded(facts: Facts, spec: CertificateSpec | None) -> Check:
    """Return whether the router forwards port 80 to this machine."""
    here = surroundings(facts)
    proven = [] if here.is_public else outside.view(facts, spec, 80).proven
    return judge_forwarded(here, _listen_port(spec), [each.address for each in proven])


def judge_forwarded(here: Surroundings, port: int | None, proven: list[str]) -> Check:
    """Return what the mapping of port 80 says. Pure.

    :param port: the port that http-01 listens on; None: another program answers.
    :param proven: addresses through whose port 80 a helper outside reached this machine.
    """
    evidence = {**here.evidence(), "port": port, "proven": proven}
    if here.is_public:
        return Check.of(texts.FORWARDED_NO_NEED, "ok", evidence, address=here.host)
    if proven:
        return Check.of(texts.FORWARDED_PROVEN, "ok", evidence, address=proven)
    if here.host is None:
        return Check.of(texts.FORWARDED_ONLY_IPV6, "ok", evidence)
    if here.gateway is None:
        return Check.of(texts.FORWARDED_NO_ROUTER, "unknown", evidence)
    mapping = here.mapping(80)
    if mapping is None:
        text = texts.FORWARDED_SILENT if here.mappings is None else texts.FORWARDED_NONE
        return Check.of(text, "unknown", evidence)
    evidence |= {"target": mapping.host, "target_port": mapping.port}
    if mapping.host not in here.own:
        return Check.of(texts.FORWARDED_ELSEWHERE, "bad", evidence, blocks=HTTP)
    if port is not None and mapping.port != port:  # a rule of this machine may still lead from one port to the other
        return Check.of(texts.FORWARDED_OTHER_PORT, "unknown", evidence, blocks=HTTP)
    return Check.of(texts.FORWARDED_OK, "ok", evidence)


def _listen_port(spec: CertificateSpec | None) -> int | None:
    listen = outside.listen_address(spec, 80)
    return None if listen is None else host_port.split(listen)[1]
