"""Everything the paper has, registered through the same hooks as anybody's plugin."""
