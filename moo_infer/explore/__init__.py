"""The explorer: parameters to move, and what they change."""
