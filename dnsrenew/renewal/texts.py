"""The texts of errors and warnings about a renewal."""

from __future__ import annotations

from typing import Final

from dnsrenew.config.texts import STAGING
from dnsrenew.errors import Phrase, Text

NOT_OFFERED: Final = Text(
    "ca-no-challenge",
    "The CA {ca} does not offer {challenge} for {identifier}. It offers {offered}.",
    "Use another route or another CA for this name.",
)
NOTHING_OFFERED: Final = Text(
    "ca-no-challenge",
    "The CA {ca} offers no challenge for {identifier}.",
    "Use another route or another CA for this name.",
)
NOT_ORDERED: Final = Text(
    "ca-no-challenge",
    "The CA {ca} requires a validation for a name that was not ordered: {identifier}.",
    "Use another CA.",
)
ACCOUNT_PINNED: Final = Text(
    "account-pinned",
    "The key of the account {account_url} at the CA {ca} is damaged or missing. No new account is created, because CAA "
    "records allow only this one for {identifiers}: {records}.",
    "Restore {path} from a backup. If you have none, remove accounturi from these records, run `dnsrenew "
    "renew`, and add the new account to them.",
)
ACCOUNT_PINNED_BY_TXT: Final = Text(
    "account-pinned",
    "The key of the account {account_url} at the CA {ca} is damaged or missing. No new account is created, because "
    "records in DNS allow only this one for {identifiers}: {records}.",
    "Restore {path} from a backup. If you have none, delete these TXT records (in a CAA record, only "
    "accounturi), run `dnsrenew renew`, and set records for the new account.",
)
KEY_NOT_REUSED: Final = Text(
    "store-damaged",
    "{path} cannot be reused ({cause}). dnsrenew makes a new key, even though reuse_key is set.",
    "Publish the new key wherever the old one is pinned, for example in TLSA records.",
)
BEFORE_FAILED: Final = Text(
    "listen-before-failed",
    "The program {program}, which should free the port before a renewal, failed: {cause}.",
    "Correct `before` in its [[certificate]] table, or use dns-01, which needs no port.",
)
AFTER_FAILED: Final = Text(
    "listen-after-failed",
    "The program {program}, which should run after a renewal has used the port, failed: {cause}.",
    "Run it by hand, then correct `after` in the [[certificate]] table. The next run tries this command again: "
    "{command}",
)
DEBT_PAID: Final = Text(
    "listen-after-owed",
    "A server may have been stopped since {since}, for the renewal of {name}: the program that starts it again had not "
    "run, or had failed. It has now run: {command}",
    "Check that the server is running, and find out what went wrong: dnsrenew doctor {name}",
)
DEBT_NOT_PAID: Final = Text(
    "listen-after-failed",
    "A server may be stopped since {since}, for the renewal of {name}: the program that starts it again failed: "
    "{cause}.",
    "Run it by hand; each run of dnsrenew tries this command again until it succeeds: {command}",
)
DEBT_UNTRUSTED: Final = Phrase("others can change {part} on the way to {path}, so it did not run")
DEBT: Final = Text(
    "listen-after-owed",
    "A server may be stopped since {since}, for the renewal of {name}: the program that should start it "
    "again has not run, or has failed: {command}",
    "Run `dnsrenew cleanup`, which runs it; the next renewal runs it too.",
)
DEBT_UNREADABLE: Final = Text(
    "store-damaged",
    "{path} cannot be read. It names a program that starts a server again after a renewal.",
    "Start the server by hand, then delete {path}. If a newer version of dnsrenew wrote it, run `dnsrenew "
    "cleanup` of that version.",
)
NO_PRIVATE_KEY: Final = Phrase("it contains no private key")
NO_STAGING: Final = Text(
    "no-staging",
    "The CA {ca} has no staging server for a dry run.",
    STAGING.template,
)
STAGING_STAND_IN: Final = Text(
    "staging-stand-in",
    "The CA {ca} has no staging server. The dry run uses {staging} instead.",
    "This dry run does not test your account at {ca}; only a real renewal does.",
)
FAILED_BEFORE: Final = Text(
    "failed-before",
    "The last attempt failed.",
    "To try again at once, use {now_option}.",
)
DEFERRED: Final = Text(
    "",
    "{cause} The next attempt is made after {until}; to try at once, use {now_option}.",
    "{cause_fix}",
)
"""The last failure of a deferred certificate. It keeps the code of the failure."""
ARI_EXPLANATION: Final = Text(
    "ari-explanation",
    "The CA explains the suggested renewal window at {url}",
    "Open that page: it says why the CA wants an earlier renewal.",
)
RENEW_BEFORE_LONG: Final = Text(
    "renew-before-too-long",
    "`renew_before` is not shorter than the lifetime of the certificate ({begin} to {end}), so dnsrenew does not "
    "use it.",
    'Use a shorter time, or a part of the lifetime such as "1/3".',
)
CSR_COMPROMISED: Final = Text(
    "csr-compromised",
    "The key of the request {path} was revoked as compromised, so dnsrenew orders no certificate for it.",
    "Make a new key and a new request, and write the request to the same file.",
)
LIFETIME_DIFFERS: Final = Text(
    "lifetime-differs",
    "The certificate ends at {not_after}, but `lifetime` asked for {wanted}: the CA chose another lifetime.",
    "Remove `lifetime`, or set it to a value that the CA accepts.",
)
ARI_PAST_WINDOW: Final = Text(
    "ari-past-window",
    "The renewal window that the CA suggests is in the past, as it was for the previous certificate. dnsrenew "
    "renews for such a window at most once a day, so not before {until}.",
    "Ask the CA why it suggests past windows for new certificates.",
)
NO_ROUTE_LEFT: Final = Text(
    "no-route-left",
    "No route is left for {identifiers}.",
    "Add a route, or a DNS account that can write its TXT record.",
)
SAME_FOR: Final = Text("", "{first} Same for {others}.", "{first_fix}")
"""An error that is the same for several names of a route."""
SAME_FOR_MORE: Final = Text("", "{first} Same for {others} and {more} more.", "{first_fix}")
