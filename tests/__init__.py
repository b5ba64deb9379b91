"""The tests of dnsrenew; the servers they run against are in tests/lab."""
