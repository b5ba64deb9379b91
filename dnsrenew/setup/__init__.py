"""Getting there: taking over from other ACME clients."""
