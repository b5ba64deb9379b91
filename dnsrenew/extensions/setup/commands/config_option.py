"""The option that commands in messages need to find a configuration."""

from __future__ import annotations

import os
import shlex

from dnsrenew.cli import formatting
from dnsrenew.config import locate
from dnsrenew.errors import ConfigError


def config_option(path: str) -> str:
    """Return the option with a blank before it; "" if the commands find the configuration without it.

    :param path: absolute.
    """
    try:
        if locate.search(None, os.environ, locate.here())[0] == path:
            return ""
    except ConfigError:
        pass  # none is found; this one has to be named
    return f" --config {shlex.quote(formatting.relative_path(path, locate.here()))}"
