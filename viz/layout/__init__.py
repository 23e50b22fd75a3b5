"""Where the nodes of one step go."""
