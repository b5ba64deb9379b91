"""What a type checker sees of the public names; checked by mypy, run by pytest."""
