"""The lookups of an examination: how names and zones are delegated, and the answers of each server."""
