"""One op and its rule: the derivative, its manners, and the derivative of the derivative."""
