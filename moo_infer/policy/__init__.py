"""What is done with a query: policies that decide after every answer, mixtures of rows, and what they are worth."""
