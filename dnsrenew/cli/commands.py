"""Every command with its arguments, options and examples: what ``--help``, the man page, completion and docs show.

``dnsrenew --help`` loads only this file, ``help.py`` and what they import here.
"""

from __future__ import annotations

from typing import Final

from dnsrenew.cli.command_types import Argument, Command, Option
from dnsrenew.locale import LANGUAGES

SUMMARY: Final = (
    "Obtains and renews TLS certificates from Let's Encrypt and other ACME CAs by DNS-01, HTTP-01, TLS-ALPN-01 or "
    "DNS-PERSIST-01."
)


USAGE: Final = "usage:"
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

WAIT_LONG: Final = 86_400.0
"""What ``--wait`` without a time means (seconds)."""


def _wait(other: str) -> Option:
    help_text = f"wait up to TIME (30, 5m, 2h) for {other}; without TIME, up to a day"
    return Option("--wait", help_text, "TIME", "duration", default=0.0, value_if_bare=WAIT_LONG)


_OTHER_RUN: Final = "another run that holds a lock"
_YES: Final = Option("--yes", "do not ask; required without a terminal", short="-y")
_WORKERS: Final = Option("--workers", "certificates to process in parallel (default: 8)", "N", "workers", default=8)
_NAMES: Final = "names, or patterns such as 'web-*'"
_CA: Final = Argument("ca", "CA", "only the account at this CA (default: all)", "cas")
_KIND: Final = Option(
    "--kind",
    "systemd, cron, launchd or windows (default: the best one for this machine)",
    "KIND",
    "word",
    ("systemd", "cron", "launchd", "windows"),
)
YES_OR_NO: Final = ("yes", "no")
TOOLS: Final = ("certbot", "lego", "acme.sh", "caddy", "hfs", "pem")
SHELLS: Final = ("bash", "zsh", "fish", "powershell")
REASONS: Final = ("unspecified", "key-compromise", "affiliation-changed", "superseded", "cessation-of-operation")

INSIST: Final = Option("--insist", "use the configuration and the store although other users can change them")
"""An option of every command that reads the configuration."""

GLOBAL: Final = (
    Option(
        "--config",
        "configuration file (default: $DNSRENEW_CONFIG, ./dnsrenew.toml, your config folder, "
        "/etc/dnsrenew/dnsrenew.toml)",
        "FILE",
        "file",
    ),
    Option("--json", "print one JSON document to standard output"),
    Option("--verbose", "more output (-vv for bug reports)", kind="count", default=0, short="-v"),
    Option("--quiet", "only errors and warnings", short="-q"),
    Option("--lang", "language: {words} (default: $LC_ALL, $LC_MESSAGES, $LANG)", "LANG", "word", LANGUAGES),
    Option("--no-color", "no colours (also: NO_COLOR=1)"),
    Option("--help", "show help, of the program or of a command", short="-h"),
)
VERSION: Final = Option("--version", "show the version", short="-V")

EXAMPLES: Final = (
    ("dnsrenew init", "answer a few questions, and get the certificate"),
    ("dnsrenew providers cloudflare", "what the DNS host needs, a block to copy"),
    ("dnsrenew check", "validate the configuration"),
    ("dnsrenew renew", "obtain the certificates"),
    ("dnsrenew schedule install", "renew automatically from now on"),
)

COMMANDS: Final = {
    "renew": Command(
        "obtain missing certificates and renew those that are due",
        (Argument("names", "NAME", f"certificates to renew: {_NAMES} (default: all)", "certificates", many=True),),
        (
            Option(
                "--force", "renew although not due, or after a failure; with several certificates, give names or --all"
            ),
            Option("--all", "with --force: renew all certificates"),
            Option("--now", "do not wait after a failure or for a known rate limit of the CA"),
            Option("--dry-run", "test with the CA's staging server; saves nothing and records no failure"),
            Option("--no-deploy", "leave deployments to a later run"),
            _WORKERS,
            _wait(_OTHER_RUN),
            Option("--jitter", "start after a random delay of up to TIME", "TIME", "duration", default=0.0),
            Option("--scheduled", "after a failure, wait as a schedule does; a person at a terminal does not wait"),
            Option("--events", "with --json: also print each event to standard error, as a line of JSON"),
        ),
        (
            ("dnsrenew renew", "all that are missing or due"),
            ("dnsrenew renew home --now", "retry now, after a failure"),
            ("dnsrenew renew --dry-run", "test at the staging CA; saves nothing"),
            ("dnsrenew renew home --force", "renew although it is not due"),
        ),
    ),
    "status": Command(
        "show every certificate with its expiry and next renewal",
        (Argument("names", "NAME", f"certificates to show: {_NAMES} (default: all)", "certificates", many=True),),
        (
            Option("--check", "exit with 1 if a certificate needs attention: see below"),
            Option("--failing", "only certificates that need attention"),
            Option("--expiring", "only certificates that expire within TIME (12h, 14d)", "TIME", "duration"),
        ),
        (
            ("dnsrenew status", ""),
            ("dnsrenew status 'web-*' --expiring 14d", "of these, what expires within two weeks"),
            ("dnsrenew status --check", "for monitoring: exit status 1 if something needs attention"),
        ),
        "A certificate needs attention if it is missing, expired, revoked, overdue, failing or not deployed, or if it "
        "is in the store but no longer in the configuration (unconfigured). With -q only such certificates are shown.",
    ),
    "deploy": Command(
        "deploy stored certificates to targets that do not have them",
        (Argument("names", "NAME", f"certificates to deploy: {_NAMES} (default: all)", "certificates", many=True),),
        (
            Option("--force", "activate and verify also where the certificate is already"),
            _WORKERS,
            _wait(_OTHER_RUN),
        ),
        (
            ("dnsrenew deploy", "look at every target, and deploy where it differs"),
            ("dnsrenew deploy home --force", "reload the server although it has the files"),
        ),
        "Runs the deploy entries of the configuration with the certificates in the store, and renews nothing. Every "
        "renew does this too for entries that have not succeeded yet. Programs, webhooks, containers and Synology DSM "
        "cannot be looked at: such an entry runs again only with --force, or if a port of `verify` serves another "
        "certificate. The exit status is 1 if a certificate is not deployed.",
    ),
    "check": Command(
        "validate the configuration and its secrets, offline",
        examples=(("dnsrenew check --config /etc/dnsrenew/dnsrenew.toml", ""),),
    ),
    "doctor": Command(
        "find out whether certificates can be renewed, and if not, why",
        (Argument("names", "NAME", f"certificates to examine: {_NAMES} (default: all)", "certificates", many=True),),
        (
            Option("--probe", "also write a test value to DNS with each account, and remove it"),
            Option("--markdown", "print Markdown, for a post in a forum"),
            Option("--redact", "hide domains, addresses, paths and other names, for --markdown, --json and --report"),
            Option("--report", "also write a page with everything that was found", "FILE.html", "file"),
            Option("--record", "keep what was found; later runs show what has changed since"),
            Option(
                "--serve-probe",
                "serve as the outside helper for other hosts on HOST:PORT; examine nothing",
                "HOST:PORT",
                "text",
            ),
        ),
        (
            ("dnsrenew doctor", ""),
            ("dnsrenew doctor home --probe", "also test the DNS account"),
            ("dnsrenew doctor --markdown --redact > post.md", "to ask others for help"),
            ("dnsrenew doctor --report report.html --record", ""),
        ),
        "Looks at this host, its network, DNS, the CA and the store, for at most 15 seconds, and orders nothing. For "
        "each certificate it says by which route it can be renewed now, or the one thing to do next. The exit status "
        "is 1 if a certificate cannot be renewed. Without a configuration it looks at the host, and the exit status "
        "is 2.",
    ),
    "providers": Command(
        "list the supported DNS hosts, or show what one needs",
        (Argument("names", "NAME", "show one DNS host: options, configuration block, limits", "providers"),),
        (
            Option("--search", "list only the hosts with WORD in the name or the title", "WORD", "text"),
            Option("--check", "test a DNS account of the configuration with test values", "ACCOUNT", "text"),
            Option("--markdown", "with --check: print Markdown, for a pull request"),
            Option("--new", "write NAME.py and test_NAME.py, to write a driver from", "NAME", "text"),
        ),
        (
            ("dnsrenew providers", ""),
            ("dnsrenew providers --search dns", ""),
            ("dnsrenew providers cloudflare", ""),
            ("dnsrenew providers cloudflare -q", "only the configuration block"),
            ("dnsrenew providers --check home", "does the driver of [dns.home] keep every MUST?"),
            ("dnsrenew providers --new myhost", "a driver and its test to start from"),
        ),
        "--check writes some 20 TXT values at unused names in the first zone of the account, or in that of a "
        "certificate that uses it, and removes them. The exit status is 1 if a MUST is broken.",
    ),
    "init": Command(
        "ask a few questions, write dnsrenew.toml, obtain and deploy the certificate",
        (),
        (
            Option(
                "--answers",
                "a TOML file with answers: keys as the options below, and those of the DNS host",
                "FILE",
                "file",
            ),
            Option("--domains", "the names of the certificate, separated by commas", "NAMES", "text"),
            Option("--contact", "the mail address for the CA", "MAIL", "text"),
            Option("--agree-terms", "you agree to the terms of service of the CA"),
            Option("--provider", "the DNS host: a name from dnsrenew providers", "NAME", "text"),
            Option("--option", "an option of the DNS host; can be repeated; secrets as file:PATH", "KEY=VALUE", "list"),
            Option("--deploy", "the servers that get the certificate, such as nginx; or none", "NAMES", "text"),
            Option("--schedule", "install a schedule that renews", "yes|no", "word", YES_OR_NO),
            Option("--rehearse", "rehearse at the CA's staging server first", "yes|no", "word", YES_OR_NO),
        ),
        (
            ("dnsrenew init", "at a terminal: at most seven questions, each with a default"),
            ("dnsrenew init --answers answers.toml", "in a script"),
            (
                "dnsrenew init --domains example.org --agree-terms --provider desec --option auth_token=file:token.txt",
                "",
            ),
        ),
        "Finds servers on this machine and the DNS host of the domain, and tests each answer while it is given: the "
        "name exists, the host is that of the zone, the account can write a test value. Writes dnsrenew.toml in the "
        "current folder and secrets to files that only you can read; it never changes a configuration that exists. "
        "Then it rehearses, obtains, deploys and installs the schedule. ? shows help for a question, Ctrl-C stops and "
        "leaves nothing behind. Answers that are given are not asked for. Without a terminal, domains, agree_terms, "
        "provider and its options have to be given; the others default to no, except rehearse. The file of answers "
        "can have the tables [ca.NAME] and [resolver] too.",
    ),
    "import": Command(
        "import from certbot, lego, acme.sh, Caddy, HFS or PEM files",
        (Argument("path", "PATH", "its folder, or that of a certificate and its key (default: the usual places)"),),
        (
            Option("--from", f"{', '.join(TOOLS[:-1])} or {TOOLS[-1]} (default: any)", "KIND", "word", TOOLS),
            Option("--server", "the directory URL of a CA of which the tool keeps only the host", "URL", "list"),
        ),
        (
            ("dnsrenew import", "what is found in the usual places"),
            ("dnsrenew import /etc/letsencrypt --from certbot", ""),
            ("dnsrenew import --config imported.toml", "beside a configuration that exists"),
        ),
        "Stores accounts and certificates as they are, orders nothing, sends nothing, and changes no file of the "
        "other tool. Writes dnsrenew.toml and its secret files, and says line by line what it could not import. Then "
        "it names the lines to change in servers, and the command that stops the other tool. Run it again after that. "
        "It reads only what root and the running user alone can change; --insist takes all. As root, it takes the "
        "folder .lego and the Caddyfile of the current folder only if PATH names them. "
        "The exit status is 1 if a certificate or an account could not be imported.",
    ),
    "revoke": Command(
        "revoke a certificate; the next run replaces it",
        (Argument("name", "NAME", "the certificate to revoke", "certificates", required=True),),
        (
            Option(
                "--reason", "one of the reasons below (default: unspecified)", "R", "word", REASONS, default=REASONS[0]
            ),
            _YES,
            _wait(_OTHER_RUN),
        ),
        (
            ("dnsrenew revoke home", ""),
            ("dnsrenew revoke home --reason key-compromise", "someone else has the private key"),
        ),
        f"Reasons: {', '.join(REASONS)}.",
    ),
    "remove": Command(
        "delete a certificate from the store that is no longer configured",
        (Argument("name", "NAME", "the certificate to delete", "orphans", required=True),),
        (_YES, _wait(_OTHER_RUN)),
        (("dnsrenew remove old-shop", ""),),
        "Deletes the certificate with its private keys and its history. It says when the private key was last read, as "
        "far as the file system records that, because a server may still use it. The certificate stays valid at the CA "
        "until it expires; to end that, revoke it first.",
    ),
    "csr": Command(
        "print a certificate request (CSR) for another issuer",
        (Argument("name", "NAME", "the certificate", "certificates", required=True),),
        (Option("--new", "make a new key and CSR; the earlier key is deleted"), _wait(_OTHER_RUN)),
        (
            ("dnsrenew csr home > home.csr", "for the domains and the kind of key in the configuration"),
            ("dnsrenew csr home --new", "another key"),
        ),
        "The private key stays in the store until dnsrenew install gets the certificate. Until then the command prints "
        "the same CSR again.",
    ),
    "install": Command(
        "store and deploy a certificate of another issuer",
        (Argument("name", "NAME", "the certificate", "certificates", required=True),),
        (
            Option("--certificate", "the certificate with its chain: PEM in any order, DER or PKCS#7", "FILE", "file"),
            Option("--key", "its private key (default: that of dnsrenew csr)", "FILE", "file"),
            Option("--no-deploy", "leave deployments to a later run"),
            Option("--yes", "do not ask before it replaces a certificate that is valid for longer", short="-y"),
            _wait(_OTHER_RUN),
        ),
        (
            ("dnsrenew install home --certificate home.crt", "with the key of dnsrenew csr home"),
            ("dnsrenew install home --certificate home.crt --key home.key", ""),
        ),
        "The certificate is checked as one from a CA: key, domains, dates, purpose, chain. The CA of the configuration "
        "renews it when it is due.",
    ),
    "delegate": Command(
        "let another DNS account answer, by one CNAME record set once",
        (Argument("name", "NAME", "a certificate, or a domain of one", "certificates", required=True),),
        (
            Option(
                "--to",
                "the DNS account that writes, or a zone of one (default: the acme-dns account, or the only one of "
                "another zone); dns-persist-01: set the one TXT record of that challenge instead",
                "ZONE|ACCOUNT",
                "text",
            ),
        ),
        (
            ("dnsrenew delegate home", "register at the acme-dns server, once, and say what to set"),
            ("dnsrenew delegate home --to example.net", "with the account that writes to that zone"),
        ),
        "For domains whose DNS host has no API. It prints the CNAME record to set by hand and waits until every name "
        "server shows it. Ctrl-C stops the wait; the same command continues it. Then it tests the account with a "
        "value that it removes, and writes the route to the configuration if that is needed.",
    ),
    "cleanup": Command(
        "remove TXT records that a killed run left in DNS",
        (),
        (_wait("another cleanup"),),
        (("dnsrenew cleanup", ""),),
        "Every renew starts with this cleanup. It removes only values listed in the journal of the store, with the "
        "account that wrote them, and leaves the values of running renewals alone. The exit status is 1 if a value "
        "could not be removed; the next run tries again.",
    ),
    "account": Command(
        "show or change the accounts at the CAs",
        examples=(
            ("dnsrenew account show", "account URLs, for accounturi in CAA records"),
            ("dnsrenew account roll letsencrypt", "replace the account key; the URL stays"),
        ),
        notes="Without a command it shows the accounts.",
    ),
    "account show": Command(
        "show the accounts as the CAs know them",
        (_CA,),
        examples=(("dnsrenew account show", "account URLs, for accounturi in CAA records"),),
    ),
    "account roll": Command(
        "replace the account key; the account URL stays the same",
        (_CA,),
        examples=(("dnsrenew account roll letsencrypt", ""),),
        notes="A crash loses no key: both are kept until the CA has the new one.",
    ),
    "account contact": Command(
        "send the contact addresses of the configuration to the CA now",
        (_CA,),
        examples=(("dnsrenew account contact", "after you changed contact in dnsrenew.toml"),),
        notes="Without this command, the next order at the CA does it.",
    ),
    "account deactivate": Command(
        "close the account at the CA permanently",
        (_CA,),
        (_YES,),
        (("dnsrenew account deactivate zerossl", ""),),
        "Certificates stay valid. A closed account cannot be reopened; the next order at this CA creates a new one, "
        "with a new URL. Change CAA records with accounturi before that.",
    ),
    "notify": Command(
        "send a test message to the addresses of [notify]",
        examples=(("dnsrenew notify test", "a test message to every address of [notify]"),),
        notes="Without a command it sends a test message.",
    ),
    "notify test": Command(
        "send a test message to every address of [notify]",
        examples=(("dnsrenew notify test", ""),),
        notes="Shows for each address whether the message was sent, and if not, why. Nothing is sent to the heartbeat. "
        "The exit status is 1 if one address fails.",
    ),
    "schedule": Command(
        "install, show or remove the automatic renewal schedule",
        examples=(
            ("dnsrenew schedule install", "with systemd, cron, launchd or the Task Scheduler"),
            ("dnsrenew schedule show --kind systemd", "print the files without installing them"),
        ),
        notes="The schedule runs dnsrenew renew four times a day. Without a command it shows the schedule.",
    ),
    "schedule install": Command(
        "renew automatically from now on",
        (),
        (_KIND,),
        (
            ("dnsrenew schedule install", "with systemd, cron, launchd or the Task Scheduler"),
            ("dnsrenew schedule install --kind cron", ""),
        ),
        "Runs dnsrenew renew four times a day, each time with a random delay of up to an hour.",
    ),
    "schedule show": Command(
        "show what is installed, or print what would be",
        (),
        (_KIND,),
        (
            ("dnsrenew schedule show", ""),
            ("dnsrenew schedule show --kind systemd", "print the files without installing them"),
            ("dnsrenew schedule show --kind cron > dnsrenew.cron", "only the text of the file"),
        ),
        "In a pipe or a file, --kind prints only the text of what would be installed.",
    ),
    "schedule remove": Command(
        "stop renewing automatically",
        (),
        (_KIND,),
        (("dnsrenew schedule remove", ""),),
    ),
    "run": Command(
        "renew in the foreground, for containers",
        (),
        (
            Option(
                "--interval",
                "check at least this often: 1m to 24h (default: 12h)",
                "TIME",
                "interval",
                default=43_200.0,
            ),
            Option("--jitter", "delay each check by a random time of up to TIME", "TIME", "duration", default=0.0),
            _WORKERS,
        ),
        (
            ("dnsrenew run --config /etc/dnsrenew/dnsrenew.toml", ""),
            ("kill -HUP PID", "read the configuration again"),
        ),
        "Renews what is due, sleeps until the next certificate is due, and logs when that is. A failed renewal does "
        "not end it. Ctrl-C ends it with exit status 130, SIGTERM with 143; a renewal in progress cleans up first. "
        "SIGHUP makes it read the configuration again; if that has a mistake, it says so and keeps the old one.\n"
        "The log goes to standard error. With --json each log line is a JSON object, and standard output gets one "
        "document at the end: the outcomes of the last round.",
    ),
    "worker": Command(
        "renew what is due in a fleet, on any number of machines",
        (),
        (
            Option(
                "--concurrency",
                "certificates to process in parallel (default: `concurrency` of [fleet], or 16)",
                "N",
                "workers",
            ),
        ),
        (
            ("dnsrenew worker --config /etc/dnsrenew/dnsrenew.toml", ""),
            ("kill -HUP PID", "read the configuration again"),
        ),
        "Takes certificates that are due from the database, the most urgent first, until it is stopped. It waits for a "
        "database that does not answer. Ctrl-C ends it with exit status 130, SIGTERM with 143: it takes no more "
        "certificates, finishes those in progress within a minute, and returns the rest to the queue. SIGHUP makes it "
        "read the configuration again; if that has a mistake, it says so and keeps the old one.\n"
        "The log goes to standard error. With --json each log line is a JSON object, and standard output gets one "
        "document at the end: the number of certificates by outcome.",
    ),
    "fleet": Command(
        "manage certificates that several machines share in a database",
        examples=(
            ("dnsrenew fleet init", "create the tables"),
            ("dnsrenew fleet add customers.jsonl", "add certificates"),
            ("dnsrenew worker", "obtain and renew them, on any number of machines"),
        ),
        notes="The store of the configuration is a PostgreSQL database. Without a command it shows the status.",
    ),
    "fleet init": Command(
        "create the tables, or upgrade them to this version",
        options=(Option("--seal-existing", "seal private keys that are not sealed, when a fleet gets its first seal"),),
        examples=(("dnsrenew fleet init", "in the database that `store` names"),),
        notes="Running it again changes nothing. After you put a new seal first into `seal` of [fleet], it seals the "
        "private keys with that one. Where [fleet] has a seal, private keys that are not sealed are refused.",
    ),
    "fleet add": Command(
        "add or change certificates, all or none",
        (Argument("file", "FILE", "JSON lines; - for standard input", "files", required=True),),
        examples=(
            ("dnsrenew fleet add customers.jsonl", ""),
            ("dnsrenew fleet add -", ""),
        ),
        notes="Each line is a JSON object with the keys of a [[certificate]] table, and tags. [fleet.defaults] "
        "supplies keys that are missing. A line can change a certificate that has tags, or take one of its domains, "
        "only if the line has one of these tags.",
    ),
    "fleet remove": Command(
        "remove certificates from the fleet, with their private keys",
        (Argument("names", "NAME", _NAMES, many=True),),
        (
            Option("--tag", "all certificates with this tag", "TAG", "text"),
            Option("--revoke", "revoke them first; what cannot be revoked stays in the fleet"),
            _YES,
            _wait(_OTHER_RUN),
        ),
        (
            ("dnsrenew fleet remove shop.example.com", ""),
            ("dnsrenew fleet remove --tag customer-7 --revoke", ""),
        ),
        "Without --revoke they stay valid at the CA until they expire. Servers stop serving them within seconds.",
    ),
    "fleet status": Command(
        "show the status of the fleet",
        (),
        (Option("--tag", "count only certificates with this tag", "TAG", "text"),),
        (("dnsrenew fleet status", ""), ("dnsrenew fleet status --tag customer-7 --json", "")),
        "Shows certificates by state, those that wait for a worker, the running workers and what they do, the "
        "certificates issued in the last hour, and what the limits of the CAs still allow.",
    ),
    "fleet sync": Command(
        "write the [[certificate]] tables of the configuration into the fleet",
        examples=(("dnsrenew fleet sync", "from now on the workers renew them"),),
        notes="Removing a table from the configuration does not remove its certificate from the fleet; use dnsrenew "
        "fleet remove.",
    ),
    "fleet load": Command(
        "write the content of a folder store into the database",
        (Argument("folder", "FOLDER", "the folder of the store", "files", required=True),),
        examples=(("dnsrenew fleet load /var/lib/dnsrenew", ""),),
        notes="Loads accounts with their keys, certificates, limits that the CAs reported, and pending orders. If both "
        "have a certificate, the newer one is kept. The folder stays as it is.",
    ),
    "fleet dump": Command(
        "write the content of the database into an empty folder",
        (Argument("folder", "FOLDER", "a folder that is empty or does not exist", "files", required=True),),
        examples=(("dnsrenew fleet dump backup", 'a folder store, to use with store = "backup"'),),
        notes="The folder has the private keys unencrypted. What `fleet add` wrote (settings and tags) is not in it.",
    ),
    "export": Command(
        "write the store and the configuration to one file",
        (Argument("file", "FILE", "the new file; - for standard output", required=True),),
        (
            Option("--secrets", "with private keys and secrets, sealed by a passphrase"),
            Option("--passphrase-file", "read the passphrase from FILE instead of asking", "FILE", "file"),
        ),
        (
            ("dnsrenew export backup.dnsrenew --secrets", "everything, to keep or to move it"),
            ("dnsrenew export config.tgz", "without keys and secrets"),
        ),
        "It can run at any time, also while certificates are renewed, and never replaces a file. Without --secrets, "
        "secrets in the configuration are masked, and files with secrets are left out. It says what is not in the "
        "file.",
    ),
    "restore": Command(
        "restore the store and the configuration from a file of export",
        (Argument("file", "FILE", "the file that dnsrenew export has written", required=True),),
        (Option("--passphrase-file", "read the passphrase from FILE instead of asking", "FILE", "file"),),
        (
            ("dnsrenew restore backup.dnsrenew", ""),
            ("dnsrenew restore backup.dnsrenew --config /etc/dnsrenew/dnsrenew.toml", "to this place"),
        ),
        "Writes the configuration that --config names (default: /etc/dnsrenew/dnsrenew.toml for root, otherwise in "
        "your config folder), and the store that it names. Nothing that exists is overwritten, and after an error "
        "nothing is left. A configuration can run programs: restore only files that you trust.",
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
        "show the help of the program or of a command",
        (Argument("names", "COMMAND", "the command", "commands", many=True),),
        examples=(("dnsrenew help renew", ""), ("dnsrenew help schedule install", "")),
        reads_config=False,
    ),
}
"""Every command by its name, with two words for the commands of a group."""

GROUPS: Final = {"account": "show", "fleet": "status", "notify": "test", "schedule": "show"}
"""Commands that consist of others: the one that runs if none is given."""

SYNONYMS: Final = {
    **dict.fromkeys(("list", "ls", "show", "info", "certificates", "certs"), "status"),
    **dict.fromkeys(("obtain", "issue", "get", "order", "request", "create", "new", "certonly", "update"), "renew"),
    **dict.fromkeys(("delete", "rm", "del", "forget"), "remove"),
    **dict.fromkeys(("validate", "verify", "test", "lint", "config"), "check"),
    **dict.fromkeys(("diagnose", "debug", "why", "troubleshoot", "health"), "doctor"),
    **dict.fromkeys(("hosts", "dns", "plugins", "drivers"), "providers"),
    **dict.fromkeys(("cron", "timer", "systemd", "enable"), "schedule install"),
    **dict.fromkeys(("uninstall", "disable"), "schedule remove"),
    **dict.fromkeys(("accounts", "register"), "account"),
    **dict.fromkeys(("daemon", "serve", "start", "watch"), "run"),
    **dict.fromkeys(("clean", "purge"), "cleanup"),
    **dict.fromkeys(("migrate", "takeover", "convert"), "import"),
    **dict.fromkeys(("setup", "wizard", "configure"), "init"),
    **dict.fromkeys(("backup", "dump"), "export"),
    **dict.fromkeys(("recover", "unpack"), "restore"),
    **dict.fromkeys(("completions", "complete", "autocomplete"), "completion"),
    "version": "--version",
}
"""What people type, from other programs, and the command that does it here."""


def options_of(command: str | None) -> tuple[Option, ...]:
    """Return all options of a command, its own first; of a group, those of its default; for None, of the program."""
    if command is None:
        return (*GLOBAL, VERSION)
    found = COMMANDS[f"{command} {GROUPS[command]}" if command in GROUPS else command]
    return (*found.options, *((INSIST,) if found.reads_config else ()), *GLOBAL)


def members(group: str) -> list[str]:
    """Return the second words of the commands of a group."""
    return [name.split()[1] for name in COMMANDS if name.startswith(f"{group} ")]
