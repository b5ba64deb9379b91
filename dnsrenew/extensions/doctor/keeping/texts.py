"""The texts of the checks of the store, the servers and the schedule."""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Phrase, Text

STORE_OK: Final = Text("store", "The store {path} is private and writable.", "")
STORE_ABSENT: Final = Text("store", "The store {path} does not exist yet; the first renewal creates it.", "")
STORE_NO_PARENT: Final = Text(
    "store",
    "The store {path} cannot be created: {user} cannot write to {existing}.",
    "Use a folder that {user} owns: change `store` in the configuration, or run: sudo install -d -o {user} {path}",
)
SPACE_OK: Final = Text("store-space", "The disk of the store has {free} free.", "")
SPACE_FULL: Final = Text(
    "store-space",
    "The disk of the store {path} is full: {free} are free.",
    "Free some space on the disk of {path}; a renewal needs less than 1 MB.",
)
SPACE_NO_FILES: Final = Text(
    "store-space",
    "The disk of the store {path} has no room for more files: all its inodes are used.",
    "Delete files that are not needed from the disk of {path}.",
)
SPACE_LOW: Final = Text(
    "store-space",
    "The disk of the store {path} is almost full: {free} are free.",
    "Free some space on the disk of {path} soon.",
)

SERVED_OK: Final = Text("served", "The newest certificate is served at {ports}.", "")
SERVED_OTHER: Final = Text(
    "served",
    "{port} does not serve the certificate in the store: the server still has another one.",
    "Deploy it again: dnsrenew deploy {name} --force",
)
SERVED_NOTHING: Final = Text(
    "served",
    "Nothing answers at {port}, which should serve the certificate.",
    "Start the server at {port}; if it has moved, correct verify in the deploy entry.",
)
SERVED_OTHER_AND_MORE: Final = Text(
    "served",
    "{port} does not serve the certificate in the store: the server still has another one. Other ports that do not "
    "serve it: {more}.",
    SERVED_OTHER.fix,
)
SERVED_NOTHING_AND_MORE: Final = Text(
    "served",
    "Nothing answers at {port}, which should serve the certificate. Other ports that do not serve it: {more}.",
    SERVED_NOTHING.fix,
)
SERVED_NONE_YET: Final = Text(
    "served",
    "{ports} cannot be checked yet, because there is no certificate {name}.",
    "Obtain it: dnsrenew renew {name}",
)
SERVED_PENDING: Final = Text(
    "served",
    "The certificate in the store has not been deployed to {targets}.",
    "Deploy it: dnsrenew deploy {name}",
)
SERVED_FAILED: Final = Phrase("{summary} The last deployment failed: {cause}")
SERVED_FIRST: Final = Phrase("Fix the cause first, then deploy again: dnsrenew deploy {name}")

SERVED_CHANGED: Final = Text(
    "served",
    "Another program has changed the files deployed to {targets}: {faults}.",
    "Find out which program changed them, then deploy again: dnsrenew deploy {name}",
)

SCHEDULE_OK: Final = Text("schedule", "Certificates are renewed automatically ({kind}).", "")
SCHEDULE_NONE: Final = Text(
    "schedule",
    "Nothing on this machine renews the certificates automatically.",
    "Renew automatically: dnsrenew schedule install",
)
SCHEDULE_HALTED: Final = Text(
    "schedule", "Nothing renews the certificates automatically: {kind} has a job for it, but {reason}.", "{advice}"
)
SCHEDULE_MISSED: Final = Text(
    "schedule",
    "No scheduled run has started since {since}, so nothing renews the certificates automatically.",
    "See the schedule and its log: dnsrenew schedule show",
)
SCHEDULE_NO_SCHEDULER: Final = Text(
    "schedule",
    "Nothing on this machine renews the certificates automatically, and it has neither systemd nor cron.",
    "Keep `dnsrenew run` running, or run `dnsrenew renew --scheduled` from your own scheduler.",
)
WORKERS_OK: Final = Text("schedule", "Running workers of the fleet: {workers}.", "")
WORKERS_NONE: Final = Text(
    "schedule", "No worker of the fleet is running, so nothing renews its certificates.", "Start one: dnsrenew worker"
)
WORKERS_UNKNOWN: Final = Text(
    "schedule",
    "dnsrenew could not check whether a worker of the fleet runs, because the database cannot be read.",
    "First fix the problem with the store, in this list.",
)
SCHEDULE_UNKNOWN: Final = Text(
    "schedule",
    "dnsrenew could not find out whether anything renews the certificates automatically.",
    "As administrator, run: dnsrenew schedule show",
)

LAST_RUN_OK: Final = Text("last-run", "Nothing from the last run has to be tried again.", "")
LAST_RUN_NONE: Final = Text("last-run", "No run has worked on {name} yet.", "")
LAST_RUN_OWES: Final = Text(
    "last-run",
    "A server may be stopped since {since}, for the renewal of {name}: the program that should start it "
    "again has not run, or has failed: {command}",
    "Run `dnsrenew cleanup`: it runs this program.",
)
LAST_RUN_FAILED: Final = Text(
    "last-run",
    "The last renewal of {name} failed on {time} with the error {code}: {message}",
    "{advice}",
)
LAST_RUN_FORCED: Final = Text(
    "last-run",
    "The forced renewal of {name} failed on {time} with the error {code}: {message}",
    "{advice}",
)
LAST_RUN_UNTESTED: Final = Phrase("{advice} To test the account, run: dnsrenew doctor --probe")
LAST_RUN_MENDED: Final = Text(
    "last-run",
    "The last renewal of {name} failed on {time} with the error {code}; its cause has changed since then.",
    "Renew again: dnsrenew renew {name}",
)
LAST_RUN_FORCE_MENDED: Final = LAST_RUN_MENDED._replace(
    message="The forced renewal of {name} failed on {time} with the error {code}; its cause has changed since then.",
    fix="",
)
"""It was not due, so it needs no other run."""
LAST_RUN_OVERDUE: Final = Text(
    "last-run",
    "{name} has been due since {due}, but nothing has tried to renew it: this machine was off, or its "
    "schedule does not run.",
    "Renew it now: dnsrenew renew {name}",
)

PERSIST_WORKED: Final = Text("last-run", "The certificate {name} in use was validated by dns-persist-01 at {ca}.", "")
PERSIST_UNKNOWN: Final = Text(
    "last-run",
    "Only an order shows whether the CA {ca} offers dns-persist-01.",
    "Run `dnsrenew renew {name}`: the order shows it.",
)
PERSIST_NOT_OFFERED: Final = Text(
    "last-run",
    "The CA {ca} did not offer dns-persist-01 on {time}.",
    "Use another challenge or another CA for {name}.",
)
PERSIST_FAILED: Final = Text(
    "last-run",
    "dns-persist-01 at the CA {ca} failed on {time} with the error {code}.",
    "Run `dnsrenew renew {name}`, which tries it again.",
)

EXPIRY_OK: Final = Text("expiry", "{name} is valid until {not_after}.", "")
EXPIRY_MISSING: Final = Text("expiry", "There is no certificate {name} yet.", "Obtain it: dnsrenew renew {name}")
EXPIRY_OVER: Final = Text("expiry", "{name} expired on {not_after}.", "Renew it now: dnsrenew renew {name} --now")
EXPIRY_REVOKED: Final = Text("expiry", "{name} is revoked.", "Replace it now: dnsrenew renew {name}")
EXPIRY_SOON: Final = Text(
    "expiry",
    "{name} expires on {not_after}; it should have been renewed on {due}.",
    "Renew it now: dnsrenew renew {name} --now",
)
EXPIRY_UNREADABLE: Final = Text("expiry", "The state of {name} cannot be read: {message}", "{advice}")
