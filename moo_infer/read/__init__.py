"""Reads what people have: profiles, logs, price lists, load tests."""
