"""The report of ``--report FILE.html``: one file that shows everything, and loads nothing. It is made in ``page``."""
