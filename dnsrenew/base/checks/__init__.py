"""From facts to a check: pure functions that rule out a renewal that cannot work, and explain one that failed."""
