"""One module at a time, no server."""
