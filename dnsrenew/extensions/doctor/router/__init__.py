"""Checks of what lies in front of this machine: the router, the provider, the view from outside."""
