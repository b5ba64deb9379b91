"""Deployments: a new certificate is put to work in a server, and counts as deployed when the port serves it.

Start in ``engine``, which takes one entry through check, write, activate, verify and, if that fails, restore.
``catalogue`` lists the kinds of targets; each is one file in ``targets/`` with its options as a schema. ``protocol`` is
the interface of a target. ``file_deployer`` is what the targets with files on this machine share: ``file_set`` replaces
the files of a pair, and ``aside`` reads and writes one file. ``verify`` asks the ports, ``programs`` runs reload
commands.
"""
