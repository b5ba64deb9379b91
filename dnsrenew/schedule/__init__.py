"""Automatic renewal: a schedule of the system that runs ``dnsrenew renew``, or ``dnsrenew run``.

``plan`` has the values (host, job, plan). ``host`` describes this machine, and has the texts for launchd and Windows;
``systemd`` turns a job into the text of files, for cron too. ``installer`` reads the needs of a configuration, writes
and removes the files, and checks the code that they will run. ``detect`` finds out whether this machine runs dnsrenew
automatically, with ``machine``. This folder prints no text.
"""
