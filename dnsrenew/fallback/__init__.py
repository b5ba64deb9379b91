"""Which route is tried next, and why. Pure: no I/O, no CA, no DNS."""
