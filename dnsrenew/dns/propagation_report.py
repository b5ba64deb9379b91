"""The errors and warnings about name servers that are not updated, with every address in the evidence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from dnsrenew.dns import texts, wire
from dnsrenew.dns.server_poll import ServerPoll
from dnsrenew.dns.wire import DnsQuestion, Name
from dnsrenew.errors import PropagationError

_MAX_LISTED: Final = 5  # servers in a sentence


def timed_out(polls: Sequence[ServerPoll], seconds: float) -> PropagationError:
    """Return the error for values that are missing at an address after the time-out."""
    counted = [poll for poll in polls if poll.state != "skipped"]
    late = [poll for poll in counted if poll.state == "waiting"]
    updated = [poll for poll in counted if poll.state == "agrees"]
    text = texts.SOME_UPDATED if updated else texts.NONE_UPDATED
    if any(poll.no_socket for poll in late):
        text = texts.SOME_UPDATED_NO_SOCKET if updated else texts.NONE_UPDATED_NO_SOCKET
    answers = _list_servers([poll for poll in counted if poll not in updated])
    code, message, fix = text.fill(updated=len(updated), total=len(counted), seconds=seconds, answers=answers)
    evidence = {"names": _missing_names(late), "servers": _evidence(polls)}
    return PropagationError(code, message, fix=fix, evidence=evidence)


def unreachable(polls: Sequence[ServerPoll]) -> PropagationError:
    """Return the error for zones of which no address can be queried."""
    zones = list(dict.fromkeys(wire.shown(poll.zone) for poll in polls))
    code, message, fix = texts.SERVERS_UNREACHABLE.fill(zones=zones, answers=_list_servers(polls))
    evidence = {"names": _missing_names(polls), "servers": _evidence(polls)}
    return PropagationError(code, message, fix=fix, evidence=evidence)


def no_servers(zone: Name, questions: Iterable[DnsQuestion]) -> PropagationError:
    """Return the error for a zone whose name servers cannot be found.

    :param questions: the questions for these servers.
    """
    return PropagationError.of(
        texts.ZONE_WITHOUT_SERVERS, zone=wire.shown(zone), names=shown_names(questions), servers=[]
    )


def servers_not_found(questions: Iterable[DnsQuestion], seconds: float) -> PropagationError:
    """Return the error for zones whose name servers were not found in time."""
    return PropagationError.of(texts.SERVERS_NOT_FOUND, names=shown_names(questions), seconds=seconds, servers=[])


def server_unreachable(poll: ServerPoll) -> tuple[str, str, str]:
    """Return code, message and fix of the warning about an address that was given up."""
    return texts.SERVER_UNREACHABLE.fill(
        server=str(poll), zone=wire.shown(poll.zone), reason=poll.detail(), name=poll.server.name
    )


def shown_names(questions: Iterable[DnsQuestion]) -> list[str]:
    """Return the names of questions, without duplicates."""
    return list(dict.fromkeys(wire.shown(question.name) for question in questions))


def _missing_names(polls: Sequence[ServerPoll]) -> list[str]:
    return shown_names(question for poll in polls for question in poll.missing)


def _evidence(polls: Sequence[ServerPoll]) -> list[dict[str, Any]]:
    """Return every address for every name that is missing at one of them."""
    missing = {question for poll in polls for question in poll.missing}
    return [poll.evidence(question) for poll in polls for question in poll.expected if question in missing]


def _list_servers(polls: Sequence[ServerPoll]) -> list[str]:
    listed: list[str] = [
        texts.SERVER_REASON.format(server=str(poll), reason=poll.detail()) for poll in polls[:_MAX_LISTED]
    ]
    if len(polls) > _MAX_LISTED:
        listed.append(texts.AND_MORE.format(count=len(polls) - _MAX_LISTED))
    return listed
