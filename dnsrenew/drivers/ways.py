"""The way to each DNS host: a driver of ours, dns-lexicon, a script of acme.sh, or a delegation that needs no API."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from typing import Any, Final, Literal

from dnsrenew.base.values import Frozen
from dnsrenew.drivers.catalogue import SHIPPED, left_out_hosts
from dnsrenew.drivers.provider import Provider
from dnsrenew.drivers.scripts import find_script
from dnsrenew.errors import described

Way = Literal["driver", "lexicon", "acme.sh", "delegate"]
_DELEGATE: Final = "dnsrenew delegate"
_NO_LETTER: Final = re.compile(r"[\W_]+")


class OtherHost(Frozen):
    """A host that other ACME clients know, and that has no file in ``providers/``.

    :ivar names: other names of it.
    :ivar script: the script of acme.sh that writes its records; "" if there is none.
    """

    name: str
    title: str
    names: tuple[str, ...] = ()
    script: str = ""

    @property
    def way(self) -> Way:
        """The way that works."""
        return "acme.sh" if self.script else "delegate"

    @property
    def is_installed(self) -> bool:
        """Whether its script is on this machine."""
        return bool(self.script) and find_script(self.script) is not None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form, as in ``dnsrenew providers --search WORD --json``."""
        script = {"script": self.script, "installed": self.is_installed} if self.script else {}
        return {"name": self.name, "title": self.title, "names": list(self.names), "way": self.way, **script}


def other_hosts() -> list[OtherHost]:
    """Return the hosts without a file, by title."""
    path = next(folder for folder in SHIPPED if folder.is_dir()) / "_elsewhere.toml"
    hosts = [
        OtherHost(name, described(table["title"]), tuple(table.get("names", ())), table.get("script", ""))
        for name, table in tomllib.loads(path.read_text("utf-8")).items()
    ]
    return sorted(hosts, key=lambda host: host.title.lower())


def find_other(name: str) -> OtherHost | None:
    """Return the host without a file that has exactly this name, in any case and with any punctuation."""
    wanted = _plain(name)
    return next((host for host in other_hosts() if wanted in map(_plain, (host.name, host.title, *host.names))), None)


def is_called(name: str, provider: Provider) -> bool:
    """Return whether a name is exactly one of a host's: its own, its title, or what another tool calls it."""
    tools = (each for table in provider.tools.values() for each in table)
    return _plain(name) in map(_plain, (provider.name, provider.title, *provider.names, *tools))


def way_of(provider: Provider) -> Way:
    """Return the way to a host that has a file."""
    return "lexicon" if provider.driver == "lexicon" else "driver"


def without_driver() -> list[OtherHost]:
    """Return the hosts without a file, and those without an API, where a delegation helps."""
    left_out = {host["title"]: (name, host) for name, host in left_out_hosts().items() if _DELEGATE in host["instead"]}
    without_api = [
        OtherHost(name, title, tuple(host.get("names", "").split())) for title, (name, host) in left_out.items()
    ]
    return [*other_hosts(), *without_api]


def is_named(word: str, host: Provider | OtherHost) -> bool:
    """Return whether a word is in one of a host's names, whatever the case, the blanks and the punctuation."""
    if isinstance(host, Provider):
        names = [host.name, host.title, host.website, *host.names, *host.tools.get("acme_sh", ())]
    else:
        names = [host.title, host.script, *host.names]
    wanted = _plain(word)
    return any(wanted in _plain(name) if wanted else word in name for name in names)


def _plain(text: str) -> str:
    """Return the letters and digits of a name, without accents."""
    folded = unicodedata.normalize("NFKD", text).casefold()
    return _NO_LETTER.sub("", "".join(letter for letter in folded if not unicodedata.combining(letter)))
