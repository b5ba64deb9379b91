"""Checks of secrets and DNS accounts, and the test value that ``--probe`` writes."""
