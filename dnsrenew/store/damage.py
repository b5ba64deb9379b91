"""What is said when a file of ours is not what we wrote."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from dnsrenew.errors import StoreError
from dnsrenew.model import Notice
from dnsrenew.store.atomic_io import AtomicFiles

if TYPE_CHECKING:
    from pathlib import Path

_GONE: Final = "Look what may have removed it."


def set_aside(disk: AtomicFiles, path: str, why: str, then: str) -> Notice:
    """Put a damaged file aside and return what a person should know of it.

    :param why: what is wrong with it: ``it is empty``. Where it is not there, there is nothing to put aside.
    :param then: what happens now, as a sentence.
    """
    if not os.path.lexists(path):
        return Notice("store-damaged", f"{path} is damaged: {why}. {then}", _GONE)
    try:
        kept = disk.set_aside(path)
    except StoreError as error:
        # Who may only read (`status`) gets the answer all the same; the next run puts it aside.
        return Notice("store-damaged", f"{path} is damaged: {why}. {then}", f"It could not be renamed: {error.message}")
    return Notice(
        "store-damaged",
        f"{path} is damaged: {why}. {then}",
        f"Look at {os.path.basename(kept)} beside it if you want to know why, and remove it.",
    )


def damaged(path: str, why: str, then: str) -> Notice:
    """Return what is said of a damaged file that stays in its place until there is another; or of one that is gone."""
    if not os.path.lexists(path):
        return Notice("store-damaged", f"{path} is damaged: {why}. {then}", _GONE)
    return Notice(
        "store-damaged",
        f"{path} is damaged: {why}. {then}",
        f"Then look at {os.path.basename(path)}.damaged beside it if you want to know why, and remove it.",
    )


def newer_schema(path: str, schema: int, known: int) -> StoreError:
    """Return the error for a file that a later dnsrenew has written: it is never guessed at."""
    return StoreError(
        "store-newer",
        f"{path} was written by a later dnsrenew (schema {schema}; this one knows {known}).",
        fix="Update dnsrenew, or set `store` to another folder.",
        evidence={"path": path, "schema": schema, "known": known},
    )


def current_behind(current: Path, error: StoreError) -> Notice:
    """Return what is said where the copies in ``current`` are not of the version in force (Windows)."""
    return Notice(
        "current-behind",
        f"{current} could not be brought up to date: {error.message}",
        "Close the program that has a file in it open; the next run copies the new certificate.",
    )


def foreign_current(current: Path, kept: str) -> Notice:
    """Return what is said where something of somebody else's stood in the place of ``current``."""
    return Notice(
        "store-damaged",
        f"{current} was not what dnsrenew had put there, and was made anew.",
        f"Look at {os.path.basename(kept)} beside it if you want to know why, and remove it.",
    )
