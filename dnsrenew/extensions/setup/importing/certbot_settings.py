"""A file ``renewal/NAME.conf`` of certbot: what was given when the certificate was obtained."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from dnsrenew.base.values import Frozen
from dnsrenew.extensions.setup.importing import reading, texts

_PARAMETERS: Final = "renewalparams"
_WEBROOTS: Final = "webroot_map"
_ABSENT: Final = frozenset({"", "None"})
_WITHOUT_MEANING: Final = frozenset(
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
            if key in _WITHOUT_MEANING or key.endswith(_WITHOUT_MEANING_ENDS) or setting.value in {*_ABSENT, "False"}:
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
