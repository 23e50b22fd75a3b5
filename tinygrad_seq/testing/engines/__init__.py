"""Functions of other engines: PyTorch, HIPS autograd, gradients by hand."""
