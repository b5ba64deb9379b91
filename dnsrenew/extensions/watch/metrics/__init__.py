"""Metrics for Prometheus: a text file after each run, and an endpoint while ``dnsrenew run`` runs.

``collect`` reads the numbers from the store, ``exposition`` writes them as text, and ``health`` judges them.
``textfile`` and ``endpoint`` publish the result.
"""
