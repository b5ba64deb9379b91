"""One ``SSLContext`` for every name of a fleet: ``server.ssl_context`` makes it.

``loading`` has all names in memory, and fetches certificates in the background. ``server`` keeps the names in step with
the database. ``context`` has the contexts of the requested certificates. ``OnDemand`` asks the program about names that
the fleet does not have.
"""
