"""The lookups of an examination: how names and zones are delegated, and what each server says."""
