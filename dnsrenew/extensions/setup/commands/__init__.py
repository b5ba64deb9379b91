"""The commands init, import, delegate, export and restore."""
