"""About 90 DNS hosts through dns-lexicon, which runs in a separate process.

- Its libraries are patched there as a whole (:mod:`~dnsrenew.extensions.hosts.lexicon.patches`): every request has
  time-outs, no redirect sends a key elsewhere, no public suffix list is loaded. Mistakes of single providers are fixed
  (:mod:`~dnsrenew.extensions.hosts.lexicon.child`). The process of the calling program, which may use lexicon and
  requests itself, is not patched.
- There is one process for each account and run, shared by its threads
  (:mod:`~dnsrenew.extensions.hosts.lexicon.process`). It is started before the order, so that it is ready when the
  order is. A call that hangs is ended with its process.
- Secrets go there through a pipe, and errors come back with all their texts, which dnsrenew redacts here.
"""
