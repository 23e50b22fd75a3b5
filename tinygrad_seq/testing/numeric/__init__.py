"""How functions really move, and whether gradients say the same."""
