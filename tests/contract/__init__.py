"""Every driver against a real server of its kind."""
