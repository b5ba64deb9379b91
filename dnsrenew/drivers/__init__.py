"""DNS hosts: the driver protocol, the catalogue of hosts, and the built-in drivers."""
