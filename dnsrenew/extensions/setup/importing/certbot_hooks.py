"""certbot's hooks as programs of ours: what frees a port, and what is done with a new certificate.

certbot gives its deploy hooks ``RENEWED_LINEAGE`` and ``RENEWED_DOMAINS``; so does the target ``run``.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from dnsrenew.base.values import Frozen
from dnsrenew.extensions.setup.importing import reading, texts
from dnsrenew.extensions.setup.importing.model import FoundDeployment, FoundRoute, shell
from dnsrenew.extensions.setup.importing.timers import LONGEST

_WITHOUT_MEANING: Final = frozenset(
    {
        *(
            "max_log_backups",
            "preconfigured_renewal",
            "email",
            "agree_tos",
            "non_interactive",
            "noninteractive",
            "quiet",
        ),
        *("text", "eff_email", "no_eff_email", "keep_until_expiring", "server", "authenticator", "installer"),
        *("no_self_upgrade", "rsa_key_size", "key_type", "elliptic_curve", "expand", "renew_by_default"),
        *("random_sleep_on_renew", "no_random_sleep_on_renew", "config_dir", "work_dir", "logs_dir", "domains"),
        *("register_unsafely_without_email", "preferred_challenges", "webroot_path", "preferred_chain"),
    }
)
"""Keys of ``cli.ini`` that certbot keeps for each certificate too, or that have no meaning for us."""
_KINDS: Final = {"pre_hook": "pre", "post_hook": "post", "deploy_hook": "deploy", "renew_hook": "deploy"}


class Hook(Frozen):
    """A command for the shell, and where it stands."""

    command: str
    source: str


class Hooks(Frozen):
    """The hooks of all certificates."""

    pre: tuple[Hook, ...] = ()
    deploy: tuple[Hook, ...] = ()
    post: tuple[Hook, ...] = ()


class HookPrograms(Frozen):
    """The hooks of a certificate, as programs of ours."""

    deployments: tuple[FoundDeployment, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]


def shared(folder: Path, notes: reading.Notes) -> Hooks:
    """Return the hooks in ``renewal-hooks/`` and in ``cli.ini``."""
    found: dict[str, list[Hook]] = {"pre": [], "deploy": [], "post": []}
    for kind, hooks in found.items():
        inside = folder / "renewal-hooks" / kind
        for name in reading.names(inside):
            path = inside / name
            if os.path.isfile(path) and os.access(path, os.X_OK) and not name.endswith("~"):
                notes.judge(path)
                hooks.append(Hook(shlex.quote(str(path)), str(path)))
    file = folder / "cli.ini"
    text = notes.text(file) if os.path.lexists(file) else None
    for setting in reading.settings(text or "", lambda line: notes.add(texts.NOT_AN_ASSIGNMENT, file, line)):
        key = setting.key.replace("-", "_")
        if key in _KINDS:
            found[_KINDS[key]].append(Hook(setting.value, f"{file}:{setting.number}"))
        elif key not in _WITHOUT_MEANING:
            notes.add(texts.SETTING_UNKNOWN, file, setting.number, setting.key, key=setting.key)
    return Hooks(tuple(found["pre"]), tuple(found["deploy"]), tuple(found["post"]))


def programs(
    settings: RenewalSettings, hooks: Hooks, routes: Sequence[FoundRoute], notes: reading.Notes
) -> HookPrograms:
    """Return the hooks of a certificate.

    Only a route that opens a port has programs before and after it; for others, what ran after each try runs after
    each new certificate.
    """
    if settings.get("directory_hooks").lower() == "false":
        hooks = Hooks()
    own = {key: _own(settings, key, notes) for key in ("pre_hook", "post_hook", "renew_hook", "deploy_hook")}
    pre = _distinct((*hooks.pre, *own["pre_hook"]))
    post = _distinct((*hooks.post, *own["post_hook"]))
    deploy = _distinct((*hooks.deploy, *own["renew_hook"], *own["deploy_hook"]))
    opens_port = any(route.listen for route in routes)
    if opens_port:
        before, after = _joined(pre, " && "), _joined(post, "; ")
    else:
        before = after = ()
        if pre:
            notes.add(texts.HOOK_BEFORE, *_place(settings, "pre_hook", pre), name=settings.name)
        if post:
            notes.add(texts.HOOK_AFTER, *_place(settings, "post_hook", post), name=settings.name)
        deploy = _distinct((*deploy, *post))
    return HookPrograms(tuple(map(_deployment, deploy)), before, after)


def _place(settings: RenewalSettings, key: str, hooks: Sequence[Hook]) -> tuple[Path, int | None, str]:
    """Return where a hook stands: in the settings of the certificate, or in those of all."""
    if settings.get(key):
        return settings.place(key)
    file, colon, line = hooks[0].source.rpartition(":")
    is_line = bool(colon) and line.isdecimal()
    return Path(file if is_line else hooks[0].source), int(line) if is_line else None, hooks[0].command


def _own(settings: RenewalSettings, key: str, notes: reading.Notes) -> tuple[Hook, ...]:
    command = settings.get(key)
    if not command:
        return ()
    file, line, text = settings.place(key)
    program = missing_program(command)
    if program is not None:
        notes.add(texts.HOOK_GONE, file, line, text, program=program)
        return ()
    return (Hook(command, f"{file}:{line}"),)


def missing_program(command: str) -> str | None:
    """Return the program of a command if it is a path where nothing stands."""
    try:
        words = shlex.split(command) if len(command) <= LONGEST else []
    except ValueError:
        return None
    program = words[0] if words else ""
    return program if os.path.isabs(program) and not os.path.exists(program) else None


def _distinct(hooks: Sequence[Hook]) -> tuple[Hook, ...]:
    """Return the hooks, each command once, as certbot runs them."""
    return tuple({hook.command: hook for hook in reversed(hooks)}.values())[::-1]


def _joined(hooks: Sequence[Hook], separator: str) -> tuple[str, ...]:
    return shell(separator.join(hook.command for hook in hooks)) if hooks else ()


def _deployment(hook: Hook) -> FoundDeployment:
    return FoundDeployment(to="run", source=hook.source, options={"run": list(shell(hook.command))})


# ── certbot settings ───────────────────────────────────────────────────────────────────

# A file ``renewal/NAME.conf`` of certbot: what was given when the certificate was obtained.

_PARAMETERS: Final = "renewalparams"
_WEBROOTS: Final = "webroot_map"
_ABSENT: Final = frozenset({"", "None"})
_CERTBOT_SETTINGS_WITHOUT_MEANING: Final = frozenset(
    {
        *("account", "authenticator", "installer", "server", "config_dir", "work_dir", "logs_dir", "version"),
        *("key_type", "elliptic_curve", "rsa_key_size", "reuse_key", "must_staple", "preferred_chain"),
        *("required_profile", "preferred_profile", "pref_challs", "webroot_path", "webroot_map"),
        *("http01_port", "http01_address", "pre_hook", "post_hook", "renew_hook", "deploy_hook"),
        *("manual_auth_hook", "manual_cleanup_hook", "manual_public_ip_logging_ok", "no_verify_ssl"),
        *("tls_sni_01_port", "tls_sni_01_address", "validate_hooks", "directory_hooks", "autorenew"),
        *("preconfigured_renewal", "post_hook_name", "agree_tos", "email", "eff_email", "noninteractive_mode"),
        *("cert_name", "certname", "deploy_before_expiry", "ari_retry_after", "use_legacy_api"),
    }
)
"""Settings that are read elsewhere, or that have no meaning for us."""
_WITHOUT_MEANING_ENDS: Final = ("_propagation_seconds", "_credentials", "_server_root", "_ctl", "_challenge_location")
"""The ends of more: we ask the name servers, and change the configuration of no server."""


class RenewalSettings(Frozen):
    """The settings of one certificate.

    :ivar name: its name at certbot.
    :ivar top: the settings above the first section.
    :ivar parameters: the settings in ``[renewalparams]``.
    :ivar webroot_map: the webroot of each name.
    """

    name: str
    file: Path
    top: dict[str, str]
    parameters: dict[str, reading.Setting]
    webroot_map: dict[str, str]

    def get(self, key: str) -> str:
        """Return a parameter; "" if it is not given."""
        found = self.parameters.get(key)
        return "" if found is None or found.value in _ABSENT else found.value

    def items(self, key: str) -> list[str]:
        """Return a parameter that is a list."""
        return [item for each in self.get(key).split(",") if (item := each.strip().strip("\"'"))]

    def flag(self, key: str) -> bool:
        """Return a parameter that is true or false."""
        return self.get(key).lower() == "true"

    def place(self, key: str) -> tuple[Path, int | None, str]:
        """Return where a parameter stands, and its line, for a note."""
        found = self.parameters.get(key)
        if found is None:
            return self.file, None, ""
        shown = key if key.endswith("hook") else f"{key} = {found.value}"  # a command may hold a secret
        return self.file, found.number, shown

    def path(self, key: str) -> Path | None:
        """Return a path above the first section."""
        return Path(self.top[key]) if self.top.get(key) else None

    @property
    def authenticator(self) -> str:
        """How the names are proved, without the prefix of a plug-in's package."""
        return self.get("authenticator").rpartition(":")[2]

    def note_unknown(self, notes: reading.Notes) -> None:
        """Add a note for each parameter that nothing reads."""
        for key, setting in self.parameters.items():
            if (
                key in _CERTBOT_SETTINGS_WITHOUT_MEANING
                or key.endswith(_WITHOUT_MEANING_ENDS)
                or setting.value in {*_ABSENT, "False"}
            ):
                continue
            # The value is not shown: a plug-in by others may keep a secret here.
            notes.add(texts.SETTING_UNKNOWN, self.file, setting.number, key, key=key)


def renewal_settings(name: str, file: Path, text: str, notes: reading.Notes) -> RenewalSettings:
    """Return the settings in a file, with a note for each line that is none."""
    top: dict[str, str] = {}
    parameters: dict[str, reading.Setting] = {}
    webroots: dict[str, str] = {}
    for setting in reading.settings(text, lambda line: notes.add(texts.NOT_AN_ASSIGNMENT, file, line)):
        match setting.sections:
            case ():
                top[setting.key] = setting.value
            case (section,) if section == _PARAMETERS:
                parameters[setting.key] = setting
            case (section, inner) if (section, inner) == (_PARAMETERS, _WEBROOTS):
                webroots[setting.key] = setting.value
    return RenewalSettings(name, file, top, parameters, webroots)
