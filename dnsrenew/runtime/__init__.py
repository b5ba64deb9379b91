"""How a run waits and how fast it asks: context, retry, rate limit, circuit breaker, locks between threads."""
