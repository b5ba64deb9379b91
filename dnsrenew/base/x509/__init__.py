"""Private keys, certificate signing requests and certificates: the only folder that uses cryptography."""

from __future__ import annotations

from dnsrenew.base.x509.certificates import (
    SKEW,
    CertificateFacts,
    authority_and_serial,
    has_ecdsa_key,
    is_valid_at,
    key_hash_of_certificate,
    read_certificate,
    split_chain,
    subject_of,
    to_der,
    top_issuer,
)
from dnsrenew.base.x509.chain_check import check_chain
from dnsrenew.base.x509.given import (
    CertificatePool,
    RequestFacts,
    chain_among,
    chain_from_file,
    ends_with_root,
    has_both,
    key_from_file,
    read_request,
    request_to_pem,
)
from dnsrenew.base.x509.jwk import key_from_jwk
from dnsrenew.base.x509.keys import (
    PrivateKey,
    is_rsa,
    key_from_pem,
    key_hash,
    key_kind,
    key_to_pem,
    make_csr,
    new_key,
    self_signed_pem,
)
from dnsrenew.base.x509.pkcs12 import pkcs12_holds, pkcs12_leaf, to_pkcs12
from dnsrenew.base.x509.roots import have_same_root, is_issued_under

__all__ = [
    "SKEW",
    "CertificateFacts",
    "CertificatePool",
    "PrivateKey",
    "RequestFacts",
    "authority_and_serial",
    "chain_among",
    "chain_from_file",
    "check_chain",
    "ends_with_root",
    "has_both",
    "has_ecdsa_key",
    "have_same_root",
    "is_issued_under",
    "is_rsa",
    "is_valid_at",
    "key_from_file",
    "key_from_jwk",
    "key_from_pem",
    "key_hash",
    "key_hash_of_certificate",
    "key_kind",
    "key_to_pem",
    "make_csr",
    "new_key",
    "pkcs12_holds",
    "pkcs12_leaf",
    "read_certificate",
    "read_request",
    "request_to_pem",
    "self_signed_pem",
    "split_chain",
    "subject_of",
    "to_der",
    "to_pkcs12",
    "top_issuer",
]
