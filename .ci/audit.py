"""Look for known vulnerabilities in the lock: ``audit.py PIP_AUDIT LOCK``.

pip-audit says nothing of a package that its data lacks, and ends with success. Here that is a failure of its own kind.

Exit status: 0 none is known · 1 at least one is known · 3 the data could not be reached, so nothing is known.
"""

import json
import subprocess
import sys
from typing import Any

SERVICES = ("pypi", "osv")
"""Where the data are looked for, one after the other."""


def report(pip_audit: str, lock: str, service: str) -> list[dict[str, Any]]:
    """Return what one service says of each package; nothing if it cannot be reached."""
    options = ("--require-hashes", "--disable-pip", "--progress-spinner", "off", "--format", "json")
    command = [pip_audit, "--requirement", lock, "--vulnerability-service", service, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except ValueError:
        last = done.stderr.strip().splitlines()[-1:] or ["no output"]
        print(f"{service}: {last[0]}", file=sys.stderr)
        return []
    return packages


def main(pip_audit: str, lock: str) -> int:
    """Return the exit status."""
    unknown: list[str] = []
    for service in SERVICES:
        packages = report(pip_audit, lock, service)
        vulnerable = [each for each in packages if each.get("vulns")]
        for each in vulnerable:
            for found in each["vulns"]:
                fixed = ", ".join(found["fix_versions"]) or "no version"
                print(f"{each['name']} {each['version']}: {found['id']}, fixed in {fixed}")
        if vulnerable:
            print(f"{len(vulnerable)} of {len(packages)} packages in {lock} have known vulnerabilities.")
            return 1
        unknown = [each["name"] for each in packages if "skip_reason" in each]
        if packages and not unknown:
            print(f"No vulnerability is known in the {len(packages)} packages in {lock} (data of {service}).")
            return 0
    missing = f" There are none of: {', '.join(unknown)}." if unknown else ""
    print(f"NOT AUDITED: the data on vulnerabilities could not be reached.{missing}", file=sys.stderr)
    print("This says nothing about the packages. Run it again where PyPI or OSV can be reached.", file=sys.stderr)
    return 3


sys.exit(main(*sys.argv[1:]))
