"""`python -m tinygrad_seq` is `tinygrad-seq`."""

from .cli import main

main()
