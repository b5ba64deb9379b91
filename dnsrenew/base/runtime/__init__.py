"""How a run waits: context, retry, rate limit, circuit breaker, fair lock, single flight."""
