"""The commands init, import, delegate, export and restore, for help, the man page and docs."""

from __future__ import annotations

from typing import Final

from dnsrenew.cli.command_types import Argument, Command, CommandTable, Option, Runner
from dnsrenew.extensions.setup.importing import KINDS

_YES_OR_NO: Final = ("yes", "no")
_TOOLS: Final = tuple(KINDS)
_ROWS: Final = {
    "init": Command(
        "ask a few questions, write dnsrenew.toml, obtain and deploy the certificate",
        (),
        (
            Option(
                "--answers",
                "a TOML file with answers: the options below and those of the DNS host, as keys",
                "FILE",
                "file",
            ),
            Option("--domains", "the domains of the certificate, separated by commas or spaces", "NAMES", "text"),
            Option("--contact", "the email address for the CA", "MAIL", "text"),
            Option("--agree-terms", "you agree to the terms of service of the CA"),
            Option("--provider", "the DNS host, as listed by dnsrenew providers", "NAME", "text"),
            Option("--option", "an option of the DNS host; can be repeated; secrets as file:PATH", "KEY=VALUE", "list"),
            Option("--deploy", "the servers that get the certificate, such as nginx; or none", "NAMES", "text"),
            Option(
                "--schedule", "renew automatically from now on (installs a schedule)", "yes|no", "yes-no", _YES_OR_NO
            ),
            Option("--rehearse", "first do a dry run at the CA's staging server", "yes|no", "yes-no", _YES_OR_NO),
        ),
        (
            ("dnsrenew init", "in a terminal: a few questions, each with a default"),
            ("dnsrenew init --answers answers.toml", "in a script"),
            (
                "dnsrenew init --domains example.org --agree-terms --provider desec --option auth_token=file:token.txt",
                "",
            ),
        ),
        "It finds the servers on this machine and the DNS host of your domain, and tests each answer right away. "
        "Then it writes dnsrenew.toml to the current folder and secrets to files that only you can read, does a dry "
        "run, obtains and deploys the certificate, and installs the schedule.\nAt each question, ? shows help; "
        "Ctrl-C stops without writing a configuration. If you have a configuration already, it adds the certificate "
        "at the end and keeps every line.\nIn a script, pass --domains, --agree-terms, --provider and the options of "
        "the DNS host. By default, it then deploys to no server, installs no schedule and gives the CA no address, "
        "but does a dry run. The file of answers can also have the tables [ca.NAME] and [resolver]; default_ca = "
        '"NAME" selects that CA.',
    ),
    "import": Command(
        "take over from certbot, lego, acme.sh, Caddy, HFS or PEM files",
        (Argument("path", "PATH", "the folder of the tool, or of a certificate and key (default: the usual places)"),),
        (
            Option("--from", f"{', '.join(_TOOLS[:-1])} or {_TOOLS[-1]} (default: any)", "KIND", "word", _TOOLS),
            Option("--server", "the directory URL of a CA, if the tool stores only its host name", "URL", "list"),
        ),
        (
            ("dnsrenew import", "everything in the usual places"),
            ("dnsrenew import /etc/letsencrypt --from certbot", ""),
            ("dnsrenew import --config imported.toml", "into a second configuration"),
        ),
        "It copies accounts and certificates into the store, and writes dnsrenew.toml and the files with its "
        "secrets. It orders nothing, sends nothing, and changes no file of the other tool.\nYou see the settings "
        "that it could not import, the lines to change in your servers, and the command that stops the other tool. "
        "Run it again when you have changed the servers.\nIt reads only files that no user except root and you can "
        "change; --insist reads all. As root, it uses the folder .lego and the Caddyfile of the current folder only "
        "if PATH names them. The exit status is 1 if a certificate or an account could not be imported.",
    ),
    "delegate": Command(
        "use a domain whose DNS host has no API: you set one CNAME record, once",
        (Argument("name", "NAME", "a certificate, or a domain of one", "certificates", required=True),),
        (
            Option(
                "--to",
                "the DNS account that writes, or its zone (default: the acme-dns account, or the only account with "
                "another zone); or dns-persist-01, to set its TXT record",
                "ZONE|ACCOUNT",
                "text",
            ),
            Option("--check", "only check whether the CA would accept the existing record of dns-persist-01"),
        ),
        (
            ("dnsrenew delegate home", "register at the acme-dns server, and show the record that you set"),
            ("dnsrenew delegate home --to example.net", "with the account that writes to this zone"),
            ("dnsrenew delegate home --to dns-persist-01 --check", "check the permanent record"),
        ),
        "First add a DNS account to the configuration: at an acme-dns server, or at a supported host where you have "
        "another domain. dnsrenew writes the TXT values there.\nThe command prints the CNAME record that you set by "
        "hand, and waits until every name server shows it. After Ctrl-C, run it again to continue. Then it tests the "
        "account with a value that it removes, and adds the route to the configuration if needed.",
    ),
    "export": Command(
        "back up the configuration and the certificates in one file",
        (Argument("file", "FILE", "the new file; - for standard output", required=True),),
        (
            Option("--secrets", "include private keys and secrets, and seal the file with a passphrase"),
            Option("--passphrase-file", "read the passphrase from FILE instead of asking", "FILE", "file"),
        ),
        (
            ("dnsrenew export backup.dnsrenew --secrets", "everything, as a backup or to move it"),
            ("dnsrenew export config.tgz", "without keys and secrets"),
        ),
        "You can run it at any time, even while certificates are renewed. It replaces no file, and lists everything "
        "that it leaves out.\nWithout --secrets, it leaves out files with secrets, and masks secrets in the "
        "configuration.",
    ),
    "restore": Command(
        "restore an exported backup, on this machine or another one",
        (Argument("file", "FILE", "the file that dnsrenew export wrote", required=True),),
        (Option("--passphrase-file", "read the passphrase from FILE instead of asking", "FILE", "file"),),
        (
            ("dnsrenew restore backup.dnsrenew", ""),
            ("dnsrenew restore backup.dnsrenew --config /etc/dnsrenew/dnsrenew.toml", "to this place"),
        ),
        "The configuration goes to the path of --config (default: /etc/dnsrenew/dnsrenew.toml for root, "
        "otherwise in your config folder), the store to the path in it. It overwrites nothing, and leaves "
        "nothing behind after an error.\nA configuration can run programs, so restore only files that you trust.",
    ),
}


def _runner(name: str) -> Runner:
    match name:
        case "init":
            from dnsrenew.extensions.setup.commands.init import init

            return init
        case "import":
            from dnsrenew.extensions.setup.commands.import_tool import import_tool

            return import_tool
        case "delegate":
            from dnsrenew.extensions.setup.commands.delegate import delegate

            return delegate
    from dnsrenew.extensions.setup.commands.export import export, restore

    return {"export": export, "restore": restore}[name]


COMMANDS: Final = CommandTable(_ROWS, _runner)
