"""Modules and cells: what they promise besides right gradients."""
