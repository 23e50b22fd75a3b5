"""The unrolled picture: a column per time step."""
