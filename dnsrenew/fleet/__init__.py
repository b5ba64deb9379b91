"""A fleet: certificates in a database, workers on any number of machines, servers that answer for all names."""
