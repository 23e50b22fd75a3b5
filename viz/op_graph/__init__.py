"""A record as a graph of ops."""
