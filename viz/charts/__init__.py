"""Charts of gradients, attention, gates and weights."""
