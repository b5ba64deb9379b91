"""The report of ``--report FILE.html``: one file that shows everything, and loads nothing."""

from dnsrenew.doctor.report.page import html

__all__ = ["html"]
