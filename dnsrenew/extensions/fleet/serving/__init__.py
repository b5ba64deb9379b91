"""One ``SSLContext`` for every name of a fleet: ``server.ssl_context`` makes it.

``index`` has all names in memory, and ``feed`` keeps it as the database is. ``cache`` has the contexts of the
certificates that are asked for, ``loading`` fetches them in the background. ``on_demand`` asks the program about names
that the fleet does not have.
"""
