"""Deployments: a new certificate is put to work in a server, and counts as deployed when the port serves it.

Start in ``engine``, which takes one entry through check, write, activate, verify and, if that fails, restore.
``catalogue`` lists the kinds of targets; each is one file in ``targets/`` with its options as a schema. ``protocol`` is
the interface of a target. ``file_set`` replaces the files of a pair, ``verify`` asks the ports, ``programs`` runs
reload commands.
"""
