"""The texts of ``dnsrenew import``: what was not imported, and why. They never contain secrets."""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Phrase, Text

# ── reasons: a field of other texts ─────────────────────────────────────────────────────

TOO_LARGE: Final = Phrase("it is too large")
TOO_MUCH: Final = Phrase("it has too many blocks within each other, or imports too much")
TOO_MANY_NAMES: Final = Phrase("it has too many domains")
NOT_UNICODE: Final = Phrase("it has text that is not valid Unicode")
NO_JSON: Final = Phrase("it is not a JSON object")
EMPTY: Final = Phrase("it is empty")
NO_KEY: Final = Phrase("it has no private key of a supported kind")
NOT_A_PAIR: Final = Phrase("the private key does not belong to the certificate")
NO_DOMAINS: Final = Phrase("its domains are unknown, because {file} is missing or has no certificate")
NO_CERTIFICATE: Final = Phrase("it has no certificate")
PEM_FILES: Final = Phrase("PEM files")
TOOL_IN_FOLDER: Final = Phrase("{tool} in {folder}")

# ── any tool ────────────────────────────────────────────────────────────────────────────

UNREADABLE: Final = Text(
    "import-unreadable",
    "{file} cannot be read: {reason}.",
    "Run the command as the user that owns it.",
)
MISSING: Final = Text(
    "import-unreadable",
    "{file} does not exist.",
    "Restore it from a backup, or continue without its content.",
)
WEBROOT_MISSING: Final = Text(
    "import-unreadable",
    "The webroot {file} does not exist.",
    "Create it, or correct `webroot` in the configuration.",
)
NOT_BELIEVED: Final = Text(
    "import-untrusted",
    "{file} was not used, because other users can change {part} (owner {owner}, mode {mode}).",
    "Read it, and write what is needed from it into the configuration.",
)
DAMAGED: Final = Text(
    "import-damaged",
    "{file} is damaged or not complete: {reason}.",
    "Restore it from a backup, or let dnsrenew obtain a new certificate.",
)
SETTING_UNKNOWN: Final = Text(
    "import-not-understood",
    "The setting {key} was not imported: dnsrenew has no equivalent that is known to the import.",
    "Look for it in docs/reference/configuration.md.",
)
MUST_STAPLE: Final = Text(
    "import-not-understood",
    "The TLS feature extension (must-staple) is not supported; the next certificate of {name} is without it.",
    "Nothing to do: CAs have stopped issuing certificates with it.",
)
NOT_RENEWED: Final = Text(
    "import-not-understood",
    "certbot was configured not to renew {name} automatically; dnsrenew renews every certificate of its configuration.",
    "Remove its [[certificate]] from the configuration if it is no longer needed.",
)
KEY_KIND: Final = Text(
    "import-not-understood",
    "The key type {kind} is not supported; the next certificate of {name} has the key type {used}.",
    "Choose another one with `key` in the configuration.",
)
NO_DIRECTORY: Final = Text(
    "import-ca-unknown",
    "The directory URL of the CA {ca} is unknown, so its account was not imported.",
    "Import into a new configuration with --server URL, the directory URL of the CA; or add it as [ca.NAME] with "
    "`directory` to the configuration: dnsrenew then creates a new account.",
)
LEGO_CONFIG: Final = Text(
    "import-not-understood",
    "The configuration file of lego was not read.",
    "Compare its challenges, accounts and certificates with the configuration that was written.",
)

# ── proving names ───────────────────────────────────────────────────────────────────────

PLUGIN_UNKNOWN: Final = Text(
    "import-dns-unknown",
    "The authenticator {plugin} of {name} has no equivalent.",
    "Give the certificate a route: run dnsrenew providers to list the DNS hosts.",
)
NO_AUTHENTICATOR: Final = Text(
    "import-dns-unknown",
    "{file} names no authenticator for {name}.",
    "Give the certificate a route: run dnsrenew providers to list the DNS hosts.",
)
CREDENTIALS_UNKNOWN: Final = Text(
    "import-dns-unknown",
    "The credentials for {plugin} were not found: {missing}.",
    "Add the missing options; list them with: dnsrenew providers {provider}",
)
ENVIRONMENT_UNKNOWN: Final = Text(
    "import-dns-unknown",
    "The validation method of {name} is unknown: {tool} stores it in no file.",
    "Give the certificate a route: run dnsrenew providers to list the DNS hosts.",
)
EDITS_SERVER: Final = Text(
    "import-webroot-guessed",
    "certbot edited the configuration of {server} to prove {name}; dnsrenew puts the responses into {webroot} instead.",
    "Test it with: dnsrenew renew --dry-run {name}",
)
EDITS_SERVER_UNKNOWN: Final = Text(
    "import-dns-unknown",
    "certbot edited the configuration of {server} to prove {name}, and no webroot of it was found.",
    'Add a route such as {{ challenge = "http-01", webroot = "/var/www/html" }} to the certificate.',
)
NO_TLS_CHECK: Final = Text(
    "import-not-understood",
    "The certificate of the CA's own server was not checked; dnsrenew always checks it.",
    "Name its root certificates with `trust` in the table of the CA.",
)
# ── hooks ───────────────────────────────────────────────────────────────────────────────

HOOK_GONE: Final = Text(
    "import-hook-gone",
    "The hook {program} does not exist, so it was not imported.",
    "Add what it did to `deploy` of the certificate.",
)
HOOK_PROVES: Final = Text(
    "import-hook-gone",
    "The manual hook {program} does not exist, so the validation of {name} was not imported.",
    "Give the certificate a route: run dnsrenew providers to list the DNS hosts.",
)
HOOK_CLEANS: Final = Text(
    "import-hook-gone",
    "The cleanup hook {program} of {name} does not exist, so TXT values stay after a renewal.",
    "Add what removes them to `program` of the DNS account.",
)
HOOK_BEFORE: Final = Text(
    "import-not-understood",
    "A program before each renewal was not imported, because no port has to be freed for {name}.",
    "Nothing to do if the program only freed a port.",
)
HOOK_AFTER: Final = Text(
    "import-hook-after",
    "A program that ran after each try for {name} now runs after each new certificate.",
    "Nothing to do if the program makes servers load the certificate.",
)
HOOK_MANUAL: Final = Text(
    "import-dns-unknown",
    "The manual hooks of {name} prove names by {challenge}, for which dnsrenew runs no program.",
    "Give the certificate a route with `listen` or `webroot`.",
)

# ── several tools, the store ────────────────────────────────────────────────────────────

TWO_TOOLS: Final = Text(
    "import-twice",
    "{tool} has a certificate {name} for the domains of {newer}, which {other} has too; the newer one was imported.",
    "Make servers that read the older files read the new ones.",
)
HOOK_READS: Final = Text(
    "import-hook-reads",
    "A program for new certificates of {name} names {path}, which the other tool no longer replaces.",
    "Make it read the files that RENEWED_LINEAGE or DNSRENEW_FULLCHAIN and DNSRENEW_PRIVKEY name.",
)
CLIENT_AUTH_GONE: Final = Text(
    "client-auth-gone",
    "{server} ({file}) shows this certificate to other servers too, as their client. Public CAs issue no certificates "
    "for clients since 2026-07-08.",
    "Let it log in to other servers in another way, or give it a certificate of a CA of your own for that.",
)
SEVERAL_WEBROOTS: Final = Text(
    "import-not-understood",
    "The domains of {name} are proved by several webroots; dnsrenew tries them in order for each domain.",
    "Test it with: dnsrenew renew --dry-run {name}",
)
NOT_CONFIGURED: Final = Text(
    "import-not-configured",
    "The certificate {name} is not in the configuration, so dnsrenew does not renew it.",
    "Add its tables, which this import shows, to the configuration, and run the import again.",
)
ACCOUNT_UNUSABLE: Final = Text(
    "import-account-unusable",
    "The key of the account at {ca} is of a kind that dnsrenew cannot sign with.",
    "Continue without it; a new account is created when it is needed.",
)
ACCOUNT_KEPT: Final = Text(
    "import-account-kept",
    "The store has another account at {ca} already, so this one was not imported.",
    "Use another store, with `store` in the configuration, to keep using the account.",
)
CERTIFICATE_KEPT: Final = Text(
    "import-certificate-kept",
    "The store has a certificate {name} that is valid for longer, so this one was not imported.",
    "Nothing to do.",
)
CERTIFICATE_UNUSABLE: Final = Text(
    "import-certificate-unusable",
    "The certificate {name} was not imported: {reason}",
    "Run dnsrenew renew to obtain a new one.",
)
TERMS: Final = Text(
    "import-terms",
    "No account was found, so the terms of service of the CA are not agreed to.",
    "Read them and add `agree_terms = true` to the configuration; dnsrenew check shows the address.",
)

# ── errors ──────────────────────────────────────────────────────────────────────────────

NOTHING_FOUND: Final = Text(
    "import-nothing-found",
    "Nothing to import was found in {places}.",
    "Name the folder of the tool: dnsrenew import PATH",
)
NOT_A_FOLDER: Final = Text(
    "import-nothing-found",
    "{path} is not a folder of {kinds}, and has no certificate with its key.",
    "Name the folder of the tool, such as /etc/letsencrypt.",
)
TOOL_NOT_PATH: Final = Text(
    "import-nothing-found",
    "{path} does not exist, and {tool} is the name of a tool.",
    "Run: dnsrenew import --from {tool}",
)
NO_SUCH_PATH: Final = Text(
    "import-nothing-found",
    "{path} does not exist.",
    "Name the folder of the tool, such as /etc/letsencrypt.",
)
CONFIG_EXISTS: Final = Text(
    "import-config-exists",
    "{path} exists, and an import never writes over a configuration.",
    "Name another file, such as --config {other}, and take from it what you need.",
)
UNTRUSTED_FOLDER: Final = Text(
    "import-untrusted",
    "{part} belongs to {owner}, so {owner} decides what {path} has, and dnsrenew runs as {user}.",
    "Run the import as that user: sudo -u {account} dnsrenew import {quoted}",
)
UNTRUSTED_FILE: Final = Text(
    "import-untrusted",
    "Other users than {user} can change {path} (owner {owner}, mode {mode}), so nothing was imported.",
    "Read it, remove what you did not put there, and then run: {command}",
)
UNTRUSTED_WAY: Final = Text(
    "import-untrusted",
    "Users other than {user} can change {part} (owner {owner}, mode {mode}), so they could replace {path}; nothing was "
    "imported.",
    "Move the file to a folder that only {user} can change, or allow it with --insist.",
)
NOT_NAMED: Final = Text(
    "import-unwritable",
    "The configuration cannot name {path}, because that is not valid Unicode.",
    "Rename it, and run the import again.",
)
UNWRITABLE: Final = Text(
    "import-unwritable",
    "{path} cannot be written: {reason}.",
    "Run the command as a user that may write it, or name another file with --config.",
)

# ── the next steps ──────────────────────────────────────────────────────────────────────

STEP_COMPLETE: Final = Phrase("Complete the configuration: {mistake}")
STEP_PLACEHOLDER: Final = Phrase("Write the missing options in place of change-me into {path}.")
STEP_MANUAL: Final = Phrase(
    "Replace the account manual in the routes of {names} by your DNS host, in {path}: dnsrenew providers shows the "
    "block of each host; dnsrenew init in an empty folder asks for it."
)
STEP_MANUAL_ROUTE: Final = Phrase("Replace the route by the account manual in {path} for {name}: {route}")
STEP_PORT_ROUTE: Final = Phrase(
    "Only an open port {port} renews {name}. If it is closed, add {route} to its routes: DNS needs no open port."
)
STEP_PORT_ACCOUNT: Final = Phrase(
    'Only an open port {port} renews {name}. If it is closed, add a DNS account, and {{ challenge = "dns-01" }} to '
    "its routes: dnsrenew providers shows the block of each host; dnsrenew init in an empty folder asks for it."
)
STEP_PORT_INIT: Final = Phrase(
    "Only an open port {port} renews {name}. If it is closed, delete {path} and run dnsrenew init{config}: it finds "
    "HFS, and asks for your DNS host."
)
STEP_MANUAL_INIT: Final = Phrase(
    "{names} cannot be renewed yet. Delete {path} and run dnsrenew init{config}: it finds HFS, and asks for your DNS "
    "host."
)
STEP_ADD: Final = Phrase(
    "Add the tables of {names}, which are shown above, to {path}, and run dnsrenew import{config} again."
)
STEP_DEPLOY: Final = Phrase("Write the new files for your servers: dnsrenew deploy{config}")
STEP_LINE: Final = Phrase("In line {line} of {file}, write: {new}")
STEP_FOLDER: Final = Phrase(
    "Write the folder {new} into the {count} lines of your servers that name the old one: {command}"
)
STEP_TEST: Final = Phrase("Check the configuration of {server}: {command}")
STEP_RELOAD: Final = Phrase("Reload {server}: {command}")
STEP_AGAIN: Final = Phrase(
    "Run dnsrenew import{config} again: when every server was seen serving from its new files, it names what stops "
    "{tool}."
)
STEP_STOP_UNKNOWN: Final = Phrase(
    "No timer, unit or crontab that runs {tool} on {folder} was found: look for what does, and stop it."
)
STEP_STOP_UNKNOWN_LATER: Final = Phrase(
    "No timer, unit or crontab that runs {tool} on {folder} was found: look for what does, and stop it only when the "
    "problems with {causes} are fixed, or you accept them."
)
WITHHELD_NOTHING: Final = Phrase("Nothing was imported.")
WITHHELD_LINES: Final = Phrase("Servers read the files of {tool}: {files}.")
SEEN_NOT_STORED: Final = Phrase("The store has no certificate {name}: run dnsrenew renew {name}.")
SEEN_UNREADABLE: Final = Phrase("What servers serve was not compared with the store: {reason}")
SEEN_NOWHERE: Final = Phrase(
    "No configuration of a server names {path}: write it into that of the server, or remove the entry from `deploy` of "
    "{name} if no server needs it."
)
SEEN_NO_PORT: Final = Phrase(
    "The port on which {server} serves {name} is not given in {file}: add `verify` with its HOST:PORT to the entry in "
    "`deploy`."
)
SEEN_NO_TLS: Final = Phrase(
    "{address} served no certificate, so nothing shows that {name} is served from the new files: {reason}. "
    "Start the server, or correct `verify` in `deploy`."
)
SEEN_OTHER: Final = Phrase(
    "{address} serves another certificate, not the stored one of {name}: run dnsrenew deploy {name}, and reload "
    "{server}."
)
SEEN_SAME: Final = Phrase(
    "{address} serves {name}, but the old and the new files hold the same certificate, and nothing shows that {server} "
    "has loaded its configuration since it was changed: run dnsrenew deploy --force {name}, or restart it."
)
STEP_STOP: Final = Phrase("Stop {tool}: {command}")
STEP_STOP_LINE: Final = Phrase("Stop {tool}: remove its line from {source}.")
STEP_STOP_LATER: Final = Phrase(
    "Stop {tool}, which runs from {source}, only when the problems with {causes} are fixed, or you accept them."
)
STEP_REHEARSE: Final = Phrase("Test the renewal, without a new certificate: dnsrenew renew --dry-run{config}")
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
    "The way {way} in which acme.sh proved {name} has no equivalent.",
    "Give the certificate a route: run dnsrenew providers to list the DNS hosts.",
)
SEVERAL_METHODS: Final = Text(
    "import-not-understood",
    "acme.sh proved the domains of {name} by several methods ({methods}); dnsrenew tries the routes in order for each "
    "domain.",
    "Test it with: dnsrenew renew --dry-run {name}",
)
SERVER_EDITED: Final = Text(
    "import-webroot-guessed",
    "{tool} edited the configuration of {server} to prove {name}; dnsrenew puts the responses into {webroot} instead.",
    "Test it with: dnsrenew renew --dry-run {name}",
)
SERVER_EDITED_UNKNOWN: Final = Text(
    "import-dns-unknown",
    "{tool} edited the configuration of {server} to prove {name}, and no webroot of it was found.",
    'Add a route such as {{ challenge = "http-01", webroot = "/var/www/html" }} to the certificate.',
)
NEVER_ISSUED: Final = Text(
    "import-not-understood",
    "The certificate {name} was requested, but never issued, so it was not imported.",
    "Add it to the configuration if you want it.",
)
KEY_FOR_ALL: Final = Text(
    "import-key-mode",
    "All users of this machine can read the private key {file}; dnsrenew never writes a key like that.",
    "Check that the server can read it as root or as a member of its group.",
)
DEPLOY_SCRIPT: Final = Text(
    "import-not-understood",
    "The deploy hook {script} of {name} has no equivalent.",
    "Look for a target that does the same in the deployment reference.",
)
NOTIFY: Final = Text(
    "import-not-understood",
    "The notifications of {tool} were not imported.",
    "Add a table [notify] to the configuration.",
)
CADDY_LINE: Final = Text(
    "import-not-understood",
    "The setting {setting} of Caddy was not imported: dnsrenew has no equivalent that is known to the import.",
    "Look for it in docs/reference/configuration.md.",
)
CADDY_MODULE: Final = Text(
    "import-dns-unknown",
    "The DNS module {module} of Caddy has no equivalent.",
    "Give the certificate a route: run dnsrenew providers to list the DNS hosts.",
)
CADDY_INTERNAL: Final = Text(
    "import-not-understood",
    "The certificate {name} was issued by Caddy's own CA, so it was not imported.",
    "Nothing to do: Caddy keeps renewing it.",
)
CADDY_PORTS: Final = Text(
    "import-dns-unknown",
    "Caddy proves {name} on its own ports 80 and 443, which dnsrenew cannot share.",
    "Give the certificate a route with a DNS account, or leave it to Caddy and remove it from the configuration.",
)
CADDY_WILDCARD: Final = Text(
    "import-dns-unknown",
    "No `tls` block with a DNS module was found for {name}, so its DNS host is unknown.",
    "Import into a new configuration with the path of the Caddyfile that has the block, or give the certificate a "
    "route with a DNS account.",
)
CADDY_RENEWS: Final = Text(
    "import-caddy-line",
    "Caddy keeps renewing {name} until its site names the new files.",
    "Run dnsrenew deploy, write this line into the site in place of its `tls`, and reload Caddy: "
    "tls {certificate} {key}",
)
SELF_SIGNED: Final = Text(
    "import-not-understood",
    "The certificate of {file} is self-signed, so it was not imported.",
    "Nothing to do: dnsrenew obtains a certificate from a CA.",
)
HFS_NO_DOMAIN: Final = Text(
    "import-not-understood",
    "HFS has neither a domain nor a certificate of a CA in {file}.",
    "Name the domain with: dnsrenew init",
)
HFS_HTTPS_OFF: Final = Text(
    "import-hfs-https-off",
    "HTTPS is switched off in HFS, so a new certificate cannot be served.",
    "Switch on HTTPS in HFS, or add `https = true` to the entry of `deploy` in the certificate {name}.",
)
HFS_PORT: Final = Text(
    "import-dns-unknown",
    "HFS itself listens on port 80, so dnsrenew cannot prove {name} there.",
    "Give the certificate a route with a DNS account: run dnsrenew providers to list the DNS hosts.",
)
PEM_ALONE: Final = Text(
    "import-not-understood",
    "No certificate belongs to the private key in {file}.",
    "Nothing to do if it is not used.",
)
PEM_NO_PAIR: Final = Text(
    "import-damaged",
    "No certificate with its private key was found in {file}.",
    "Name the folder that has both files.",
)
