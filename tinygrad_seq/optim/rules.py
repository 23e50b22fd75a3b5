"""The update rules, one class each, in PyTorch's letters: w the parameter, g its gradient, lr the learning rate.

In the formulas  avg(β; a, x) = β·a + (1 − β)·x  is the decaying average of x, which starts at a = 0.  Where
weight_decay λ is not 0 the gradient is g + λ·w, the derivative of the loss plus λ/2·‖w‖²; with maximize=True the
gradient of the loss counts with its sign turned.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..errors import DataError
from .stepping import Optimizer

__all__ = ["SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "NAdam", "RMSprop"]

State = dict[str, Any]

# Arrays without axes turn into NumPy's numbers in a calculation, and the data of a Value is a float: in what follows
# `x += y` works on all of them, in place on the arrays, where `out=` would not.  What comes in is never written into.


def average(a: Any, x: Any, beta: float) -> Any:
    """β·a + (1 − β)·x, where an `a` of None is the 0 at the start."""
    mean = x * (1 - beta)
    if a is not None:
        mean += a * beta
    return mean


def descent(w: Any, g: Any, group: State) -> Any:
    """What to go down along: the gradient (turned, to maximise), with weight decay."""
    if group["maximize"]:
        g = -g
    if group["weight_decay"] and not group.get("decoupled_weight_decay"):
        total = w * group["weight_decay"]
        total += g
        return total
    return g


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum μ and dampening τ.

        b ← μ·b + (1 − τ)·g        (b ← g the first time)
        w ← w − lr·b               (w ← w − lr·(g + μ·b) with nesterov=True;  w ← w − lr·g without momentum)

    Momentum as in Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning", in
    PyTorch's form, in which lr is outside of b.

    >>> from tinygrad_seq import Parameter, optim
    >>> w = Parameter([3.0, -4.0])
    >>> optimizer = optim.SGD([w], lr=0.1)
    >>> for _ in range(100):
    ...     optimizer.zero_grad()
    ...     loss = (w * w).sum()
    ...     loss.backward()
    ...     optimizer.step()
    >>> loss.item() < 1e-12
    True
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        error_if_nonfinite: bool = True,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
        }
        super().__init__(params, defaults, error_if_nonfinite=error_if_nonfinite)

    def _checked(self, group: State) -> State:
        group = super()._checked(group)
        if group["nesterov"] and (group["momentum"] == 0 or group["dampening"] != 0):
            raise DataError(
                "SGD: nesterov=True needs a momentum and no dampening, got "
                f"momentum={group['momentum']} and dampening={group['dampening']}: give for example momentum=0.9"
            )
        return group

    def update(self, w: Any, g: Any, state: State, group: State) -> tuple[Any, State]:
        """One step of one parameter; see `Optimizer.update`."""
        mu, tau = group["momentum"], group["dampening"]
        g = descent(w, g, group)
        if mu:
            b = state.get("momentum_buffer")
            if b is None:
                b = g
            else:
                b = b * mu
                b += g * (1 - tau) if tau else g
            state = {"momentum_buffer": b}
            if group["nesterov"]:
                ahead = b * mu
                ahead += g
                g = ahead
            else:
                g = b
        new = g * -group["lr"]
        new += w
        return new, state


class RMSprop(Optimizer):
    """Gradients divided by the root of a decaying average of their squares.

        v ← avg(α; v, g²)
        d = √v + ε                 (√(v − a²) + ε with a ← avg(α; a, g), when centered)
        w ← w − lr·g/d             (b ← μ·b + g/d and w ← w − lr·b with momentum μ)

    Tieleman & Hinton 2012, lecture 6.5 of Neural Networks for Machine Learning; centered as in Graves 2013,
    "Generating Sequences With Recurrent Neural Networks".
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        *,
        maximize: bool = False,
        error_if_nonfinite: bool = True,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, defaults, error_if_nonfinite=error_if_nonfinite)

    def update(self, w: Any, g: Any, state: State, group: State) -> tuple[Any, State]:
        """One step of one parameter; see `Optimizer.update`."""
        alpha, mu = group["alpha"], group["momentum"]
        g = descent(w, g, group)
        v = average(state.get("square_avg"), g * g, alpha)
        kept = {"step": state.get("step", 0) + 1, "square_avg": v}
        if group["centered"]:
            a = kept["grad_avg"] = average(state.get("grad_avg"), g, alpha)
            d = np.sqrt(np.maximum(v - a * a, 0))  # for equal gradients the difference may round to below 0
        else:
            d = np.sqrt(v)
        d += group["eps"]
        ahead = g / d
        if mu:
            b = state.get("momentum_buffer")
            if b is not None:
                ahead += b * mu
            kept["momentum_buffer"] = ahead
        new = ahead * -group["lr"]
        new += w
        return new, kept


class Adagrad(Optimizer):
    """Gradients divided by the root of the sum of all their squares so far.

        s ← s + g²                 (s = initial_accumulator_value at the start)
        w ← w − lr/(1 + (t − 1)·lr_decay) · g/(√s + ε)        in step t = 1, 2, …

    Duchi, Hazan & Singer 2011, "Adaptive Subgradient Methods for Online Learning and Stochastic Optimization".
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
        error_if_nonfinite: bool = True,
    ) -> None:
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "maximize": maximize,
        }
        super().__init__(params, defaults, error_if_nonfinite=error_if_nonfinite)

    def update(self, w: Any, g: Any, state: State, group: State) -> tuple[Any, State]:
        """One step of one parameter; see `Optimizer.update`."""
        g = descent(w, g, group)
        t = state.get("step", 0) + 1
        s = g * g
        s += state.get("sum", group["initial_accumulator_value"])
        d = np.sqrt(s)
        d += group["eps"]
        new = g / d
        new *= -group["lr"] / (1 + (t - 1) * group["lr_decay"])
        new += w
        return new, {"step": t, "sum": s}


class Adadelta(Optimizer):
    """Steps as large as the steps before, in place of a learning rate.

        v ← avg(ρ; v, g²)
        Δ = √(u + ε) / √(v + ε) · g
        u ← avg(ρ; u, Δ²)
        w ← w − lr·Δ

    Zeiler 2012, "ADADELTA: An Adaptive Learning Rate Method".
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        *,
        maximize: bool = False,
        error_if_nonfinite: bool = True,
    ) -> None:
        defaults = {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(params, defaults, error_if_nonfinite=error_if_nonfinite)

    def update(self, w: Any, g: Any, state: State, group: State) -> tuple[Any, State]:
        """One step of one parameter; see `Optimizer.update`."""
        rho, eps = group["rho"], group["eps"]
        g = descent(w, g, group)
        v = average(state.get("square_avg"), g * g, rho)
        u = state.get("acc_delta")
        delta = g / np.sqrt(v + eps)
        delta *= math.sqrt(eps) if u is None else np.sqrt(u + eps)
        u = average(u, delta * delta, rho)
        new = delta * -group["lr"]
        new += w
        return new, {"step": state.get("step", 0) + 1, "square_avg": v, "acc_delta": u}


class Adam(Optimizer):
    """Decaying averages of the gradient and of its square, corrected for their start at 0.

        m ← avg(β₁; m, g)
        v ← avg(β₂; v, g²)                        (with amsgrad the largest v so far is divided by)
        w ← w − lr · m/(1 − β₁ᵗ) / (√(v/(1 − β₂ᵗ)) + ε)        in step t = 1, 2, …

    Kingma & Ba 2015, "Adam: A Method for Stochastic Optimization", computed in the order of the end of its section 2;
    amsgrad: Reddi, Kale & Kumar 2018, "On the Convergence of Adam and Beyond".  decoupled_weight_decay: as `AdamW`.

    >>> from tinygrad_seq import Parameter, optim
    >>> w = Parameter([1.0], name="w")
    >>> optimizer = optim.Adam([w], lr=0.01)
    >>> (w * float("inf")).backward()
    >>> optimizer.step()    # doctest: +ELLIPSIS
    Traceback (most recent call last):
    tinygrad_seq.errors.NonFiniteError: Adam made no step: the gradient of w (number 0 of group 0, shape (1,)) has 1 ...
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        decoupled_weight_decay: bool = False,
        error_if_nonfinite: bool = True,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad}
        defaults |= {"maximize": maximize, "decoupled_weight_decay": decoupled_weight_decay}
        super().__init__(params, defaults, error_if_nonfinite=error_if_nonfinite)

    def update(self, w: Any, g: Any, state: State, group: State) -> tuple[Any, State]:
        """One step of one parameter; see `Optimizer.update`."""
        beta1, beta2 = group["betas"]
        g = descent(w, g, group)
        t = state.get("step", 0) + 1
        m = average(state.get("exp_avg"), g, beta1)
        v = average(state.get("exp_avg_sq"), g * g, beta2)
        kept = {"step": t, "exp_avg": m, "exp_avg_sq": v}
        if group["amsgrad"]:
            v = kept["max_exp_avg_sq"] = np.maximum(v, state.get("max_exp_avg_sq", v))
        correction = math.sqrt(1 - beta2**t)
        d = np.sqrt(v)
        d += group["eps"] * correction
        new = m / d
        new *= -group["lr"] * correction / (1 - beta1**t)
        new += decayed(w, group)
        return new, kept


class AdamW(Adam):
    """Adam whose weight decay shrinks the parameter, not by way of the gradient: w ← (1 − lr·λ)·w before its step.

    Loshchilov & Hutter 2019, "Decoupled Weight Decay Regularization".
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        error_if_nonfinite: bool = True,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            maximize=maximize,
            decoupled_weight_decay=True,
            error_if_nonfinite=error_if_nonfinite,
        )

    def _checked(self, group: State) -> State:
        return {**super()._checked(group), "decoupled_weight_decay": True}  # also in the state of an Adam


class NAdam(Optimizer):
    """Adam that looks ahead as Nesterov's momentum does, with a momentum that grows in time.

        μ_t = β₁·(1 − ½·0.96^(t·momentum_decay)),  Π_t = μ_1·…·μ_t        in step t = 1, 2, …
        m ← avg(β₁; m, g),  v ← avg(β₂; v, g²)
        w ← w − lr · (μ_{t+1}·m/(1 − Π_{t+1}) + (1 − μ_t)·g/(1 − Π_t)) / (√(v/(1 − β₂ᵗ)) + ε)

    Dozat 2016, "Incorporating Nesterov Momentum into Adam".  decoupled_weight_decay: as `AdamW`.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
        error_if_nonfinite: bool = True,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "maximize": maximize,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults, error_if_nonfinite=error_if_nonfinite)

    def update(self, w: Any, g: Any, state: State, group: State) -> tuple[Any, State]:
        """One step of one parameter; see `Optimizer.update`."""
        beta1, beta2 = group["betas"]
        g = descent(w, g, group)
        t = state.get("step", 0) + 1
        mu, mu_next = [beta1 * (1 - 0.5 * 0.96 ** (s * group["momentum_decay"])) for s in (t, t + 1)]
        product = state.get("mu_product", 1.0) * mu
        m = average(state.get("exp_avg"), g, beta1)
        v = average(state.get("exp_avg_sq"), g * g, beta2)
        d = np.sqrt(v / (1 - beta2**t))
        d += group["eps"]
        new = m * (mu_next / (1 - product * mu_next))
        new += g * ((1 - mu) / (1 - product))
        new /= d
        new *= -group["lr"]
        new += decayed(w, group)
        return new, {"step": t, "mu_product": product, "exp_avg": m, "exp_avg_sq": v}


def decayed(w: Any, group: State) -> Any:
    """(1 − lr·λ)·w where the weight decay is decoupled from the gradient, else w."""
    if group["weight_decay"] and group["decoupled_weight_decay"]:
        return w * (1 - group["lr"] * group["weight_decay"])
    return w
