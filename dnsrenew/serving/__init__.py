"""Certificates inside a running server: one ``SSLContext`` that always has the newest ones.

``recorded_context`` has that context; it knows nothing of stores or renewals. ``served`` renews in the background,
follows the store and puts new certificates into the context.
"""
