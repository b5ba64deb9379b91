"""The lowest floor: clock, threads, files, subprocesses, names, values. It is independent of ACME and DNS."""
