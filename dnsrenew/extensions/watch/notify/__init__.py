"""Messages about changes of certificates, and a heartbeat.

After a run, ``message`` finds what is new and writes one text of all of it, and ``send`` sends it to every address and
reports the run to a service that watches.
"""
