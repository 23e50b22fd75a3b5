"""Writes tests/data/seq2seq_*.npz: PyTorch's numbers for encoder–decoders, with and without attention.

Run by hand, where torch 2.13 is installed: python tests/make_seq2seq_references.py
"""

from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

PADDING, BEGIN = 0, 1
CASES = {  # the layers, how many, both directions, the hidden size of the encoder, attention
    "rnn": (nn.RNN, 1, False, 5, None),
    "gru_2l_dot": (nn.GRU, 2, False, 5, "dot"),
    "gru_bi_additive": (nn.GRU, 1, True, 4, "additive"),
    "lstm_bi2l_general": (nn.LSTM, 2, True, 3, "general"),
    "lstm_scaled_dot": (nn.LSTM, 1, False, 5, "scaled_dot"),
}


class Attention(nn.Module):
    def __init__(self, kind, query_size, key_size):
        super().__init__()
        self.kind = kind
        if kind == "general":
            self.W = nn.Parameter(torch.randn(query_size, key_size))
        if kind == "additive":
            self.Wq, self.Wk = (nn.Parameter(torch.randn(query_size, n)) for n in (query_size, key_size))
            self.v = nn.Parameter(torch.randn(query_size))

    def forward(self, s, hs, blocked):
        if self.kind == "additive":
            score = torch.tanh((s @ self.Wq.T)[:, None] + hs @ self.Wk.T) @ self.v
        else:
            query = s @ self.W if self.kind == "general" else s
            score = torch.einsum("bd,bsd->bs", query, hs) / (s.shape[-1] ** 0.5 if "scaled" in self.kind else 1)
        w = torch.softmax(score.masked_fill(blocked, -torch.inf), -1)
        return torch.einsum("bs,bsd->bd", w, hs), w


class Seq2Seq(nn.Module):
    """With the names of ours, so that its state_dict is ours."""

    def __init__(self, kind, layers, bidirectional, encoder_size, attention, hidden=5, E=3, tokens=(7, 6)):
        super().__init__()
        self.source_embedding, self.target_embedding = nn.Embedding(tokens[0], E), nn.Embedding(tokens[1], E)
        self.encoder = kind(E, encoder_size, layers, bidirectional=bidirectional)
        self.decoder = kind(E, hidden, layers)
        width = encoder_size * (2 if bidirectional else 1)
        if bidirectional:
            self.bridge = nn.Module()
            self.bridge.h = nn.ModuleList([nn.Linear(width, hidden) for _ in range(layers)])
            if kind is nn.LSTM:
                self.bridge.C = nn.ModuleList([nn.Linear(width, hidden) for _ in range(layers)])
        self.attention = Attention(attention, hidden, width) if attention else None
        features = hidden + (width if attention else 0)
        self.W_y, self.b_y = nn.Parameter(torch.randn(features, tokens[1])), nn.Parameter(torch.randn(tokens[1]))

    def bridged(self, name, h_n):
        layers = [torch.cat(list(h_n[k : k + 2]), -1) for k in range(0, len(h_n), 2)]
        made = torch.stack([linear(h) for linear, h in zip(getattr(self.bridge, name), layers)])
        return torch.tanh(made) if name == "h" else made

    def forward(self, source, lengths, target):
        packed = pack_padded_sequence(self.source_embedding(source), lengths, enforce_sorted=False)
        packed, state = self.encoder(packed)
        hs = pad_packed_sequence(packed)[0].transpose(0, 1)
        if hasattr(self, "bridge"):
            pair = isinstance(state, tuple)
            state = (self.bridged("h", state[0]), self.bridged("C", state[1])) if pair else self.bridged("h", state)
        read = torch.cat([torch.full_like(target[:1], BEGIN), target[:-1]])
        blocked = torch.arange(len(source)) >= lengths[:, None]
        logits, weights = [], []
        for x in self.target_embedding(read):
            s, state = self.decoder(x[None], state)
            s = s[0]
            if self.attention:
                context, w = self.attention(s, hs, blocked)
                s = torch.cat([s, context], -1)
                weights.append(w)
            logits.append(s @ self.W_y + self.b_y)
        return torch.stack(logits), torch.stack(weights, 1) if weights else torch.zeros(0)


def main() -> None:
    torch.set_default_dtype(torch.float64)
    for number, (case, arguments) in enumerate(CASES.items()):
        torch.manual_seed(number)
        model = Seq2Seq(*arguments)
        lengths = torch.tensor([4, 1, 3])
        source = torch.randint(1, 7, (4, 3)) * (torch.arange(4)[:, None] < lengths)
        target = torch.randint(2, 6, (5, 3)) * (torch.arange(5)[:, None] < torch.tensor([3, 5, 2]))
        logits, weights = model(source, lengths, target)
        loss = cross_entropy(logits.reshape(-1, 6), target.reshape(-1), ignore_index=PADDING)
        loss.backward()
        found = {"in/source": source, "in/lengths": lengths, "in/target": target}
        found |= {"out/logits": logits, "out/weights": weights, "loss": loss}
        found |= {f"param/{name}": p for name, p in model.named_parameters()}
        found |= {f"grad/{name}": p.grad for name, p in model.named_parameters()}
        arrays = {name: x.detach().numpy() for name, x in found.items()}
        np.savez_compressed(Path(__file__).parent / "data" / f"seq2seq_{case}.npz", **arrays)


if __name__ == "__main__":
    main()
