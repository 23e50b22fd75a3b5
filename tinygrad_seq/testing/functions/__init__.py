"""Whole functions: `gradcheck`, who is to blame, and what else it can be."""
