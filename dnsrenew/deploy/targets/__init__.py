"""The kinds of targets, one in each file; ``TARGET`` describes it."""
