"""Every text of the command line except its help: errors, progress, results. Values fill the fields in braces."""

from __future__ import annotations

from enum import Enum
from typing import Final

from dnsrenew.base.values import Frozen
from dnsrenew.errors import Phrase, Text


class Mark(Enum):
    """The mark before a line of progress."""

    DONE = 1
    FAILED = 2
    WARNING = 3
    PLAIN = 4


DONE, FAILED, WARNING, PLAIN = Mark

# ── errors ──────────────────────────────────────────────────────────────────────────────

_HELP: Final = "For help, run: {command} --help"

UNEXPECTED_ARGUMENT: Final = Text("usage", "Unexpected argument '{argument}'.", _HELP)
MISSPELT_ARGUMENT: Final = Text("usage", "Unexpected argument '{argument}'.", f"Did you mean --{{nearest}}? {_HELP}")
UNEXPECTED_FILE: Final = Text(
    "usage", "Unexpected argument '{argument}'.", "To use that configuration file, run: {command} --config {argument}"
)
WRONG_VALUE: Final = Text("usage", "Invalid value '{value}' for {option}.", "Valid values: {expected}. " + _HELP)
VALUE_MISSING: Final = Text("usage", "{option} needs a value.", "Write: {option} {value}")
NO_VALUE: Final = Text("usage", "{option} takes no value.", _HELP)
ARGUMENT_MISSING: Final = Text("usage", "Missing argument {argument}.", "Run: {command} {usage}")
VERBOSE_AND_QUIET: Final = Text("usage", "-v and -q cannot be combined.", "Give one of them, not both.")
EVENTS_WITHOUT_JSON: Final = Text("usage", "--events needs --json.", "Add --json, or leave --events out.")
UNKNOWN_COMMAND: Final = Text("usage", "Unknown command '{argument}'.", _HELP)
MISSPELT_COMMAND: Final = Text("usage", "Unknown command '{argument}'.", f"Did you mean {{nearest}}? {_HELP}")
NO_COMMAND: Final = Text("usage", "A command is missing.", _HELP)
NAMES_AND_ALL: Final = Text(
    "usage", "--all cannot be combined with certificate names.", "Give names or --all, not both."
)
FORCE_WITHOUT_NAMES: Final = Text(
    "usage",
    "--force would renew all {count} certificates, due or not, and CAs limit how often that is possible.",
    "List the certificates to renew, or add --all.",
)
FORCE_FLEET: Final = Text(
    "usage",
    "--force would renew all certificates of the fleet, due or not, and CAs limit how often that is possible.",
    "List the certificates to renew, or add --all.",
)
UNCONFIRMED: Final = Text(
    "usage",
    "{command} needs your confirmation, but there is no terminal.",
    "Add --yes if you are sure.",
)
DECLINED: Final = Text("declined", "Nothing was changed, because the answer was not yes.", "Answer y, or add --yes.")
YES_OR_NO: Final = "[y/N]"
YES: Final = frozenset({"y", "yes", "是"})
"""The answers that mean yes in any language."""
SCHEDULE_KIND: Final = Text(
    "usage", "{kind} is not available on this machine.", "Use one of these kinds instead: {available}."
)
SEVERAL_SCHEDULES: Final = Text(
    "usage",
    "There are schedules for several configurations: {configs}.",
    "Name one, such as: dnsrenew schedule remove --config {first}",
)
NO_SCHEDULE_KIND: Final = Text("usage", "{kind} is not available on this machine.", "Run `dnsrenew schedule show`.")

SCHEDULE_INSTALLED: Final = Text(
    "schedule-twice", "A schedule is already installed: {title}.", "Run `dnsrenew schedule remove` first."
)
_OTHER_ACCOUNT: Final = "add the block of `dnsrenew providers acme-dns` to your configuration"
_OTHER_WAYS: Final = (
    f"{_OTHER_ACCOUNT}, and run `dnsrenew delegate NAME`: you set one CNAME record, once. (Developers: `dnsrenew "
    "providers --new NAME`.)"
)
UNKNOWN_PROVIDER: Final = Text(
    "provider-unknown",
    "No DNS host is named '{name}'.",
    f"Run `dnsrenew providers --search WORD` to find it. If your host is not listed, {_OTHER_WAYS}",
)
MISSPELT_PROVIDER: Final = Text(
    "provider-unknown",
    "No DNS host is named '{name}'.",
    "Did you mean {nearest}? If not, search with `dnsrenew providers --search WORD`; if your host is not listed, "
    f"{_OTHER_WAYS}",
)
NOTHING_FOUND: Final = Text(
    "provider-unknown", "Nothing matches '{name}'.", f"If your host is not listed, {_OTHER_WAYS}"
)
NEARLY_FOUND: Final = Text(
    "provider-unknown", "Nothing matches '{name}'.", f"Did you mean {{nearest}}? If not, {_OTHER_WAYS}"
)
SHORTER_FOUND: Final = Text(
    "provider-unknown", "Nothing matches '{name}'.", "Search for a shorter word: dnsrenew providers --search {shorter}"
)
NO_DRIVER: Final = Text(
    "provider-unknown",
    "dnsrenew has no driver for {title}.",
    f"Instead, {_OTHER_ACCOUNT}, and run `dnsrenew delegate NAME`: you set one CNAME record by hand, once.",
)
LEFT_OUT_PROVIDER: Final = Text(
    "provider-unknown",
    "The DNS host '{name}' cannot be used. {why}",
    "{instead}",
)
_SEE_ACCOUNTS: Final = "Use the name of a [dns.…] table in dnsrenew.toml: {known}."
ACCOUNT_UNKNOWN: Final = Text("account-unknown", "There is no DNS account '{account}'.", _SEE_ACCOUNTS)
ACCOUNT_MISSPELT: Final = Text("account-unknown", "There is no DNS account '{account}'.", "Did you mean {nearest}?")
ACCOUNT_UNKNOWN_NONE: Final = Text(
    "account-unknown",
    "There is no DNS account '{account}': the configuration has none.",
    "Add a [dns.…] table; `dnsrenew providers NAME` prints one to copy.",
)
MARKDOWN_ALONE: Final = Text("usage", "--markdown needs --check.", "Add --check ACCOUNT, or leave --markdown out.")
ONE_OF_PROVIDERS: Final = Text("usage", "{first} cannot be combined with {second}.", "Give one of them, not both.")
NEW_NAME: Final = Text(
    "usage",
    "'{name}' cannot be the name of a driver.",
    "Use lower-case letters, digits, - and _, with a letter first.",
)
NEW_LONG: Final = Text(
    "usage", "The name of the driver has {length} characters; at most {most} are allowed.", "Use a shorter name."
)
NEW_RESERVED: Final = Text("usage", "'{name}' cannot be the name of a driver: {reason}.", "Use another name.")
NEW_IS_KEYWORD: Final = Phrase("it is a keyword of Python")
NEW_IS_MODULE: Final = Phrase("Python has a module of this name already")
NEW_IS_TEST: Final = Phrase("pytest would take its file for a test")
NEW_IS_DEVICE: Final = Phrase("Windows reserves it for a device")
NEW_TAKEN: Final = Text("usage", "A DNS host already has the name '{name}'.", "Use another name.")
NEW_FILE_EXISTS: Final = Text("usage", "{path} already exists.", "Move or rename that file, or use another name.")
NEW_UNWRITABLE: Final = Text(
    "usage", "{path} cannot be written ({reason}).", "Change to a folder that you can write to."
)
STOPPED_AT_ONCE: Final = Text("cancelled", "Stopped at once, without cleaning up.", "Run the command again.")
STOPPED_UNFINISHED: Final = Text(
    "cancelled",
    "Stopped before the cleanup was finished.",
    "Run the command again: it first removes the TXT records that this run may have left in DNS.",
)

# ── numbers and lists ───────────────────────────────────────────────────────────────────

COUNTED_ONE: Final = "{number} {noun}"
COUNTED: Final = "{number} {noun}s"
DAYS: Final = ("{count} day", "{count} days")
HOURS: Final = ("{count} hour", "{count} hours")
MINUTES: Final = ("{count} minute", "{count} minutes")
UNITS: Final = ("{number} s", "{number} min", "{number} h")
SHORT_TIME: Final = "less than a minute"
AGO: Final = "{span} ago"
SHORTENED: Final = ((" days", " d"), (" hours", " h"), (" minutes", " min"), (" minute", " min"))
"""Words that are shortened in tables."""
HEADING: Final = "{title}:"
HEADED: Final = "{head}: {text}"
BRACKETED: Final = "{text} ({more})"
SEPARATOR: Final = ", "
SPACE: Final = " "
"""The separator of two sentences."""
CLAUSES: Final = "; "
AND_MORE: Final = "{items} and {count} more"
AND: Final = " and "
ROUTES: Final = {
    (False, False): "{challenges}",
    (False, True): "{challenges} at {ca}",
    (True, False): "{challenges} with {accounts}",
    (True, True): "{challenges} with {accounts} at {ca}",
}
"""A route, by whether it has accounts, and whether its CA is named."""

EXPECTED_VALUES: Final = {
    "duration": "a time such as 30 (seconds), 5m, 12h or 14d",
    "interval": "a time from 1m to 24h",
    "workers": "a number from 1 to 1000",
    "version": "the number of a version, as `dnsrenew status -v` lists them",
}
"""The values that an option accepts, by its kind."""

# ── events ──────────────────────────────────────────────────────────────────────────────


class EventSentence(Frozen):
    """The sentences for an event.

    :ivar activity: the next activity of the run, or "" if the event does not change it.
    :ivar line: the permanent line, or "".
    :ivar mark: the mark before the line.
    :ivar verbose: show the line only with ``-v``.
    :ivar timed: show the duration of the step.
    """

    activity: str = ""
    line: str = ""
    mark: Mark = DONE
    verbose: bool = False
    timed: bool = True


EVENTS: Final = {
    "certificate-started": EventSentence("checking DNS and the CA", "{action}: {domains}", PLAIN, timed=False),
    "certificate-started/same-name": EventSentence("checking DNS and the CA", "{action}", PLAIN, timed=False),
    "lock-waiting": EventSentence(
        "waiting for {holder}", "the {what} is locked: waiting for {holder}", PLAIN, timed=False
    ),
    "route-started": EventSentence("creating an order at {ca}", "trying {route}", PLAIN, timed=False),
    "route-failed": EventSentence("{route} failed", "{route} failed", FAILED),
    "route-failed/skipped": EventSentence("skipped {route}", "skipped {route}", FAILED, timed=False),
    "order-created": EventSentence("preparing the challenges", "order created at {ca}"),
    "order-created/some-valid": EventSentence(
        "preparing the challenges", "order created at {ca}: {valid} of {total} names already validated"
    ),
    "order-created/all-valid": EventSentence(
        "preparing the challenges", "order created at {ca}: all names already validated"
    ),
    "order-created/url": EventSentence("", "order: {url}", PLAIN, verbose=True, timed=False),
    "order-resumed": EventSentence(
        "requesting the certificate from {ca}", "resumed the order of an interrupted run at {ca}"
    ),
    "txt-writing": EventSentence("writing {values} to {zones}", "writing {records}", PLAIN, verbose=True, timed=False),
    "txt-writing/accounts": EventSentence(
        "writing {values} to {zones} with {accounts}", "writing {records}", PLAIN, verbose=True, timed=False
    ),
    "txt-by-hand": EventSentence(
        "waiting for the TXT records that you set",
        "add this TXT record at your DNS host, and keep other records of that name: {name}  {value}",
        PLAIN,
        timed=False,
    ),
    "txt-by-hand-over": EventSentence("", "you can remove this TXT record: {name}  {value}", PLAIN, timed=False),
    "txt-written": EventSentence("querying the name servers", "{values} written to {zones}"),
    "dns-waiting": EventSentence("waiting for DNS (at most {timeout})"),
    "dns-waiting/unlimited": EventSentence("waiting for DNS"),
    "dns-visible": EventSentence("requesting validation by {ca}", "visible on {servers}"),
    "dns-visible/test": EventSentence("removing the test value", "visible on {servers}"),
    "deploy-started": EventSentence("deploying to {to} {target}"),
    "deploy-waiting": EventSentence(
        "waiting for {address}", "waiting for {address} (at most {timeout})", PLAIN, timed=False
    ),
    "caches-waiting": EventSentence("waiting {seconds} for the DNS caches of {ca}"),
    "caches-waiting/long": EventSentence(
        "waiting {seconds} for the DNS caches of {ca}",
        "waiting {seconds}: a resolver of {ca} may still cache the previous value",
        PLAIN,
        timed=False,
    ),
    "http-published": EventSentence("testing the challenge responses", "{responses} {places}"),
    "http-visible": EventSentence("requesting validation by {ca}", "reachable from this machine", verbose=True),
    "http-removed": EventSentence("", "{responses} removed", timed=False),
    "challenges-answered": EventSentence("waiting for {ca} to validate {names}"),
    "authorizations-valid": EventSentence("requesting the certificate from {ca}", "{ca} validated {names}"),
    "order-finalized": EventSentence("waiting for {ca} to issue the certificate"),
    "txt-removed": EventSentence("", "{values} removed"),
    "certificate-stored": EventSentence("finishing", "certificate issued, checked and stored"),
    "kept": EventSentence("", "the stored certificate stays in use", WARNING, timed=False),
    "certificate-finished/obtained": EventSentence("", "obtained"),
    "certificate-finished/renewed": EventSentence("", "renewed"),
    "certificate-finished/rehearsed": EventSentence("", "dry run succeeded"),
    "certificate-finished/rolled-back": EventSentence("", "rolled back"),
    "certificate-finished/not-due": EventSentence("", "not due", PLAIN, verbose=True, timed=False),
    "certificate-finished/failed": EventSentence("", "failed", FAILED),
    "certificate-finished/interrupted": EventSentence("", "interrupted", WARNING),
    "certificate-finished/locked": EventSentence("", "locked by another run", WARNING),
    "certificate-finished/deferred": EventSentence("", "deferred", WARNING),
}
"""Event kind, or kind and variant, to its sentences. A warning shows ``txt-kept`` and ``http-kept``."""

ACTIONS: Final = {
    "missing": "obtaining",
    "expired": "expired, renewing",
    "revoked": "revoked, replacing",
    "changed": "changed in the configuration, renewing",
    "forced": "renewing because of --force",
}
"""Reason of a renewal to the action shown at its start."""
RENEWING: Final = "renewing"
DRY_RUN: Final = "dry run"
STARTING: Final = "starting"
THE_CA: Final = "the CA"

OTHER_CERTIFICATE: Final = "another certificate of this run"
OTHER_PROCESS: Final = "process {pid} on {host}"
OTHER_RUN: Final = "another run"

TXT_VALUE: Final = "TXT value"
RESPONSE: Final = "challenge response"
CERTIFICATE: Final = "certificate"
DNS_ACCOUNT: Final = "DNS account"
ORDER: Final = "order"
OTHER_ROUTE: Final = "other route"

SERVED: Final = "served on {listen}"
SAVED: Final = "written to {webroot}"
SERVED_AND_SAVED: Final = "served on {listen} and written to {webroot}"

SERVERS: Final = ("the name servers", "the name server", "both name servers")
ALL_SERVERS: Final = "all {total} name servers"
SOME_SERVERS: Final = "{count} of {total} name servers"
SERVERS_UPDATED: Final = "{count} of {total} name servers updated"
ONE_SERVER_UPDATED: Final = "{count} of 1 name server updated"
SERVERS_NOT_UPDATED: Final = "not updated yet: {servers}"
SERVERS_SILENT: Final = "no answer from {servers}"

DNS_PROGRESS: Final = "{activity}, {elapsed} so far: {servers}"
LEFTOVERS_REMOVED: Final = "Removed {values} that an earlier run left in {zones}."
PROGRESS: Final = "{done} of {certificates} done"
PROGRESS_FAILED: Final = "{done} of {certificates} done, {failed} failed"
MORE_CERTIFICATES: Final = "… and {certificates} in progress"
MORE_CERTIFICATE: Final = "more certificate"

# ── results of renew and run ────────────────────────────────────────────────────────────

STOPPING: Final = {
    "renewal": "Stopping: removing its TXT records. To stop at once, interrupt again.",
    "deployment": "Stopping: ending the deployment. To stop at once, interrupt again.",
    "nothing": "Stopping. To stop at once, interrupt again.",
}
"""By the activity in progress. The first one is shown."""
DELAYED: Final = "Starting in {delay} (--jitter)"
NO_CERTIFICATES: Final = "No certificates are configured."
EXPECTED_CERTIFICATE: Final = Phrase("Add a [[certificate]] with its domains.")
EXPECTED_ADDRESSES: Final = Phrase("Add a table [notify] with addresses.")
NO_HEARTBEAT: Final = "The heartbeat address gets no test message; every run over all certificates calls it."
MESSAGE_SENT: Final = "A test message was sent to {address}."
USING: Final = "Using {path}"
OUTPUT_FAILED: Final = "The result could not be written to standard output: {reason}."

HEADS: Final = {
    "obtained": "{name} obtained",
    "renewed": "{name} renewed",
    "rehearsed": "{name} dry run succeeded",
    "rehearsed-at": "{name} dry run succeeded at {ca}",
    "failed": "{name} failed",
    "dry-run-failed": "{name} dry run failed",
    "deferred": "{name} deferred",
    "deferred-until": "{name} deferred until {time}",
    "locked": "{name} locked by another run",
    "interrupted": "{name} interrupted",
    "not-due": "{name} not due",
}
"""The headline of an outcome."""

STATUSES: Final = {
    "obtained": "obtained",
    "renewed": "renewed",
    "not-due": "not due",
    "rehearsed": "dry run succeeded",
    "deferred": "deferred",
    "failed": "failed",
    "locked": "locked",
    "interrupted": "interrupted",
}
"""The statuses in the line of counts."""
COUNT: Final = "{count} {what}"

VALID: Final = "valid until {expiry}"
VALID_NEXT: Final = "valid until {expiry}, next renewal {renewal}"
VALID_DUE: Final = "valid until {expiry}, due {renewal}"
EXPIRY: Final = "{expiry}"
EXPIRY_NEXT: Final = "{expiry}, next renewal {renewal}"
EXPIRY_DUE: Final = "{expiry}, due for renewal {renewal}"
UNKNOWN: Final = "unknown"
TRIED: Final = "{route} ({orders}, {duration})"
TRIED_WITHOUT_ORDER: Final = "{route} ({duration})"
NEXT_ATTEMPT: Final = "Next attempt: {time}."
NO_ATTEMPT_BEFORE: Final = "Next attempt: not before {time}."
RETRY_OR_WAIT: Final = "not before {time}; to retry now, run: {command}"
CA_ASKED_TO_WAIT: Final = "{command} (but the CA asked to wait)"
LAST_FAILURE: Final = "{ago}: {message}"
LOST_ROUTES: Final = "{name} {status} by {route}, but {count} failed: {failures}"
FILES_IN: Final = "files: {names} in"
FILES: Final = "{folder}: {names}"
ONLY_ACCOUNT_SAVED: Final = "Only the account at {ca} was saved. {current}"

NO_CERTIFICATE: Final = "There is no certificate yet."
UNREADABLE: Final = "Could not read the current certificate."
REVOKED: Final = "The stored certificate is revoked: clients that check revocation reject it."
EXPIRED: Final = "The stored certificate expired {distance}."
STAYS: Final = "The stored certificate stays in use: valid until {expiry}."
STAYS_NOT_DUE: Final = "The stored certificate stays in use: valid until {expiry}. It is not due before {renewal}."

TARGET: Final = "{to} {target}"
DEPLOYED: Final = "deployed: {target}"
DEPLOYED_AND_SERVED: Final = "deployed: {target}, now served"
DEPLOYED_BEFORE_AND_SERVED: Final = "deployed and served: {target}"
NOT_DEPLOYED: Final = "not deployed: {target}: {error}"
PUT_BACK: Final = "not deployed: {target} (old certificate restored): {error}"

NOTHING_RENEWS: Final = "Automatic renewal is not set up yet. Run: dnsrenew schedule install"
NOTHING_RENEWS_HERE: Final = (
    "This machine has neither systemd nor cron. To renew automatically, keep this running: dnsrenew run"
)
RENEWED_BY_HAND: Final = (
    "No schedule can renew {names}, because its records are set by hand: run `dnsrenew renew` in a "
    "terminal when a renewal is due."
)

SUMMARY: Final = "{certificates}: {counts}"
SUMMARY_NEXT: Final = "{certificates}: {counts}; next renewal {renewal}"
SUMMARY_DUE: Final = "{certificates}: {counts}; the next is due {renewal}"

NEXT_CHECK: Final = "Next check: {time} (in {distance}). Nothing is due until then."
NEXT_CHECK_FOR: Final = "Next check: {time} (in {distance}), for {name}."
CONFIG_READ_AGAIN: Final = "The configuration was read again."
CONFIG_KEPT: Final = "Continuing with the previous configuration. Correct the mistake, then reload (SIGHUP)."
STOPPED: Final = "Stopped."
METRICS_SERVED: Final = "Metrics: http://{address}/metrics"
STATUS_STARTED: Final = "Started."
STATUS_RENEWING: Final = "Renewing the certificates that are due."
STATUS_STOPPING: Final = "Stopping."
STOPPED_RENEWING: Final = "Stopped. A renewal was interrupted."
LOG_LINE: Final = "{outcome}: {message} {fix}"
LOG_LINE_NEXT: Final = "{outcome}: {message} {fix} {next_attempt}"

LABELS: Final = {
    "valid-until": "valid until",
    "certificate": "certificate",
    "key": "key",
    "files": "files",
    "by": "by",
    "tried": "tried",
    "skipped": "skipped",
    "error": "error",
    "fix": "what to do",
    "found": "likely cause",
    "next": "next try",
    "last-failure": "last failure",
    "reason": "reason",
    "see": "see",
    "retry": "to retry now",
    "domains": "domains",
    "ca": "CA",
    "route": "route",
    "expires": "expires",
    "renewal": "renewal",
    "due": "renewal due",
    "deployed": "deployed",
    "account": "account",
    "contact": "contact",
    "serial": "serial",
    "version": "version",
    "issuer": "issuer",
    "website": "website",
    "documentation": "documentation",
    "options": "options",
    "when": "runs",
    "inspect": "inspect",
    "command": "then run",
    "note": "note",
    "undo": "undo",
    "off": "reason",
}
"""The labels of rows."""

# ── status ──────────────────────────────────────────────────────────────────────────────

VERSIONS: Final = {
    "current": "{number}, current, valid until {expiry}, serial {serial}",
    "older": "{number}, valid until {expiry}, serial {serial}",
    "revoked": "{number}, revoked, serial {serial}",
    "expired": "{number}, expired {expiry}, serial {serial}",
}
"""A version of a certificate that the store keeps, by its state."""
STATUS_COLUMNS: Final = ("NAME", "DOMAINS", "CA", "ROUTE", "EXPIRES", "RENEWAL", "STATE")
STATUS_COLUMNS_MANUAL: Final = ("NAME", "DOMAINS", "CA", "ROUTE", "EXPIRES", "DUE", "STATE")
"""The same if nothing renews automatically."""
RENEWAL_NOW: Final = "now"
EXPIRY_DATE: Final = "{date}, {distance}"
RENEWAL_REASONS: Final = {"ari": "{date} *"}
RENEWAL_REASON: Final = "{date} {reason}"
RENEWAL_REASONS_LONG: Final = {"ari": "{date} (suggested by the CA)"}
CHOSEN_BY_CA: Final = "* The CA suggested this renewal time."
STATE_WORDS: Final = {
    "valid": "valid",
    "due": "due",
    "missing": "missing",
    "expired": "expired",
    "revoked": "revoked",
    "unconfigured": "unconfigured",
}
"""The states of the JSON in words for people."""
STATES: Final = {
    "unknown": "unknown",
    "unreadable": "{state}, unreadable",
    "overdue": "overdue",
    "failed": "valid, renewal failed",
    "failing": "{state}, failing",
    "changed": "due (changed)",
    "undeployed": "{state}, not deployed",
}
"""The states that need more than the word of the JSON."""

COUNTS: Final = "{certificates}: {counts}"
COUNTS_FAILING: Final = "{certificates}: {counts}; {failing} need attention"
COUNTS_ONE_FAILING: Final = "{certificates}: {counts}; 1 needs attention"
NONE_FAILING: Final = "No certificate needs attention."
NONE_EXPIRING: Final = "No certificate expires within {time}."
NONE_CHOSEN: Final = "No certificate that expires within {time} needs attention."
RENEWED_BY: Final = {
    "systemd": "systemd renews automatically.",
    "cron": "cron renews automatically.",
    "launchd": "launchd renews automatically.",
    "windows": "The Task Scheduler renews automatically.",
    "run": "`dnsrenew run` is running, and renews automatically.",
}
"""What renews automatically, by the kind of schedule."""
RENEWED_BY_NAME: Final = "{renewed_by} Active: {name}."
OTHER_SCHEDULES: Final = {
    "dnsrenew": "{name} renews these certificates too. One schedule is enough.",
    "certbot": "{name} renews these certificates too, with certbot.",
}
"""The schedules that run beside another one, by program."""
OTHER_STOP: Final = "{other} To stop it, run: {command}"
OTHER_LINE: Final = "{other} To stop it, remove its line."
HALTED: Final = "Nothing renews automatically: {kind} has a job for it, but {reason}. {fix}"
MISSED_RUN: Final = "The last scheduled run was {ago}. To see its schedule and its log, run: dnsrenew schedule show"
NEVER_RAN: Final = "The schedule was installed {ago} and has not run since. To see it, run: dnsrenew schedule show"
UNCONFIGURED: Final = (
    "{names}: no longer in {path}, so nothing renews it. Add it to that file again, or run: dnsrenew remove {names}"
)
SEVERAL_UNCONFIGURED: Final = (
    "{names}: no longer in {path}, so nothing renews them. Add them to that file again, or run: dnsrenew remove NAME"
)
DEPLOY_NOW: Final = "{names}: to deploy now, run: {command}"

RETRY_NOW: Final = "{names}: to retry now, run: {command}"
RETRY_HELD: Final = "{names}: to retry now, run: {command} (but the CA asked to wait)"
START_WORKER: Final = "{names}: no worker runs. Start one: dnsrenew worker"
RUNNING_NOW: Final = "{names}: another run is working on it now; look again when it has ended"
RENEW_NOW: Final = "{names}: to obtain or renew now, run: {command}"
FAILURES: Final = {
    (True, True): "{name} failed {ago} by {route}: {message}",
    (True, False): "{name} failed {ago}: {message}",
    (False, True): "{name} failed by {route}: {message}",
    (False, False): "{name} failed: {message}",
}
"""A failure, by whether its time and its route are known."""
SAME_FAILURE: Final = "{certificates} ({names})"
UNREADABLE_CERTIFICATE: Final = "{name}: {message}"
EARLIER_FAILURE: Final = "{route}: {reason}"
EARLIER: Final = "  before that: "
FORCED_FAILURE: Final = (
    "{name}: the forced renewal failed {ago}: {message} To find the cause, run: dnsrenew doctor {name} --probe"
)
ACCOUNT_FAILED: Final = (
    "{name}: the account {account} failed in the last renewal; {used} was used. To find the cause, run: "
    "dnsrenew doctor {name} --probe"
)
NOT_DUE_BEFORE: Final = "It is not due before {renewal}. To renew it earlier, run: dnsrenew renew {name} --force"

# ── deploy, csr, install ────────────────────────────────────────────────────────────────

DEPLOYING: Final = "{name}: deploying to {to} {target}"
DEPLOYED_BEFORE: Final = "deployed before: {target}"
NOTHING_TO_DO: Final = "nothing to do for {target}: the port already serves this certificate"
NOTHING_TO_DEPLOY: Final = (
    "Nothing to deploy for {names}: its [[certificate]] in {path} names no server. Add one there, such as:\n"
    'deploy = [{{ to = "hfs" }}]'
)

CSR_NEXT: Final = (
    "Send this CSR to the issuer; its private key stays in the store. When you have the certificate, run: dnsrenew "
    "install {name} --certificate FILE"
)
CSR_PENDING: Final = (
    "{name}: its CSR was made {ago}. When you have the certificate from the issuer, run: dnsrenew install {name} "
    "--certificate FILE"
)
CERTIFICATE_FILE_MISSING: Final = Text(
    "usage", "--certificate FILE is missing.", "Add --certificate FILE, the certificate from the issuer."
)
FILE_UNREADABLE: Final = Text(
    "usage", "{path} cannot be read ({reason}).", "Set {option} to a file that exists and that you can read."
)
OLDER_QUESTION: Final = "{message} Install it anyway?"
INSTALLED: Final = "{name} installed"
INSTALLED_FOR: Final = "{name} installed: {domains}"
INSTALLED_BEFORE: Final = "{name} has this certificate already"

ROLLED_BACK: Final = "{name} rolled back"
ROLLED_BACK_BEFORE: Final = "{name} uses this version already"
STAYS_UNTIL_EDIT: Final = "It is renewed {renewal}, or earlier if you change its table in the configuration."

# ── delegate ────────────────────────────────────────────────────────────────────────────

CNAME_TO_SET: Final = "Set this record at the DNS host of {zones}, once:"
CNAMES_TO_SET: Final = "Set these records at the DNS host of {zones}, once:"
CNAME_COLUMNS: Final = ("NAME", "TYPE", "VALUE")
CNAME_SHORT: Final = "If your DNS host appends .{zone} to each name, enter only: {names}"
CNAME_WAIT: Final = (
    "Waiting until every name server shows it. To stop, press Ctrl-C; run the same command again to continue."
)
CNAME_PROGRESS: Final = "{name}, after {elapsed}: {servers}"
CNAME_SERVERS: Final = {
    "waiting": "not there yet at {servers}",
    "elsewhere": "points elsewhere at {servers}",
    "unreachable": "no answer from {servers}",
}
"""The name servers that do not show a record, by their state."""
CNAME_COUNT: Final = "{count} of {total} name servers show it"
CNAME_COUNT_ONE: Final = "{count} of 1 name server shows it"
CNAME_SEEN: Final = "{certificate}: CNAME shown by every name server ({duration})"
DELEGATIONS: Final = {
    (True, True): "{names}: delegated to the DNS account {account}, which was tested",
    (True, False): "{names}: delegated to the DNS account {account}, which was not tested",
    (False, False): "{names}: the TXT record of dns-persist-01 is at every name server, and remains there",
}
"""The result, by whether an account writes from now on and whether it was tested."""
ROUTE_WRITTEN: Final = "The route was written to {path}."
ROUTE_KEPT: Final = "The configuration needs no change: renewals already use the account {account}."
ROUTE_THERE: Final = "The configuration already has the route."
ROUTES_TO_ADD: Final = {
    "new": "Add this to the certificate {certificate} in {path}:",
    "inline": "Add this at the start of the table of the certificate {certificate} in {path}:",
    "entry": "Add this as the first entry of `routes` to the certificate {certificate} in {path}:",
    "table": "Add this before the first [[certificate.routes]] of the certificate {certificate} in {path}:",
}
"""How a person adds the lines of a route, by the form of the certificate."""
PERSIST_WANTED: Final = "The CA {ca} needs this at the DNS host of the domain:"
PERSIST_ACCEPTED: Final = "{name}: the CA {ca} would accept the TXT record there"
PERSIST_REFUSED: Final = "{name}: the CA {ca} would not accept it: the TXT record {reason}"
PERSIST_UNTIL: Final = "It is valid until {until}."
PERSIST_SOON: Final = "It is valid only until {until}: the next renewal writes a new one, or says which one to set."
PERSIST_CNAME: Final = "A CNAME record there points to {alias}."
DELEGATE_NEXT: Final = "Next, run: dnsrenew renew {names}"

# ── check, cleanup, account, revoke ─────────────────────────────────────────────────────

CONFIG_VALID: Final = "{path} is valid: {certificates}, {accounts}, all secrets readable"

NOTHING_TO_CLEAN_UP: Final = "Nothing to clean up."
NOTHING_ELSE_TO_CLEAN_UP: Final = "Nothing else to clean up."
VALUES_REMOVED: Final = "{name}: {values} removed"
VALUES_LATE: Final = "The DNS host may still write {values} from the interrupted run. The next run removes them again."
VALUES_KEPT: Final = "{name}: {values} not removed"
RECORD_NAME: Final = "{name} (account {account})"
JOURNAL_DAMAGED: Final = "{path} is damaged. TXT values that only this file lists may remain in DNS."
JOURNAL_DAMAGED_FIX: Final = (
    "Remove old TXT values from the _acme-challenge names of your domains at your DNS host, then delete the file."
)
JOURNAL_NEWER: Final = "{path} was written by a newer dnsrenew. TXT values that only this file lists may remain in DNS."
JOURNAL_NEWER_FIX: Final = "Update dnsrenew, then run: dnsrenew cleanup"

NO_ACCOUNTS: Final = "No CA accounts yet. The first order at a CA creates one."
ACCOUNT_CHANGES: Final = {
    "roll": "key replaced",
    "contact": "contact updated",
    "deactivate": "closed permanently; the next order creates a new account",
}
"""The changes, by the command."""
ACCOUNT_STATUSES: Final = {
    "valid": "valid",
    "deactivated": "closed at the CA; to get a new one with another key, run: dnsrenew account roll --compromised",
    "unknown": "not known to the CA; the next order registers it again with the same key",
}

CERTIFICATE_AND_DOMAINS: Final = "{name} ({domains})"
REVOKE_QUESTION: Final = "Revoke {certificate}? Clients that check revocation reject it at once."
REMOVE_QUESTION: Final = "Delete {certificate} from the store, with its private keys?"
OTHER_CONFIG: Final = "{name} was obtained for another configuration, {path}, which may still name it."
RECENTLY_USED: Final = "A Python program used {name} {ago} and may still need it."
RECENTLY_READ: Final = "The private key of {name} was read {ago}; a server may still use it."
STILL_DEPLOYED: Final = (
    "The deployed files remain and are served until {not_after}, then as an expired certificate: {targets}. Deploy "
    "another certificate there, or switch HTTPS off."
)
CERTIFICATE_REMOVED: Final = "{name} deleted from the store"
DEACTIVATE_QUESTION: Final = "Close the account at {cas} permanently? Certificates stay valid."
DEACTIVATE_SEVERAL_QUESTION: Final = "Close the accounts at {cas} permanently? Certificates stay valid."
REVOKING: Final = "Revoking {name} (reason: {reason})."
REVOKED_BY_ACCOUNT: Final = "{name} revoked at {ca} (reason: {reason}, signed with the account key)"
REVOKED_BY_KEY: Final = "{name} revoked at {ca} (reason: {reason}, signed with the certificate's key)"
ALREADY_REVOKED: Final = "{name} was already revoked at {ca}. The store now records it."
REPLACE: Final = (
    "To replace it now, run `dnsrenew renew {name}`. Otherwise the next run replaces it, unless you remove "
    "it from the configuration."
)
REPLACE_IN_FLEET: Final = (
    "A worker replaces it within a minute, unless you remove it from the fleet: dnsrenew fleet remove {name}"
)
NOT_REPLACED: Final = "It is not in the configuration, so nothing replaces it."

# ── doctor ──────────────────────────────────────────────────────────────────────────────

REDACT_ALONE: Final = Text(
    "usage", "--redact needs --markdown, --json or --report.", "Add one of them, or leave --redact out."
)
REPORT_UNWRITABLE: Final = Text(
    "usage", "{path} cannot be written ({reason}).", "Set --report to a file in a folder that you can write to."
)
REPORT_WRITTEN: Final = "Report: {path}"
PROBE_SERVED: Final = "Helping other machines at {address}. To stop, press Ctrl-C."

# ── providers ───────────────────────────────────────────────────────────────────────────

PROVIDER_COLUMNS: Final = ("NAME", "DNS HOST", "NEEDS")
SEARCH_COLUMNS: Final = ("NAME", "DNS HOST", "WAY")
WAY_DRIVER: Final = "driver of dnsrenew"
WAY_LEXICON: Final = "driver of dns-lexicon"
WAY_SCRIPT: Final = "script {script} of acme.sh (installed)"
WAY_SCRIPT_MISSING: Final = "script {script} of acme.sh (not installed)"
WAY_DELEGATE: Final = "a CNAME record: dnsrenew delegate NAME"
SEARCH_HINT: Final = (
    "`dnsrenew providers NAME` shows the options of a host that has a driver, `dnsrenew providers acme.sh` those "
    "of its scripts. `dnsrenew delegate NAME` works with any host: another DNS account writes, and you set one CNAME "
    "record by hand, once."
)
PROVIDERS_HINT: Final = "To see the options of one and a block to copy, run: dnsrenew providers NAME"
SEE_DOCUMENTATION: Final = "see its documentation"
OPTIONAL: Final = "{option} (optional)"
PLUGIN_OPTIONS: Final = "see the documentation of the plug-in"
NO_OPTIONS: Final = ("none", "")
PROVIDER_NEEDS: Final = "Options"
PROVIDER_BLOCK: Final = "For dnsrenew.toml"
PROVIDER_BLOCK_NOTE: Final = "  (choose any name after dns.)"
SCRIPTS_FOUND: Final = "Scripts on this machine"
NO_SCRIPTS: Final = "none: acme.sh is not installed"
OR: Final = "or"
SCRIPT_HINT: Final = (
    "dnsrenew has no driver of its own for {title}. It runs the script {script} of acme.sh, which must be installed on "
    "this machine. Its first lines name the variables for `env`; `dnsrenew providers acme.sh` lists those of installed "
    f"scripts. Without acme.sh, {_OTHER_ACCOUNT}, and run `dnsrenew delegate NAME`, which needs no API of {{title}}."
)
PROVIDER_LIMITS: Final = "Behaviour"
WAITS: Final = "New values can take up to {timeout} to appear."
WAITS_LONGER: Final = "New values can take up to {timeout} to appear, then dnsrenew waits {settle} more."
ONE_VALUE_A_ZONE: Final = "The whole zone can have only one TXT value, so names are validated one after the other."
ONE_VALUE_A_NAME: Final = "A name can have only one TXT value, so values are validated one after the other."
TWO_VALUES: Final = "A name can have only its two newest TXT values, so other names are validated one after the other."
DELEGATED: Final = "It writes only names that a CNAME record points to. To set one, run: dnsrenew delegate NAME"
BY_HAND: Final = "You set the records by hand, so renewals need a terminal."
EXCLUSIVE: Final = "Only one run at a time can write to this DNS host."
REMOVES_NOTHING: Final = "You don't have to remove its values."
MUST_SHOWN: Final = "{must}."
MUST_NOT_TESTED: Final = "Not tested: {must} {reason}"
CHECK_WAITS: Final = "Waiting until the name servers show the change at {name}, for up to {duration}."
CHECK_SUMMARY: Final = "{account} in {zone}: {ok} kept, {broken} broken, {left} not tested"
VERDICTS: Final = {"ok": "kept", "broken": "broken", "not-tested": "not tested"}
"""The result for a MUST, in a report."""
REPORT_ABOUT: Final = (
    "{title} ({provider}, driver {driver}), checked with dnsrenew {version}, Python {python} on {system}, on {date}"
)
NEW_WRITTEN: Final = "Written: {files}"
NEW_NEXT: Final = "Next, run: python -m pytest {test}"

# ── schedule ────────────────────────────────────────────────────────────────────────────

SCHEDULE_STATES: Final = {
    "none": "{title}: not installed",
    "same": "{title}: installed",
    "older": "{title}: installed, but outdated: installing it again would change it",
    "other": "{title}: installed for another configuration",
    "foreign": "{title}: not installed by dnsrenew",
}
SCHEDULE_INACTIVE: Final = "The schedule is installed ({title}), but not active, so nothing renews."
SCHEDULE_HALTED: Final = "The schedule is installed ({title}), but {reason}, so nothing renews."
SCHEDULE_NOW: Final = "`dnsrenew renew` now runs automatically: {title}"
SCHEDULE_ALREADY: Final = "`dnsrenew renew` already runs automatically: {title}"
SCHEDULE_TIMES: Final = "daily at {times} and {last}, each time with a random delay of up to an hour"
SCHEDULE_REMOVE: Final = "dnsrenew schedule remove"
SCHEDULE_INSTALL: Final = "Run: dnsrenew schedule install"
SCHEDULE_OTHER_MACHINE: Final = "This is for another machine, because this one has no {kind}. Adapt the paths."
SCHEDULE_BY_HAND: Final = "{renewed_by} It was not installed by `dnsrenew schedule install`."
SCHEDULERS: Final = {"systemd": "systemd", "cron": "cron", "launchd": "launchd", "windows": "Windows Task Scheduler"}
"""The programs that run a schedule, by its kind."""
SCHEDULE_MISSING: Final = "No schedule is installed. Nothing renews automatically."
SCHEDULE_FLEET: Final = "No schedule is installed: workers renew the certificates of a fleet."
SCHEDULE_WORKER: Final = "Run, on one machine or more: dnsrenew worker"
SCHEDULE_PREVIEW: Final = "This would be installed: {title}, {times}."
SCHEDULE_PREVIEW_EXAMPLE: Final = (
    "This would be installed: {title}, {times}. No configuration was found; {example} is a placeholder for yours."
)
SCHEDULE_REMOVED: Final = "removed: {title} ({paths})"
SCHEDULE_REMOVED_FOR: Final = "removed: {title} ({paths}), which ran {config}"
SCHEDULE_NOT_REMOVED: Final = "No schedule is installed, so nothing was removed."
SCHEDULE_ELSEWHERE: Final = (
    "{title}: installed for {config}. To remove it, run: dnsrenew schedule remove --config {config}"
)
COMMAND_FAILED: Final = "{command} failed. {fix}"
FROM_ENVIRONMENT: Final = (
    "{names} is read from the environment, which scheduled runs do not have. Store it in a file that only you can "
    "read, and replace env:{first} with file:PATH in {path}."
)
FROM_ENVIRONMENT_ALL: Final = (
    "{names} are read from the environment, which scheduled runs do not have. Store each in a file that only you "
    "can read, and replace env:{first} with file:PATH in {path}."
)

# ── import ──────────────────────────────────────────────────────────────────────────────

IMPORTED: Final = "{certificates} and {accounts} were imported from {tools}. Nothing was ordered."
IMPORT_INIT: Final = "To obtain a certificate, run: dnsrenew init"
IMPORTED_NOTHING: Final = "{tools} has only settings, and no certificate or account to take over. Nothing was ordered."
IMPORT_INTO: Final = (
    "The import will write to {path} and {store}. To choose another place, stop and use --config, for example "
    "--config /etc/dnsrenew/dnsrenew.toml."
)
IMPORTED_BEFORE: Final = "{tools} was imported before; the configuration is not changed."
TABLES_TO_ADD: Final = "Add this to the configuration for the certificate {certificate}:"
SERVER_URL: Final = Text(
    "usage",
    "The value of --server is not an https URL.",
    "Write the directory URL of the CA, such as https://ca.example.com/acme/directory.",
)
NOT_IMPORTED: Final = "{certificate} (not imported; the next renew obtains it)"
CA_ACCOUNT: Final = "account"
WROTE: Final = "written: {path}"
IMPORT_NEXT: Final = "What to do next:"

# ── init ────────────────────────────────────────────────────────────────────────────────

PROMPT: Final = "[{default}]:"
PROMPT_END: Final = ":"
PROMPT_FOUND: Final = "[{default}, {source}]:"
INIT_START: Final = (
    "This asks a few questions and then writes {path}. Press Enter to accept the answer in brackets, ? for "
    "help, Ctrl-C to stop without writing a configuration."
)
INIT_REHEARSING: Final = "Dry run at the CA's staging server; it saves only the account there."
INIT_OBTAINING: Final = "Obtaining the certificate."
INIT_CHANGES: Final = "Change these lines once, then reload the server:"
INIT_DEPLOY: Final = "Then run `dnsrenew deploy{option}`: it checks that the server serves the certificate."
INIT_UNFINISHED: Final = (
    "The configuration remains in {path}. When the problem is solved, run `dnsrenew renew{option}`, then "
    "`dnsrenew schedule install{option}`."
)
INIT_UNFINISHED_ALONE: Final = (
    "The configuration remains in {path}. When the problem is solved, run: dnsrenew renew{option}"
)
INIT_UNSCHEDULED: Final = "Automatic renewal is not set up yet. Run: dnsrenew schedule install{option}"
INIT_HALTED: Final = "Done, except that nothing renews automatically yet: {reason}. {fix}"
INIT_SCHEDULED: Final = (
    "Done. The existing schedule renews this certificate too; `dnsrenew schedule show{option}` tells you if you "
    "must install it again."
)
INIT_DONE: Final = "Done. To see the certificate, run `dnsrenew status{option}`. The settings are in {path}."

# ── export and restore ──────────────────────────────────────────────────────────────────

STDOUT_AND_JSON: Final = Text("usage", "- cannot be combined with --json.", "Name a file, or leave --json out.")
STDOUT_IS_TERMINAL: Final = Text(
    "usage", "An export cannot be written to a terminal.", "Name a file, or send the output to another program."
)
PASSPHRASE_ALONE: Final = Text(
    "usage", "--passphrase-file needs --secrets.", "Add --secrets, or leave --passphrase-file out."
)
PASSPHRASE_MISSING: Final = Text(
    "usage",
    "The command needs a passphrase, but there is no terminal to ask for it.",
    "Add --passphrase-file FILE; FILE can be a pipe, such as that of a password manager.",
)
PASSPHRASE_SHORT: Final = Text(
    "usage",
    "The passphrase has fewer than {least} characters.",
    "Choose a longer one: short passphrases can be guessed.",
)
PASSPHRASES_DIFFER: Final = Text(
    "declined", "Nothing was exported, because the two passphrases differ.", "Run the command again."
)
NOT_SEALED: Final = Text(
    "usage", "{path} is not sealed, so it has no passphrase.", "If this is the right file, leave --passphrase-file out."
)
ASK_NEW: Final = "Passphrase for the new file:"
ASK_AGAIN: Final = "Enter it again:"
ASK_KNOWN: Final = "Passphrase:"
NOT_UTF8: Final = "it is not UTF-8"
STANDARD_OUTPUT: Final = "standard output"
EXPORTED: Final = "{certificates} and {accounts} exported to {file}, without keys and secrets"
EXPORTED_SEALED: Final = "{certificates} and {accounts} exported to {file}, with keys and secrets, sealed"
MASKED: Final = "{place}: {key} is masked"
KEPT_ARGUMENTS: Final = "{place}: {key} is in the file unchanged; make sure that it contains no secret"
REFERRED: Final = "{place}: {key} is read from {reference}, which is not in the file"
LEFT_OUT: Final = "{path} was left out: {reason}"
RESTORED: Final = "{certificates} and {accounts} restored"
RESTORED_WITHOUT_KEYS: Final = "restored the configuration and the state of {certificates}, without keys and secrets"
RESTORED_CONFIG: Final = "configuration"
RESTORED_STORE: Final = "store"
FILL_IN: Final = "Fill in {key} in {place}."
SUPPLY_REFERENCE: Final = "Make {reference} available on this machine: {key} in {place} is read from it."
COPY_FILE: Final = (
    "Copy the file from the old machine to {path}: the configuration uses it, but the export did not contain it."
)
CHANGE_PATHS: Final = "Change the absolute paths in {path}: they still name the folder of the old machine."
CHECK_FIRST: Final = "Check the configuration: dnsrenew check{config}"
RENEW_KEYLESS: Final = "Obtain the {certificates} whose private key is missing: dnsrenew renew{config}"
DEPLOY_HERE: Final = "If the servers here do not have the certificates: dnsrenew deploy --force{config}"
SCHEDULE_HERE: Final = "Renew automatically from now on, and only here: dnsrenew schedule install{config}"

# ── a fleet: worker, fleet status ───────────────────────────────────────────────────────

WORKER_READY: Final = "Waiting for certificates that are due; {certificates} at once."
WORKER_WAITING: Final = "{error} Retrying until the database answers."
WORKER_BACK: Final = "The database answers again."
WORKER_STOPPING: Final = "Stopping: certificates in progress finish within a minute, the rest return to the queue."
WORKER_DONE: Final = "Stopped. Renewed: {renewed}, failed: {failed}."
FLEET_EMPTY: Final = "The fleet has no certificates. Add some: dnsrenew fleet add FILE"
FLEET_EXAMINED: Final = (
    "Examined {examined} of {total} certificates, first those that fail, then those due soonest. To examine "
    "others, name them."
)
FLEET_EMPTY_TAG: Final = "No certificate of the fleet has the tag {tag}."
FLEET_STORED: Final = (
    "{count} are stored, but no worker renews them: run `dnsrenew fleet sync`, or `dnsrenew fleet add FILE`"
)
FLEET_COUNTS: Final = "{certificates}: {states}"
FLEET_STATE: Final = "{count} {state}"
FLEET_DUE: Final = "{due} due, {failing} failing"
FLEET_HEADINGS: Final = {
    "overdue": "Waiting the longest",
    "workers": "Workers",
    "hour": "Certificates in the last hour",
    "limits": "Limits of the CAs",
    "lacking": "Not renewed: a DNS account or CA is missing from the configuration of the workers",
    "refused": "Not renewed: the workers refuse their settings in the database (to see why: `dnsrenew status NAME`)",
    "owed": "Servers of this machine may still be stopped, because these programs have not run (to run them: "
    "`dnsrenew cleanup`)",
}
FLEET_NO_WORKER: Final = "start one: dnsrenew worker"
FLEET_WORKER: Final = "{pid} on {host}"
FLEET_IDLE: Final = "nothing to do"
FLEET_NONE: Final = "none"
FLEET_SINCE: Final = "for {span}"
FLEET_TAKES_ORDERS: Final = "accepts orders"
FLEET_LEFT: Final = "accepts about {orders} now"
FLEET_ORDERS: Final = "order"
FLEET_UNTIL: Final = "accepts no orders until {time}"
FLEET_PAUSED: Final = "has paused the account: {url}"
FLEET_HELD: Final = "{limits}; would refuse {sets} now"
FLEET_SETS: Final = "name set"

# ── a fleet: init, add, sync, remove, load, dump ────────────────────────────────────────

FLEET_FILE_UNREADABLE: Final = Text(
    "fleet-file-unreadable",
    "{file} cannot be read: {reason}.",
    "Name a file of JSON lines, or - for standard input.",
)
NAMES_OR_TAG: Final = Text(
    "usage",
    "Neither certificate names nor --tag are given.",
    "Name certificates, or add --tag TAG.",
)
NAMES_AND_TAG: Final = Text(
    "usage", "--tag cannot be combined with certificate names.", "Give names or --tag TAG, not both."
)
FLEET_READY: Final = "The tables in {place} are ready (version {version})."
FLEET_SEALED: Final = "{keys} sealed with the first seal."
FLEET_KEYS: Final = "private key"
FLEET_ADDED: Final = "{added} added, {changed} changed, {same} unchanged"
FLEET_NEXT: Final = "Workers pick them up within a minute. If none runs: dnsrenew worker"
FLEET_REMOVE_QUESTION: Final = "Remove {certificates} ({names}) from the fleet, and delete private keys?"
FLEET_REVOKE_QUESTION: Final = (
    "Revoke {revoked}, then remove {certificates} ({names}) from the fleet, and delete private keys?"
)
FLEET_REMOVED: Final = "{certificates} removed from the fleet"
FLEET_REVOKED: Final = "{revoked} revoked, {certificates} removed from the fleet"
FLEET_LOADED: Final = "{certificates} and {accounts} written into the database"
FLEET_DUMPED: Final = "{certificates} and {accounts} written into {folder}"
FLEET_KEPT: Final = "{certificates} unchanged: the stored version is as new or newer"
FLEET_KEPT_ACCOUNT: Final = "The account at {ca} was not replaced: another one is stored already."
FLEET_DAMAGED: Final = "{name} was left out: files of its certificate are missing or damaged."
FLEET_JOURNAL: Final = "Interrupted runs left TXT records in DNS. Remove them: dnsrenew cleanup"
FLEET_LOAD_NEXT: Final = (
    "Add them to the fleet, so that workers renew them: `dnsrenew fleet sync`, or `dnsrenew fleet add FILE`"
)
