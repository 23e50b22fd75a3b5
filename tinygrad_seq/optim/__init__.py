"""Optimisers, learning-rate schedules and gradient clipping, by PyTorch's names, arguments, defaults and updates.

    optimizer = optim.Adam(model.parameters(), lr=1e-3)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=100)
    ...
    optimizer.zero_grad()
    loss.backward()
    optim.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    schedule.step()
"""

from . import lr_scheduler
from .clipping import clip_grad_norm_, clip_grad_value_
from .rules import SGD, Adadelta, Adagrad, Adam, AdamW, NAdam, RMSprop
from .stepping import Optimizer

__all__ = [
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "NAdam",
    "Optimizer",
    "RMSprop",
    "clip_grad_norm_",
    "clip_grad_value_",
    "lr_scheduler",
]
