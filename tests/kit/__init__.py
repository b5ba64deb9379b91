"""Helpers of the tests. A test imports from here and from tests/lab (real servers), never from another test.

In memory, with dnsrenew itself real except for its HTTP client, its DNS view and its ports:

- ``clock``: ``FakeClock`` (runs only during waits), ``RealClock`` (shifted or accelerated)
- ``acme_server``: ``AcmeServer``, the CA of ``dnsrenew.testing`` without sockets, with limits and hooks for faults
- ``dns``: ``Host`` (a DNS host that may fail), ``MemoryDns`` (the name servers)
- ``memory_lab``: the lab of ``tests/lab`` in memory, for whole runs and commands (the fixtures of ``tests/unit``)
- ``memory``: ``in_memory()`` installs these for the runs in a block; also ``Ports``, ``host_config``
- ``recipes``: the Python files in a guide, and a process that runs them with a CA and a DNS host in memory
- ``load``: limits of time on a busy machine; ``quick``: ``make quick``
- ``certificates``, ``stores``, ``folders``, ``config_files``, ``fuzzing``, ``secrecy`` (searches each test for secrets)

``AcmeServer`` has switches for what a CA refuses (``CaBehaviour``) and hooks for everything else; ``machine_ca`` adds a
record for the state machine, ``scripted_ca`` a script of answers. ``ca_box`` is a real Pebble with clients.

Worlds, each a host with its surroundings:

- ``run_stage`` one certificate, any fault; ``year_world``, ``year``, ``year_page`` a simulated year;
  ``machine*`` any order of faults against a model; ``disk_world``, ``disk``, ``disk_checks`` each disk operation fails
- ``cli_stage`` the command with a replaced renewer; ``schedule_stage`` descriptions of machines
- with real servers: ``renew_stage``, ``fallback_stage``, ``dns_stage`` runs in this process; ``program`` runs of the
  program; ``processes``, ``child``, ``dying``, ``killed``, ``stopped``, ``ca_gate``, ``small_fs`` processes that die or
  wait at a point; ``network*`` network faults; ``soak*`` random faults, for hours
- deployments: ``deployments`` (certificates, what the store keeps), ``tls_stand_in``, ``servers`` (nginx and others),
  ``hfs``, ``dying_deploy``
- DNS hosts: ``drivers``, ``api_server``, ``dns_hosts``, ``more_dns_hosts``, ``duckdns``

Pages made here: ``python -m tests.kit.disk``, ``.killed``, ``.network_page``; ``year_page`` by
``make docs``.
"""
