"""Checks of this host: its outbound routes, its ports, its firewall."""
