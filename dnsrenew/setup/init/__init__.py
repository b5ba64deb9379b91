"""``dnsrenew init``: questions with defaults found on this machine, tested answers, and a configuration.

``interview`` asks the questions of ``questions``, ``dns_host`` and ``targets`` in order; ``answers`` has the answers that
are given in a file or as options, which go through the same checks. ``servers`` finds the programs that can get the
certificate, ``account_test`` writes a test value with the DNS account, and ``write_config`` writes the files. Nothing
here prints: the command implements ``Person``.
"""
