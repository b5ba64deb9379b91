"""Checks of the CAs and of the clock."""
