"""How fast a fleet is: `python -m bench.fleet`."""
