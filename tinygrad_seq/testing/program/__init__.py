"""Random programs, drawn from genes."""
