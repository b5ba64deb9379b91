"""What dnsrenew can do beyond the certificates of one host; see :mod:`dnsrenew.base.extensions`."""
