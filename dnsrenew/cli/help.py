"""What the program can do, in words: light, because ``dnsrenew --help`` loads nothing else."""

from __future__ import annotations

TODAY = {
    "renew": (
        "obtain what is missing, renew what is due",
        "[NAME …]",
        """dnsrenew renew               # what a timer runs
  dnsrenew renew home --now    # again at once, after a failure
  dnsrenew renew --dry-run     # a rehearsal at the CA's staging server: nothing is kept
  dnsrenew renew home --force  # although it is not due""",
    ),
    "status": (
        "show every certificate, its expiry and its next renewal",
        "[NAME …]",
        "dnsrenew status\n  dnsrenew status --check  # for a monitor: exit status 1 if something needs a person",
    ),
    "check": (
        "read the configuration and all its secrets; sends nothing",
        "",
        "dnsrenew check --config /etc/dnsrenew/dnsrenew.toml",
    ),
    "providers": (
        "list the DNS hosts, or show what one needs",
        "[NAME]",
        "dnsrenew providers cloudflare\n  dnsrenew providers cloudflare -q >> dnsrenew.toml  # only the block",
    ),
    "revoke": (
        "revoke a certificate; the next run replaces it",
        "NAME",
        """dnsrenew revoke home --reason key-compromise  # somebody else has the key

Reasons: unspecified, key-compromise, affiliation-changed, superseded,
cessation-of-operation.""",
    ),
    "cleanup": (
        "remove TXT values that a killed run left, and say which",
        "",
        """dnsrenew cleanup

Every renew does it too, before anything else. Only values in the journal of the
store are removed, by the accounts that wrote them; what runs that live have
written is left alone. Exit status 1 if a value stays: it is tried again.""",
    ),
    "account": (
        "show the accounts at the CAs, or give them new keys",
        "[show|roll] [CA]",
        """dnsrenew account show              # their URLs, for accounturi in CAA records
  dnsrenew account roll letsencrypt  # a new key; the URL stays""",
    ),
    "schedule": (
        "let renew run by itself, four times a day",
        "[install|show|remove]",
        "dnsrenew schedule install  # a systemd timer, cron, launchd or the Windows Task Scheduler",
    ),
    "run": (
        "the same in the foreground, for containers",
        "",
        """dnsrenew run --config /etc/dnsrenew/dnsrenew.toml

It renews what is due, then sleeps until the next certificate is, and says when
that will be; a failure never ends it. Told to stop (Ctrl-C, SIGTERM), it ends
with 0 while it sleeps, and with 130 or 143 if a renewal was cut short; that one
is cleaned up first. Start it again after a change of the configuration.
Its log is on standard error; with --json each line of it is a JSON object, and
standard output gets one document at the end: the outcomes of the last round.""",
    ),
}
"""Each command of today: a line for the list, what it takes besides flags, an example."""

MEANWHILE = {
    "doctor": (
        "say whether a certificate can be renewed, and if not, why",
        "Run dnsrenew check, then dnsrenew renew: its errors say what stands in the way.",
    ),
    "init": (
        "ask, test the answers and write dnsrenew.toml",
        "Run dnsrenew providers NAME for your DNS host and put the block it prints into dnsrenew.toml.",
    ),
    "deploy": (
        "put the stored certificates to work again",
        "Let the program read certificates/NAME/current in the store, and reload it after dnsrenew renew.",
    ),
    "remove": (
        "take a certificate out of the store",
        "Take it out of dnsrenew.toml, and delete its folder under certificates in the store.",
    ),
}
"""Each command that comes later: what it will do, and what to do meanwhile."""


def top_help() -> str:
    """Return the help of the program itself."""
    room = max(map(len, [*TODAY, *MEANWHILE])) + 2
    now = "\n".join(f"  {name:{room}}{summary}" for name, (summary, _, _) in TODAY.items())
    later = "\n".join(f"  {name:{room}}{what}" for name, (what, _) in MEANWHILE.items())
    return f"""\
usage: dnsrenew COMMAND [options]

TLS certificates by ACME: obtained and renewed, by DNS-01 or HTTP-01, whichever works.

Commands:
{now}

Comes later:
{later}

For every command:
  --config FILE  the configuration; otherwise $DNSRENEW_CONFIG, ./dnsrenew.toml, the user's
                 config folder, /etc/dnsrenew/dnsrenew.toml
  --json         one JSON document on standard output
  -v, -vv        tell more; -q, --quiet: only errors and warnings
  --no-color     no colours (also: NO_COLOR=1)
  -h, --help     help, of the program or of a command
  --version      the version

Example:
  dnsrenew providers cloudflare   # what the DNS host needs, a block to copy
  dnsrenew check                  # is the configuration right?
  dnsrenew renew                  # the certificates
  dnsrenew schedule install       # from now on by itself
"""
