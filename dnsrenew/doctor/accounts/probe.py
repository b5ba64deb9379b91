"""The test value of ``--probe``: one TXT value in each zone of an account, written, seen everywhere, and removed.

It goes the way of a renewal: locks, the journal, the calls of the DNS host, the wait at every authoritative address. A
value that stays, because the host does not remove it or the process was killed, is in the journal for
``dnsrenew cleanup``.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base import names
from dnsrenew.base.values import replace
from dnsrenew.doctor.accounts import texts
from dnsrenew.doctor.accounts.places import accounts_of, places
from dnsrenew.doctor.accounts.probe_result import ProbedZone, ProbeResult
from dnsrenew.doctor.table import DNS
from dnsrenew.errors import AttemptError, Cancelled, ConfigError, LockedError, SecretError
from dnsrenew.model import Check

if TYPE_CHECKING:
    from dnsrenew.challenges.dns01.records import TxtPlacement, TxtValue
    from dnsrenew.challenges.dns01.solver import Dns01
    from dnsrenew.doctor.facts import Facts
    from dnsrenew.model import CertificateSpec
    from dnsrenew.runtime.context import Context

PROPAGATION: Final = 120.0
"""Seconds to wait for the value where the certificate names no time-out."""
_REMOVAL: Final = 10.0
"""Seconds of the examination that are left for the removal."""


def dns_credentials(facts: Facts, spec: CertificateSpec, account: str) -> Check | None:
    """Check that the DNS host accepts the credentials of the account, by the test value."""
    result = _result(facts, spec, account)
    if result is None:
        return None
    provider = facts.its.providers[facts.its.accounts[account].provider]
    from dnsrenew.doctor.accounts.probe_result import judge_credentials

    return judge_credentials(result, account, provider)


def txt_probe(facts: Facts, spec: CertificateSpec, account: str) -> Check | None:
    """Check that the account can write a TXT value, that all name servers show it, and that it can be removed."""
    result = _result(facts, spec, account)
    if result is None:
        return None
    from dnsrenew.doctor.accounts.probe_result import judge_probe

    return judge_probe(result, account)
