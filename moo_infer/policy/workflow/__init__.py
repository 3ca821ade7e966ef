"""Workflows as rows of the table: stages that are policies or tools, composed along a graph."""
