"""Mistakes in configuration and provider files, and the lines of keys in a TOML text."""
