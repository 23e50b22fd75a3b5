"""The time of an update on each task, beside PyTorch with its fused layers, on the same batches; and what comes of it.

    python benchmarks/bench_tasks.py            the time of an update, interleaved, one thread each
    python benchmarks/bench_tasks.py learn      train both to the end, and print the metrics (long)
    python benchmarks/bench_tasks.py learn adding-gru dates    only those rows

float32, Adam, gradient norm clipped at 1, batch, width and learning rate of the task.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import nn

from rivals import race, ratio
from tinygrad_seq.models import Build, Experiment
from tinygrad_seq.models.tasks import Task, task
from tinygrad_seq.models.training.memory import keep_freed_memory
from tinygrad_seq.optim import Adam, clip_grad_norm_


class Row(NamedTuple):
    """A task, its options, a model, and how many updates it is given."""

    task: str
    model: str
    attention: str | None = None
    options: dict[str, Any] = {}  # noqa: RUF012
    hidden: int | None = None
    updates: int | None = None


ROWS = {
    "hello-rnn": Row("hello", "rnn"),
    "hello-lstm": Row("hello", "lstm"),
    "hello-gru": Row("hello", "gru"),
    "hello-transformer": Row("hello", "transformer"),
    "adding-rnn": Row("adding", "rnn", options={"length": 50}),
    "adding-lstm": Row("adding", "lstm", options={"length": 50}),
    "adding-gru": Row("adding", "gru", options={"length": 50}),
    "adding-lstm-attention": Row("adding", "lstm", "additive", {"length": 50}),
    "adding-transformer": Row("adding", "transformer", options={"length": 50}),
    "copy-lstm": Row("copy", "lstm"),
    "copy-gru": Row("copy", "gru"),
    "copy-transformer": Row("copy", "transformer"),
    "order-rnn": Row("order", "rnn"),
    "order-lstm-attention": Row("order", "lstm", "additive"),
    "order-transformer": Row("order", "transformer"),
    "dates": Row("dates", "gru"),
    "dates-attention": Row("dates", "gru", "additive"),
    "pixels-rnn": Row("digits-pixels", "rnn"),
    "pixels-lstm": Row("digits-pixels", "lstm"),
    "pixels-gru": Row("digits-pixels", "gru"),
    "pixels-lstm-attention": Row("digits-pixels", "lstm", "additive"),
    "pixels-transformer": Row("digits-pixels", "transformer"),
    "english-rnn": Row("english", "rnn"),
    "english-lstm": Row("english", "lstm"),
    "english-gru": Row("english", "gru"),
    "korean-gru": Row("korean", "gru"),
}


# ---- the same in PyTorch -------------------------------------------------------------


class Reader(nn.Module):
    """What comes in, through a recurrent layer or a Transformer encoder, to an output at each step or at the end."""

    def __init__(self, t: Task, row: Row) -> None:
        super().__init__()
        self.task, self.row, size = t, row, t.vector_size
        if size is None and (t.training.embedding or row.model == "transformer"):
            size = self.width if row.model == "transformer" else t.training.embedding
            self.embedding = nn.Embedding(t.num_tokens, size)
        else:
            self.embedding, size = None, size or t.num_tokens
        if row.model == "transformer":
            self.entry = None if self.embedding else nn.Linear(size, self.width)
            layer = nn.TransformerEncoderLayer(self.width, 4, 4 * self.width, 0.0, norm_first=True)
            self.body = nn.TransformerEncoder(layer, 2, nn.LayerNorm(self.width), enable_nested_tensor=False)
            self.positions = nn.Parameter(torch.randn(512, 1, self.width) * 0.1)
        else:
            self.body = getattr(nn, row.model.upper())(size, self.width)
        if row.attention:
            self.Wq, self.Wk, self.v = (nn.Linear(self.width, n, bias=False) for n in (self.width, self.width, 1))
        self.out = nn.Linear(2 * self.width if row.attention else self.width, t.num_classes)

    @property
    def width(self) -> int:
        usual = self.task.training.hidden
        return 32 if self.row.model == "transformer" and self.task.shape != "next token" else usual

    def forward(self, x: Any) -> Any:
        if self.embedding is not None:
            x = self.embedding(x)
        elif not x.is_floating_point():
            x = nn.functional.one_hot(x, self.task.num_tokens).float()
        if self.row.model == "transformer":
            x = x if self.entry is None else self.entry(x)
            T, causal = len(x), self.task.shape == "next token"
            mask = nn.Transformer.generate_square_subsequent_mask(T) if causal else None
            hs = self.body(x + self.positions[:T], mask=mask)
            return self.out(hs.mean(0) if self.task.shape == "many-to-one" else hs)
        hs, _ = self.body(x)
        if self.task.shape != "many-to-one":
            return self.out(hs)
        if self.row.attention is None:
            return self.out(hs[-1])
        w = self.v(torch.tanh(self.Wq(hs[-1]) + self.Wk(hs))).softmax(0)
        return self.out(torch.cat([hs[-1], (w * hs).sum(0)], -1))

    def loss(self, x: Any, y: Any, lengths: Any = None) -> Any:
        if self.task.regression:
            return nn.functional.mse_loss(self(x)[:, 0], y)
        return nn.functional.cross_entropy(self(x).flatten(0, -2), y.flatten())


class Translator(nn.Module):
    """A GRU that reads and one that writes, which after all its steps looks back with additive attention."""

    def __init__(self, t: Task, row: Row) -> None:
        super().__init__()
        E, H = t.training.embedding, t.training.hidden
        self.source, self.target = nn.Embedding(t.num_tokens, E), nn.Embedding(t.num_classes, E)
        self.encoder, self.decoder, self.attention = nn.GRU(E, H), nn.GRU(E, H), row.attention
        self.out = nn.Linear(2 * H if row.attention else H, t.num_classes)
        if row.attention:
            self.Wq, self.Wk, self.v = (nn.Linear(H, size, bias=False) for size in (H, H, 1))

    def forward(self, source: Any, lengths: Any, read: Any) -> Any:
        packed = nn.utils.rnn.pack_padded_sequence(self.source(source), lengths, enforce_sorted=False)
        hs, last = self.encoder(packed)
        s, _ = self.decoder(self.target(read), last)
        if self.attention:
            hs, _ = nn.utils.rnn.pad_packed_sequence(hs)
            score = self.v(torch.tanh(self.Wq(s)[:, None] + self.Wk(hs)[None]))[..., 0]  # (T, S, B)
            score = score.masked_fill((torch.arange(len(hs))[:, None] >= lengths)[None], -torch.inf)
            s = torch.cat([s, torch.einsum("tsb,sbh->tbh", score.softmax(1), hs)], -1)
        return self.out(s)

    def loss(self, source: Any, lengths: Any, target: Any) -> Any:
        read = torch.cat([torch.full_like(target[:1], 1), target[:-1]])
        return nn.functional.cross_entropy(self(source, lengths, read).flatten(0, 1), target.flatten(), ignore_index=0)


def in_torch(batch: tuple[Any, ...]) -> list[Any]:
    return [None if x is None else torch.tensor(x, dtype=torch.float32 if x.dtype.kind == "f" else None) for x in batch]


def twin(t: Task, row: Row) -> nn.Module:
    torch.manual_seed(0)
    return Translator(t, row) if t.shape == "seq2seq" else Reader(t, row)


# ---- an update of each ---------------------------------------------------------------


def update_of_ours(experiment: Experiment, rng: np.random.Generator) -> Callable[[], None]:
    model, t = experiment.model, experiment.task
    optimizer, parameters = Adam(model.parameters(), lr=t.training.lr), list(model.parameters())

    def update() -> None:
        loss = model.loss(*t.draw(rng))
        optimizer.zero_grad()
        loss.backward()
        clip_grad_norm_(parameters, t.training.clip)
        optimizer.step()

    return update


def update_of_theirs(model: Any, t: Task, rng: np.random.Generator) -> Callable[[], None]:
    optimizer = torch.optim.Adam(model.parameters(), lr=t.training.lr)

    def update() -> None:
        loss = model.loss(*in_torch(t.draw(rng)))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), t.training.clip)
        optimizer.step()

    return update


class Evaluated:
    """A PyTorch model as `Task.evaluate` asks for it."""

    def __init__(self, model: Any) -> None:
        self.model, self.training = model, False

    def eval(self) -> None: ...

    def train(self, mode: bool) -> None: ...

    def __call__(self, *batch: Any, **_: Any) -> np.ndarray:
        with torch.no_grad():
            return self.model(*in_torch(tuple(np.asarray(x) for x in batch))).numpy()


def learn(name: str, row: Row, t: Task) -> None:
    """Train both with the task's budget, and print what each comes to, and its time."""
    updates = row.updates or t.training.updates
    experiment, model = Experiment(t, Build(row.model, row.attention)), twin(t, row)
    for who, update, judged in (
        ("ours ", update_of_ours(experiment, np.random.default_rng(0)), experiment.model),
        ("torch", update_of_theirs(model, t, np.random.default_rng(0)), Evaluated(model)),
    ):
        start = perf_counter()
        for _ in range(updates):
            update()
        seconds = perf_counter() - start
        measured = "?"  # search needs a model of ours
        if who == "ours " or t.shape != "seq2seq":
            measured = "  ".join(f"{key} {value:.4f}" for key, value in t.evaluate(judged, "test").items())
        print(f"{name:24} {who} {updates:5} updates {seconds:7.1f} s   {measured}", flush=True)


def main() -> None:
    keep_freed_memory()
    torch.set_num_threads(1)
    arguments = sys.argv[1:]
    learning = arguments[:1] == ["learn"]
    wanted = arguments[1:] if learning else arguments
    with threadpool_limits(1):
        for name, row in ROWS.items():
            if wanted and name not in wanted:
                continue
            t = task(row.task, **row.options)
            if learning:
                learn(name, row, t)
                continue
            ours = update_of_ours(Experiment(t, Build(row.model, row.attention)), np.random.default_rng(0))
            theirs = update_of_theirs(twin(t, row), t, np.random.default_rng(0))
            times = race({"ours": ours, "torch": theirs}, rounds=9)
            print(
                f"{name:24} ours {times['ours'] * 1e3:7.2f} ms   torch {times['torch'] * 1e3:7.2f} ms   "
                f"ratio {ratio(times, 'ours', 'torch'):.2f}", flush=True,
            )  # fmt: skip


if __name__ == "__main__":
    main()
