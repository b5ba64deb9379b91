"""One ``SSLContext`` for every name of a fleet: ``server.ssl_context`` makes it.

``loading`` has all names in memory, and fetches certificates in the background; ``server`` keeps the names as the
database has them. ``context`` has the contexts of the certificates that are asked for. ``OnDemand`` asks the program
about names that the fleet does not have.
"""
