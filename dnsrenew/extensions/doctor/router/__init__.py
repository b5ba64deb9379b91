"""Checks of what lies in front of this host: the router, the provider, the view from outside."""
