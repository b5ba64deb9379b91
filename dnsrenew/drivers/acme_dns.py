"""acme-dns (https://github.com/joohoi/acme-dns): a server only for TXT values, to which a CNAME record points.

A registration has one name, which holds the two newest values. ``register`` makes one; ``dnsrenew delegate`` calls it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from dnsrenew.base import files, names
from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers import texts
from dnsrenew.drivers.host_api import WRONG_ADDRESS, HostDriver, malformed, pick
from dnsrenew.drivers.protocol import DriverContext
from dnsrenew.errors import ConfigError, SecretError, system_reason

KEYS: Final = ("username", "password", "subdomain", "fulldomain")
"""The keys of a registration, as the server names them."""
_OPTIONS: Final = KEYS[:3]
"""The keys that are options too."""


class AcmeDnsDriver(HostDriver):
    """Writes the values of one registration; there is nothing to remove.

    The registration is in the options ``username``, ``password`` and ``subdomain``, or in the file ``registration``.

    :raises ConfigError: ``option-invalid``, one or two of these options are missing.
    """

    if_missing = WRONG_ADDRESS

    def __init__(self, context: DriverContext) -> None:
        super().__init__(context)
        missing = [key for key in _OPTIONS if not self.text(key)]
        if 0 < len(missing) < len(_OPTIONS):
            account, key = context.account, missing[0]
            raise ConfigError.of(texts.ACME_DNS_INCOMPLETE, account=account, key=key, options=list(_OPTIONS))

    def add_to(self, _zone: str, records: Sequence[TxtRecord]) -> None:
        """Write the values; each one replaces the oldest."""
        registration = self._registration()
        headers = {"X-Api-User": registration["username"], "X-Api-Key": registration["password"]}
        for record in records:
            self._check_name(record, registration["subdomain"])
            content = {"subdomain": registration["subdomain"], "txt": record.value}
            answer = self.json("POST", "/update", content=content, headers=headers)
            if pick(answer, "txt", kind=str) != record.value:
                raise malformed("its field `txt` is not the value that was written")

    def remove_from(self, _zone: str, records: Sequence[TxtRecord]) -> None:
        """Leave the values. The server cannot remove them, and the next values replace them."""

    def _registration(self) -> dict[str, str]:
        given = {key: self.text(key) for key in KEYS}
        if all(given[key] for key in _OPTIONS):
            return given
        file = self.text("registration")
        stored = read_registration(file) if file else None
        if stored is None:
            raise self.error(texts.ACME_DNS_NOT_REGISTERED)
        return stored

    def _check_name(self, record: TxtRecord, subdomain: str) -> None:
        """Refuse a name that the registration does not write, because its CNAME points to another registration."""
        if names.labels(record.name)[0] != subdomain.lower():
            raise self.error(texts.ACME_DNS_OTHER_NAME, name=names.relative(record.name), subdomain=subdomain)


def register(context: DriverContext) -> dict[str, str]:
    """Register at the server of an account and return the registration.

    :raises HostError: the server refused.
    :raises HttpFailure: it did not answer.
    """
    with AcmeDnsDriver(context) as driver:
        answer = driver.json("POST", "/register", content={})
    return {key: pick(answer, key, kind=str) for key in KEYS}


def read_registration(file: str) -> dict[str, str] | None:
    """Return the registration in a file, or None if there is no such file.

    :raises SecretError: ``secret-missing``: the file cannot be read, or contains no registration.
    """
    try:
        stored: Any = json.loads(files.read(file))
        return {key: str(stored[key]) for key in KEYS}
    except FileNotFoundError:
        return None
    except OSError as error:
        cause = system_reason(error)
        raise SecretError.of(texts.ACME_DNS_UNREADABLE, reference=f"file:{file}", file=file, cause=cause) from None
    except (ValueError, TypeError, KeyError):
        raise SecretError.of(texts.ACME_DNS_REGISTRATION, reference=f"file:{file}", file=file) from None
