"""From a profile to a curve: exact moments, or Monte Carlo."""
