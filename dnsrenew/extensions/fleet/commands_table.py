"""The commands ``fleet`` and ``worker`` for ``--help``, the man page, completion and docs."""

from __future__ import annotations

from typing import Final

from dnsrenew.cli.command_types import Argument, Command, CommandTable, Option, Runner
from dnsrenew.cli.commands import NAMES, OTHER_RUN, YES, wait_option

_ROWS: Final = {
    "worker": Command(
        "renew the due certificates of a fleet, on any number of machines",
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
        "It takes due certificates from the database, the most urgent first, until you stop it. If the database does "
        "not answer, it waits.\nCtrl-C ends it with exit status 130, SIGTERM with 143: it takes no more "
        "certificates, finishes those in progress within a minute, and returns the rest to the queue. SIGHUP makes "
        "it read the configuration again; if the new one has a mistake, you see the mistake, and the old one stays "
        "in use.\nThe log goes to standard error. With --json each log line is a JSON object, and standard output "
        "gets one document at the end: the number of certificates by outcome.",
    ),
    "fleet": Command(
        "manage certificates that several machines share in a database",
        examples=(
            ("dnsrenew fleet init", "create the tables"),
            ("dnsrenew fleet add customers.jsonl", "add certificates"),
            ("dnsrenew worker", "obtain and renew them, on any number of machines"),
        ),
        notes="`store` in the configuration must be a PostgreSQL database. Without a command, you see the status.",
    ),
    "fleet init": Command(
        "create the tables, or upgrade them to this version",
        options=(
            Option(
                "--seal-existing", ("when a fleet gets its first seal: seal the private keys that are stored already")
            ),
        ),
        examples=(("dnsrenew fleet init", "in the database in `store`"),),
        notes="You can run it again at any time.\nIf you have put a new seal first in `seal` of [fleet], it seals the "
        "private keys with the new one. If [fleet] has a seal, it refuses private keys that are not sealed.",
    ),
    "fleet add": Command(
        "add or change certificates (all lines of the file, or none)",
        (Argument("file", "FILE", "JSON lines; - for standard input", "files", required=True),),
        examples=(("dnsrenew fleet add customers.jsonl", ""), ("dnsrenew fleet add -", "")),
        notes="Each line is a JSON object with the keys of a [[certificate]] table, and tags. Missing keys come from "
        "[fleet.defaults]. If a certificate has tags, only a line with one of these tags can change it or take "
        "one of its domains.",
    ),
    "fleet remove": Command(
        "remove certificates from the fleet, with their private keys",
        (Argument("names", "NAME", NAMES, many=True),),
        (
            Option("--tag", "all certificates with this tag", "TAG", "text"),
            Option("--revoke", "revoke them first; certificates that cannot be revoked stay in the fleet"),
            YES,
            wait_option(OTHER_RUN),
        ),
        (("dnsrenew fleet remove shop.example.com", ""), ("dnsrenew fleet remove --tag customer-7 --revoke", "")),
        "Without --revoke they stay valid at the CA until they expire. Servers stop serving them within seconds.",
    ),
    "fleet status": Command(
        "show the status of the fleet",
        (),
        (Option("--tag", "count only certificates with this tag", "TAG", "text"),),
        (("dnsrenew fleet status", ""), ("dnsrenew fleet status --tag customer-7 --json", "")),
        "You see the number of certificates by state, those that wait for a worker, the running workers with their "
        "work, the certificates issued in the last hour, and the orders that the CAs still allow.",
    ),
    "fleet sync": Command(
        "write the [[certificate]] tables of the configuration into the fleet",
        examples=(("dnsrenew fleet sync", "from now on, the workers renew them"),),
        notes="If you remove a table from the configuration, its certificate stays in the fleet. To remove it, use "
        "dnsrenew fleet remove.",
    ),
    "fleet load": Command(
        "copy a store from a folder into the database",
        (Argument("folder", "FOLDER", "the folder of the store", "files", required=True),),
        examples=(("dnsrenew fleet load /var/lib/dnsrenew", ""),),
        notes="It copies accounts with their keys, certificates, limits that the CAs reported, and pending orders. If "
        "both places have a certificate, the newer one is kept. The folder stays unchanged.",
    ),
    "fleet dump": Command(
        "copy the store from the database into an empty folder",
        (Argument("folder", "FOLDER", "a folder that is empty or does not exist yet", "files", required=True),),
        examples=(("dnsrenew fleet dump backup", 'a folder store, to use with store = "backup"'),),
        notes="The folder contains the private keys unencrypted. It does not contain the settings and tags "
        "from `fleet add`.",
    ),
}


def _runner(name: str) -> Runner:
    if name == "worker":
        from dnsrenew.extensions.fleet.commands.worker import worker

        return worker
    from dnsrenew.extensions.fleet.commands import fleet_add as fleet

    runners = {"init": fleet.fleet_init, "add": fleet.fleet_add, "remove": fleet.fleet_remove, "sync": fleet.fleet_sync}
    runners |= {"status": fleet.fleet_status, "load": fleet.fleet_move, "dump": fleet.fleet_move}
    return runners[name.partition(" ")[2]]


COMMANDS: Final = CommandTable(_ROWS, _runner)
