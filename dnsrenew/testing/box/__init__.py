"""A CA and DNS in a box: an ACME server (RFC 8555) and a name server on loopback, in threads of this process.

``acme_box`` starts both, and has the HTTPS and DNS servers. ``resources`` and ``order_server`` have the resources of
RFC 8555; ``order_server`` also validates published responses and signs certificates.
"""
