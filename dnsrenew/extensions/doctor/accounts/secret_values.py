"""Reads secrets for the checks; what they find never contains one."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base.model import Check
from dnsrenew.errors import Cancelled, SecretError
from dnsrenew.extensions.doctor.accounts import texts

if TYPE_CHECKING:
    from dnsrenew.base.secrets import Secret
    from dnsrenew.extensions.doctor.facts import Facts

_SECONDS: Final = 8.0
"""A program or a keyring may wait for a person."""


def read(facts: Facts, secret: Secret) -> str | SecretError | None:
    """Return the value of a secret, why it cannot be read, or None if it was not read in time.

    :raises Cancelled: the examination was cancelled.
    """
    cancel = threading.Event()
    try:
        value = facts.context.within(_SECONDS).call(partial(secret.reveal, cancel=cancel))
    except SecretError as error:
        return error
    except Cancelled:
        cancel.set()  # the program of a `command` ends
        facts.context.check()
        return None
    return facts.context.redactor.add(value)


def unreadable(error: SecretError | None, evidence: Mapping[str, Any], blocks: tuple[str, ...]) -> Check:
    """Return the check for a secret that was not read.

    :param error: None: it was not read in time.
    """
    if error is None:
        return Check.of(texts.SECRET_LATE, "unknown", evidence, blocks=blocks)
    return Check("secrets", "bad", error.message, {**evidence, "error": error.code}, error.fix, blocks)
