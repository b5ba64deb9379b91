"""The options of a target as data: the configuration, the documentation and ``check`` are made from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from dnsrenew.base.values import Frozen, field

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dnsrenew.deploy.protocol import Deployer, DeployerContext

Kind = Literal[
    "text",
    "path",
    "file",
    "private",
    "trust",
    "flag",
    "mode",
    "number",
    "limit",
    "port",
    "url",
    "secret",
    "words",
    "remote",
    "address",
    "addresses",
    "socket",
    "choice",
    "owner",
    "group",
    "names",
]
"""How a value is read.

``path`` is a file that is written, ``file`` one that is read, ``private`` one that is read and has a secret, ``trust``
one with root certificates. ``limit`` is seconds, more than 0. ``words`` is a command of this machine as a list,
``remote`` one of another machine or of a container, ``address`` a ``HOST:PORT``, ``socket`` that of a program of this
machine, ``owner`` an existing user.
"""


class TargetOption(Frozen):
    """One option of a target.

    :ivar kind: how its value is read.
    :ivar help: one sentence for the documentation.
    :ivar default: its value if it is not given.
    :ivar choices: the valid values of a ``choice``.
    """

    kind: Kind
    help: str
    required: bool = False
    default: Any = None
    choices: tuple[str, ...] = ()


class TargetKind(Frozen, kw_only=True):
    """A kind of target.

    :ivar to: its name in the configuration.
    :ivar title: one line for the documentation.
    :ivar options: its own options, without :data:`COMMON`.
    :ivar one_of: options of which at least one is required.
    :ivar has_reload: whether it takes a ``reload`` command.
    :ivar describe: returns the target itself for people and JSON, from the options.
    :ivar make: makes the deployer.
    :ivar can_inspect: whether its deployer can tell what the target has; otherwise only the success of an entry tells
        that it has the certificate.
    :ivar needs_login: whether ``token``, or ``user`` and ``password``, are required.
    :ivar needs_https: whether ``url`` must be HTTPS or on this machine; otherwise it must with a ``user`` only.
    :ivar programs: the names of programs of this machine that it runs besides ``reload``; the deployer gets the path of
        each as one more option.
    :ivar any_options: whether any option is accepted (a deployer of another package).
    :ivar note: what else to know, for the documentation.
    :ivar example: an entry for the documentation.
    """

    to: str
    title: str
    options: Mapping[str, TargetOption]
    one_of: tuple[str, ...] = ()
    has_reload: bool = False
    describe: Callable[[Mapping[str, Any]], str]
    make: Callable[[DeployerContext], Deployer]
    can_inspect: bool = True
    needs_login: bool = False
    needs_https: bool = True
    programs: tuple[str, ...] = ()
    any_options: bool = False
    note: str = ""
    example: Mapping[str, Any] = field(default_factory=dict)


VERIFY_TIMEOUT: Final = 30.0
PROGRAM_TIMEOUT: Final = 60.0
COMMON: Final[Mapping[str, TargetOption]] = {
    "verify": TargetOption("addresses", "HOST:PORT, or a list of them, that must serve the new certificate."),
    "verify_timeout": TargetOption("number", "Seconds until they must serve it.", default=VERIFY_TIMEOUT),
    "verify_name": TargetOption(
        "text", "The server name (SNI) to ask for; default: the first name that is no wildcard."
    ),
    "starttls": TargetOption(
        "choice", "The protocol that starts TLS at these ports.", choices=("smtp", "imap", "pop3", "ldap", "postgresql")
    ),
}
RELOAD: Final[Mapping[str, TargetOption]] = {
    "reload": TargetOption("words", "The program that activates the files, as a list; no shell."),
    "timeout": TargetOption("limit", "Seconds that it may take.", default=PROGRAM_TIMEOUT),
    "env": TargetOption(
        "names", "Names of environment variables that it gets, besides those that every program needs."
    ),
}


def all_options(target: TargetKind) -> dict[str, TargetOption]:
    """Return the options that an entry of this kind may have."""
    return {**target.options, **(RELOAD if target.has_reload else {}), **COMMON}
