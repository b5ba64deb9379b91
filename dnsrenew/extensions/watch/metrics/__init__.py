"""Metrics for Prometheus: a text file after each run, and an endpoint while ``dnsrenew run`` runs.

``collect`` reads the numbers from the store, ``exposition`` judges them and writes them as text, and ``endpoint``
publishes the result.
"""
