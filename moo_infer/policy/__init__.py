"""What is done with a query: mixtures of the rows of a table."""
