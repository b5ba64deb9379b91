"""The texts of ``--help``. They stand apart from the other texts because ``dnsrenew --help`` loads nothing else."""

from __future__ import annotations

SUMMARY = "Obtains and renews TLS certificates from Let's Encrypt and other ACME CAs by DNS-01, HTTP-01 or TLS-ALPN-01."

COMMANDS = {
    "renew": (
        "obtain missing certificates and renew those that are due",
        "[NAME ...]",
        (
            "dnsrenew renew               # what the schedule runs",
            "dnsrenew renew home --now    # retry now, after a failure",
            "dnsrenew renew --dry-run     # test with the CA's staging server; saves nothing",
            "dnsrenew renew home --force  # renew although it is not due",
        ),
        "",
    ),
    "status": (
        "show every certificate with its expiry and next renewal",
        "[NAME ...]",
        (
            "dnsrenew status",
            "dnsrenew status --check  # for monitoring: exit status 1 if something needs attention",
        ),
        "",
    ),
    "check": (
        "validate the configuration and its secrets, offline",
        "",
        ("dnsrenew check --config /etc/dnsrenew/dnsrenew.toml",),
        "",
    ),
    "providers": (
        "list the supported DNS hosts, or show what one needs",
        "[NAME]",
        (
            "dnsrenew providers",
            "dnsrenew providers cloudflare",
            "dnsrenew providers cloudflare -q >> dnsrenew.toml  # only the configuration block",
        ),
        "",
    ),
    "revoke": (
        "revoke a certificate; the next run replaces it",
        "NAME",
        ("dnsrenew revoke home --reason key-compromise  # someone else has the private key",),
        "Reasons: unspecified, key-compromise, affiliation-changed, superseded, cessation-of-operation.",
    ),
    "cleanup": (
        "remove TXT records that a killed run left in DNS",
        "",
        ("dnsrenew cleanup",),
        (
            "Every renew starts with this cleanup. It removes only values listed in the journal of the store, with the "
            "account that wrote them, and leaves the values of running renewals alone. The exit status is 1 if a value "
            "could not be removed; the next run tries again."
        ),
    ),
    "account": (
        "show the CA accounts, or replace their keys",
        "[show|roll] [CA]",
        (
            "dnsrenew account show              # account URLs, for accounturi in CAA records",
            "dnsrenew account roll letsencrypt  # replace the account key; the URL stays",
        ),
        "",
    ),
    "schedule": (
        "install, show or remove the automatic renewal schedule",
        "[install|show|remove]",
        (
            "dnsrenew schedule install              # with systemd, cron, launchd or the Task Scheduler",
            "dnsrenew schedule show --kind systemd  # print the files without installing them",
        ),
        "The schedule runs dnsrenew renew four times a day.",
    ),
    "run": (
        "renew in the foreground, for containers",
        "",
        ("dnsrenew run --config /etc/dnsrenew/dnsrenew.toml",),
        (
            "Renews what is due, sleeps until the next certificate is due, and logs when that is. A failed renewal "
            "does not end it. Ctrl-C ends it with exit status 130, SIGTERM with 143; a renewal in progress cleans up "
            "first. Restart it after changing the configuration.\n"
            "The log goes to standard error. With --json each log line is a JSON object, and standard output gets "
            "one document at the end: the outcomes of the last round."
        ),
    ),
}
"""Each command: its summary, its arguments, examples and notes."""

ARGUMENTS = {
    "renew": {
        "names": "certificates to renew (default: all)",
        "--force": "renew although not due, or after a failure; with several certificates, give names or --all",
        "--all": "with --force: renew all certificates",
        "--now": "do not wait after a failure or for a known rate limit of the CA",
        "--dry-run": "test with the CA's staging server; saves nothing and records no failure",
        "--wait": "wait up to S seconds for another run that holds a lock; without S, up to a day",
        "--jitter": "start after a random delay of up to S seconds",
    },
    "status": {
        "names": "certificates to show (default: all)",
        "--check": "exit with 1 if a certificate is missing, expired, overdue, revoked or failing",
    },
    "providers": {"names": "show one DNS host: options, configuration block, limits (-q: only the block)"},
    "revoke": {
        "name": "the certificate to revoke",
        "--reason": "one of the reasons below (default: unspecified)",
        "--wait": "wait up to S seconds for another run that holds a lock; without S, up to a day",
    },
    "cleanup": {"--wait": "wait up to S seconds for another cleanup; without S, up to a day"},
    "account": {
        "action": "show: show the accounts as the CAs know them (default); roll: replace their keys",
        "ca": "only the account at this CA (default: all)",
    },
    "schedule": {
        "action": "install: renew automatically from now on; show: print what is or would be installed (default); "
        "remove: stop renewing automatically",
        "--kind": "systemd, cron, launchd or windows (default: the best one for this machine)",
    },
    "run": {
        "--interval": "check at least every S seconds (default: 43200, twice a day)",
        "--jitter": "delay each check by a random time of up to S seconds",
    },
}
"""The help of the arguments and options of each command."""

GLOBAL = {
    "--workers": "certificates to process in parallel (default: 8)",
    "--config": "configuration file (default: $DNSRENEW_CONFIG, ./dnsrenew.toml, your config folder, "
    "/etc/dnsrenew/dnsrenew.toml)",
    "--json": "print one JSON document to standard output",
    "--verbose": "more output (-vv for bug reports)",
    "--quiet": "only errors and warnings",
    "--no-color": "no colours (also: NO_COLOR=1)",
    "--help": "show help, of the program or of a command",
    "--version": "show the version",
}
"""The help of the options that several commands have."""

_GLOBAL_FLAGS = (
    ("--config FILE", "--config"),
    ("--json", "--json"),
    ("-v, --verbose", "--verbose"),
    ("-q, --quiet", "--quiet"),
    ("--no-color", "--no-color"),
    ("-h, --help", "--help"),
    ("--version", "--version"),
)

_EXAMPLES = """\
Examples:
  dnsrenew providers cloudflare  # what the DNS host needs, a block to copy
  dnsrenew check                 # validate the configuration
  dnsrenew renew                 # obtain the certificates
  dnsrenew schedule install      # renew automatically from now on
"""


def top_help(columns: int = 80) -> str:
    """Return the help of the program itself, wrapped to so many columns."""
    commands = [(name, summary) for name, (summary, _, _, _) in COMMANDS.items()]
    options = [(flags, GLOBAL[name]) for flags, name in _GLOBAL_FLAGS]
    lines = ["usage: dnsrenew COMMAND [options]", "", *_wrap(SUMMARY, columns, "", "")]
    lines += ["", "Commands:", *_rows(commands, columns), "", "Global options:", *_rows(options, columns)]
    return "\n".join([*lines, "", _EXAMPLES])


def _rows(rows: list[tuple[str, str]], columns: int) -> list[str]:
    indent = max(len(label) for label, _ in rows) + 4
    return [line for label, text in rows for line in _wrap(text, columns, f"  {label}".ljust(indent), " " * indent)]


def _wrap(text: str, columns: int, line: str, indent: str) -> list[str]:
    """Break a text into lines. The cli's own ``wrap`` would have to be imported."""
    lines, start = [], line
    for word in text.split(" "):
        if line != start and len(line) + 1 + len(word) > columns:
            lines.append(line)
            line = start = indent
        line += word if line == start else f" {word}"
    return [*lines, line]
