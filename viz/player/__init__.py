"""A picture as a page with a player: backprop and the computation step by step, in any browser."""
