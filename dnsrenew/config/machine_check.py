"""The programs and folders that a renewal needs on this machine, and that are not there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from dnsrenew.base.model import Deployment, Notice
from dnsrenew.config import texts
from dnsrenew.config.loader import first_few

if TYPE_CHECKING:
    from dnsrenew.base.model import CertificateSpec
    from dnsrenew.config.loader import Draft
    from dnsrenew.errors import Text

_LOCAL_PROGRAM: Final = "words"
"""The kind of an option with a program of this machine."""


def missing_things(draft: Draft) -> list[Notice]:
    """Return a warning for each program and webroot that is missing; the file may be meant for another machine."""
    found: dict[tuple[Text, str, str], dict[str, None]] = {}
    for spec in draft.certificates.specs:
        for thing in _missing(spec):
            found.setdefault(thing, {})[spec.name] = None
    return [
        Notice(*text.fill(path=path, key=key, names=first_few(list(names))))
        for (text, path, key), names in found.items()
    ]


def _missing(spec: CertificateSpec) -> Iterator[tuple[Text, str, str]]:
    for key, program in _programs(spec):
        if not _can_be_run(program):
            yield texts.PROGRAM_MISSING, program, key
    for route in spec.routes:
        if route.webroot and not os.path.isdir(route.webroot):
            yield texts.WEBROOT_MISSING, str(route.webroot), "webroot"


def _programs(spec: CertificateSpec) -> Iterator[tuple[str, str]]:
    """Give the programs of this machine that a renewal runs, with their keys."""
    for key, command in (("before", spec.before), ("after", spec.after)):
        if command:
            yield key, command[0]
    for entry in spec.deploy:
        if isinstance(entry, Deployment):
            yield from _of_deployment(entry)


def _of_deployment(entry: Deployment) -> Iterator[tuple[str, str]]:
    from dnsrenew.deploy import catalogue  # few configurations deploy
    from dnsrenew.deploy.options import all_options

    kind = catalogue.target(entry.to)
    for key, option in all_options(kind).items() if kind is not None else ():
        if option.kind == _LOCAL_PROGRAM and (command := entry.options.get(key)):
            yield key, command[0]


def _can_be_run(program: str) -> bool:
    import shutil

    return shutil.which(program) is not None
