"""Proving control of a name: publish, wait until it can be seen, let the CA look, withdraw."""
