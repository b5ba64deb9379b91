"""Checks of the network in front of this machine: the router, the provider, the view from outside."""
