"""Writes tests/data/attention_more.npz: PyTorch's numbers for what the other reference files of attention leave out.

Run by hand, where torch 2.13 is installed: python tests/make_attention_references.py

"cases" is the JSON of them all, each [class, its arguments, shapes of the inputs in order, masks by name], a mask
["bool" or "float", shape]; the arrays of number n are "n/param/…", "n/in/…", "n/cot/…", "n/out/…" and "n/grad/…".
"""

import json
from pathlib import Path

import numpy as np
import torch

LAYER = {"d_model": 4, "nhead": 2, "dim_feedforward": 6, "dropout": 0.0}
STACK = {**LAYER, "num_encoder_layers": 2, "num_decoder_layers": 2}
CASES = [
    [
        "MultiheadAttention",
        {"embed_dim": 4, "num_heads": 2, "kdim": 3, "vdim": 5},
        [[5, 3, 4], [6, 3, 3], [6, 3, 5]],
        {"key_padding_mask": ["bool", [3, 6]]},
    ],
    [
        "MultiheadAttention",
        {"embed_dim": 4, "num_heads": 2, "bias": False},
        [[5, 3, 4], [6, 3, 4], [6, 3, 4]],
        {"attn_mask": ["float", [6, 5, 6]], "key_padding_mask": ["float", [3, 6]]},
    ],
    [
        "MultiheadAttention",
        {"embed_dim": 4, "num_heads": 4, "batch_first": True},
        [[2, 5, 4], [2, 6, 4], [2, 6, 4]],
        {"attn_mask": ["bool", [8, 5, 6]]},
    ],
    [
        "MultiheadAttention",
        {"embed_dim": 4, "num_heads": 2, "batch_first": True},
        [[5, 4], [6, 4], [6, 4]],
        {"attn_mask": ["bool", [5, 6]], "key_padding_mask": ["bool", [6]]},
    ],
    [
        "TransformerEncoderLayer",
        {**LAYER, "activation": "gelu", "norm_first": True},
        [[5, 3, 4]],
        {"src_mask": ["float", [5, 5]]},
    ],
    [
        "TransformerEncoderLayer",
        {**LAYER, "activation": "gelu", "bias": False, "layer_norm_eps": 0.01},
        [[5, 3, 4]],
        {"src_mask": ["bool", [5, 5]], "src_key_padding_mask": ["bool", [3, 5]]},
    ],
    ["TransformerEncoderLayer", {**LAYER, "batch_first": True}, [[5, 4]], {}],
    [
        "TransformerDecoderLayer",
        {**LAYER, "activation": "gelu", "norm_first": True},
        [[5, 3, 4], [6, 3, 4]],
        {"tgt_mask": ["bool", [5, 5]], "memory_mask": ["bool", [5, 6]], "tgt_key_padding_mask": ["bool", [3, 5]]},
    ],
    [
        "TransformerDecoderLayer",
        {**LAYER, "bias": False, "batch_first": True},
        [[3, 5, 4], [3, 6, 4]],
        {"memory_mask": ["float", [5, 6]], "memory_key_padding_mask": ["float", [3, 6]]},
    ],
    [
        "Transformer",
        {**STACK, "norm_first": True},
        [[6, 3, 4], [5, 3, 4]],
        {
            "src_key_padding_mask": ["bool", [3, 6]],
            "memory_key_padding_mask": ["bool", [3, 6]],
            "tgt_mask": ["bool", [5, 5]],
        },
    ],
    [
        "Transformer",
        {**STACK, "activation": "gelu", "batch_first": True, "bias": False},
        [[3, 6, 4], [3, 5, 4]],
        {"src_mask": ["bool", [6, 6]], "memory_mask": ["bool", [5, 6]], "tgt_key_padding_mask": ["bool", [3, 5]]},
    ],
]


def mask(kind: str, shape: list[int], rng: np.random.Generator) -> np.ndarray:
    """Some blocked in every row, but never the first, so that PyTorch has no NaN; floats where it is a bias."""
    if kind == "float":
        return rng.normal(size=shape)
    blocked = rng.random(shape) < 0.4
    blocked[..., 0] = False
    return blocked


def main() -> None:
    torch.set_default_dtype(torch.float64)
    found = {"cases": np.array(json.dumps(CASES))}
    for number, case in enumerate(CASES):
        rng = np.random.default_rng(number)
        name, config, shapes, masks = case
        model = getattr(torch.nn, name)(**config)
        for path, p in model.named_parameters():
            p.data = torch.tensor(rng.normal(size=p.shape) * 0.4)
            found[f"{number}/param/{path}"] = p.detach().numpy().copy()
        given = [torch.tensor(rng.normal(size=shape), requires_grad=True) for shape in shapes]
        fixed = {mask_name: mask(*kind, rng) for mask_name, kind in masks.items()}
        found |= {f"{number}/in/{i}": x.detach().numpy() for i, x in enumerate(given)}
        found |= {f"{number}/in/{mask_name}": array for mask_name, array in fixed.items()}
        outputs = model(*given, **{mask_name: torch.tensor(array) for mask_name, array in fixed.items()})
        loss = torch.zeros(())
        for i, out in enumerate(outputs if isinstance(outputs, tuple) else (outputs,)):
            cotangent = rng.normal(size=out.shape)
            loss = loss + (out * torch.tensor(cotangent)).sum()
            found |= {f"{number}/out/{i}": out.detach().numpy(), f"{number}/cot/{i}": cotangent}
        loss.backward()
        found |= {f"{number}/grad/in/{i}": x.grad.numpy() for i, x in enumerate(given)}
        found |= {f"{number}/grad/param/{path}": p.grad.numpy() for path, p in model.named_parameters()}
    np.savez_compressed(Path(__file__).parent / "data" / "attention_more.npz", **found)


if __name__ == "__main__":
    main()
