"""The dns-account-01 challenge (draft-ietf-acme-dns-account-label-02): dns-01 at a name that the account has alone."""
