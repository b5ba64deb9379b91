"""A CA and DNS in a box: an ACME server (RFC 8555) and a name server on loopback, in threads of this process.

``acme_box`` starts both; its HTTPS and DNS are there too. ``resources`` and ``order_server`` have the resources of
RFC 8555; ``order_server`` also looks at what is published, and signs certificates.
"""
