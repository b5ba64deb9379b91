"""The parts of dnsrenew beyond the certificates of one machine; see :mod:`dnsrenew.base.extensions`."""
