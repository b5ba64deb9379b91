"""The texts of ``dnsrenew serve``."""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Phrase, Text

# ── the command line ────────────────────────────────────────────────────────────────────

PACKAGES_MISSING: Final = Text(
    "serve-extra-missing",
    "dnsrenew serve needs the packages {packages}, which are not installed, or too old.",
    "Install them: {command}",
)
BAD_ADDRESS: Final = Text(
    "usage",
    "{option} got {value}, which is no HOST:PORT.",
    "Write it like :443, 127.0.0.1:8443 or [::1]:8443.",
)
BAD_OPTION: Final = Text(
    "usage",
    "--dns-option takes KEY=REFERENCE.",
    "Run `dnsrenew providers {provider}`: it shows the options of this DNS host.",
)
ONLY_WITH_DOMAIN: Final = Text(
    "usage",
    "{option} belongs to a certificate without a configuration, and no --domain is given.",
    "Give the names of the certificate with --domain, or leave out {option}.",
)
NOT_WITH_DOMAIN: Final = Text(
    "usage",
    "{option} names something of a configuration, and --domain stands for a certificate without one.",
    "Leave out {option}, or --domain.",
)
NO_ROUTE: Final = Text(
    "usage",
    "--domain alone does not say how the CA can validate the names.",
    "Add --dns PROVIDER, or --redirect if the CA can connect to port 80 of this machine.",
)

PLAIN_SECRET: Final = Text(
    "secret-plain",
    "--dns-option {key} has a secret in plain text: all users of this machine can see it in the list of processes.",
    "Write it to a file that only you can read, and give --dns-option {key}=file:PATH.",
)
NO_CONFIG: Final = Text(
    "config-missing",
    "No configuration found, and no --domain is given. Searched: {searched}.",
    "Run dnsrenew init, or say what is needed: --domain DOMAIN --dns PROVIDER --agree-terms.",
)

# ── the app ─────────────────────────────────────────────────────────────────────────────

APP_FORM: Final = Text(
    "serve-app-missing",
    "{app} is not of the form MODULE:APP.",
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
    "Name the app that it has: {nearest}.",
)
APP_INTERFACE: Final = Text(
    "serve-app-interface",
    "{app} is {found}; an ASGI app takes scope, receive and send, a WSGI app environ and start_response.",
    "Name the app itself; if it is one, say which with --interface asgi or --interface wsgi.",
)
APP_FAILED: Final = Text(
    "serve-app-failed",
    "The app {app} cannot be imported: it raised {kind}.",
    "Correct the line that the traceback above names.",
)
APP_ENDED: Final = Text(
    "serve-app-failed",
    "The process of {app} ended with status {status} before it could serve.",
    "Correct what the lines above show.",
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
    "The user {user} may not open port {port}: ports below 1024 belong to root.",
    "Use another port ({option} :{other}), let systemd open it (a socket unit with ListenStream={port}), or give the "
    "service AmbientCapabilities=CAP_NET_BIND_SERVICE; without systemd: {command}.",
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
ENDING: Final = "Stopping: requests get {seconds} seconds to finish."
ENDED: Final = "Stopped."
KILLED: Final = (
    "The process {pid} of {app} did not end in time, and was killed: a request or the event loop was blocked."
)
CHANGED: Final = "{file} has changed: starting {app} again."
RESTARTING: Final = "SIGHUP: starting {app} again."
NOT_RELOADED: Final = "Waiting for the next change of a file."
NOT_RESTARTED: Final = "The processes that run stay."
REPLACED: Final = "The process {pid} of {app} ended with status {status}; starting another one."
BLOCKED: Final = (
    "The app has blocked the event loop for {seconds} seconds, so that no connection is answered: {place}. "
    "Use `await`, or a function without `async`, for what takes time."
)
NOWHERE: Final = Phrase("it is not known where")
