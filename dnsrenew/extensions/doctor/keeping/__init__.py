"""Checks of what keeps certificates: the store, the schedule, the servers."""
