"""What is done with a query: policies that decide after every answer, and what they are worth."""
