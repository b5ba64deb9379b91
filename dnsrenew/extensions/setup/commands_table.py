"""The commands init, import, delegate, export and restore: what help, the man page and docs show of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dnsrenew.cli.command_types import Argument, Command, CommandTable, Option
from dnsrenew.cli.commands import TOOLS, YES_OR_NO

if TYPE_CHECKING:
    from dnsrenew.cli.command_types import Runner

_COMMANDS: Final = {
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
            Option("--contact", "the email address for the CA", "MAIL", "text"),
            Option("--agree-terms", "you agree to the terms of service of the CA"),
            Option("--provider", "the DNS host: a name from dnsrenew providers", "NAME", "text"),
            Option("--option", "an option of the DNS host; can be repeated; secrets as file:PATH", "KEY=VALUE", "list"),
            Option("--deploy", "the servers that get the certificate, such as nginx; or none", "NAMES", "text"),
            Option("--schedule", "install a schedule that renews", "yes|no", "word", YES_OR_NO),
            Option("--rehearse", "first do a dry run at the CA's staging server", "yes|no", "word", YES_OR_NO),
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
        "current folder and secrets to files that only you can read; to a configuration that exists it adds a "
        "certificate at the end, and every line of it stays. "
        "Then it does a dry run, obtains, deploys and installs the schedule. ? shows help for a question, Ctrl-C "
        "stops; no configuration is written then. Answers that are given are not asked for. Without a terminal, "
        "domains, agree_terms, provider and its options have to be given; the others default to no, except rehearse. "
        "The file of answers can have the tables [ca.NAME] and [resolver] too.",
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
            Option(
                "--check", "say whether the CA would accept the record of dns-persist-01 that is there; set nothing"
            ),
        ),
        (
            ("dnsrenew delegate home", "register at the acme-dns server, once, and say what to set"),
            ("dnsrenew delegate home --to example.net", "with the account that writes to that zone"),
            ("dnsrenew delegate home --to dns-persist-01 --check", "is the lasting record still right?"),
        ),
        "For domains whose DNS host has no API. It prints the CNAME record to set by hand and waits until every name "
        "server shows it. Ctrl-C stops the wait; the same command continues it. Then it tests the account with a "
        "value that it removes, and writes the route to the configuration if that is needed.",
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
        "It can run at any time, even while certificates are renewed, and never replaces a file. Without --secrets, "
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
}


def _run(name: str) -> Runner:
    """Return the function that runs a command. Loading those of the others would take time."""
    match name:
        case "init":
            from dnsrenew.extensions.setup.commands.init import init as run
        case "import":
            from dnsrenew.extensions.setup.commands.import_tool import import_tool as run
        case "delegate":
            from dnsrenew.extensions.setup.commands.delegate import delegate as run
        case _:
            from dnsrenew.extensions.setup.commands.export import export, restore

            return {"export": export, "restore": restore}[name]
    return run


TABLE: Final = CommandTable(_COMMANDS, _run)
