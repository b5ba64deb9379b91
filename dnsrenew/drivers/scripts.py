"""The scripts of acme.sh (``dnsapi/dns_*.sh``) on this machine: where they are, and how they describe themselves.

dnsrenew looks for acme.sh, but never downloads it. The wiki of acme.sh says what a script must define and how it
describes its variables ("DNS API Dev Guide", "DNS API Structural Info description").
"""

from __future__ import annotations

import os
import re
import shutil
import tomllib
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal

from dnsrenew.base.values import Frozen
from dnsrenew.drivers import texts
from dnsrenew.drivers.catalogue import SHIPPED, all_providers, left_out_hosts
from dnsrenew.drivers.provider import Provider
from dnsrenew.errors import Text, described

_LARGEST: Final = 1 << 20
"""The number of bytes of a script that are read."""
_PLACES: Final = ("~/.acme.sh", "/usr/share/acme.sh")
_SHELL: Final = "/bin/sh"
_SHELLS: Final = frozenset({"sh", "ash", "dash", "bash", "ksh", "mksh", "busybox"})
"""The shells that can read acme.sh."""
_FIRST_LINE: Final = re.compile(r"#!\s*(?:/\S*/env\s+(?:-S\s+)?)?(\S+)(?:[ \t]+(\w+))?")
_VARIABLE: Final = re.compile(r"\s+([A-Za-z_][A-Za-z0-9_]*)\s*(.*)")
_OPTIONAL: Final = re.compile(r"\b(optional|default|only (?:required|needed|if))\b", re.IGNORECASE)
_SECRET_NAME: Final = re.compile(r"pass|pwd|psw|secret|token|key|auth|cred|sign|_ak$|_as$|_ck$", re.IGNORECASE)
NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""The name of a variable."""
OURS: Final = frozenset({"HOME", "TMPDIR", "LE_WORKING_DIR", "LE_CONFIG_HOME", "HTTP_HEADER", "NO_TIMESTAMP"})
"""Variables that dnsrenew sets for every script."""

FAULTS: Final[Mapping[str, tuple[Text, ...]]] = {
    "dns_nsupdate": (texts.SCRIPT_REMOVES_ALL,),
    "dns_pdns": (texts.SCRIPT_DAMAGES,),
    "dns_gcore": (texts.SCRIPT_DAMAGES,),
    "dns_netlify": (texts.SCRIPT_REMOVES_NOTHING,),
    "dns_strato": (texts.SCRIPT_PRINTS_SECRET, texts.SCRIPT_REPLACES, texts.SCRIPT_CANNOT_REMOVE),
}
"""Known faults of scripts."""


class ScriptVariable(Frozen):
    """A variable that a script asks for."""

    name: str
    help: str

    @property
    def is_required(self) -> bool:
        """Whether the script requires it, according to its comment."""
        return _OPTIONAL.search(self.help) is None


class DnsScript(Frozen):
    """A script.

    :ivar name: the name, such as ``dns_cyon``.
    :ivar acme_sh: the acme.sh that it runs with; "" if it was not found.
    :ivar text: its content.
    """

    name: str
    path: str
    acme_sh: str
    text: str

    @property
    def title(self) -> str:
        """The name of its host."""
        return next(iter(self._info()), self.name).strip()

    @property
    def groups(self) -> list[list[ScriptVariable]]:
        """The variables that it names, in groups; the variables of one group are enough."""
        groups: list[list[ScriptVariable]] = []
        inside = False
        for line in self._info():
            if not line.startswith((" ", "\t")):
                inside = line.startswith("Options")
                groups += [[]] if inside else []
            elif inside and (found := _VARIABLE.fullmatch(line)):
                groups[-1].append(ScriptVariable(found[1], found[2].strip()))
        return groups

    def lacking(self, given: Mapping[str, object]) -> list[str]:
        """Return the missing variables of the group that misses the fewest."""
        lacking = [
            [each.name for each in group if each.is_required and not given.get(each.name)] for group in self.groups
        ]
        return min(lacking, key=len, default=[])

    def defines(self, action: str) -> bool:
        """Return whether the script has the function for an action, ``add`` or ``rm``."""
        pattern = rf"^[ \t]*(?:function[ \t]+)?{re.escape(self.name)}_{action}\b"
        return re.search(pattern, self.text, re.MULTILINE) is not None

    @property
    def shell(self) -> str:
        """The shell in its first line, as written there; "" if that shell cannot read acme.sh."""
        found = _FIRST_LINE.match(self.text)
        if found is None:
            return "sh"
        return found[1] if os.path.basename(found[1]) in _SHELLS else ""

    def _info(self) -> list[str]:
        """Return the lines of its comment that are for people, safe for a terminal."""
        name = re.escape(self.name)
        found = re.search(rf"^{name}_info='(.*?)'", self.text, re.DOTALL | re.MULTILINE)
        hidden = found or re.search(rf"^# {name}_info='(.*(?:\n#.*)*)", self.text, re.MULTILINE)  # dns_selectel
        lines = hidden[1].splitlines() if hidden else []
        shown = lines if found else [re.sub("^# ?", "", line) for line in lines]
        return ["".join(letter if letter.isprintable() else " " for letter in line) for line in shown]


def find_script(script: str, home: str = "") -> DnsScript | None:
    """Return a script by its name, or by its path; None if there is none.

    :param home: the folder of acme.sh that is looked at first.
    """
    places = [each for each in (home, *map(os.path.expanduser, _PLACES)) if each]
    if os.path.isabs(script):
        folder = os.path.dirname(script)
        own = [folder, os.path.dirname(folder)] if os.path.basename(folder) == "dnsapi" else [folder]
        places = [*([home] if home else []), *own, *places]
        candidates = [(script, places)]
    else:
        file = f"{script.removesuffix('.sh')}.sh"
        candidates = [
            (os.path.join(place, below, file), places[number:])
            for number, place in enumerate(places)
            for below in ("", "dnsapi")
        ]
    for path, folders in candidates:
        if os.path.isfile(path):
            programs = (os.path.join(folder, "acme.sh") for folder in folders)
            name = os.path.basename(path).removesuffix(".sh")
            return DnsScript(name, path, next(filter(os.path.isfile, programs), ""), read_script(path))
    return None


def found_scripts(home: str = "") -> Iterator[DnsScript]:
    """Yield the scripts on this machine by name, the first of several with the same name."""
    found: dict[str, str] = {}
    for place in (home, *map(os.path.expanduser, _PLACES)):
        for folder in (place, os.path.join(place, "dnsapi")) if place else ():
            with_name = os.listdir(folder) if os.path.isdir(folder) and os.access(folder, os.R_OK) else ()
            for file in filter(re.compile(r"dns_[A-Za-z0-9_]+\.sh").fullmatch, with_name):
                found.setdefault(file.removesuffix(".sh"), os.path.join(folder, file))
    for name, path in sorted(found.items()):
        if os.path.isfile(path) and os.access(path, os.R_OK):
            yield DnsScript(name, path, "", read_script(path))


def read_script(path: str) -> str:
    """Return the text of a script; empty if it cannot be read, which the shell reports too."""
    try:
        with open(path, "rb") as file:
            return file.read(_LARGEST).decode("utf-8", "replace")
    except OSError:
        return ""


def shell_path(script: DnsScript) -> str | None:
    """Return the absolute path of the shell that runs a script; None if it is not installed."""
    if script.shell == "sh" and os.path.exists(_SHELL):
        return _SHELL
    found = shutil.which(script.shell) if script.shell else None
    return None if found is None else os.path.abspath(found)


def is_private(variable: str, value: str) -> bool:
    """Return whether a value in the configuration itself must be kept out of messages; most are no secrets."""
    return _SECRET_NAME.search(variable) is not None and not os.path.exists(value)


# ── ways ───────────────────────────────────────────────────────────────────────────────

# The way to each DNS host: a driver of ours, dns-lexicon, a script of acme.sh, or a delegation that needs no API.

Way = Literal["driver", "lexicon", "acme.sh", "delegate"]
_NO_LETTER: Final = re.compile(r"[\W_]+")


class OtherHost(Frozen):
    """A host that other ACME clients support, and that has no file in ``providers/``.

    :ivar names: its other names.
    :ivar script: the script of acme.sh that writes its records; "" if it has no script.
    :ivar env: the variables that the script reads, if they are known without it.
    """

    name: str
    title: str
    names: tuple[str, ...] = ()
    script: str = ""
    env: tuple[str, ...] = ()

    @property
    def way(self) -> Way:
        """The way that works for this host."""
        return "acme.sh" if self.script else "delegate"

    @property
    def is_installed(self) -> bool:
        """Whether its script is on this machine."""
        return bool(self.script) and find_script(self.script) is not None

    def block(self) -> str:
        """Return a ``[dns.…]`` block to copy, for its script."""
        found = find_script(self.script)
        asked = found.lacking({}) if found is not None else self.env
        values = {name: f"file:{name}.txt".lower() if is_private(name, "") else f"<{name}>" for name in asked}
        env = ", ".join(f'{name} = "{value}"' for name, value in (values or {"<NAME>": "file:<name>.txt"}).items())
        return f'[dns.{self.name}]\nprovider = "acme.sh"\nscript = "{self.script}"\nenv = {{ {env} }}'

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form, as in ``dnsrenew providers --search WORD --json``."""
        script = {"script": self.script, "installed": self.is_installed} if self.script else {}
        return {"name": self.name, "title": self.title, "names": list(self.names), "way": self.way, **script}


def other_hosts() -> list[OtherHost]:
    """Return the hosts without a file, by title."""
    path = next(folder for folder in SHIPPED if folder.is_dir()) / "_elsewhere.toml"
    hosts = []
    for name, table in tomllib.loads(path.read_text("utf-8")).items():
        names, env = (tuple(table.get(key, ())) for key in ("names", "env"))
        hosts.append(OtherHost(name, described(table["title"]), names, table.get("script", ""), env))
    return sorted(hosts, key=lambda host: host.title.lower())


def find_other(name: str) -> OtherHost | None:
    """Return the host without a file that has exactly this name, ignoring case and punctuation."""
    wanted = _plain(name)
    return next((host for host in other_hosts() if wanted in map(_plain, (host.name, host.title, *host.names))), None)


def is_called(name: str, provider: Provider) -> bool:
    """Return whether a name is exactly a name of the host: its own, its title, or its name in another tool."""
    tools = (each for table in provider.tools.values() for each in table)
    return _plain(name) in map(_plain, (provider.name, provider.title, *provider.names, *tools))


def providers_called(name: str, folders: Iterable[Path] = ()) -> list[Provider]:
    """Return the hosts that have exactly this name, otherwise the hosts with it in one of their names.

    DNS services come first. Hosts are sorted by how they were found, then by name. A file with a mistake is left out.
    """
    hosts = all_providers(folders)
    if same := [host for host in hosts if is_called(name, host)]:
        return same
    like = [host for host in hosts if (len(_plain(name)) > 2 or not name.isascii()) and is_named(name, host)]
    return sorted(like, key=lambda host: "dns" not in host.title.lower())


def way_of(provider: Provider) -> Way:
    """Return the way to a host that has a provider file."""
    return "lexicon" if provider.driver == "lexicon" else "driver"


def without_driver() -> list[OtherHost]:
    """Return the hosts without a file, and the hosts without an API, for which a delegation helps."""
    left_out = {
        host["title"]: (name, host) for name, host in left_out_hosts().items() if "dnsrenew delegate" in host["instead"]
    }
    without_api = [
        OtherHost(name, title, tuple(host.get("names", "").split())) for title, (name, host) in left_out.items()
    ]
    return [*other_hosts(), *without_api]


def is_named(word: str, host: Provider | OtherHost) -> bool:
    """Return whether a word is in one of a host's names, ignoring case, blanks and punctuation."""
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
