"""What a Renewer offers besides renewing: status, revocation, accounts."""
