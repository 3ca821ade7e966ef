"""From a table to a choice: candidates, front, feasible rows, choices, stability, map."""
