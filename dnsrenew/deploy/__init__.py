"""Deployments: a new certificate is activated in a server, and counts as deployed when the port serves it.

Start in ``engine``, which takes one entry through check, write, activate, verify and, if that fails, restore. ``entry``
lists the kinds of targets; each is one file in ``targets/``, here or in the extensions, with its options as a schema.
``protocol`` is the interface of a target. Targets with files on this machine share ``file_set``, which replaces the
files of a pair, and ``staged_file``, which reads and writes one file. ``verify`` asks the ports, and ``programs`` runs
reload commands.
"""
