"""Every command with its arguments, options and examples, for ``--help``, the man page, completion and docs.

The commands of extensions have their own tables, which are loaded when one of their commands is looked up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from dnsrenew.base import extensions
from dnsrenew.cli.command_types import Argument, Command, CommandTable, Option
from dnsrenew.locale import LANGUAGES

SUMMARY: Final = (
    "Gets free certificates for https:// from Let's Encrypt and other CAs, and renews them, without an open port 80."
)


USAGE: Final = "usage: {command} [options]"
COMMAND: Final = "COMMAND"
HEADING: Final = "{title}:"
SENTENCE: Final = "{summary}."
HEADINGS: Final = {
    "commands": "Commands",
    "arguments": "Arguments",
    "options": "Options",
    "global": "Global options",
    "examples": "Examples",
}
"""The headings of ``--help``."""
TOPICS: Final[Mapping[str, Mapping[str, str]]] = {
    "Start": {"init": "setup", "import": "setup", "providers": "", "delegate": "setup", "check": ""},
    "Every day": {"renew": "", "status": "", "schedule": "", "run": "", "notify": "watch"},
    "When it fails": {"doctor": "doctor", "cleanup": ""},
    "Servers": {"deploy": "", "serve": "serve"},
    "Certificates and accounts": dict.fromkeys(("rollback", "revoke", "remove", "csr", "install", "account"), "")
    | dict.fromkeys(("export", "restore"), "setup"),
    "Many machines": {"fleet": "fleet", "worker": "fleet"},
    "More": {"completion": "", "help": ""},
}
"""The commands in the order of ``--help``, by purpose, each with its extension ("" for the core)."""

WAIT_LONG: Final = 86_400.0
"""The seconds of ``--wait`` without a time."""


def wait_option(other: str) -> Option:
    """Return the option ``--wait``, for a resource that another run holds."""
    help_text = f"wait up to TIME (such as 30s, 5m, 2h) for {other}; without TIME, up to a day"
    return Option("--wait", help_text, "TIME", "duration", default=0.0, value_if_bare=WAIT_LONG)


OTHER_RUN: Final = "another run that holds a lock"
YES: Final = Option("--yes", "do not ask for confirmation; required without a terminal", short="-y")
WORKERS: Final = Option("--workers", "certificates to process in parallel (default: 8)", "N", "workers", default=8)
NAMES: Final = "names, or patterns such as 'web-*'"
_CA: Final = Argument("ca", "CA", "only the account at this CA (default: all)", "cas")
_KIND_HELP: Final = "systemd, cron, launchd or windows (default: the best one for this machine)"
_KIND: Final = Option("--kind", _KIND_HELP, "KIND", "word", ("systemd", "cron", "launchd", "windows"))
_INTERVAL: Final = "check at least this often: 1m to 24h (default: 12h)"
_OLDER: Final = "the number of the version (default: the newest other one that is valid and not revoked)"
SHELLS: Final = ("bash", "zsh", "fish", "powershell")
REASONS: Final = ("unspecified", "key-compromise", "affiliation-changed", "superseded", "cessation-of-operation")

INSIST: Final = Option("--insist", "use the configuration and the store even if other users can change them")
"""An option of every command that reads the configuration."""

_CONFIG: Final = (
    "configuration file (default: $DNSRENEW_CONFIG, ./dnsrenew.toml, your config folder, /etc/dnsrenew/dnsrenew.toml)"
)
GLOBAL: Final = (
    Option("--config", _CONFIG, "FILE", "file"),
    Option("--json", "print one JSON document to standard output"),
    Option("--verbose", "more output (-vv for bug reports)", kind="count", default=0, short="-v"),
    Option("--quiet", "only errors and warnings", short="-q"),
    Option("--lang", "language: {words} (default: $LC_ALL, $LC_MESSAGES, $LANG)", "LANG", "language", LANGUAGES),
    Option("--no-color", "no colours (also: NO_COLOR=1)"),
    Option("--help", "show help for the program or a command", short="-h"),
)
VERSION: Final = Option("--version", "show the version", short="-V")

EXAMPLES: Final = (
    ("dnsrenew init", "answer a few questions and get the certificate"),
    ("dnsrenew providers cloudflare", "the options of this DNS host, and a block to copy"),
    ("dnsrenew check", "validate the configuration"),
    ("dnsrenew renew", "obtain the certificates"),
    ("dnsrenew schedule install", "renew automatically from now on"),
)

_COMMANDS: Final = {
    "renew": Command(
        "obtain missing certificates and renew those that are due",
        (Argument("names", "NAME", f"certificates to renew: {NAMES} (default: all)", "certificates", many=True),),
        (
            Option("--force", "renew even if not due; name the certificates, or add --all"),
            Option("--all", "with --force: renew all certificates"),
            Option("--now", "do not wait after a failure or for a known rate limit of the CA"),
            Option("--dry-run", "test at the CA's staging server; saves only an account there"),
            Option("--no-deploy", "leave deployments to a later run"),
            WORKERS,
            wait_option(OTHER_RUN),
            Option("--jitter", "start after a random delay of up to TIME", "TIME", "duration", default=0.0),
            Option("--scheduled", "after a failure, wait as scheduled runs do, even in a terminal"),
            Option("--events", "with --json: also print each event to standard error, as a line of JSON"),
        ),
        (
            ("dnsrenew renew", "all certificates that are missing or due"),
            ("dnsrenew renew home --now", "retry now, after a failure"),
            ("dnsrenew renew --dry-run", "test everything at the staging server"),
            ("dnsrenew renew home --force", "renew even if it is not due"),
        ),
        "The exit status is 0 if everything is OK, 1 if a certificate was not renewed or not deployed, 2 if the "
        "configuration or the command line is wrong, and 3 if another run holds a lock.",
    ),
    "status": Command(
        "show every certificate with its expiry and next renewal",
        (Argument("names", "NAME", f"certificates to show: {NAMES} (default: all)", "certificates", many=True),),
        (
            Option("--check", "exit with 1 if something needs attention"),
            Option("--failing", "only certificates that need attention"),
            Option("--expiring", "only certificates that expire within TIME (12h, 14d)", "TIME", "duration"),
        ),
        (
            ("dnsrenew status", ""),
            ("dnsrenew status 'web-*' --expiring 14d", "those that expire within two weeks"),
            ("dnsrenew status --check", "for monitoring: exit status 1 if something needs attention"),
        ),
        "A certificate needs attention if it is missing, expired, revoked, overdue, failing, not deployed or "
        "unconfigured (no longer in the configuration); if its next renewal would fail; or if a server that `before` "
        "stopped was not started again. -q shows only these certificates.\n--check also exits with 1 if no scheduled "
        "run came for two days.",
    ),
    "deploy": Command(
        "put stored certificates into the servers that do not have them",
        (Argument("names", "NAME", f"certificates to deploy: {NAMES} (default: all)", "certificates", many=True),),
        (
            Option("--force", "reload and verify even if the server has the certificate already"),
            WORKERS,
            wait_option(OTHER_RUN),
        ),
        (
            ("dnsrenew deploy", "check every target, and deploy where it differs"),
            ("dnsrenew deploy home --force", "reload and verify the server even if it has the files"),
        ),
        "The `deploy` entries of the configuration name the servers. This command renews nothing. Every renew "
        "also runs the entries that have not succeeded yet.\nEntries for programs, webhooks, containers and "
        "Synology DSM, which do not show their certificate, run again only with --force, or if a port of "
        "`verify` serves another certificate.\nThe exit status is 1 if a certificate is not deployed.",
    ),
    "check": Command(
        "validate the configuration and its secrets, offline",
        examples=(("dnsrenew check --config /etc/dnsrenew/dnsrenew.toml", ""),),
        notes="It lists all mistakes with their lines (of syntax errors only the first), and sends nothing. The exit "
        "status is 2 if there is a mistake.",
    ),
    "providers": Command(
        "list the supported DNS hosts, or show what one needs",
        (Argument("names", "NAME", "show one DNS host: options, configuration block, limits", "providers"),),
        (
            Option("--search", "list only the hosts with WORD in the name or the title", "WORD", "text"),
            Option("--check", "test a DNS account of the configuration with test values", "ACCOUNT", "text"),
            Option("--markdown", "with --check: print Markdown, for a pull request"),
            Option("--new", "write NAME.py and test_NAME.py, to start a driver of your own", "NAME", "text"),
        ),
        (
            ("dnsrenew providers", "all DNS hosts"),
            ("dnsrenew providers --search gandi", "search them"),
            ("dnsrenew providers cloudflare", "its options, and a block to copy"),
            ("dnsrenew providers cloudflare -q", "only the configuration block"),
            ("dnsrenew providers --check home", "test the DNS account home with about 20 test values"),
            ("dnsrenew providers --new myhost", "a driver and its test to start from"),
        ),
        "--check writes about 20 TXT values at unused names in the first zone of the account, or in that of a "
        "certificate that uses it, and removes them. The exit status is 1 if the driver breaks a rule.",
    ),
    "revoke": Command(
        "revoke a certificate; the next run replaces it",
        (Argument("name", "NAME", "the certificate to revoke", "certificates", required=True),),
        (
            Option(
                "--reason", "one of the reasons above (default: unspecified)", "R", "word", REASONS, default=REASONS[0]
            ),
            YES,
            wait_option(OTHER_RUN),
        ),
        (
            ("dnsrenew revoke home", ""),
            ("dnsrenew revoke home --reason key-compromise", "someone else has the private key"),
        ),
        f"Reasons: {', '.join(REASONS)}.",
    ),
    "rollback": Command(
        "use an older version of a certificate again, and deploy it",
        (Argument("name", "NAME", "the certificate", "certificates", required=True),),
        (
            Option("--to", _OLDER, "VERSION", "version"),
            Option("--no-deploy", "leave deployments to a later run"),
            wait_option(OTHER_RUN),
        ),
        (
            ("dnsrenew rollback home", "the version before the current one"),
            ("dnsrenew rollback home --to 3", "a number from dnsrenew status home -v"),
        ),
        "The store keeps three versions. You cannot go back to a version that is revoked or expired.\nRenewals keep "
        "the older version until its renewal time, or until you change the table of the certificate in the "
        "configuration. If that time has passed already, dnsrenew sets a new one from the lifetime that is left.",
    ),
    "remove": Command(
        "delete a certificate that is no longer in the configuration",
        (Argument("name", "NAME", "the certificate to delete", "orphans", required=True),),
        (YES, wait_option(OTHER_RUN)),
        (("dnsrenew remove old-shop", ""),),
        "Its private keys and its history are deleted too. The certificate stays valid at the CA until it expires; "
        "to end that, revoke it first.\nA server may still use the private key: if the file system records it, you "
        "see when the key was last read.",
    ),
    "csr": Command(
        "print a certificate request (CSR) for another issuer",
        (Argument("name", "NAME", "the certificate", "certificates", required=True),),
        (Option("--new", "make a new key and CSR; the earlier key is deleted"), wait_option(OTHER_RUN)),
        (
            ("dnsrenew csr home > home.csr", "for the domains and the key type in the configuration"),
            ("dnsrenew csr home --new", "another key"),
        ),
        "The private key stays in the store until you run dnsrenew install. Until then, the command prints the "
        "same CSR again.",
    ),
    "install": Command(
        "store and deploy a certificate from another issuer",
        (Argument("name", "NAME", "the certificate", "certificates", required=True),),
        (
            Option("--certificate", "the certificate with its chain: PEM in any order, DER or PKCS#7", "FILE", "file"),
            Option("--key", "its private key (default: the one of dnsrenew csr)", "FILE", "file"),
            Option("--no-deploy", "leave deployments to a later run"),
            Option("--yes", "do not ask before replacing a certificate that is valid for longer", short="-y"),
            wait_option(OTHER_RUN),
        ),
        (
            ("dnsrenew install home --certificate home.crt", "with the key of dnsrenew csr home"),
            ("dnsrenew install home --certificate home.crt --key home.key", ""),
        ),
        "dnsrenew checks it like a certificate from a CA: key, domains, dates, purpose, chain. When it is due, the "
        "CA of the configuration renews it.",
    ),
    "cleanup": Command(
        "remove TXT records that an interrupted run left in DNS",
        (),
        (wait_option("another cleanup"),),
        (("dnsrenew cleanup", ""),),
        "Every renew starts with this, so you rarely need it. It removes only values that dnsrenew wrote and "
        "recorded in its store, and leaves those of running renewals alone. The exit status is 1 if a value could "
        "not be removed; the next run tries again.",
    ),
    "account": Command(
        "show or change the accounts at the CAs",
        examples=(
            ("dnsrenew account show", "account URLs, for accounturi in CAA records"),
            ("dnsrenew account roll letsencrypt", "replace the account key; the URL stays"),
        ),
        notes="Without a command, you see the accounts.",
    ),
    "account show": Command(
        "show the accounts and their state at the CAs",
        (_CA,),
        examples=(("dnsrenew account show", "account URLs, for accounturi in CAA records"),),
    ),
    "account roll": Command(
        "replace the account key; the account URL stays the same",
        (_CA,),
        (Option("--compromised", "others may have the key: if the CA has closed the account, make a new one"),),
        (
            ("dnsrenew account roll letsencrypt", ""),
            ("dnsrenew account roll letsencrypt --compromised", "someone may have copied the key"),
        ),
        "dnsrenew keeps both keys until the CA has the new one, so a crash loses none.\nA CA closes an account whose "
        "key is reported as compromised. With --compromised, dnsrenew then creates a new account, even if the CA "
        "cannot change keys. It has another URL, so change CAA records with accounturi after that.",
    ),
    "account contact": Command(
        "send the contact addresses of the configuration to the CA now",
        (_CA,),
        examples=(("dnsrenew account contact", "after you have changed contact in dnsrenew.toml"),),
        notes="Without this command, the next order at the CA updates them.",
    ),
    "account deactivate": Command(
        "close the account at the CA permanently",
        (_CA,),
        (YES,),
        (("dnsrenew account deactivate zerossl", ""),),
        "Certificates stay valid. You cannot reopen a closed account: the next order at this CA creates a new one, "
        "with a new URL. Change CAA records with accounturi before that.",
    ),
    "schedule": Command(
        "install, show or remove the automatic renewal schedule",
        examples=(
            ("dnsrenew schedule install", "with systemd, cron, launchd or the Task Scheduler"),
            ("dnsrenew schedule show --kind systemd", "print the files without installing them"),
        ),
        notes="The schedule runs dnsrenew renew four times a day. Without a command, you see the schedule.",
    ),
    "schedule install": Command(
        "renew automatically from now on",
        (),
        (_KIND,),
        (
            ("dnsrenew schedule install", "with systemd, cron, launchd or the Task Scheduler"),
            ("dnsrenew schedule install --kind cron", ""),
        ),
        "It runs as the current user, four times a day, each time with a random delay of up to an hour.",
    ),
    "schedule show": Command(
        "show the installed schedule, or print the files of another kind",
        (),
        (_KIND,),
        (
            ("dnsrenew schedule show", ""),
            ("dnsrenew schedule show --kind systemd", "print the files without installing them"),
            ("dnsrenew schedule show --kind cron > dnsrenew.cron", "only the text of the file"),
        ),
        "In a pipe or a file, --kind prints only the text of the file.",
    ),
    "schedule remove": Command("stop renewing automatically", (), (_KIND,), (("dnsrenew schedule remove", ""),)),
    "run": Command(
        "renew in the foreground, for containers",
        (),
        (
            Option("--interval", _INTERVAL, "TIME", "interval", default=43_200.0),
            Option("--jitter", "delay each check by a random time of up to TIME", "TIME", "duration", default=0.0),
            WORKERS,
        ),
        (("dnsrenew run --config /etc/dnsrenew/dnsrenew.toml", ""), ("kill -HUP PID", "read the configuration again")),
        "It renews certificates that are due, logs when the next one is due, and waits until then. A failed renewal "
        "does not end it.\nCtrl-C ends it with exit status 130, SIGTERM with 143; a renewal in progress cleans up "
        "first. SIGHUP makes it read the configuration again; if the new one has a mistake, you see the mistake, and "
        "the old one stays in use.\nThe log goes to standard error. With --json each log line is a JSON object, and "
        "standard output gets one document at the end: the outcomes of the last round.",
    ),
    "completion": Command(
        "print the completion script of a shell",
        (Argument("shell", "SHELL", "bash, zsh, fish or powershell", words=SHELLS, required=True),),
        examples=(
            ("source <(dnsrenew completion bash)", "in ~/.bashrc"),
            ("source <(dnsrenew completion zsh)", "in ~/.zshrc, after compinit"),
            ("dnsrenew completion fish > ~/.config/fish/completions/dnsrenew.fish", ""),
            ("dnsrenew completion powershell | Out-String | Invoke-Expression", "in $PROFILE"),
        ),
        notes="It completes commands, options, and the names of certificates, CAs and DNS hosts.",
        reads_config=False,
    ),
    "help": Command(
        "show help for the program or a command",
        (Argument("names", "COMMAND", "the command", "commands", many=True),),
        examples=(("dnsrenew help renew", ""), ("dnsrenew help schedule install", "")),
        reads_config=False,
    ),
}


_PLACES: Final = {name: place for topic in TOPICS.values() for name, place in topic.items()}


def table(name: str) -> CommandTable:
    """Return the commands of the core, or of the extension that has a command.

    :raises ConfigError: ``extension-missing``: the extension is missing.
    """
    place = _PLACES.get(name.partition(" ")[0])
    if not place:
        return CommandTable(_COMMANDS)
    extension = extensions.installed().get(place)
    if extension is None or extension.commands is None:
        raise extensions.missing(f"dnsrenew {name}", place)
    table: CommandTable = extension.commands()
    return table


class _AllCommands(Mapping[str, Command]):
    """The available commands, in the order of ``--help``."""

    def __getitem__(self, name: str) -> Command:
        return table(name).rows[name]

    def __iter__(self) -> Iterator[str]:
        here = {"", *extensions.installed()}
        for first, place in _PLACES.items():
            if place in here:
                yield from (name for name in table(first).rows if name.partition(" ")[0] == first)

    def __len__(self) -> int:
        return len([*self])


COMMANDS: Final = _AllCommands()
"""Every command by name, with two words for a command of a group.

Looking up a command of a missing extension reports this.
"""

GROUPS: Final = {"account": "show", "fleet": "status", "notify": "test", "schedule": "show"}
"""Commands that consist of others, each with its default."""

SYNONYMS: Final = {
    **dict.fromkeys(("list", "ls", "show", "info", "certificates", "certs"), "status"),
    **dict.fromkeys(("obtain", "issue", "get", "order", "request", "create", "new", "certonly", "update"), "renew"),
    **dict.fromkeys(("revert", "undo", "downgrade"), "rollback"),
    **dict.fromkeys(("delete", "rm", "del", "forget"), "remove"),
    **dict.fromkeys(("validate", "verify", "test", "lint", "config"), "check"),
    **dict.fromkeys(("diagnose", "debug", "why", "troubleshoot", "health"), "doctor"),
    **dict.fromkeys(("hosts", "dns", "plugins", "drivers"), "providers"),
    **dict.fromkeys(("cron", "timer", "systemd", "enable"), "schedule install"),
    **dict.fromkeys(("uninstall", "disable"), "schedule remove"),
    **dict.fromkeys(("accounts", "register"), "account"),
    **dict.fromkeys(("daemon", "start", "watch"), "run"),
    **dict.fromkeys(("clean", "purge"), "cleanup"),
    **dict.fromkeys(("migrate", "takeover", "convert"), "import"),
    **dict.fromkeys(("setup", "wizard", "configure"), "init"),
    **dict.fromkeys(("backup", "dump"), "export"),
    **dict.fromkeys(("recover", "unpack"), "restore"),
    **dict.fromkeys(("completions", "complete", "autocomplete"), "completion"),
    "version": "--version",
}
"""Names from other programs that people type, and the commands that do the same here."""


def options_of(command: str | None) -> tuple[Option, ...]:
    """Return all options of a command, its own first. For a group, use its default; for None, the program."""
    if command is None:
        return (*GLOBAL, VERSION)
    found = COMMANDS[f"{command} {GROUPS[command]}" if command in GROUPS else command]
    return (*found.options, *((INSIST,) if found.reads_config else ()), *GLOBAL)


def members(group: str) -> list[str]:
    """Return the second words of the commands of a group."""
    return [name.split()[1] for name in table(group).rows if name.startswith(f"{group} ")]
