"""The operations of a Renewer besides renewal: status, revocation, accounts, rollback, certificates by hand."""
