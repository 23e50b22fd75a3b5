"""Modules: layers with parameters, and what models are made of."""

from . import init
from .layers import Dropout, Embedding, LayerNorm, Linear
from .module import Module, ModuleList, Sequential

__all__ = ["Dropout", "Embedding", "LayerNorm", "Linear", "Module", "ModuleList", "Sequential", "init"]
