"""The types of the table of commands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from dnsrenew.base.values import Frozen

OR: Final = " or "
"""The separator of words in the help of an option."""


class Argument(Frozen):
    """A positional argument.

    :ivar name: its name in the parsed options.
    :ivar shown: its placeholder.
    :ivar kind: what completion offers: a key of ``_NAMES`` in ``completion``.
    :ivar words: the possible values; (): any.
    :ivar many: whether it can be repeated.
    :ivar required: whether the command needs it.
    """

    name: str
    shown: str
    help: str
    kind: str = ""
    words: tuple[str, ...] = ()
    many: bool = False
    required: bool = False

    @property
    def usage(self) -> str:
        """The argument in a usage line."""
        shown = "|".join(self.words) or self.shown + (" ..." if self.many else "")
        return shown if self.required else f"[{shown}]"


class Option(Frozen):
    """An option.

    :ivar flag: its long form; without the dashes its name in the parsed options.
    :ivar shown: the placeholder of its value; "" without a value.
    :ivar kind: ``duration``, ``interval``, ``workers``, ``file``, ``word``, ``text``, ``list`` (can be repeated);
        without a value ``count`` or "".
    :ivar words: the possible values; (): any of this kind.
    :ivar value_if_bare: its default if it is given without a value; None if it needs a value.
    :ivar short: its short form.
    """

    flag: str
    help: str
    shown: str = ""
    kind: str = ""
    words: tuple[str, ...] = ()
    default: object = None
    value_if_bare: object = None
    short: str = ""

    @property
    def name(self) -> str:
        """Its name in the parsed options."""
        return self.flag[2:].replace("-", "_")

    def text(self, say: Callable[[str], str] = str) -> str:
        """Return its help in the translation of ``say``, with its words for ``{words}``."""
        return say(self.help).replace("{words}", say(OR).join(self.words))

    @property
    def usage(self) -> str:
        """The option as ``--help`` shows it."""
        value = f" [{self.shown}]" if self.value_if_bare is not None else f" {self.shown}" if self.shown else ""
        return f"{self.short}, {self.flag}{value}" if self.short else f"{self.flag}{value}"


Runner = Callable[..., int]
"""Runs a command for its :class:`dnsrenew.cli.invocation.Invocation`, and returns the exit status."""


class Command(Frozen):
    """A command.

    :ivar examples: pairs of a command line and a comment.
    :ivar reads_config: whether it reads the configuration.
    """

    summary: str
    arguments: tuple[Argument, ...] = ()
    options: tuple[Option, ...] = ()
    examples: tuple[tuple[str, str], ...] = ()
    notes: str = ""
    reads_config: bool = True


class CommandTable(Frozen):
    """The commands of the core, or of an extension.

    :ivar rows: the commands by name, with two words for commands of a group.
    :ivar runner: imports the function of a command, by its name, and only that module when it is needed; None for the
        core, whose commands are imported by :mod:`dnsrenew.cli.program`.
    """

    rows: Mapping[str, Command]
    runner: Callable[[str], Runner] | None = None
