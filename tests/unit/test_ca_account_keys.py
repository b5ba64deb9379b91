"""Supported account keys: new ones are P-256, imported accounts keep theirs."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from josepy.jwa import ES256, ES384, RS256, JWASignature

from dnsrenew.acme.account_keys import signer_of, with_thumbprint
from dnsrenew.base import x509
from dnsrenew.base.model import KeyKind
from dnsrenew.base.model.spec import THUMBPRINTS, AccountData
from dnsrenew.errors import StoreError


@pytest.mark.parametrize(("kind", "algorithm"), [("ecdsa-p256", ES256), ("ecdsa-p384", ES384), ("rsa2048", RS256)])
def test_each_key_signs_with_its_algorithm(kind: KeyKind, algorithm: JWASignature) -> None:
    """Each key signs with the algorithm of RFC 7518 section 3.1. Its thumbprint is stored with the account."""
    account = AccountData(x509.key_to_pem(x509.new_key(kind)), "https://ca.test/acct/1")
    signer = signer_of(account)
    assert (signer.algorithm, signer.url, len(signer.thumbprints)) == (algorithm, account.url, 1)
    assert b'"protected"' in signer.sign(b"{}", "bm9uY2U", "https://ca.test/new-order")
    assert len(with_thumbprint(account, account.key_pem).data[THUMBPRINTS]) == 1


def test_a_key_that_no_ca_accepts() -> None:
    """A P-521 key and text that is no key are refused."""
    for pem in (x509.key_to_pem(ec.generate_private_key(ec.SECP521R1())), b"no key"):
        with pytest.raises(StoreError) as raised:
            signer_of(AccountData(pem))
        assert raised.value.code == "account-damaged"
