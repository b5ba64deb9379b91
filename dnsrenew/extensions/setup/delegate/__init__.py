"""One CNAME or TXT record that is set once: ``dnsrenew delegate``."""
