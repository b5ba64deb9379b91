"""A CA, name servers and the program together."""
