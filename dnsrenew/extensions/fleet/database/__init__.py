"""The store in a PostgreSQL database, which the machines of a fleet share.

psycopg is an extra, and slow to load. So the modules that import it at the top (such as :mod:`.deadlines`) are imported
by the first connection.
"""
