"""A record read for drawing: columns of time, stretches, levels of detail, attention."""
