"""What is said when name servers do not agree: address by address, and in plain words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from dnsrenew.dns import wire
from dnsrenew.dns.server_poll import ServerPoll
from dnsrenew.dns.wire import DnsQuestion, Name
from dnsrenew.errors import PropagationError

_NAMED: Final = 5  # servers in a sentence


def timed_out(watches: Sequence[ServerPoll], seconds: float) -> PropagationError:
    """Return the error for values that are missing at some address when the time is over."""
    late = [watch for watch in watches if watch.state == "waiting"]
    others = [watch for watch in watches if watch.state == "agrees"]
    rest = "the others have it" if others else "no name server has it"
    fix = "Check that the DNS account writes to the servers named here, or set a longer timeout in propagation."
    if any(watch.unasked for watch in late):
        fix = (
            "Let dnsrenew have more files open at once (ulimit -n; in a systemd unit LimitNOFILE=), or renew fewer "
            "certificates at once (--workers)."
        )
    elif others:
        fix = (
            "Have the operator of that name server find out why it does not follow the zone, or set a longer timeout "
            "in propagation."
        )
    return PropagationError(
        "propagation-timeout",
        f"After {seconds:.0f} s {_enumerated(late)}; {rest}.",
        fix=fix,
        evidence={"names": _shown_names(late), "servers": _evidence(watches)},
    )


def unreachable(watches: Sequence[ServerPoll]) -> PropagationError:
    """Return the error for zones of which no address can be asked."""
    zones = " and ".join(dict.fromkeys(wire.shown(watch.zone) for watch in watches))
    return PropagationError(
        "dns-unreachable",
        f"No name server of {zones} can be asked for the new value: {_enumerated(watches)}.",
        fix="Check that these servers run and that this machine may ask them on port 53 (UDP and TCP); where it may "
        "not, set doh under [resolver] in the configuration.",
        evidence={"names": _shown_names(watches), "servers": _evidence(watches)},
    )


def no_servers(zone: Name, questions: Iterable[DnsQuestion]) -> PropagationError:
    """Return the error for a zone whose name servers cannot be found.

    :param questions: what they were to be asked.
    """
    return PropagationError(
        "dns-unreachable",
        f"The name servers of the zone {wire.shown(zone)} could not be found.",
        fix=f"Check that {wire.shown(zone)} has NS records, and that the DNS server used here answers for them.",
        evidence={"zone": wire.shown(zone), "names": shown_names(questions), "servers": []},
    )


def silent_server(watch: ServerPoll) -> tuple[str, str]:
    """Return message and fix of the warning about an address that was given up."""
    zone = wire.shown(watch.zone)
    return (
        f"The name server {watch} of {zone} {watch.detail()}; the others have the new value.",
        f"Have {watch.server.name} repaired, or taken out of the NS records of {zone}: the CA may happen to ask it.",
    )


def shown_names(questions: Iterable[DnsQuestion]) -> list[str]:
    """Return the names that were asked for, each once."""
    return list(dict.fromkeys(wire.shown(question.name) for question in questions))


def _shown_names(watches: Sequence[ServerPoll]) -> list[str]:
    """Return the names that are missing somewhere."""
    return shown_names(question for watch in watches for question in watch.missing)


def _evidence(watches: Sequence[ServerPoll]) -> list[dict[str, Any]]:
    """Return every address for every name that is missing at one of them."""
    missing = {question for watch in watches for question in watch.missing}
    return [watch.evidence(question) for watch in watches for question in watch.expected if question in missing]


def _enumerated(watches: Sequence[ServerPoll]) -> str:
    said = [f"{watch} {watch.detail()}" for watch in watches[:_NAMED]]
    if len(watches) > _NAMED:
        said.append(f"and {len(watches) - _NAMED} more")
    return ", ".join(said)
