"""Checks of this machine: its outbound routes, its ports, its firewall."""
