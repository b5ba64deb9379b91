"""What all tests share; the servers' fixtures are in tests/integration and tests/lab."""

import os
import signal

from hypothesis import settings

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Started in the background of a shell: what we start would inherit that, and Ctrl-C could not be tested.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# No deadline: two workers and their servers share two cores.
# In CI the same examples every time, so that a red run can be repeated.
settings.register_profile("dnsrenew", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("dnsrenew")
