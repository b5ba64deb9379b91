"""How fast dnsrenew is: `python -m bench`. A figure is absolute, or a ratio to the bare script in the same run."""
