"""Writes tests/data/debugger.npz: what PyTorch's hooks see of an LSTM on HELLO, written out in its equations.

Run by hand, where torch 2.13 is installed: python tests/make_debugger_references.py

"param/…": the parameters.  "h", "C": ∂L_4/∂h_t and ∂L_4/∂C_t for t = 1 … 4, (4, 16), as `register_hook` is given them,
where L_4 is the loss of the last letter.  `nn.LSTMCell` computes in one op, so that a hook on its C_t would miss what
comes through h_t: the equations are written out, and compared with it.
"""

from pathlib import Path

import numpy as np
import torch

HIDDEN, LETTERS = 16, 4
HELL, LAST = [0, 1, 2, 2], 3


def main() -> None:
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    cell, head = torch.nn.LSTMCell(LETTERS, HIDDEN), torch.nn.Linear(HIDDEN, LETTERS)
    with torch.no_grad():
        cell.bias_ih[HIDDEN : 2 * HIDDEN] = 1.0
        cell.bias_hh[HIDDEN : 2 * HIDDEN] = 0.0
    seen: dict[str, dict[int, np.ndarray]] = {"h": {}, "C": {}}
    h = C = torch.zeros(HIDDEN)
    fused = torch.zeros(HIDDEN), torch.zeros(HIDDEN)
    for t, letter in enumerate(HELL, 1):
        x = torch.nn.functional.one_hot(torch.tensor(letter), LETTERS).double()
        gates = cell.weight_ih @ x + cell.bias_ih + cell.weight_hh @ h + cell.bias_hh
        i, f, new, o = gates.chunk(4)
        C = f.sigmoid() * C + i.sigmoid() * new.tanh()
        h = o.sigmoid() * C.tanh()
        fused = cell(x, fused)
        assert torch.allclose(h, fused[0], rtol=1e-14)
        assert torch.allclose(C, fused[1], rtol=1e-14)
        for name, tensor in (("h", h), ("C", C)):
            tensor.register_hook(lambda g, name=name, t=t: seen[name].__setitem__(t, g.numpy().copy()))
    torch.nn.functional.cross_entropy(head(h), torch.tensor(LAST)).backward()
    arrays = {name: np.stack([of[t] for t in sorted(of)]) for name, of in seen.items()}
    arrays |= {f"param/rnn.{name}_l0": p.detach().numpy() for name, p in cell.named_parameters()}
    arrays |= {"param/W_y": head.weight.detach().numpy().T, "param/b_y": head.bias.detach().numpy()}
    np.savez_compressed(Path(__file__).parent / "data" / "debugger.npz", **arrays)


if __name__ == "__main__":
    main()
