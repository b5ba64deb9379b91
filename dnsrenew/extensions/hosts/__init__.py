"""The drivers for the HTTP APIs of DNS hosts: a file for each, on :mod:`~dnsrenew.drivers.host_api`."""
