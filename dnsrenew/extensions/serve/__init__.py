"""The command ``dnsrenew serve``: runs a web app in Python with a certificate that is kept new."""

from __future__ import annotations

from dnsrenew.base.extensions import Extension, part

EXTENSION = Extension(commands=part(f"{__name__}.commands_table", "TABLE"))
