"""Attention, from the lecture's dot product to several heads."""

from .lecture import self_attention
from .masks import causal_mask, padding_mask_of
from .multihead import KeysValues, MultiheadAttention
from .positions import LearnedPositions, SinusoidalPositions, sinusoidal_positions
from .scores import (
    AdditiveAttention,
    Attention,
    DotAttention,
    GeneralAttention,
    Memory,
    ScaledDotAttention,
    attention_of_kind,
)

__all__ = [
    "AdditiveAttention",
    "Attention",
    "DotAttention",
    "GeneralAttention",
    "KeysValues",
    "LearnedPositions",
    "Memory",
    "MultiheadAttention",
    "ScaledDotAttention",
    "SinusoidalPositions",
    "attention_of_kind",
    "causal_mask",
    "padding_mask_of",
    "self_attention",
    "sinusoidal_positions",
]
