"""What the tests share. A test imports from here and from tests/lab (real servers), never from another test.

In memory, with all of dnsrenew real down to its HTTP client, its DNS view and its ports:

- ``clock``: ``FakeClock`` (time passes while something waits), ``RealClock`` (the real one, moved or hurried)
- ``acme_server``: ``AcmeServer``, the one CA: RFC 8555 and RFC 9773 at the level of HTTP, with limits, ARI and faults
- ``dns``: ``Host`` (a DNS host that may break), ``MemoryDns`` (what name servers show of it)
- ``memory``: ``in_memory()`` puts these in place for the runs in a block; also ``Ports``, ``host_config``
- ``recipes``: the Python files in a guide, and a process that runs them with a CA and a DNS host in memory
- ``certificates``, ``stores``, ``config_files``, ``fuzzing``, ``secrecy`` (each test is searched for leaked secrets),

CAs for one purpose are an ``AcmeServer`` with more faults: ``run_ca`` (fails as a property test draws it),
``machine_ca`` (breaks, and keeps a record), ``scripted_ca`` (each answer may be another one). ``ca_box`` is a real
Pebble with clients.

Worlds, each a host and what surrounds it:

- ``run_stage`` one certificate, anything may go wrong; ``year_world``, ``year``, ``year_page`` a simulated year;
  ``machine*`` any order of faults against a model; ``disk_world``, ``disk``, ``disk_checks`` each disk operation fails
- ``cli_stage`` the command with a renewer that plays a part; ``schedule_stage`` described machines
- with real servers: ``renew_stage``, ``fallback_stage``, ``dns_stage`` runs in this process; ``program`` runs of the
  program; ``processes``, ``child``, ``dying``, ``killed``, ``stopped``, ``ca_gate``, ``small_fs`` processes that die or
  wait at a point; ``network*`` a network that misbehaves; ``soak*`` everything at random, for hours
- DNS hosts: ``drivers``, ``api_server``, ``dns_hosts``, ``more_dns_hosts``, ``duckdns``

Pages made here: ``python -m tests.kit.disk``, ``.killed``, ``.network_page``; ``year_page`` by
``make docs``.
"""
