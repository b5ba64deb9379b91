"""How fast dnsrenew is: `python -m bench`. A figure is plain, or a ratio to the bare script in the same run."""
