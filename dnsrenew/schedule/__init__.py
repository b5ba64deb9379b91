"""Automatic renewal: a schedule of the system that runs ``dnsrenew renew``, or ``dnsrenew run``.

``plan`` has the values (host, job, plan). ``host`` describes this machine, and has the texts for launchd and Windows;
``systemd`` turns a job into the text of files, for cron too. ``installer`` reads what a configuration needs, writes and
removes the files, and judges what they will run. ``detect`` finds out whether anything runs dnsrenew by itself, with
``machine``. Nothing here prints.
"""
