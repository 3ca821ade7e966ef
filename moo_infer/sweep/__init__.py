"""Sweeps: the same decision at every point of a grid of settings, kept as Parquet files in a folder."""
