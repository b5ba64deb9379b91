"""``dnsrenew init``: questions with defaults found on this machine, tested answers, and a configuration.

``interview`` goes through the ``questions`` in order. ``answers`` has the answers from a file or from options, which go
through the same checks, and the test of the DNS account. ``servers`` finds the programs that can get the certificate,
and ``deployments`` the entries for them. ``host_question`` finds the host by its name servers, and ``write_config``
writes the files. This folder prints no text; the command implements ``Person``.
"""
