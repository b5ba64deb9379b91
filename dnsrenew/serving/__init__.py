"""Certificates inside a running server: one ``SSLContext`` that always has the newest ones.

``live_context`` is that context; it knows nothing of stores or renewals. ``served`` renews in the background, follows
the store and puts new certificates into the context.
"""
