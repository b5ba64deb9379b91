"""Messages about changes of certificates, and a heartbeat (contract, section 8).

``tell`` is called after a run: ``changes`` finds what is new, ``message`` writes one text of all of it, ``send`` sends
it to every address, and ``heartbeat`` reports the run to a service that watches.
"""
