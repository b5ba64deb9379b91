"""``dnsrenew delegate``: a single CNAME or TXT record that is set once."""
