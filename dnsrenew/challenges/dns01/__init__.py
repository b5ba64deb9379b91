"""The dns-01 challenge (RFC 8555 section 8.4)."""
