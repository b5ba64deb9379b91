"""Put the SBOM that ``make wheel`` has made into the wheel, as PEP 770 says: ``.dist-info/sboms/``.

Any other build has none: ``pip install .`` takes the newest dependencies, not those that the file lists.
"""

import os
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class SbomHook(BuildHookInterface[Any]):
    """Adds the file that the variable names."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002  # hatchling's interface
        """Add it, before the build."""
        path = os.environ.get("DNSRENEW_SBOM")
        if path:
            build_data["sbom_files"].append(path)
