"""The store in a PostgreSQL database, which the machines of a fleet share (contract, section 10).

psycopg is an extra, and slow to load: the modules that import it at the top (:mod:`.deadlines`, :mod:`.sqlstates`) are
imported by the first connection.
"""
