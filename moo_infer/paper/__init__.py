"""The paper end to end: its published results, those of its authors' procedure, and exact ones.

A room of its own: nothing in the core knows it.
"""

from .comparison import Cell, Comparison, compare

__all__ = ["Cell", "Comparison", "compare"]
