"""``follow``: a live context for certificate files that another program renews.

It starts no thread and does not use ACME.
"""

from __future__ import annotations

import logging
import os
import ssl
import threading
from collections.abc import Iterable
from typing import Any, Final

from dnsrenew.base.clock import Clock, SystemClock
from dnsrenew.base.secrets import Secret
from dnsrenew.errors import SecretError, StoreError, as_clause
from dnsrenew.serving import texts
from dnsrenew.serving.recorded_context import RecordedContext

_EVERY: Final = 1.0
"""Seconds between two checks of the files."""
_FOLDER_FILES: Final = ("fullchain.pem", "privkey.pem")
"""The file names that certbot, the store of dnsrenew and others use."""
_CERTIFICATE: Final = b"CERTIFICATE-----"
_KEY: Final = b"PRIVATE KEY-----"

_logger: Final = logging.getLogger("dnsrenew")


def follow(
    certificate: str | os.PathLike[str],
    key: str | os.PathLike[str] | None = None,
    *,
    password: str | Secret | None = None,
) -> ssl.SSLContext:
    """Return a context for a server that always has the newest certificate of files that another program renews.

    At a handshake, at most once a second, it checks whether the files have changed. It needs no thread, no
    configuration and no ACME. The settings that the program makes on the context hold for every certificate.

    If the files are gone, half written or do not fit, the last good certificate stays. A warning is logged once until
    the files are good again; the ``code`` of the record is ``follow-broken``.

    :param certificate: the file with the certificate and its chain (PEM), or a folder with ``fullchain.pem`` and
        ``privkey.pem``.
    :param key: the file with the private key; None if it is in the file of the certificate, or in the folder.
    :param password: decrypts the private key.
    :raises StoreError: ``follow-broken``: there is no good certificate yet.
    :raises SecretError: ``follow-password``: the password is missing or wrong; ``secret-missing``.
    """
    paths = [os.path.abspath(each) for each in (certificate, key) if each is not None]
    return FollowedContext(paths, password, SystemClock())


follow.__module__ = "dnsrenew"


class FollowedContext(RecordedContext):
    """A server-side context with the certificate of files.

    :param paths: the files of the certificate and its key, one file with both, or a folder.
    :param password: decrypts the key.
    :raises StoreError: see :func:`follow`; ``SecretError`` too.
    """

    def __init__(self, paths: list[str], password: str | Secret | None, clock: Clock) -> None:
        self._paths = paths
        self._password = password
        self._clock = clock
        self._is_broken = False
        self._looking = threading.Lock()
        self._newest: ssl.SSLContext = self
        super().__init__()
        self._mark, self._looked = self._marks(), clock.monotonic()
        self._newest = self._loaded()

    def after_fork(self) -> None:
        """See :meth:`RecordedContext.after_fork`."""
        super().after_fork()
        self._looking = threading.Lock()

    def _contexts(self) -> Iterable[ssl.SSLContext]:
        return {self._newest} - {self}

    def _choose(self, connection: Any, name: str | None, _context: ssl.SSLContext) -> int | None:
        if self._clock.monotonic() - self._looked >= _EVERY and self._looking.acquire(blocking=False):
            try:
                self._look()
            finally:
                self._looking.release()
        connection.context = self._newest
        return self._answer(connection, name)

    def _look(self) -> None:
        """Load changed files, or warn that they cannot be used."""
        self._looked = self._clock.monotonic()
        mark = self._marks()
        if mark == self._mark and not self._is_broken:
            return
        try:
            loaded = self._loaded()
        except (StoreError, SecretError) as error:
            if not self._is_broken:
                kept = StoreError.of(texts.FOLLOW_KEPT, path=self._paths[0], reason=as_clause(error.message))
                _logger.warning("%s", kept, extra={"code": kept.code})
            self._is_broken = True
            return
        self._newest, self._mark, self._is_broken = loaded, mark, False

    def _marks(self) -> list[tuple[int, ...] | None]:
        """Return values that change when a file is replaced or written."""
        return [_mark(path) for path in self._files()]

    def _files(self) -> list[str]:
        if len(self._paths) == 1 and os.path.isdir(self._paths[0]):
            return [os.path.join(self._paths[0], name) for name in _FOLDER_FILES]
        return self._paths

    def _loaded(self) -> ssl.SSLContext:
        """Return a context with the current certificate of the files, and with every setting.

        :raises StoreError: they cannot be read, are half written or do not fit.
        :raises SecretError: the key needs another password.
        """
        files, context = self._files(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        is_asked = False

        def password() -> str:
            nonlocal is_asked
            is_asked = True
            return self._password.reveal() if isinstance(self._password, Secret) else self._password or ""

        try:
            _check_whole(files[0], _CERTIFICATE, texts.NO_CERTIFICATE_IN_FILE)
            _check_whole(files[-1], _KEY, texts.NO_KEY_IN_FILE)
            context.load_cert_chain(files[0], files[-1], password)  # always a function, or OpenSSL asks at the terminal
        except (OSError, ValueError) as error:
            if is_asked:
                raise SecretError.of(texts.FOLLOW_PASSWORD, path=files[-1]) from None
            raise StoreError.of(texts.FOLLOW_BROKEN, path=files[0], reason=_reason(error)) from None
        with self._lock:  # so that no setting is lost in between
            self._repeat(context)
            self._newest = context
        return context


def _mark(path: str) -> tuple[int, ...] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _check_whole(path: str, label: bytes, missing: str) -> None:
    """Check that a file is complete: it has the wanted PEM block, and ends at the end of a block.

    :param label: the label of a PEM block that must be there.
    :param missing: the error text if it is not there.
    :raises OSError: the file cannot be read.
    :raises ValueError: something is missing.
    """
    with open(path, "rb") as file:
        content = file.read()
    if label not in content:
        raise ValueError(missing.format(file=os.path.basename(path)))
    if content.count(b"-----BEGIN ") != content.count(b"-----END "):
        raise ValueError(texts.HALF_WRITTEN.format(file=os.path.basename(path)))


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, ssl.SSLError):
        return texts.NOT_A_PAIR.format(reason=error)
    return error.strerror if isinstance(error, OSError) and error.strerror else error.args[0]
