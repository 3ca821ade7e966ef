"""The paper end to end: what it published, what its authors' procedure gives, and what is exact.

A room of its own: nothing in the core knows it.
"""

from .comparison import Cell, Comparison, compare

__all__ = ["Cell", "Comparison", "compare"]
