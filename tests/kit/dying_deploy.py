"""The program, started so that it dies at one point of a deployment: see dying.py, whose points it has.

More points: ``file: …`` before an operation on the target's files (``write``, ``rename``, ``sync``, ``remove``), and
``program: run`` and ``program: done``.
"""

from __future__ import annotations

import os
from typing import Any

from dnsrenew.deploy import programs, staged_file
from tests.kit.dying import Death, serve


class DeployDeath(Death):
    """Dies at a point of a deployment too."""

    def watch(self) -> None:
        """Let the operations on the target's files pass by here too."""
        super().watch()
        write, rename, sync, run = staged_file.write_aside, staged_file.rename, staged_file.sync_folder, programs.run

        def writes(file: staged_file.TargetFile) -> str:
            self.pass_by(f"file: write {os.path.basename(file.path)}")
            return write(file)

        def renames(source: str, target: str) -> None:
            self.pass_by(f"file: rename {os.path.basename(target)}")
            rename(source, target)

        def syncs(folder: str) -> None:
            self.pass_by("file: sync")
            sync(folder)

        def runs(*arguments: Any, **options: Any) -> None:
            self.pass_by("program: run")
            run(*arguments, **options)
            self.pass_by("program: done")

        functions: list[tuple[Any, str, Any]] = [(staged_file, "write_aside", writes), (staged_file, "rename", renames)]
        functions += [(staged_file, "sync_folder", syncs), (programs, "run", runs)]
        for owner, name, function in functions:
            setattr(owner, name, function)


if __name__ == "__main__":
    serve(DeployDeath)
