"""The rules of optimizers as parts of a graph: the learning rate and the number of the update are its inputs.

A rule takes what an optimizer does outside of its update operator, such as the correction of running means for their
start at zero, into the graph. All numbers are those that the optimizer of the same name computes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..builder import Builder, Tensor
from ..errors import GraphError
from ..ops._updates import clip, setting
from ..ops.registry import find

__all__ = ["RULES", "Update", "rule_states", "updated"]


@dataclass(frozen=True)
class Update:
    """One weight's update.

    Attributes
    ----------
    weight, grad : float tensors of one shape.
    states : the optimizer's states for this weight.
    lr : learning rate times the weight's own factor, float64 without axes.
    step : number of the update, from 1, float64 without axes.
    wd : weight decay.
    settings : the optimizer's attributes, by name.
    """

    g: Builder
    weight: Tensor
    grad: Tensor
    states: Sequence[Tensor]
    lr: Tensor
    step: Tensor
    wd: float
    settings: Mapping[str, Any]

    def number(self, name: str, default: float = 0.0) -> float:
        """A setting; unset ones are the default."""
        value = self.settings.get(name)
        return default if value is None else float(value)

    def operator(self, name: str, *, inputs: Sequence[Tensor] = (), **params: Any) -> Tensor:
        """The new weight from an update operator; parameters that are tensors are inputs of the graph."""
        op = find(name)
        bound = self.number("clip_gradient")
        if bound and "clip_gradient" in op.params:
            params.setdefault("clip_gradient", bound)
        if "rescale_grad" in op.params:
            params.setdefault("rescale_grad", self.number("rescale_grad", 1.0))
        if "wd" in op.params:
            params.setdefault("wd", self.wd)
        if "lr" in op.params:
            params.setdefault("lr", self.lr)
        dynamic = {k: v for k, v in params.items() if isinstance(v, Tensor)}
        attrs = op.parse({k: 1 if isinstance(v, Tensor) else v for k, v in params.items()})
        tensors = [self.weight, self.grad, *self.states, *inputs]
        return op.lower(self.g, tensors, attrs, op.argument_names(attrs, len(tensors)), dynamic)[0]

    def scalar(self, value: Tensor | float) -> Tensor:
        """A number in the weight's element type, by way of float32, in which update operators hold numbers."""
        return setting(self.g, value, self.weight.dt)

    def scaled(self, decay: bool = False) -> Tensor:
        """The gradient rescaled, with weight decay if asked for, then clipped."""
        grad = self.grad * self.scalar(self.number("rescale_grad", 1.0))
        if decay and self.wd:
            grad = grad + self.scalar(self.wd) * self.weight
        return clip(self.g, grad, self.number("clip_gradient") or -1.0)

    def unbiased(self, beta: str) -> Tensor:
        """``1 - beta**step``, in double precision."""
        return 1.0 - self.g.op("Pow", self.g.const(self.number(beta), np.float64), self.step)

    def replace(self, index: int, value: Tensor) -> Tensor:
        """`value`, which becomes state number `index`."""
        self.g.update(self.states[index], value)
        return value


Emit = Callable[[Update], Tensor]
States = Callable[[Mapping[str, Any]], tuple[str, ...]]


@dataclass(frozen=True)
class Rule:
    """How an optimizer changes a weight.

    Attributes
    ----------
    states : names of the states, which start at zero, under given settings.
    emit : emits the update.
    settings : names of the optimizer's attributes that matter.
    """

    states: States
    emit: Emit
    settings: tuple[str, ...]


RULES: dict[str, Rule] = {}
_COMMON = ("rescale_grad", "clip_gradient", "multi_precision")


def _rule(name: str, states: tuple[str, ...] | States, *settings: str) -> Callable[[Emit], Emit]:
    def register(emit: Emit) -> Emit:
        RULES[name] = Rule(states if callable(states) else lambda _: states, emit, (*settings, *_COMMON))
        return emit

    return register


def _momentum(settings: Mapping[str, Any]) -> tuple[str, ...]:
    return ("momentum",) if settings.get("momentum") else ()


@_rule("sgd", _momentum, "momentum")
def _sgd(u: Update) -> Tensor:
    if u.states:
        return u.operator("sgd_mom_update", momentum=u.number("momentum"))
    return u.operator("sgd_update")


@_rule("nag", _momentum, "momentum")
def _nag(u: Update) -> Tensor:
    if u.states:
        return u.operator("nag_mom_update", momentum=u.number("momentum"))
    return u.operator("sgd_update")


@_rule("signum", _momentum, "momentum", "wd_lh")
def _signum(u: Update) -> Tensor:
    if u.states:
        return u.operator("signum_update", momentum=u.number("momentum"), wd_lh=u.number("wd_lh"))
    return u.operator("signsgd_update")


def _adam_rate(u: Update) -> Tensor:
    """The learning rate, corrected for the running means' start at zero."""
    return u.lr * u.g.op("Sqrt", u.unbiased("beta2")) / u.unbiased("beta1")


@_rule("adam", ("mean", "var"), "beta1", "beta2", "epsilon")
def _adam(u: Update) -> Tensor:
    betas: dict[str, Any] = {n: u.number(n) for n in ("beta1", "beta2", "epsilon")}
    return u.operator("adam_update", lr=_adam_rate(u), **betas)


@_rule("adamw", ("mean", "var"), "beta1", "beta2", "epsilon", "correct_bias")
def _adamw(u: Update) -> Tensor:
    betas: dict[str, Any] = {n: u.number(n) for n in ("beta1", "beta2", "epsilon")}
    rate = _adam_rate(u) if u.settings["correct_bias"] else u.lr
    decay: Any = u.lr * u.wd if u.wd else 0.0
    scale = u.g.const(np.float32(u.number("rescale_grad", 1.0)))
    return u.operator("_adamw_update", inputs=[scale], eta=1.0, lr=rate, wd=decay, **betas)


def _rmsprop_states(settings: Mapping[str, Any]) -> tuple[str, ...]:
    return ("n", "g", "delta") if settings.get("centered") else ("n",)


@_rule("rmsprop", _rmsprop_states, "gamma1", "gamma2", "epsilon", "centered", "clip_weights")
def _rmsprop(u: Update) -> Tensor:
    params: dict[str, Any] = {n: u.number(n) for n in ("gamma1", "epsilon")}
    if u.number("clip_weights"):
        params["clip_weights"] = u.number("clip_weights")
    if len(u.states) == 3:
        return u.operator("rmspropalex_update", gamma2=u.number("gamma2"), **params)
    return u.operator("rmsprop_update", **params)


@_rule("adagrad", ("history",), "float_stable_eps")
def _adagrad(u: Update) -> Tensor:
    grad = u.scaled()
    history = u.replace(0, u.states[0] + grad * grad)
    step = grad / u.g.op("Sqrt", history + u.scalar(u.number("float_stable_eps")))
    if u.wd:
        step = step + u.scalar(u.wd) * u.weight
    return u.weight - u.scalar(u.lr) * step


@_rule("adadelta", ("square", "steps"), "rho", "epsilon")
def _adadelta(u: Update) -> Tensor:
    grad, rho, eps = u.scaled(), u.number("rho"), u.scalar(u.number("epsilon"))
    old, steps = u.states
    square = u.replace(0, u.scalar(rho) * old + u.scalar(1.0 - rho) * grad * grad)
    step = u.g.op("Sqrt", steps + eps) / u.g.op("Sqrt", square + eps) * grad
    u.replace(1, u.scalar(rho) * steps + u.scalar(1.0 - rho) * step * step)
    return u.weight - (step + u.scalar(u.wd) * u.weight if u.wd else step)


@_rule("adamax", ("mean", "largest"), "beta1", "beta2")
def _adamax(u: Update) -> Tensor:
    grad, beta1 = u.scaled(decay=True), u.number("beta1")
    mean = u.replace(0, u.scalar(beta1) * u.states[0] + u.scalar(1.0 - beta1) * grad)
    largest = u.g.op("Max", u.scalar(u.number("beta2")) * u.states[1], u.g.op("Abs", grad))
    return u.weight - u.scalar(u.lr / u.unbiased("beta1")) * mean / u.replace(1, largest)


@_rule("ftrl", ("z", "n"), "lamda1", "beta")
def _ftrl(u: Update) -> Tensor:
    return u.operator("ftrl_update", lamda1=u.number("lamda1"), beta=u.number("beta"))


@_rule("ftml", ("d", "v", "z"), "beta1", "beta2", "epsilon")
def _ftml(u: Update) -> Tensor:
    params: dict[str, Any] = {n: u.number(n) for n in ("beta1", "beta2", "epsilon")}
    if u.number("clip_gradient"):
        params["clip_grad"] = u.number("clip_gradient")
    return u.operator("ftml_update", t=u.step, **params)


@_rule("ort_adamw", ("mean", "var"), "alpha", "beta", "epsilon", "weight_decay", "adam_mode", "correct_bias")
def _ort_adamw(u: Update) -> Tensor:
    """ONNX Runtime's AdamWOptimizer: mode 0 decays first, as PyTorch does, mode 1 last, as Transformers does."""
    g, grad, first = u.g, u.scaled(), not u.settings["adam_mode"]
    alpha, beta, eps = u.number("alpha"), u.number("beta"), u.scalar(u.number("epsilon"))
    rate, kept = u.scalar(u.lr), u.scalar(1.0 - u.lr * u.number("weight_decay"))
    decays = bool(u.number("weight_decay"))
    weight = u.weight * kept if first and decays else u.weight
    mean = u.replace(0, u.scalar(alpha) * u.states[0] + u.scalar(1.0 - alpha) * grad)
    var = u.replace(1, u.scalar(beta) * u.states[1] + u.scalar(1.0 - beta) * grad * grad)
    root = g.op("Sqrt", var)
    if u.settings["correct_bias"]:
        correction = g.op("Sqrt", u.unbiased("beta"))
        if first:
            root = root / u.scalar(correction)
        rate = u.scalar((u.lr if first else u.lr * correction) / u.unbiased("alpha"))
    new = weight - rate * mean / (root + eps)
    return new * kept if decays and not first else new


def _find(name: str) -> Rule:
    if name not in RULES:
        raise GraphError(
            f"the optimizer {name!r} has no rule as a graph; there are {', '.join(sorted(RULES))}"
        )
    return RULES[name]


def _is_half(dt: np.dtype[Any], settings: Mapping[str, Any]) -> bool:
    return bool(settings.get("multi_precision")) and dt == np.float16


def rule_states(name: str, settings: Mapping[str, Any], dt: np.dtype[Any]) -> list[tuple[str, np.dtype[Any]]]:
    """Names and element types of the states that a weight has.

    All start at zero, except ``weight32``: the copy in float32 of a weight in float16, with `multi_precision`.

    Raises
    ------
    GraphError : there is no such rule.
    """
    half = _is_half(dt, settings)
    inner = np.dtype(np.float32) if half else dt
    states = [(n, inner) for n in _find(name).states(settings)]
    return [*states, ("weight32", inner)] if half else states


def updated(name: str, u: Update) -> Tensor:
    """The new weight by the rule called `name`; the states are replaced."""
    rule = _find(name)
    if not _is_half(u.weight.dt, u.settings):
        return rule.emit(u)
    *states, copy = u.states
    fresh = rule.emit(Update(u.g, copy, u.g.cast(u.grad, copy.dt), states, u.lr, u.step, u.wd, u.settings))
    u.g.update(copy, fresh)
    return u.g.cast(fresh, u.weight.dt)
