"""The command ``serve`` for ``--help``, the man page, completion and docs."""

from __future__ import annotations

from typing import Final

from dnsrenew.cli.command_types import Argument, Command, CommandTable, Option, Runner

_INTERFACES: Final = ("asgi", "wsgi")

_ROWS: Final = {
    "serve": Command(
        "run a Python web app with a certificate that renews itself",
        (Argument("app", "MODULE:APP", "the app: `app` in main.py is main:app", required=True),),
        (
            Option("--certificate", "the certificate to serve (default: all, chosen by SNI)", "NAME", "text"),
            Option("--bind", "the address for HTTPS; can be repeated (default: :443)", "HOST:PORT", "list"),
            Option(
                "--redirect",
                "redirect HTTP to HTTPS, and answer http-01; without HOST:PORT, at :80",
                "HOST:PORT",
                "address",
                value_if_bare=":80",
            ),
            Option("--workers", "processes that run the app (default: 1)", "N", "workers", default=1),
            Option("--reload", "start the app again when one of its files has changed"),
            Option("--interface", "the interface of the app (default: detected)", "asgi|wsgi", "word", _INTERFACES),
            Option("--domain", "without a configuration: a name of the certificate; can be repeated", "DOMAIN", "list"),
            Option("--dns", "with --domain: the DNS host, as listed by dnsrenew providers", "PROVIDER", "text"),
            Option(
                "--dns-option",
                "with --dns: an option of the DNS host; can be repeated; secrets as file:PATH or env:NAME",
                "KEY=REFERENCE",
                "list",
            ),
            Option("--ca", "with --domain: the CA, by name or directory URL (default: letsencrypt)", "CA", "text"),
            Option("--contact", "with --domain: an email address for the CA; can be repeated", "MAIL", "list"),
            Option("--agree-terms", "with --domain: you agree to the terms of service of the CA"),
        ),
        (
            ("dnsrenew serve main:app", "with the certificates of dnsrenew.toml"),
            ("dnsrenew serve main:app --bind 127.0.0.1:8443 --reload", "while you develop it"),
            ("dnsrenew serve main:app --certificate home --redirect --workers 4", ""),
            (
                "dnsrenew serve main:app --domain a.test --dns duckdns --dns-option token=file:token.txt --agree-terms",
                "without a configuration",
            ),
        ),
        "The app is an ASGI app (FastAPI, Starlette, Django) or a WSGI app (Flask) in the current folder, or a "
        "function without arguments that returns it. uvicorn runs it.\nIt obtains missing certificates first. Then it "
        "renews in the background, and new connections get the new certificate without a restart. With --domain and "
        "--redirect but without --dns, it obtains certificates through port 80 (http-01).\nIf systemd has opened "
        "sockets, they are used instead of --bind; the one named http redirects to HTTPS.\nCtrl-C ends it with exit "
        "status 130, SIGTERM with 143: requests get 8 seconds to finish. SIGHUP starts new processes, and ends the old "
        "ones when those answer. The exit status is 1 if the app cannot be imported or a port cannot be opened. The "
        "log goes to standard error; with --json each line of it is a JSON object.",
    )
}


def _runner(_: str) -> Runner:
    from dnsrenew.extensions.serve.command import serve

    return serve


COMMANDS: Final = CommandTable(_ROWS, _runner)
