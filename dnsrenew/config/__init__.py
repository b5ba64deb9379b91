"""``dnsrenew.toml`` → values, with all mistakes reported together. Nothing is sent, and no secret is resolved.

Start in ``loader``, which reads the tables in order. ``locate`` finds the file, ``sources`` reads it and the files it
includes, ``schema`` and ``fields`` check tables and single values, and each kind of table has its own module.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from dnsrenew.base.values import Frozen, field
from dnsrenew.config import locate
from dnsrenew.validation.mistakes import Mistake

if TYPE_CHECKING:
    from dnsrenew.config.schema import SecretUse
    from dnsrenew.drivers.provider import Provider
    from dnsrenew.model import CA, CertificateSpec, DnsAccount, Notice, Resolver

__all__ = ["Config", "Mistake", "find_config", "resolve_all_secrets", "single_certificate"]


class Config(Frozen, kw_only=True):
    """A checked configuration. Made by :meth:`load`, :meth:`find` or :meth:`from_dict`.

    :ivar path: the file it came from; None when a Python program made it.
    :ivar store: the folder for certificates and accounts, absolute.
    :ivar contact: mail addresses for the CA.
    :ivar default_ca: the CA of a certificate that names none.
    :ivar cas: every CA by name, including the built-in ones.
    :ivar accounts: every DNS account by name, in the order of the files.
    :ivar providers: the DNS hosts of these accounts, by name.
    :ivar certificates: in the order of the files.
    :ivar warnings: settings to look at that are not mistakes.
    :ivar secrets: each secret with its key.
    :ivar account_files: the configuration file of each account, by name.
    """

    path: Path | None
    store: Path
    contact: tuple[str, ...]
    agree_terms: bool
    default_ca: str
    cas: Mapping[str, CA]
    accounts: Mapping[str, DnsAccount]
    providers: Mapping[str, Provider]
    resolver: Resolver
    certificates: tuple[CertificateSpec, ...]
    warnings: tuple[Notice, ...] = ()
    secrets: tuple[SecretUse, ...] = ()
    account_files: Mapping[str, str] = field(default_factory=dict)

    def fingerprint_of(self, spec: CertificateSpec) -> int | None:
        """Return a number that changes with the settings a certificate depends on; None for one made in Python."""
        if self.path is None:
            return None
        from dnsrenew.config.fingerprint import fingerprint  # needed only after a failure

        shared = (self.contact, self.agree_terms, self.resolver)
        return fingerprint(spec, cas=self.cas, accounts=self.accounts, providers=self.providers, shared=shared)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, distrust: bool = False) -> Self:
        """Read a configuration file and what it includes.

        :param distrust: refuse files that other users can write; for a file that was found, not named.
        :raises ConfigError: ``config-missing``, ``config-unreadable``, ``config-untrusted``, ``config-syntax``; or
            ``config-invalid``, which lists all mistakes.
        """
        from dnsrenew.config.loader import from_file

        return cls(**from_file(os.path.abspath(path), distrust=distrust))

    @classmethod
    def find(cls, explicit: str | os.PathLike[str] | None = None) -> Self:
        """Find the configuration as the command does, and read it.

        A file found in the current folder is refused if other users can write it or a file it includes.

        :param explicit: the file to read instead, as with ``--config``.
        :raises ConfigError: as :meth:`load`.
        """
        path, in_current_folder = _search(explicit)
        return cls.load(path, distrust=in_current_folder)

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any], base: str | os.PathLike[str] | None = None) -> Self:
        """Make a configuration from the tables that a file would hold.

        Every ``str`` is the value itself; a reference to a secret is ``Secret.env("NAME")`` and so on. ``Route``,
        ``CA``, ``DnsAccount`` … can take the place of their tables.

        :param base: the base of relative paths; its ``state`` is the default store. Default: the current folder,
            and the user's store.
        :raises ConfigError: ``config-invalid``, which lists all mistakes.
        """
        from dnsrenew.config.loader import from_mapping

        return cls(**from_mapping(mapping, None if base is None else os.path.abspath(base)))


def find_config(explicit: str | os.PathLike[str] | None = None) -> Path:
    """Return the path of the configuration that the command would use, without reading it.

    Searched: ``explicit``, ``$DNSRENEW_CONFIG``, the current folder, the user's config folder, ``/etc/dnsrenew``.

    :raises ConfigError: ``config-missing``.
    """
    return Path(_search(explicit)[0])


def _search(explicit: str | os.PathLike[str] | None) -> tuple[str, bool]:
    return locate.search(None if explicit is None else os.fspath(explicit), os.environ, locate.here())


def resolve_all_secrets(config: Config) -> list[Mistake]:
    """Resolve every secret, for ``dnsrenew check``; return a mistake for each that cannot be read.

    This can run the user's commands and open the keyring.
    """
    from dnsrenew.config.secret_fields import unresolved

    return unresolved(config.secrets)


def single_certificate(domains: list[str], **arguments: Any) -> Config:
    """Make the configuration of one certificate from the arguments of :func:`dnsrenew.obtain`.

    :raises ConfigError: ``config-invalid``; the keys are the names of the arguments.
    """
    from dnsrenew.config.from_arguments import from_arguments

    return Config(**from_arguments(domains, **arguments))
