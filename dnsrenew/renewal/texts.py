"""The texts of errors and warnings about a renewal."""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Text

NOT_OFFERED: Final = Text(
    "ca-no-challenge",
    "The CA {ca} does not offer {challenge} for {identifier}. It offers {offered}.",
    "Use another route or another CA for this name.",
)
NOTHING_OFFERED: Final = Text(
    "ca-no-challenge",
    "The CA {ca} offers no challenge for {identifier}.",
    "Use another route or another CA for this name.",
)
NOT_ORDERED: Final = Text(
    "ca-no-challenge",
    "The CA {ca} asks to validate a name that was not ordered: {identifier}.",
    "Use another CA.",
)
KEY_NOT_REUSED: Final = Text(
    "store-damaged",
    "{path} cannot be reused ({cause}). A new key is made, although reuse_key is set.",
    "Publish the new key where the old one is pinned, as in TLSA records.",
)
NO_PRIVATE_KEY: Final = "it holds no private key"
NO_STAGING: Final = Text(
    "no-staging",
    "The CA {ca} has no staging CA for a dry run.",
    'Name one with staging = "…" in [ca.{ca}].',
)
STAGING_STAND_IN: Final = Text(
    "staging-stand-in",
    "The CA {ca} has no staging CA. The dry run uses {staging} instead.",
    "A dry run does not test your account at {ca}. Check the rest.",
)
FAILED_BEFORE: Final = Text(
    "failed-before",
    "The last attempt failed.",
    "Run dnsrenew renew --now to try again at once.",
)
ARI_EXPLANATION: Final = Text(
    "ari-explanation",
    "The CA explains the suggested renewal window at {url}",
    "Read the explanation.",
)
