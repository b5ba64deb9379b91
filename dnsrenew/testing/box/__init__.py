"""A CA and DNS in a box: an ACME server (RFC 8555) and a name server on loopback, in threads of this process.

``acme_box`` starts both; ``account_server`` and ``order_server`` have the resources of RFC 8555, ``https_server`` their
HTTPS, ``validation`` looks at what is published, ``name_server`` answers DNS queries, ``issuer`` signs certificates.
"""
