"""``dnsrenew import``: what other ACME clients have, read, written as ours, and explained.

``plan`` names the tools; each has a reader (``certbot``, ``lego`` …) that returns the values of ``model``. ``plan``
merges them, ``config_file`` and ``writing`` write, ``servers`` and ``timers`` say what is left to do.
"""
