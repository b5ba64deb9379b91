"""Checks of the store, the schedule and the servers, which keep certificates."""
