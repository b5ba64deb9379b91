"""The texts of ``dnsrenew serve``."""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Phrase, Text

# ── the command line ────────────────────────────────────────────────────────────────────

PACKAGES_MISSING: Final = Text(
    "serve-extra-missing",
    "`dnsrenew serve` needs the packages {packages}, which are missing or too old.",
    "Install them: {command}",
)
BAD_ADDRESS: Final = Text(
    "usage",
    "Invalid value '{value}' for {option}.",
    "Write it like :443, 127.0.0.1:8443 or [::1]:8443.",
)
BAD_OPTION: Final = Text(
    "usage",
    "--dns-option takes KEY=REFERENCE.",
    "To see the options of this DNS host, run `dnsrenew providers {provider}`.",
)
ONLY_WITH_DOMAIN: Final = Text(
    "usage",
    "{option} works only with --domain, which is missing.",
    "Name the domains of the certificate with --domain, or leave out {option}.",
)
NOT_WITH_DOMAIN: Final = Text(
    "usage",
    "{option} works only with a configuration, and --domain only without one.",
    "Leave out {option}, or --domain.",
)
NO_ROUTE: Final = Text(
    "usage",
    "--domain alone does not tell dnsrenew how the CA can validate the domains.",
    "Add --dns PROVIDER, or --redirect if the CA can connect to port 80 of this machine.",
)

PLAIN_SECRET: Final = Text(
    "secret-plain",
    "--dns-option {key} contains a secret in plain text: all users of this machine can see it in the list of "
    "processes.",
    "Write it to a file that only you can read, and use --dns-option {key}=file:PATH.",
)
NO_CONFIG: Final = Text(
    "config-missing",
    "No configuration found, and --domain is missing. Searched: {searched}.",
    "Run `dnsrenew init`, or add the options: --domain DOMAIN --dns PROVIDER --agree-terms.",
)

# ── the app ─────────────────────────────────────────────────────────────────────────────

APP_FORM: Final = Text(
    "serve-app-missing",
    "{app} does not have the form MODULE:APP.",
    "Name the module and the app in it: main:app is `app` in main.py.",
)
MODULE_MISSING: Final = Text(
    "serve-app-missing",
    "The module {module} is neither in {folder} nor among the installed packages.",
    "Change to the folder of the app, and name its module without .py: main:app is `app` in main.py.",
)
NAME_MISSING: Final = Text(
    "serve-app-missing",
    "The module {module} has no {name}.",
    "Use the name of the app in it: {nearest}.",
)
APP_INTERFACE: Final = Text(
    "serve-app-interface",
    "{app} is {found}; an ASGI app takes scope, receive and send, a WSGI app environ and start_response.",
    "Name the app itself. If this is the app, add --interface asgi or --interface wsgi.",
)
APP_FAILED: Final = Text(
    "serve-app-failed",
    "The app {app} cannot be imported: it raised {kind}.",
    "Correct the line that the traceback above shows.",
)
APP_ENDED: Final = Text(
    "serve-app-failed",
    "The process of {app} exited with status {status} before it could serve.",
    "Fix the problem that the lines above show.",
)

# ── the ports ───────────────────────────────────────────────────────────────────────────

PORT_TAKEN: Final = Text(
    "serve-port-taken",
    "Port {port} is in use by {owner} (process {pid} of {user}).",
    "Stop that program, or use another port: {option} :{other}.",
)
PORT_TAKEN_UNKNOWN: Final = Text(
    "serve-port-taken",
    "Port {port} is in use by another program.",
    "Stop that program, or use another port: {option} :{other}.",
)
PORT_FORBIDDEN: Final = Text(
    "serve-port-forbidden",
    "The user {user} is not allowed to open port {port}: ports below 1024 need root.",
    "Use another port ({option} :{other}), let systemd open it (a socket unit with ListenStream={port}), or give "
    "the service AmbientCapabilities=CAP_NET_BIND_SERVICE. Without systemd: {command}.",
)
ADDRESS_MISSING: Final = Text(
    "serve-address-missing",
    "This machine has no address {address}.",
    "Use an address of this machine, or all of them: {option} :{port}.",
)
PORT_FAILED: Final = Text(
    "serve-port-failed",
    "{address} cannot be opened: {reason}.",
    "Use another port: {option} :{other}.",
)

# ── the log ─────────────────────────────────────────────────────────────────────────────

SERVING: Final = "Serving {app} at {addresses}."
REDIRECTING: Final = "Sending {address} to HTTPS."
OBTAINING: Final = "{app} is imported; checking its certificates."
ENDING: Final = "Stopping: requests have {seconds} seconds to finish."
ENDED: Final = "Stopped."
KILLED: Final = (
    "The process {pid} of {app} did not end in time, so it was killed: a request or the event loop was blocked."
)
CHANGED: Final = "{file} has changed: starting {app} again."
RESTARTING: Final = "SIGHUP: starting {app} again."
NOT_RELOADED: Final = "Waiting for the next change of a file."
NOT_RESTARTED: Final = "The running processes keep running."
REPLACED: Final = "The process {pid} of {app} exited with status {status}; starting another one."
BLOCKED: Final = (
    "The app has blocked the event loop for {seconds} seconds, so no connection is answered: {place}. For slow "
    "work, use `await`, or a function without `async`."
)
NOWHERE: Final = Phrase("the place is unknown")
