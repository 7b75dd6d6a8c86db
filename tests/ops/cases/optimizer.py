"""Optimizer updates: the new weight, and the states that are updated in place."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.ops.cases._spec import Case, Spec, case, normal, positive, values

_SHAPE = (2, 3)
#: What every update takes besides its own: weight decay, rescaled and clipped gradients.
_COMMON: dict[str, dict[str, float]] = {
    "plain": {},
    "wd": {"wd": 0.05},
    "rescale": {"rescale_grad": 0.25},
    "clip": {"clip_gradient": 0.5},
    "all": {"wd": 0.05, "rescale_grad": 2.0, "clip_gradient": 0.75},
}


def _state() -> Spec:
    return normal(*_SHAPE)


def _square() -> Spec:
    return positive(*_SHAPE)


#: Operator: its states, and attributes by the end of the row's id.
_SINGLE: dict[str, tuple[tuple[Callable[[], Spec], ...], dict[str, dict[str, object]]]] = {
    "sgd_update": ((), {"lr": {"lr": 0.1}, "lazy": {"lr": 0.1, "lazy_update": False}}),
    "sgd_mom_update": ((_state,), {"momentum": {"lr": 0.1, "momentum": 0.9}, "default": {"lr": 0.1}}),
    "nag_mom_update": ((_state,), {"momentum": {"lr": 0.1, "momentum": 0.9}, "default": {"lr": 0.1}}),
    "signsgd_update": ((), {"lr": {"lr": 0.1}}),
    "signum_update": (
        (_state,),
        {"momentum": {"lr": 0.1, "momentum": 0.9}, "wd_lh": {"lr": 0.1, "momentum": 0.9, "wd_lh": 0.02}},
    ),
    "adam_update": (
        (_state, _square),
        {"default": {"lr": 0.1}, "betas": {"lr": 0.1, "beta1": 0.5, "beta2": 0.7, "epsilon": 1e-3}},
    ),
    "rmsprop_update": (
        (_square,),
        {
            "default": {"lr": 0.1},
            "gamma": {"lr": 0.1, "gamma1": 0.6, "epsilon": 1e-2},
            "clip_weights": {"lr": 0.5, "clip_weights": 0.4},
        },
    ),
    "rmspropalex_update": (
        (lambda: positive(*_SHAPE), lambda: normal(*_SHAPE, scale=0.1), _state),
        {
            "default": {"lr": 0.1},
            "gammas": {"lr": 0.1, "gamma1": 0.6, "gamma2": 0.5, "epsilon": 1e-2},
            "clip_weights": {"lr": 0.5, "clip_weights": 0.4},
        },
    ),
    "ftrl_update": (
        (_state, _square),
        {"default": {"lr": 0.1}, "lamda": {"lr": 0.1, "lamda1": 0.8, "beta": 0.5}},
    ),
    "ftml_update": (
        (_square, _square, _state),
        {
            "default": {"lr": 0.1, "t": 3},
            "betas": {"lr": 0.1, "t": 1, "beta1": 0.5, "beta2": 0.7, "epsilon": 1e-3},
        },
    ),
}


def _single() -> list[Case]:
    rows = []
    for op, (states, variants) in _SINGLE.items():
        for variant, attrs in variants.items():
            for tag, common in _COMMON.items():
                if op == "ftml_update" and "clip_gradient" in common:
                    common = {
                        **{k: v for k, v in common.items() if k != "clip_gradient"},
                        "clip_grad": common["clip_gradient"],
                    }
                rows.append(
                    case(
                        op,
                        normal(*_SHAPE),
                        normal(*_SHAPE),
                        *(s() for s in states),
                        tag=f"{variant}_{tag}",
                        attrs={**attrs, **common},
                        grad=False,
                        mutates=tuple(range(2, 2 + len(states))),
                    )
                )
        loose: dict[str, object] = {}
        if op == "ftml_update":
            loose = {"tolerance": {"float16": (2e-2, 2e-3)}, "note": "MXNet rounds beta2 to float16"}
        rows.append(
            case(
                op,
                normal(*_SHAPE),
                normal(*_SHAPE),
                *(s() for s in states),
                tag="dtypes",
                attrs=next(iter(variants.values())),
                grad=False,
                mutates=tuple(range(2, 2 + len(states))),
                dtypes=("float16", "float64"),
                **loose,
            )
        )
    return rows


def _unchanged(inputs: list[np.ndarray], heads: list[np.ndarray]) -> dict[str, np.ndarray]:
    return {"out0": inputs[0], "state2": inputs[2], "state3": inputs[3]}


def _adamw() -> list[Case]:
    rows = []
    for tag, attrs in {
        "default": {"lr": 0.1, "eta": 1.0},
        "wd": {"lr": 0.1, "eta": 0.5, "wd": 0.05},
        "all": {
            "lr": 0.1,
            "eta": 0.5,
            "wd": 0.05,
            "beta1": 0.5,
            "beta2": 0.7,
            "epsilon": 1e-3,
            "clip_gradient": 0.5,
        },
    }.items():
        for scale in (1.0, 0.25):
            rows.append(
                case(
                    "_adamw_update",
                    normal(*_SHAPE),
                    normal(*_SHAPE),
                    _state(),
                    _square(),
                    values([scale]),
                    tag=f"{tag}_{scale}",
                    attrs=attrs,
                    grad=False,
                    mutates=(2, 3),
                )
            )
        rows.append(
            case(
                "_mp_adamw_update",
                _half(),
                _half(),
                normal(*_SHAPE, dtype="float32"),
                positive(*_SHAPE, dtype="float32"),
                normal(*_SHAPE, dtype="float32"),
                values([0.5], dtype="float32"),
                tag=tag,
                attrs=attrs,
                grad=False,
                mutates=(2, 3, 4),
                dtypes=("float16",),
            )
        )
    for scale, name in ((0.0, "zero"), (float("nan"), "nan"), (float("inf"), "infinite")):
        rows.append(
            case(
                "_adamw_update",
                normal(*_SHAPE),
                normal(*_SHAPE),
                _state(),
                _square(),
                values([scale]),
                tag=f"skipped_{name}",
                lr=0.1,
                eta=1.0,
                grad=False,
                mutates=(2, 3),
                note="an update with such a scale is left out",
                mxnet_wrong="it leaves the output as it was in memory",
                oracle="none",
                expect=_unchanged,
            )
        )
    return rows


def _half() -> Spec:
    return normal(*_SHAPE, dtype="float16")


def _single_precision(spec: Spec) -> Spec:
    return Spec(spec.shape, spec.kind, spec.args, "float32")


def _nesterov(attrs: dict[str, float]) -> Callable[..., dict[str, np.ndarray | None]]:
    """The momentum from the weight before the update; MXNet decays it by the weight after."""

    def expect(inputs: list[np.ndarray], heads: list[np.ndarray]) -> dict[str, np.ndarray | None]:
        _, grad, momentum, weight = inputs
        bound = attrs.get("clip_gradient", np.inf)
        scaled = np.clip(grad.astype("float32") * attrs.get("rescale_grad", 1.0), -bound, bound)
        return {"state2": 0.9 * momentum - 0.1 * (scaled + attrs.get("wd", 0.0) * weight)}

    return expect


def _master(lower: float, upper: float) -> Callable[..., dict[str, np.ndarray | None]]:
    """The weight in float32 after the update; MXNet leaves it as it was, so that no training happens."""

    def expect(inputs: list[np.ndarray], heads: list[np.ndarray]) -> dict[str, np.ndarray | None]:
        _, direction, r1, r2, weight = inputs
        return {"state4": weight - 0.1 * np.clip(r1, lower, upper) / r2 * direction}

    return expect


def _mixed() -> list[Case]:
    rows = []
    table: dict[str, tuple[int, dict[str, object]]] = {
        "mp_sgd_update": (0, {"lr": 0.1}),
        "mp_sgd_mom_update": (1, {"lr": 0.1, "momentum": 0.9}),
        "mp_nag_mom_update": (1, {"lr": 0.1, "momentum": 0.9}),
    }
    for op, (states, attrs) in table.items():
        for tag, common in _COMMON.items():
            wrong: dict[str, object] = {}
            if op == "mp_nag_mom_update" and "wd" in common:
                wrong = {
                    "mxnet_wrong": "the momentum decays the weight after the update",
                    "expect": _nesterov(common),
                }
            rows.append(
                case(
                    op,
                    _half(),
                    _half(),
                    *(_single_precision(_state()) for _ in range(states + 1)),
                    tag=tag,
                    attrs={**attrs, **common},
                    grad=False,
                    mutates=tuple(range(2, 3 + states)),
                    dtypes=("float16",),
                    **wrong,
                )
            )
    return rows


def _lamb() -> list[Case]:
    rows = []
    for tag, attrs in {
        "default": {"t": 1, "wd": 0.0},
        "wd": {"t": 4, "wd": 0.05},
        "uncorrected": {"t": 4, "wd": 0.05, "bias_correction": False},
        "all": {
            "t": 2,
            "wd": 0.05,
            "beta1": 0.5,
            "beta2": 0.7,
            "epsilon": 1e-3,
            "rescale_grad": 0.5,
            "clip_gradient": 0.25,
        },
    }.items():
        rows.append(
            case(
                "lamb_update_phase1",
                normal(*_SHAPE),
                normal(*_SHAPE),
                _state(),
                _square(),
                tag=tag,
                attrs=attrs,
                grad=False,
                mutates=(2, 3),
            )
        )
        rows.append(
            case(
                "mp_lamb_update_phase1",
                _half(),
                _half(),
                *(_single_precision(s) for s in (_state(), _square(), _state())),
                tag=tag,
                attrs=attrs,
                grad=False,
                mutates=(2, 3),
                dtypes=("float16",),
            )
        )
    for tag, attrs in {
        "default": {"lr": 0.1},
        "bounds": {"lr": 0.1, "lower_bound": 1.5, "upper_bound": 2.5},
        "upper": {"lr": 0.1, "upper_bound": 0.5},
    }.items():
        rows.append(
            case(
                "lamb_update_phase2",
                normal(*_SHAPE),
                normal(*_SHAPE),
                values([1.25]),
                values([0.5]),
                tag=tag,
                attrs=attrs,
                grad=False,
            )
        )
        rows.append(
            case(
                "mp_lamb_update_phase2",
                _half(),
                normal(*_SHAPE, dtype="float32"),
                values([1.25], dtype="float32"),
                values([0.5], dtype="float32"),
                normal(*_SHAPE, dtype="float32"),
                tag=tag,
                attrs=attrs,
                grad=False,
                mutates=(4,),
                dtypes=("float16",),
                mxnet_wrong="the weight in float32 stays as it was",
                expect=_master(attrs.get("lower_bound", 0.0), attrs.get("upper_bound", np.inf)),
            )
        )
    rows.append(
        case(
            "lamb_update_phase2",
            normal(*_SHAPE),
            normal(*_SHAPE),
            values([0.0]),
            values([0.5]),
            tag="zero_weight",
            lr=0.1,
            grad=False,
        )
    )
    rows.append(
        case(
            "lamb_update_phase2",
            normal(*_SHAPE),
            normal(*_SHAPE),
            values([1.5]),
            values([0.0]),
            tag="zero_update",
            lr=0.1,
            grad=False,
        )
    )
    return rows


def _multi() -> list[Case]:
    rows = []
    shapes = ((2, 3), (4,))
    rates: dict[str, object] = {"lrs": (0.1, 0.2), "wds": (0.05, 0.0), "num_weights": 2}
    for mixed in (False, True):
        for momentum in (False, True):
            op = f"multi_{'mp_' if mixed else ''}sgd_{'mom_' if momentum else ''}update"
            width = 2 + momentum + mixed
            inputs: list[Spec] = []
            for shape in shapes:
                kind = "float16" if mixed else None
                inputs += [normal(*shape, dtype=kind), normal(*shape, dtype=kind)]
                inputs += [normal(*shape, dtype="float32" if mixed else None) for _ in range(width - 2)]
            states = tuple(i for i in range(len(inputs)) if i % width >= 2)
            dtypes = ("float16",) if mixed else ("float32", "float64")
            weights = (0, width)
            attrs = {"momentum": 0.9} if momentum else {}
            for tag, common in {"plain": {}, "all": {"rescale_grad": 2.0, "clip_gradient": 0.75}}.items():
                rows.append(
                    case(
                        op,
                        *inputs,
                        tag=tag,
                        attrs={**rates, **attrs, **common},
                        grad=False,
                        mutates=states,
                        out_like=weights,
                        dtypes=dtypes,
                    )
                )
                loaded = [*inputs, values([0.1, 0.2], dtype="float32"), values([0.05, 0.0], dtype="float32")]
                rows.append(
                    case(
                        f"preloaded_{op}",
                        *loaded,
                        tag=tag,
                        attrs={"num_weights": 2, **attrs, **common},
                        grad=False,
                        mutates=states,
                        out_like=weights,
                        dtypes=dtypes[:1],
                    )
                )
    pairs: list[Spec] = []
    for shape in shapes:
        pairs += [normal(*shape), normal(*shape), normal(*shape), positive(*shape)]
    states = tuple(i for i in range(8) if i % 4 >= 2)
    for tag, common in {
        "plain": {},
        "all": {"beta1": 0.5, "beta2": 0.7, "epsilon": 1e-3, "clip_gradient": 0.5},
    }.items():
        rows.append(
            case(
                "_multi_adamw_update",
                *pairs,
                values([0.5]),
                tag=tag,
                grad=False,
                mutates=states,
                out_like=(0, 4),
                attrs={"lrs": (0.1, 0.2), "wds": (0.05, 0.0), "etas": (1.0, 0.5), "num_weights": 2, **common},
            )
        )
        lamb = {"learning_rates": (0.1, 0.2), "wds": (0.05, 0.0), "step_count": (1, 3), "num_tensors": 2}
        rows.append(
            case(
                "_multi_lamb_update",
                *pairs,
                tag=tag,
                grad=False,
                mutates=states,
                out_like=(0, 4),
                attrs={**lamb, **common, "rescale_grad": 0.5},
            )
        )
    rows.append(
        case(
            "_multi_lamb_update",
            *pairs,
            tag="bounds",
            grad=False,
            mutates=states,
            out_like=(0, 4),
            attrs={**lamb, "lower_bound": 0.5, "upper_bound": 1.0, "bias_correction": False},
        )
    )
    mixed_pairs = [
        _single_precision(s) if i % 4 >= 2 else Spec(s.shape, s.kind, s.args, "float16")
        for i, s in enumerate(pairs)
    ]
    for index in (8, 4):
        mixed_pairs.insert(index, _single_precision(pairs[index - 4]))
    states = (2, 3, 4, 7, 8, 9)
    for tag, common in {
        "plain": {},
        "all": {"beta1": 0.5, "beta2": 0.7, "epsilon": 1e-3, "clip_gradient": 0.5},
    }.items():
        rows.append(
            case(
                "_multi_mp_adamw_update",
                *mixed_pairs,
                values([0.5], dtype="float32"),
                tag=tag,
                grad=False,
                mutates=states,
                out_like=(0, 5),
                attrs={"lrs": (0.1, 0.2), "wds": (0.05, 0.0), "etas": (1.0, 0.5), "num_weights": 2, **common},
                dtypes=("float16",),
            )
        )
        rows.append(
            case(
                "_multi_mp_lamb_update",
                *mixed_pairs,
                tag=tag,
                grad=False,
                mutates=states,
                out_like=(0, 5),
                attrs={**lamb, **common, "rescale_grad": 0.5},
                dtypes=("float16",),
            )
        )
    rows.append(
        case(
            "multi_lars",
            values([0.1, 0.2]),
            values([4.0, 0.0]),
            values([2.0, 1.0]),
            values([0.05, 0.0]),
            tag="plain",
            eta=0.01,
            eps=1e-6,
            rescale_grad=0.5,
            grad=False,
        )
    )
    return rows


CASES: list[Case] = [*_single(), *_adamw(), *_mixed(), *_lamb(), *_multi()]
