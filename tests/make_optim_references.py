"""Writes tests/data/optim_more.npz: PyTorch's numbers for what the other reference files leave out.

Run by hand, where torch 2.13 is installed: python tests/make_optim_references.py
"""

import json
import warnings
from pathlib import Path

import numpy as np
import torch

OPTIMISERS = [
    ("SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("SGD", {"momentum": 0.8, "maximize": True}),
    ("Adam", {"amsgrad": True, "betas": [0.5, 0.8], "eps": 1e-3}),
    ("AdamW", {"amsgrad": True, "weight_decay": 0.3}),
    ("RMSprop", {"weight_decay": 0.1}),
    ("Adagrad", {"lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.5}),
    ("NAdam", {"weight_decay": 0.1, "momentum_decay": 0.01}),
    ("Adadelta", {"rho": 0.8, "weight_decay": 0.1}),
]
SCHEDULES = [
    ("MultiStepLR", {"milestones": [3, 3, 10], "gamma": 0.5}),
    ("ConstantLR", {"factor": 0.3, "total_iters": 5}),
    ("LinearLR", {"start_factor": 0.2, "end_factor": 0.9, "total_iters": 8}),
    ("ExponentialLR", {"gamma": 0.9}),
    ("CosineAnnealingWarmRestarts", {"T_0": 5, "T_mult": 2, "eta_min": 0.001}),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": 30}),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": 30, "three_phase": True, "anneal_strategy": "linear"}),
]
PLATEAUS = [
    {},
    {"mode": "max", "patience": 2, "cooldown": 3},
    {"threshold_mode": "abs", "threshold": 0.1, "patience": 1},
]


def main() -> None:
    torch.set_default_dtype(torch.float64)
    warnings.simplefilter("ignore")
    rng = np.random.default_rng(0)
    start, gradients = rng.normal(size=(3, 4)), rng.normal(size=(20, 3, 4))
    measures = np.abs(np.sin(np.arange(40.0)))
    found = {"start": start, "gradients": gradients, "measures": measures}
    for name, config in OPTIMISERS:
        w = torch.nn.Parameter(torch.tensor(start))
        optimiser = getattr(torch.optim, name)([w], lr=0.01, **config)
        path = []
        for g in gradients:
            w.grad = torch.tensor(g)
            optimiser.step()
            path.append(w.detach().numpy().copy())
        found[json.dumps([name, config])] = np.array(path)
    for name, config in SCHEDULES:
        optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1, momentum=0.9)
        schedule = getattr(torch.optim.lr_scheduler, name)(optimiser, **config)
        path = []
        for _ in range(29):
            path.append([optimiser.param_groups[0]["lr"], optimiser.param_groups[0]["momentum"]])
            optimiser.step()
            schedule.step()
        found[json.dumps([name, config])] = np.array(path)
    for config in PLATEAUS:
        optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimiser, **config)
        path = []
        for measure in measures:
            schedule.step(measure)
            path.append(optimiser.param_groups[0]["lr"])
        found[json.dumps(["ReduceLROnPlateau", config])] = np.array(path)
    np.savez(Path(__file__).parent / "data" / "optim_more.npz", **found)


if __name__ == "__main__":
    main()
