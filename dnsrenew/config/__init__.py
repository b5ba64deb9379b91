"""Turns ``dnsrenew.toml`` into values, and reports all mistakes together. It sends no request and resolves no secret.

Start in ``loader``, which reads the tables in order. ``find_config`` finds the file, ``sources`` reads it and its
includes, ``schema`` and ``fields`` check tables and single values, and each kind of table has its own module.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Self

from dnsrenew.base.clock import Clock
from dnsrenew.base.model import CA, CertificateSpec, DnsAccount, Notice, Resolver, StoreAddress
from dnsrenew.base.validation import Mistake
from dnsrenew.base.values import Frozen
from dnsrenew.config import sources
from dnsrenew.config.extension_tables import FleetSettings, MetricsSettings, NotifySettings, read_seals
from dnsrenew.config.fingerprint import accounts_of, keyed_hash
from dnsrenew.config.loader import check_terms, from_arguments, from_mapping, read_file
from dnsrenew.config.schema import SecretUse
from dnsrenew.drivers.provider import Provider

__all__ = ["Config", "Mistake", "check_config", "config_to_renew", "find_config", "single_certificate"]


class Config(Frozen, kw_only=True, public=True):
    """A checked configuration. Made by :meth:`load`, :meth:`find` or :meth:`from_dict`."""

    path: Path | None
    """The file that it was read from; None if a Python program made it."""
    store: Path | StoreAddress
    """The folder for certificates and accounts, absolute; or the database that the machines of a fleet share."""
    contact: tuple[str, ...]
    """The email addresses for the CAs."""
    agree_terms: bool
    """Whether you agree to the terms of service of the CAs."""
    default_ca: str
    """The CA of a certificate that does not name a CA."""
    cas: Mapping[str, CA]
    """Every CA by name, including the built-in ones."""
    accounts: Mapping[str, DnsAccount]
    """Every DNS account by name, in the order of the files."""
    resolver: Resolver
    """How this machine queries DNS."""
    probe_url: str | None = None
    """The URL of the outside helper, which shows ``dnsrenew doctor`` what reaches this machine; None without a helper.
    """
    certificates: tuple[CertificateSpec, ...]
    """Every certificate, in the order of the files."""
    warnings: tuple[Notice, ...] = ()
    """Settings to look at that are not mistakes."""
    insist: bool = False
    """Whether the configuration and the store are used even if other users can change them."""
    # For dnsrenew only, so they have no docstrings: the DNS hosts of the accounts by name, each secret with its key,
    # [notify], [metrics] and [fleet]. `fleet` is None if the store is a folder.
    providers: Mapping[str, Provider]
    secrets: tuple[SecretUse, ...] = ()
    notify: NotifySettings | None = None
    metrics: MetricsSettings | None = None
    fleet: FleetSettings | None = None

    def seals(self) -> tuple[bytes, ...]:
        """Return the keys of ``[fleet] seal``. The first seals private keys in the database, and all can open them.

        :raises ConfigError: ``config-invalid``: a key is not 32 bytes in base64.
        :raises SecretError: ``secret-missing``.
        """
        return read_seals(self.secrets)

    def fingerprint_of(self, spec: CertificateSpec, key: bytes, used: Collection[str] = ()) -> int:
        """Return a number that changes with the settings (including secrets) that a certificate depends on.

        Comments and the settings of other certificates have no influence.

        :param key: the random key of the store.
        :param used: the names of the DNS accounts that the last attempts used, because a CNAME may have led to an
            account of any zone.
        """
        without = {"name", "deploy", "renew_before", "notify"}  # these have no influence on its order
        cas = {spec.ca, *(route.ca for route in spec.routes if route.ca)}
        accounts = {*accounts_of(spec, self.accounts, self.providers), *self.accounts.keys() & used}
        parts = (
            {name: value for name, value in vars(spec).items() if name not in without},
            {name: self.cas.get(name) for name in cas},
            {name: (self.accounts[name], self.providers.get(self.accounts[name].provider)) for name in accounts},
            (self.contact, self.agree_terms, self.resolver),
        )
        return keyed_hash(key, parts)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, insist: bool = False) -> Self:
        """Read a configuration file and its included files.

        A file that other users can change is an error for root, and a warning for any other user. This applies to all
        files that the configuration uses: included files, provider files, ``trust``, ``file:`` secrets and programs.

        :param insist: use them even if other users can change them.
        :raises ConfigError: ``config-missing``, ``config-unreadable``, ``config-untrusted``, ``config-syntax``; or
            ``config-invalid``, which lists all mistakes.
        """
        return cls(**read_file(os.path.abspath(path), found=False, insist=insist).fields())

    @classmethod
    def find(cls, explicit: str | os.PathLike[str] | None = None, *, insist: bool = False) -> Self:
        """Find the configuration as the command does, and read it.

        If the configuration was found and not named, a file that other users can change is always an error.

        :param explicit: the file to read, as with ``--config``.
        :param insist: as for :meth:`load`.
        :raises ConfigError: as :meth:`load`.
        """
        path, found = _search(explicit)
        return cls(**read_file(path, found=found, insist=insist).fields())

    @classmethod
    def from_dict(
        cls, mapping: Mapping[str, Any], base: str | os.PathLike[str] | None = None, *, insist: bool = False
    ) -> Self:
        """Make a configuration from the tables that a file would hold.

        References to secrets, such as ``"env:NAME"``, are read as in a file. ``Route``, ``CA``, ``DnsAccount`` … can
        take the place of their tables; in their keyword arguments a ``str`` is the secret itself.

        :param base: the base of relative paths; its ``state`` is the default store. Default: the current folder,
            and the user's store.
        :param insist: as for :meth:`load`; it is about provider files and ``trust``.
        :raises ConfigError: ``config-untrusted``; or ``config-invalid``, which lists all mistakes.
        """
        return cls(**from_mapping(mapping, None if base is None else os.path.abspath(base), insist=insist))


def find_config(explicit: str | os.PathLike[str] | None = None) -> Path:
    """Return the path of the configuration that the command would use, without reading it.

    Searched: ``explicit``, ``$DNSRENEW_CONFIG``, the current folder, the user's config folder, ``/etc/dnsrenew``.

    :raises ConfigError: ``config-missing``.
    """
    return Path(_search(explicit)[0])


def _search(explicit: str | os.PathLike[str] | None) -> tuple[str, bool]:
    return sources.search(None if explicit is None else os.fspath(explicit), os.environ, sources.here())


def config_to_renew(explicit: str | os.PathLike[str] | None = None, *, insist: bool = False) -> Config:
    """Find and read the configuration for a run. Missing agreement to the terms is a mistake.

    :raises ConfigError: as :meth:`Config.load`.
    """
    path, found = _search(explicit)
    draft = read_file(path, found=found, insist=insist)
    check_terms(draft)
    return Config(**draft.fields())


def check_config(explicit: str | os.PathLike[str] | None = None, *, insist: bool = False, clock: Clock) -> Config:
    """Find and read the configuration, and find settings that cannot work, for ``dnsrenew check``. Send nothing.

    Its warnings include the warnings of all checks. This can run the user's commands and open the keyring.

    :raises ConfigError: as :meth:`Config.load`.
    """
    from dnsrenew.config.full_check import checked_fields

    path, found = _search(explicit)
    return Config(**checked_fields(path, found=found, insist=insist, clock=clock))


def single_certificate(domains: object, **arguments: Any) -> Config:
    """Make the configuration of one certificate from the arguments of :func:`dnsrenew.obtain`.

    :raises ConfigError: ``config-invalid``; the keys are the names of the arguments.
    """
    return Config(**from_arguments(domains, **arguments))
