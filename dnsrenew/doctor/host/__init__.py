"""Checks of this host: its way out, its ports, its firewall."""
