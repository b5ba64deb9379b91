"""``python -m dnsrenew``: the same as the ``dnsrenew`` command."""

from __future__ import annotations

import sys

from dnsrenew.cli import main

if __name__ == "__main__":
    sys.exit(main())
