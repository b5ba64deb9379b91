"""The texts of the store's errors and warnings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from dnsrenew.base.path_trust import Fault
from dnsrenew.base.values import Frozen
from dnsrenew.errors import Phrase, Text

# ── the time in which a CA counts ───────────────────────────────────────────────────────

HOURS: Final = Phrase("{count:g} h")
DAYS: Final = Phrase("{count:g} days")
CERTIFICATE_LOCK: Final = Phrase("certificate {name}")
ACCOUNT_LOCK: Final = Phrase("account {name}")
ZONE_LOCK: Final = Phrase("DNS zone {zone}")
PORTS_LOCK: Final = Phrase("a port that the CA connects to")
TURN_LOCK: Final = Phrase("port of a server that `before` stops")

# ── refusals of the operating system ────────────────────────────────────────────────────

FULL: Final = Text(
    "store-full",
    "{path} cannot be written: {reason}.",
    "Free space, inodes or quota on the disk that holds {existing}.",
)
READ_ONLY: Final = Text(
    "store-read-only",
    "{path} cannot be written: its file system is read-only.",
    "Mount the file system of {existing} read-write (as root: `mount -o remount,rw {mount}`; in a container, use a "
    "volume), or set `store` to a folder on another disk.",
)
READ_ONLY_IN_UNIT: Final = Text(
    "store-read-only",
    READ_ONLY.message,
    "Run `dnsrenew schedule install` again, so that the unit allows writing to {existing}.",
)
READ_ONLY_ELSEWHERE: Final = Text(
    "store-read-only",
    "The systemd unit {unit} does not allow dnsrenew to write {path}.",
    "Run `systemctl edit {unit}`, write [Service] and ReadWritePaths={existing}, and restart it.",
)
NO_LINKS: Final = Text(
    "store-no-links",
    "The file system of {existing} does not support symbolic links, but `current` of a certificate is one.",
    "Set `store` to a folder on another file system, or mount this one with symbolic links (SMB: mfsymlinks).",
)
NO_LOCKS: Final = Text(
    "store-no-locks",
    "The file system of {folder} does not show whether an open file is still the one at its path.",
    "Set `store` to a folder on another file system, or mount this one with the server's inode numbers "
    "(SMB: serverino).",
)
NOT_A_FILE: Final = Text(
    "store-not-a-file",
    "{path} should be a file, but is {found}.",
    "Move {path} elsewhere.",
)
NOT_A_FOLDER: Final = Text(
    "store-not-a-folder",
    "{culprit} should be a folder, but is a file.",
    "Move the file {culprit} elsewhere, or set `store` to another folder.",
)
NO_NEW_FOLDER: Final = Text(
    "store-failed",
    "The folder {path} for the store cannot be created: the file system of {existing} accepts no new folders.",
    "Set `store` to a folder on another file system.",
)
VANISHED: Final = Text(
    "store-vanished",
    "{path} or its folder no longer exists.",
    "Run the command again, and change nothing in the store while it runs.",
)
SYMLINK: Final = Text(
    "store-symlink",
    "{path} is a symbolic link, and dnsrenew does not follow links inside its store.",
    "Replace the link {path} with the file or folder it points to (only the store itself may be a link).",
)
IO_ERROR: Final = Text(
    "store-io-error",
    "The disk failed at {path}: {reason}.",
    "Check the disk that holds {existing} (dmesg, smartctl), or set `store` to a folder on another disk.",
)
FAILED: Final = Text(
    "store-failed",
    "The operating system refused an operation on {path}: {reason}.",
    "Fix this, or set `store` to another folder.",
)
NOT_PRIVATE: Final = Text(
    "store-not-private",
    "Other users can write to {path} (owner {owner}, mode {mode}), and its mode cannot be changed.",
    "Make it private, for the user that runs dnsrenew only: {command}",
)
SHARED: Final = Text(
    "store-not-private",
    "The store {path} is not private (mode {mode}) and contains other things, such as {found}.",
    "Set `store` to a separate folder, such as {own}; or, if no other user needs {path}, run `{command}`.",
)
FOREIGN: Final = Text(
    "store-not-private",
    "{path} in the store belongs to {owner}, but dnsrenew runs as {user}.",
    "Remove everything from the store that you did not put there, then run `{command}`.",
)
WORKERS_FOLDER: Final = Text(
    "store-not-private",
    "{path}, where the workers of this machine write down which servers they stop, belongs to {owner}, but dnsrenew "
    "runs as {user}.",
    "Run the command as {owner}. For example: runuser -u {owner} -- dnsrenew cleanup",
)

_FIX_STORE: Final = (
    "Remove everything from the store that you did not put there and run `{command}`, or accept the risk with "
    "{insist_option}."
)
_FIX_ABOVE: Final = (
    "Run `{command}`, move the store to a folder that only {user} can change, or accept the risk with {insist_option}."
)
WEAK: Final[Mapping[Fault, Text]] = {
    "owner": Text(
        "store-not-private",
        "The store {path} belongs to {owner}, but dnsrenew runs as {user}.",
        "Run dnsrenew as {owner}, take over the store (remove everything that you did not put there, then run "
        "`{command}`), or accept the risk with {insist_option}.",
    ),
    "group": Text(
        "store-not-private",
        "The group {group} can write to the store {path} (mode {mode}).",
        _FIX_STORE,
    ),
    "list": Text(
        "store-not-private",
        "The access list of the store {path} lets other users write to it.",
        _FIX_STORE,
    ),
    "everybody": Text(
        "store-not-private",
        "Every user of this machine can write to the store {path} (mode {mode}).",
        _FIX_STORE,
    ),
}
"""The store itself, by its fault."""
WEAK_ABOVE: Final[Mapping[Fault, Text]] = {
    "owner": Text(
        "store-not-private",
        "{path} belongs to {owner}, so {owner} can replace the store {store} of {user}.",
        "Run dnsrenew as {owner}, move the store to a folder that only {user} can change, or accept the risk with "
        "{insist_option}.",
    ),
    "group": Text(
        "store-not-private",
        "The group {group} can write to {path} (mode {mode}), so it could replace the store {store}.",
        _FIX_ABOVE,
    ),
    "list": Text(
        "store-not-private",
        "The access list of {path} lets other users write to it, so they could replace the store {store}.",
        _FIX_ABOVE,
    ),
    "everybody": Text(
        "store-not-private",
        "Every user of this machine can write to {path} (mode {mode}), so any of them could replace the store {store}.",
        _FIX_ABOVE,
    ),
}
"""A folder or link above the store."""


class DeniedTexts(Frozen):
    """The texts of one cause of a denied access."""

    reading: Text
    writing: Text


_CANNOT_READ: Final = "{user} cannot read {path}."
_CANNOT_WRITE: Final = "{user} cannot write {path}."
_CANNOT_READ_OWNER: Final = (
    "{path} cannot be read: {culprit} belongs to {owner} (mode {mode}), but dnsrenew runs as {user}."
)
_CANNOT_WRITE_OWNER: Final = (
    "{path} cannot be written: {culprit} belongs to {owner} (mode {mode}), but dnsrenew runs as {user}."
)


def _denied(fix: str) -> DeniedTexts:
    return DeniedTexts(
        Text("store-unreadable", _CANNOT_READ_OWNER, fix), Text("store-not-writable", _CANNOT_WRITE_OWNER, fix)
    )


def _denied_to_user(fix: str) -> DeniedTexts:
    return DeniedTexts(Text("store-unreadable", _CANNOT_READ, fix), Text("store-not-writable", _CANNOT_WRITE, fix))


DENIED: Final = _denied_to_user("Give {user} access to {folder}.")
READ_ITSELF: Final = Phrase(_CANNOT_READ_OWNER.replace("{culprit}", "it"))
WRITE_ITSELF: Final = Phrase(_CANNOT_WRITE_OWNER.replace("{culprit}", "it"))
"""The text if the file itself is the cause."""
DENIED_ON_WINDOWS: Final = _denied_to_user("Give {user} full control of {culprit}.")
DENIED_IN_STORE: Final = _denied(
    "Run dnsrenew as {owner}, or give the store to {user}: sudo chown -R {user} {quoted_store}"
)
DENIED_NEW_STORE: Final = _denied(
    "Run dnsrenew as {owner}, or create the store for {user}: sudo install -d -m 700 -o {user} {quoted_store}"
)
DENIED_ABOVE_STORE: Final = _denied("Run dnsrenew as {owner}, or set `store` to a folder of {user}.")
DENIED_BY_MODE: Final = _denied("Give its owner access: chmod u+rwX {quoted_culprit}")
DENIED_TO_ROOT: Final = _denied(
    "Give it to root, which cannot bypass modes here (it lacks CAP_DAC_OVERRIDE), with chown -R root "
    "{quoted_store}, or check {culprit} for an immutable flag, an ACL, AppArmor or SELinux."
)
DENIED_TO_OWNER: Final = _denied("Check {culprit} for an immutable flag, an ACL, AppArmor or SELinux.")

# ── locks and names ─────────────────────────────────────────────────────────────────────

LOCKED: Final = Text(
    "locked",
    "The {what} is locked by another run.",
    "Run the command again when the other run has finished, or add --wait to wait for it.",
)
LOCKED_BY: Final = Text(
    "locked",
    "The {what} is locked by process {pid} on {host} since {since}.",
    "Run the command again when the other run has finished, or add --wait to wait for it.",
)
BAD_NAME: Final = Text(
    "store-bad-name",
    "A certificate cannot have the name {name!r}.",
    "Choose at most 64 characters a-z, 0-9, `_`, `-` and `.`, without a dot at either end, and not a name that "
    "Windows reserves.",
)
BAD_PATH: Final = Text(
    "store-bad-path",
    "{path} is not a valid path on this machine.",
    "Set `store` to the path of a folder.",
)

# ── damaged files ───────────────────────────────────────────────────────────────────────


class DamageTexts(Frozen):
    """The texts of one kind of damaged file, by what happened to the file.

    :ivar quarantined: it was renamed to ``{copy}``.
    :ivar stuck: it could not be renamed.
    :ivar pending: it stays in place until it is replaced.
    :ivar missing: the file is missing.
    :ivar in_database: it is a value in a database, which stays until it is replaced.
    """

    quarantined: Text
    stuck: Text
    pending: Text
    missing: Text
    in_database: Text


def _damage(message: str) -> DamageTexts:
    return DamageTexts(
        Text("store-damaged", message, "To find the cause, look at {copy} in the same folder, then delete it."),
        Text("store-damaged", message, "Rename or delete the file; dnsrenew cannot: {cause}"),
        Text(
            "store-damaged",
            message,
            "To find the cause, look at {copy}, which will be in the same folder, then delete it.",
        ),
        Text("store-damaged", message, "Find out which program removed it."),
        Text("store-damaged", message, "Find out which program has changed it in the database."),
    )


STATE_DAMAGED: Final = _damage("{path} is damaged: {reason}. dnsrenew rebuilds it from the certificates in the store.")
VERSION_DAMAGED: Final = _damage("{path} is damaged: {reason}. dnsrenew renews the certificate.")
CHAIN_DAMAGED: Final = _damage("{path} is damaged: {reason}. dnsrenew rebuilds it from fullchain.pem.")
META_LOST: Final = _damage(
    "{path} is damaged: {reason}. dnsrenew recreates it from the certificate, but without the CA and the profile, "
    "which the next renewal adds again."
)
META_DAMAGED: Final = Text(
    "store-damaged",
    "{path} is damaged: {reason}. dnsrenew reads the certificate instead, which does not contain the CA and the "
    "profile.",
    "Wait for the next renewal, which adds them again; until then, `dnsrenew revoke` asks the configured CA.",
)
ACCOUNT_DAMAGED: Final = _damage("{path} is damaged: {reason}. The CA finds the account by its key.")
KEY_DAMAGED: Final = _damage(
    "{path} is damaged: {reason}. dnsrenew creates an account with a new key, unless CAA records allow only the old "
    "one."
)
ONE_KEY_DAMAGED: Final = _damage("{path} is damaged: {reason}. dnsrenew tries the account's other key.")
ORDER_DAMAGED: Final = _damage("{path} is damaged: {reason}. dnsrenew creates a new order.")
CSR_DAMAGED: Final = _damage("{path} is damaged: {reason}. A certificate for this CSR needs its private key (--key).")
JOURNAL_DAMAGED: Final = _damage("{path} is damaged: {reason}. TXT values from an earlier run may remain in DNS.")
LEDGER_DAMAGED: Final = _damage(
    "{path} is damaged: {reason}. dnsrenew no longer has a record of the recent refusals of the CA."
)

NEWER_SCHEMA: Final = Text(
    "store-newer",
    "{path} was written by a newer dnsrenew (schema {schema}; this one supports {known}).",
    "Update dnsrenew, or set `store` to another folder.",
)
JOURNAL_NEWER: Final = Text(
    "store-newer",
    "{path} was written by a newer dnsrenew (schema {schema}; this one supports {known}).",
    "Update dnsrenew, then run: dnsrenew cleanup",
)
CURRENT_BEHIND: Final = Text(
    "current-behind",
    "{path} could not be updated: {cause}",
    "Close the program that has a file in it open. The next run copies the new certificate.",
)
CURRENT_REPLACED: Final = Text(
    "store-damaged",
    "Another program had changed {path}; dnsrenew has restored it.",
    "To find the cause, look at {copy} in the same folder, then delete it.",
)

# ── the ledger ──────────────────────────────────────────────────────────────────────────

TOO_MANY_FAILURES: Final = Text(
    "ca-ledger",
    "The CA {ca} would refuse an order for {names} until {until}: it allows {count} failed validations of a name "
    "in {window}.",
    "Find out why the validation of {names} fails, with {dry_run_option} at the staging server. The first run after "
    "{until} tries again; to try at once, use {now_option}.",
)
TOO_MANY_CERTIFICATES: Final = Text(
    "ca-ledger",
    "The CA {ca} would refuse an order for {names} until {until}: it issues {count} certificates for the same names "
    "in {window}.",
    "Wait until {until} and use the certificates you have, or add a name to the certificate.",
)
TOO_MANY_ORDERS: Final = Text(
    "ca-ledger",
    "{count} orders for {names} at the CA {ca} have failed within {window}. dnsrenew sends the next one after {until}.",
    "Find the cause first. To order before {until}, use {now_option}.",
)
RETRY_AFTER: Final = Text(
    "ca-ledger",
    "The CA {ca} asked to wait until {until} before an order for {names}.",
    "Wait until {until}: the first run after that tries again. To try at once, use {now_option}.",
)
RETRY_AFTER_ALL: Final = Text(
    "ca-ledger",
    "The CA {ca} asked to wait until {until} before any order.",
    "Wait until {until}: the first run after that tries again. To try at once, use {now_option}.",
)
PAUSED: Final = Text(
    "ca-ledger",
    "The CA {ca} has paused {names}: it refuses orders until you open {url}.",
    "Open the address and end the pause there, then run `dnsrenew renew --now`.",
)
PAUSED_ALL: Final = Text(
    "ca-ledger",
    "The CA {ca} has paused this account: it refuses orders until you open {url}.",
    "Open the address and end the pause there, then run `dnsrenew renew --now`.",
)
LEDGER_NOT_SAVED: Final = Text("", "The ledger of the CA {ca} could not be saved: {cause}", "{cause_fix}")
"""It keeps the code of the cause."""

# ── a restored copy ─────────────────────────────────────────────────────────────────────

STORE_EXISTS: Final = Text(
    "restore-exists",
    "{path} contains {found}, and dnsrenew does not overwrite an existing store.",
    "Move {path} elsewhere, or set --config to a file in another folder.",
)
