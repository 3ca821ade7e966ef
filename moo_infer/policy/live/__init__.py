"""Live runs: the same policies, against models that are called."""
