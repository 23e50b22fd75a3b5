"""A record folded into the body of its loops."""
