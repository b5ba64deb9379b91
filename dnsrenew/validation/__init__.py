"""Mistakes in configuration and provider files: what was found where, and what is expected."""
