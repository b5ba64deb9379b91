"""Finds out whether a certificate can be renewed, by which route, and if not, why.

Start in ``table``: every check with the cause that it finds. A check is a function that gets the facts and returns a
:class:`~dnsrenew.model.Check`. ``examine`` runs them at once, ``verdict`` draws the conclusion.
"""
