"""The style of the textbook's figure."""
