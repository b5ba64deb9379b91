"""The renewal of one certificate (renew.py), of many (batch.py), and what both work with."""
