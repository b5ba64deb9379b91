"""The tls-alpn-01 challenge (RFC 8737)."""
