"""Stand-ins for the APIs of DNS hosts: a file for each, written from the public documentation that it names."""
