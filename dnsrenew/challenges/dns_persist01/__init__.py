"""The dns-persist-01 challenge (draft-ietf-acme-dns-persist): one TXT record that stays."""
