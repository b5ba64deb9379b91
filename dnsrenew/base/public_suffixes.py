"""Public suffixes: names such as ``co.uk``, below which a registry gives domains to everybody."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tldextract import TLDExtract


def is_public_suffix(name: str) -> bool:
    """Return whether a name is the public suffix of a registry, for which no public CA issues.

    The copy of the Public Suffix List that is installed with tldextract decides; nothing is sent. Its suffixes of
    companies (``duckdns.org``) are not meant: the company can have a certificate. Takes 0.2 s for the first name.

    :param name: a domain as A-labels, in lower case.
    """
    parts = _extractor()(name)
    return not parts.domain and parts.suffix == name


@functools.cache
def _extractor() -> TLDExtract:
    from tldextract import TLDExtract  # slow to load

    return TLDExtract(cache_dir=None, suffix_list_urls=())
