"""The drivers for the HTTP APIs of DNS hosts, each against a stand-in that follows the host's documentation."""
