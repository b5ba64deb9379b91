"""What all tests share; the servers' fixtures are in tests/integration and tests/lab."""

import os

from hypothesis import settings

# No deadline: two workers and their servers share two cores.
# In CI the same examples every time, so that a red run can be repeated.
settings.register_profile("dnsrenew", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("dnsrenew")
