"""Checks of names: the domain, its zone, the challenge names, the addresses."""
