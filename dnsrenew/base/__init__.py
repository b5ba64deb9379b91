"""The lowest floor: clock, threads, files, subprocesses, names, values. Nothing here knows ACME or DNS."""
