"""The unrolled picture as text."""
