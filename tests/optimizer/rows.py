"""Runs of optimizers that are compared with real MXNet: plain data, read by both sides."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np

STEPS = 10
NAMES = {0: "dense0_weight", 1: "dense0_bias", 2: "norm0_gamma"}
SHAPES = {0: (4, 3), 1: (4,), 2: (3,)}


@dataclass(frozen=True)
class Run:
    """Ten updates of three weights, the learning rate halved after the fifth.

    ``names`` gives the weights their names, so that biases do not decay; ``matrices`` leaves the vectors out;
    ``together`` updates all of them in one call.
    """

    kind: str
    params: dict[str, Any] = field(default_factory=dict)
    dtype: str = "float32"
    names: bool = False
    matrices: bool = False
    together: bool = False
    scheduler: bool = False
    tag: str = ""

    @property
    def id(self) -> str:
        """A name that no other run has."""
        return "-".join(filter(None, [self.kind, self.tag, self.dtype]))

    def weights(self) -> dict[int, np.ndarray]:
        """The weights to start from."""
        stream = np.random.RandomState(5)
        shapes = {i: s for i, s in SHAPES.items() if len(s) == 2 or not self.matrices}
        return {i: _fractions(stream, s).astype(self.dtype) for i, s in shapes.items()}

    def gradients(self, step: int) -> dict[int, np.ndarray]:
        """The gradients of a step."""
        stream = np.random.RandomState(100 + step)
        return {i: _fractions(stream, w.shape).astype(self.dtype) for i, w in self.weights().items()}


def _fractions(stream: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    return (stream.randint(-64, 64, shape) * 2 + 1) / 64  # exact in float16, never 0


def _runs() -> list[Run]:
    common = {"plain": {}, "all": {"wd": 0.05, "rescale_grad": 0.5, "clip_gradient": 0.4}}
    table: dict[str, dict[str, dict[str, Any]]] = {
        "SGD": {"lr": {"learning_rate": 0.1}, "momentum": {"learning_rate": 0.1, "momentum": 0.9}},
        "NAG": {"lr": {"learning_rate": 0.1}, "momentum": {"learning_rate": 0.1, "momentum": 0.9}},
        "Signum": {"default": {}, "sign": {"momentum": 0.0}, "decay": {"wd_lh": 0.02}},
        "Adam": {"default": {"learning_rate": 0.1}, "betas": {"beta1": 0.5, "beta2": 0.7, "epsilon": 1e-3}},
        "AdaGrad": {"default": {"learning_rate": 0.1}, "eps": {"eps": 1e-2}},
        "RMSProp": {
            "default": {"learning_rate": 0.01},
            "centered": {"learning_rate": 0.01, "centered": True, "gamma2": 0.8},
            "bounded": {"clip_weights": 0.5, "epsilon": 1e-3},
        },
        "AdaDelta": {"default": {}, "rho": {"rho": 0.7, "epsilon": 1e-3}},
        "Ftrl": {"default": {}, "lamda": {"lamda1": 0.3, "beta": 0.5, "learning_rate": 0.05}},
        "FTML": {"default": {"learning_rate": 0.05}, "betas": {"beta1": 0.4, "beta2": 0.8, "epsilon": 1e-3}},
        "Adamax": {"default": {}, "betas": {"beta1": 0.5, "beta2": 0.7}},
        "Nadam": {"default": {}, "decay": {"schedule_decay": 0.1, "beta1": 0.7}},
        "DCASGD": {"default": {"learning_rate": 0.1}, "lamda": {"learning_rate": 0.1, "lamda": 0.5}},
        "LAMB": {
            "default": {},
            "bounds": {"lower_bound": 0.5, "upper_bound": 1.5, "learning_rate": 0.05},
            "uncorrected": {"bias_correction": False},
        },
        "LARS": {
            "default": {"learning_rate": 0.1},
            "momentum": {"learning_rate": 0.1, "momentum": 0.9, "eta": 0.1, "eps": 1e-6},
            "uncorrected": {"momentum": 0.9, "eta": 0.1, "momentum_correction": False},
        },
        "LBSGD": {
            "default": {},
            "linear": {"momentum": 0.9, "batch_scale": 2, "warmup_epochs": 1, "updates_per_epoch": 8},
            "power2": {
                "warmup_strategy": "power2",
                "batch_scale": 2,
                "warmup_epochs": 1,
                "updates_per_epoch": 8,
            },
            "sqrt": {"warmup_strategy": "sqrt", "batch_scale": 2, "warmup_epochs": 1, "updates_per_epoch": 8},
            "lars": {"warmup_strategy": "lars", "batch_scale": 2, "momentum": 0.5},
        },
        "Test": {"default": {}},
    }
    runs = []
    for kind, variants in table.items():
        for tag, params in variants.items():
            for suffix, further in common.items():
                if kind == "NAG" and "momentum" in params:
                    further = {k: v for k, v in further.items() if k != "wd"}  # MXNet's decay is wrong
                runs.append(Run(kind, {**params, **further}, tag=f"{tag}_{suffix}", names=suffix == "all"))
        runs.append(Run(kind, next(iter(variants.values())), tag="scheduled", scheduler=True))
    for kind in ("SGD", "LARS", "LAMB"):
        for tag, params in table[kind].items():
            runs.append(
                Run(kind, {**params, **common["all"]}, tag=f"{tag}_together", names=True, together=True)
            )
    for tag, params in {
        "default": {},
        "all": {"rescale_grad": 0.5, "clip_gradient": 0.4, "eps": 1e-3},
    }.items():
        runs.append(Run("GroupAdaGrad", params, tag=tag, matrices=True))
    for kind in ("SGD", "Adam", "LARS"):
        runs.append(
            Run(kind, {**list(table[kind].values())[-1], **common["all"]}, dtype="float64", tag="all")
        )
    for kind in ("SGD", "Adam", "AdaGrad", "RMSProp", "LARS", "LAMB", "Signum"):
        for tag, params in table[kind].items():
            params = {**params, **common["all"], "multi_precision": True}
            runs.append(Run(kind, params, dtype="float16", tag=f"{tag}_half", together=kind == "LAMB"))
    runs.append(Run("NAG", {"momentum": 0.9, "multi_precision": True}, dtype="float16", tag="half"))
    return runs


RUNS = _runs()


def flat(state: Any) -> list[Any]:
    """The arrays of a state in order."""
    if state is None:
        return []
    if isinstance(state, list | tuple):
        return [a for s in state for a in flat(s)]
    return [state]


def execute(mx: Any, run: Run) -> dict[str, np.ndarray]:
    """The weights after the first and the last step, and the states."""
    options: dict[str, Any] = dict(run.params)
    if run.names:
        options["param_idx2name"] = NAMES
    if run.scheduler:
        options["lr_scheduler"] = mx.lr_scheduler.FactorScheduler(step=9, factor=0.5, base_lr=0.08)
        options.pop("learning_rate", None)
    kinds = {**vars(mx.optimizer), **vars(mx.optimizer.contrib)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a default learning rate replaces the scheduler's
        optimizer = kinds[run.kind](**options)
    updater = mx.optimizer.get_updater(optimizer)
    weights = {i: mx.nd.array(w, dtype=run.dtype) for i, w in run.weights().items()}
    found: dict[str, np.ndarray] = {}
    for step in range(STEPS):
        if step == STEPS // 2 and not run.scheduler:
            optimizer.set_learning_rate(optimizer.learning_rate / 2)
        gradients = {i: mx.nd.array(g, dtype=run.dtype) for i, g in run.gradients(step).items()}
        if run.together:
            updater(list(weights), list(gradients.values()), list(weights.values()))
        else:
            for i, w in weights.items():
                updater(i, gradients[i], w)
        if step in (0, STEPS - 1):
            found.update({f"weight{i}_{step}": w.asnumpy() for i, w in weights.items()})
    for i, state in updater.states.items():
        found.update({f"state{i}_{k}": s.asnumpy() for k, s in enumerate(flat(state))})
    return found


def sparse_arrays(width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weight, gradient with two rows of zeros, and history with rows of the given width."""
    stream = np.random.RandomState(3)
    weight, grad = (_fractions(stream, (5, 3)).astype("float32") for _ in range(2))
    grad[[1, 4]] = 0
    return weight, grad, np.abs(_fractions(stream, (5, width))).astype("float32")
