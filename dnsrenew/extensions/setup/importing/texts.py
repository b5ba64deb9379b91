"""The texts of ``dnsrenew import``: what was not imported, and why. They never contain secrets."""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Phrase, Text

# ── reasons: a field of other texts ─────────────────────────────────────────────────────

TOO_LARGE: Final = Phrase("it is too large")
TOO_MUCH: Final = Phrase("it has blocks nested too deeply, or imports too much")
TOO_MANY_NAMES: Final = Phrase("it contains too many domains")
NOT_UNICODE: Final = Phrase("it contains text that is not valid Unicode")
NO_JSON: Final = Phrase("it is not a JSON object")
EMPTY: Final = Phrase("it is empty")
NO_KEY: Final = Phrase("it contains no private key of a supported kind")
NOT_A_PAIR: Final = Phrase("the private key does not match the certificate")
NO_DOMAINS: Final = Phrase("its domains are unknown, because {file} is missing or contains no certificate")
NO_CERTIFICATE: Final = Phrase("it contains no certificate")
PEM_FILES: Final = Phrase("PEM files")
TOOL_IN_FOLDER: Final = Phrase("{tool} in {folder}")
FILE_HEAD: Final = Phrase("Written by `dnsrenew import` from {tools}.")
FILE_FROM: Final = Phrase("from {source}")
FILE_AGREED: Final = Phrase("as when the accounts were created")
FILE_NOT_IMPORTED: Final = Phrase("Not imported, or only in part:")

# ── any tool ────────────────────────────────────────────────────────────────────────────

UNREADABLE: Final = Text(
    "import-unreadable",
    "{file} cannot be read: {reason}.",
    "Run the command as the user that owns the file.",
)
MISSING: Final = Text(
    "import-unreadable",
    "{file} does not exist.",
    "Restore it from a backup, or continue without it.",
)
WEBROOT_MISSING: Final = Text(
    "import-unreadable",
    "The webroot {file} does not exist.",
    "Create it, or correct `webroot` in the configuration.",
)
NOT_BELIEVED: Final = Text(
    "import-untrusted",
    "{file} was not used, because other users can change {part} (owner {owner}, mode {mode}).",
    "Read it, and copy the settings that you need into the configuration.",
)
DAMAGED: Final = Text(
    "import-damaged",
    "{file} is damaged or incomplete: {reason}.",
    "Restore it from a backup, or let dnsrenew obtain a new certificate.",
)
SETTING_UNKNOWN: Final = Text(
    "import-not-understood",
    "The setting {key} was not imported: it has no known equivalent in dnsrenew.",
    "Look for a similar key in docs/reference/configuration.md.",
)
MUST_STAPLE: Final = Text(
    "import-not-understood",
    "The TLS feature extension (must-staple) is not supported; the next certificate of {name} does not have it.",
    "Do nothing: CAs no longer issue certificates with it.",
)
NOT_RENEWED: Final = Text(
    "import-not-understood",
    "certbot was configured not to renew {name} automatically; dnsrenew renews every certificate of its configuration.",
    "If you no longer need it, remove its [[certificate]] from the configuration.",
)
KEY_KIND: Final = Text(
    "import-not-understood",
    "The key type {kind} is not supported; the next certificate of {name} will have the key type {used}.",
    "Choose another one with `key` in the configuration.",
)
NO_DIRECTORY: Final = Text(
    "import-ca-unknown",
    "The directory URL of the CA {ca} is unknown, so its account was not imported.",
    "Import into a new configuration with --server URL, the directory URL of the CA. Or add [ca.NAME] with "
    "`directory` to the configuration: dnsrenew then creates a new account.",
)
LEGO_CONFIG: Final = Text(
    "import-not-understood",
    "The configuration file of lego was not read.",
    "Compare its challenges, accounts and certificates with the new configuration.",
)

# ── proving names ───────────────────────────────────────────────────────────────────────

PLUGIN_UNKNOWN: Final = Text(
    "import-dns-unknown",
    "The authenticator {plugin} of {name} has no equivalent.",
    "Add a route to the certificate. To list the DNS hosts, run: dnsrenew providers",
)
NO_AUTHENTICATOR: Final = Text(
    "import-dns-unknown",
    "{file} names no authenticator for {name}.",
    "Add a route to the certificate. To list the DNS hosts, run: dnsrenew providers",
)
CREDENTIALS_UNKNOWN: Final = Text(
    "import-dns-unknown",
    "The credentials for {plugin} were not found: {missing}.",
    "Add the missing options. To list them, run: dnsrenew providers {provider}",
)
ENVIRONMENT_UNKNOWN: Final = Text(
    "import-dns-unknown",
    "The validation method of {name} is unknown, because {tool} does not store it.",
    "Add a route to the certificate. To list the DNS hosts, run: dnsrenew providers",
)
EDITS_SERVER: Final = Text(
    "import-webroot-guessed",
    "certbot edited the configuration of {server} to validate {name}; dnsrenew puts the responses into {webroot} "
    "instead.",
    "To test it, run: dnsrenew renew --dry-run {name}",
)
EDITS_SERVER_UNKNOWN: Final = Text(
    "import-dns-unknown",
    "certbot edited the configuration of {server} to validate {name}, but no webroot of it was found.",
    'Add a route such as {{ challenge = "http-01", webroot = "/var/www/html" }} to the certificate.',
)
NO_TLS_CHECK: Final = Text(
    "import-not-understood",
    "The previous tool did not check the certificate of the CA's own server; dnsrenew always checks it.",
    "Set `trust` in the table of the CA to its root certificates.",
)
# ── hooks ───────────────────────────────────────────────────────────────────────────────

HOOK_GONE: Final = Text(
    "import-hook-gone",
    "The hook {program} does not exist, so it was not imported.",
    "Add its actions to `deploy` of the certificate.",
)
HOOK_PROVES: Final = Text(
    "import-hook-gone",
    "The manual hook {program} does not exist, so the validation of {name} was not imported.",
    "Add a route to the certificate. To list the DNS hosts, run: dnsrenew providers",
)
HOOK_CLEANS: Final = Text(
    "import-hook-gone",
    "The cleanup hook {program} of {name} does not exist, so TXT values remain after a renewal.",
    "Add the removal of the values to `program` of the DNS account.",
)
HOOK_BEFORE: Final = Text(
    "import-not-understood",
    "A program that ran before each renewal was not imported, because {name} needs no free port.",
    "If the program only freed a port, do nothing; otherwise run it yourself.",
)
HOOK_AFTER: Final = Text(
    "import-hook-after",
    "A program that ran after each try for {name} now runs after each new certificate.",
    "If the program makes servers load the certificate, do nothing; otherwise remove it from `deploy`.",
)
HOOK_MANUAL: Final = Text(
    "import-dns-unknown",
    "The manual hooks of {name} validate domains by {challenge}, for which dnsrenew runs no program.",
    "Add a route with `listen` or `webroot` to the certificate.",
)

# ── several tools, the store ────────────────────────────────────────────────────────────

TWO_TOOLS: Final = Text(
    "import-twice",
    "{tool} has a certificate {name} for the domains of {newer}, and {other} has one too; the newer one was imported.",
    "Change the servers that use the older files so that they use the new ones.",
)
HOOK_READS: Final = Text(
    "import-hook-reads",
    "The program that runs after each new certificate of {name} uses {path}, which the other tool no longer updates.",
    "Make it read the files in RENEWED_LINEAGE, or in DNSRENEW_FULLCHAIN and DNSRENEW_PRIVKEY.",
)
CLIENT_AUTH_GONE: Final = Text(
    "client-auth-gone",
    "{server} ({file}) also uses this certificate to log in to other servers. Public CAs have not issued "
    "client certificates since 2026-07-08.",
    "For these logins, use a client certificate from a CA of your own, or another method.",
)
SEVERAL_WEBROOTS: Final = Text(
    "import-not-understood",
    "The domains of {name} use several webroots; dnsrenew tries them in order for each domain.",
    "To test it, run: dnsrenew renew --dry-run {name}",
)
NOT_CONFIGURED: Final = Text(
    "import-not-configured",
    "The certificate {name} is not in the configuration, so dnsrenew does not renew it.",
    "Add its tables, which this import shows, to the configuration, then run the import again.",
)
ACCOUNT_UNUSABLE: Final = Text(
    "import-account-unusable",
    "The account at {ca} has a kind of key that dnsrenew cannot sign with.",
    "Continue without it: dnsrenew creates a new account when it needs one.",
)
ACCOUNT_KEPT: Final = Text(
    "import-account-kept",
    "The store already has another account at {ca}, so this one was not imported.",
    "To keep using the account, set `store` in the configuration to another folder.",
)
CERTIFICATE_KEPT: Final = Text(
    "import-certificate-kept",
    "The store already has a certificate {name} that is valid for longer, so this one was not imported.",
    "Do nothing: the certificate in the store is used.",
)
CERTIFICATE_UNUSABLE: Final = Text(
    "import-certificate-unusable",
    "The certificate {name} was not imported: {reason}",
    "Run `dnsrenew renew` to obtain a new one.",
)
TERMS: Final = Text(
    "import-terms",
    "No account was found, so you have not agreed to the terms of service of the CA yet.",
    "Read them and add `agree_terms = true` to the configuration; `dnsrenew check` shows their address.",
)

# ── errors ──────────────────────────────────────────────────────────────────────────────

NOTHING_FOUND: Final = Text(
    "import-nothing-found",
    "dnsrenew found nothing to import in {places}.",
    "Name the folder of the tool: dnsrenew import{option}",
)
NOT_A_FOLDER: Final = Text(
    "import-nothing-found",
    "{path} is not the folder of a supported tool ({kinds}), and contains no certificate with its key.",
    "Name the folder of the tool, such as /etc/letsencrypt.",
)
TOOL_NOT_PATH: Final = Text(
    "import-nothing-found",
    "{path} does not exist, and {tool} is the name of a tool.",
    "Run: dnsrenew import{option}",
)
NO_SUCH_PATH: Final = Text(
    "import-nothing-found",
    "{path} does not exist.",
    "Name the folder of the tool, such as /etc/letsencrypt.",
)
CONFIG_EXISTS: Final = Text(
    "import-config-exists",
    "{path} already exists, and an import does not overwrite a configuration.",
    "Name another file, such as --config {other}, and copy the parts that you need.",
)
UNTRUSTED_FOLDER: Final = Text(
    "import-untrusted",
    "{part} belongs to {owner}, so {owner} decides what {path} contains, but dnsrenew runs as {user}.",
    "Run the import as that user: sudo -u {account} dnsrenew import{option}",
)
UNTRUSTED_FILE: Final = Text(
    "import-untrusted",
    "Users other than {user} can change {path} (owner {owner}, mode {mode}), so nothing was imported.",
    "Read it, remove everything that you did not put there, then run: {command}",
)
UNTRUSTED_WAY: Final = Text(
    "import-untrusted",
    "Users other than {user} can change {part} (owner {owner}, mode {mode}), so they could replace {path}; nothing was "
    "imported.",
    "Move the file to a folder that only {user} can change, or accept the risk with --insist.",
)
NOT_NAMED: Final = Text(
    "import-unwritable",
    "The configuration cannot contain the path {path}, because it is not valid Unicode.",
    "Rename it, and run the import again.",
)
UNWRITABLE: Final = Text(
    "import-unwritable",
    "{path} cannot be written: {reason}.",
    "Run the command as a user that is allowed to write it, or name another file with --config.",
)

# ── the next steps ──────────────────────────────────────────────────────────────────────

STEP_COMPLETE: Final = Phrase("Complete the configuration: {mistake}")
STEP_PLACEHOLDER: Final = Phrase("In {path}, replace change-me with the values of the missing options.")
STEP_MANUAL: Final = Phrase(
    "In {path}, replace the account manual in the routes of {names} with your DNS host: `dnsrenew "
    "providers NAME` prints its block, `dnsrenew init` in an empty folder asks for it."
)
STEP_MANUAL_ROUTE: Final = Phrase("In {path}, replace the route of {name} that uses the account manual with: {route}")
STEP_PORT_ROUTE: Final = Phrase(
    "{name} can be renewed only if port {port} is open. If it is closed, add {route} to its routes: DNS needs no "
    "open port."
)
STEP_PORT_ACCOUNT: Final = Phrase(
    "{name} can be renewed only if port {port} is open. If it is closed, add a DNS account (`dnsrenew "
    "providers NAME` prints its block, `dnsrenew init` in an empty folder asks for it), and {{ challenge = "
    '"dns-01" }} to its routes.'
)
STEP_PORT_INIT: Final = Phrase(
    "{name} can be renewed only if port {port} is open. If it is closed, delete {path}, start HFS and run "
    "`dnsrenew init{config}`: it finds HFS, and asks for your DNS host."
)
STEP_MANUAL_INIT: Final = Phrase(
    "{names} cannot be renewed yet. Delete {path}, start HFS and run `dnsrenew init{config}`: it finds HFS, and "
    "asks for your DNS host."
)
STEP_ADD: Final = Phrase(
    "Add the tables of {names}, which are shown above, to {path}, then run `dnsrenew import{option}` again."
)
STEP_DEPLOY: Final = Phrase("Write the new files for your servers: dnsrenew deploy{config}")
STEP_LINE: Final = Phrase("In line {line} of {file}, write: {new}")
STEP_FOLDER: Final = Phrase(
    "Replace the old folder with {new} in {count} lines of your server configuration: {command}"
)
STEP_TEST: Final = Phrase("Check the configuration of {server}: {command}")
STEP_RELOAD: Final = Phrase("Reload {server}: {command}")
STEP_AGAIN: Final = Phrase(
    "Run `dnsrenew import{option}` again: when every server uses its new files, it shows how to stop {tool}."
)
STEP_STOP_UNKNOWN: Final = Phrase(
    "No timer, unit or crontab that runs {tool} on {folder} was found. Find out how it is started, and stop it."
)
STEP_STOP_UNKNOWN_LATER: Final = Phrase(
    "No timer, unit or crontab that runs {tool} on {folder} was found. Fix the problems with {causes} or accept "
    "them, then find out how {tool} is started, and stop it."
)
WITHHELD_NOTHING: Final = Phrase("Nothing was imported.")
WITHHELD_LINES: Final = Phrase("Servers use the files of {tool}: {files}.")
SEEN_NOT_STORED: Final = Phrase("The store has no certificate {name}: run `dnsrenew renew {name}`.")
SEEN_UNREADABLE: Final = Phrase("dnsrenew could not compare the served certificates with the store: {reason}")
SEEN_NOWHERE: Final = Phrase(
    "No server configuration contains {path}: add it there, or remove the entry from `deploy` of {name} if no "
    "server needs it."
)
SEEN_NO_PORT: Final = Phrase(
    "{file} does not show on which port {server} serves {name}: add `verify` with its HOST:PORT to the entry in "
    "`deploy`."
)
SEEN_NO_TLS: Final = Phrase(
    "{address} served no certificate, so dnsrenew cannot tell whether {name} is served from the new files: "
    "{reason}. Start the server, or correct `verify` in `deploy`."
)
SEEN_OTHER: Final = Phrase(
    "{address} serves another certificate instead of the stored one of {name}: run `dnsrenew deploy "
    "{name}`, then reload {server}."
)
SEEN_SAME: Final = Phrase(
    "{address} serves {name}, but the old and the new files contain the same certificate. So dnsrenew "
    "cannot tell whether {server} has loaded its new configuration: run `dnsrenew deploy --force {name}`, "
    "or restart it."
)
STEP_STOP: Final = Phrase("Stop {tool}: {command}")
STEP_STOP_LINE: Final = Phrase("Stop {tool}: remove its line from {source}.")
STEP_STOP_LATER: Final = Phrase(
    "Fix the problems with {causes} or accept them, then stop {tool}, which runs from {source}."
)
STEP_REHEARSE: Final = Phrase("Test the renewal without a new certificate: dnsrenew renew --dry-run{config}")
STEP_SCHEDULE: Final = Phrase("Renew automatically from now on: dnsrenew schedule install{config}")
A_SERVER: Final = Phrase("the server")

# ── acme.sh, Caddy, HFS and PEM files ───────────────────────────────────────────────────

ENCRYPTED: Final = Phrase("its private key is encrypted")
NOT_AN_ASSIGNMENT: Final = Text(
    "import-not-understood",
    "Line {line} of {file} is not a simple assignment, so it was not read.",
    "Check whether the certificate needs this setting.",
)
ACME_SH_WAY: Final = Text(
    "import-dns-unknown",
    "acme.sh validated {name} by {way}, which has no equivalent.",
    "Add a route to the certificate. To list the DNS hosts, run: dnsrenew providers",
)
SEVERAL_METHODS: Final = Text(
    "import-not-understood",
    "acme.sh validated the domains of {name} by several methods ({methods}); dnsrenew tries the routes in order "
    "for each domain.",
    "To test it, run: dnsrenew renew --dry-run {name}",
)
SERVER_EDITED: Final = Text(
    "import-webroot-guessed",
    "{tool} edited the configuration of {server} to validate {name}; dnsrenew puts the responses into {webroot} "
    "instead.",
    "To test it, run: dnsrenew renew --dry-run {name}",
)
SERVER_EDITED_UNKNOWN: Final = Text(
    "import-dns-unknown",
    "{tool} edited the configuration of {server} to validate {name}, but no webroot of it was found.",
    'Add a route such as {{ challenge = "http-01", webroot = "/var/www/html" }} to the certificate.',
)
NEVER_ISSUED: Final = Text(
    "import-not-understood",
    "The certificate {name} was requested, but never issued, so it was not imported.",
    "If you need it, add it to the configuration.",
)
KEY_FOR_ALL: Final = Text(
    "import-key-mode",
    "All users of this machine can read the private key {file}; dnsrenew does not write keys that way.",
    "Check that the server can read it as root or as a member of its group.",
)
DEPLOY_SCRIPT: Final = Text(
    "import-not-understood",
    "The deploy hook {script} of {name} has no equivalent.",
    "Look for a similar target in docs/reference/deployments.md.",
)
NOTIFY: Final = Text(
    "import-not-understood",
    "The notifications of {tool} were not imported.",
    "Add a table [notify] to the configuration.",
)
CADDY_LINE: Final = Text(
    "import-not-understood",
    "The setting {setting} of Caddy was not imported: it has no known equivalent in dnsrenew.",
    "Look for a similar key in docs/reference/configuration.md.",
)
CADDY_MODULE: Final = Text(
    "import-dns-unknown",
    "The DNS module {module} of Caddy has no equivalent.",
    "Add a route to the certificate. To list the DNS hosts, run: dnsrenew providers",
)
CADDY_INTERNAL: Final = Text(
    "import-not-understood",
    "The certificate {name} was issued by Caddy's own CA, so it was not imported.",
    "Do nothing: Caddy keeps renewing it.",
)
CADDY_PORTS: Final = Text(
    "import-dns-unknown",
    "Caddy validates {name} on its own ports 80 and 443, which dnsrenew cannot share.",
    "Add a route with a DNS account to the certificate, or remove it from the configuration and leave it to Caddy.",
)
CADDY_WILDCARD: Final = Text(
    "import-dns-unknown",
    "No `tls` block with a DNS module was found for {name}, so its DNS host is unknown.",
    "Import into a new configuration with the path of the Caddyfile that contains the block, or add a route with a "
    "DNS account to the certificate.",
)
CADDY_RENEWS: Final = Text(
    "import-caddy-line",
    "Caddy keeps renewing {name} until its site uses the new files.",
    "Run `dnsrenew deploy`, replace `tls` in the site with this line, and reload Caddy: tls {certificate} {key}",
)
SELF_SIGNED: Final = Text(
    "import-not-understood",
    "The certificate of {file} is self-signed, so it was not imported.",
    "Do nothing: dnsrenew obtains a certificate from a CA.",
)
HFS_NO_DOMAIN: Final = Text(
    "import-not-understood",
    "HFS has neither a domain nor a certificate of a CA in {file}.",
    "To name the domain, run: dnsrenew init",
)
HFS_HTTPS_OFF: Final = Text(
    "import-hfs-https-off",
    "HTTPS is switched off in HFS, so a new certificate cannot be served.",
    "Switch on HTTPS in HFS, or add `https = true` to the `deploy` entry of the certificate {name}.",
)
HFS_PORT: Final = Text(
    "import-dns-unknown",
    "HFS itself listens on port 80, so dnsrenew cannot validate {name} there.",
    "Add a route with a DNS account to the certificate. To list the DNS hosts, run: dnsrenew providers",
)
PEM_ALONE: Final = Text(
    "import-not-understood",
    "No certificate belongs to the private key in {file}.",
    "If you do not use this key, do nothing.",
)
PEM_NO_PAIR: Final = Text(
    "import-damaged",
    "No certificate with its private key was found in {file}.",
    "Name the folder that contains both files.",
)
