"""Servers, devices and services that get certificates: a file for each kind of target."""

from __future__ import annotations

from typing import Final

from dnsrenew.base.extensions import Extension

EXTENSION: Final = Extension(targets=__name__)
