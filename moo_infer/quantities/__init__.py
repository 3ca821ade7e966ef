"""The mathematics of k: laws, samples, subsets, votes, quadrature, bootstrap weights."""
