"""Rules of operators on elements, and of sums over axes."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np
from onnx import helper

from ..symbol import Entry
from .translation import Call, No, Value, rule, scalar

__all__: list[str] = []

_SAME = {
    "Abs": "abs", "Ceil": "ceil", "Cos": "cos", "Cosh": "cosh", "Erf": "erf", "Exp": "exp", "Floor": "floor",
    "Log": "log", "Neg": "negative", "Not": "logical_not", "Reciprocal": "reciprocal", "Sign": "sign", "Sin": "sin",
    "Sinh": "sinh", "Sqrt": "sqrt", "Tan": "tan", "Acos": "arccos", "Asin": "arcsin", "Atan": "arctan",
    "Acosh": "arccosh", "Asinh": "arcsinh", "Atanh": "arctanh", "Identity": "_copy",
}  # fmt: skip

# With both operands as arrays, with a number on the right, and with a number on the left.
_BINARY = {
    "Add": ("broadcast_add", "_plus_scalar", "_plus_scalar"),
    "Sub": ("broadcast_sub", "_minus_scalar", "_rminus_scalar"),
    "Mul": ("broadcast_mul", "_mul_scalar", "_mul_scalar"),
    "Div": ("broadcast_div", "_div_scalar", "_rdiv_scalar"),
    "Pow": ("broadcast_power", "_power_scalar", "_rpower_scalar"),
    "Max": ("broadcast_maximum", "_maximum_scalar", "_maximum_scalar"),
    "Min": ("broadcast_minimum", "_minimum_scalar", "_minimum_scalar"),
    "Sum": ("broadcast_add", "_plus_scalar", "_plus_scalar"),
    "Equal": ("broadcast_equal", "_equal_scalar", "_equal_scalar"),
    "Greater": ("broadcast_greater", "_greater_scalar", "_lesser_scalar"),
    "GreaterOrEqual": ("broadcast_greater_equal", "_greater_equal_scalar", "_lesser_equal_scalar"),
    "Less": ("broadcast_lesser", "_lesser_scalar", "_greater_scalar"),
    "LessOrEqual": ("broadcast_lesser_equal", "_lesser_equal_scalar", "_greater_equal_scalar"),
    "And": ("broadcast_logical_and", "_logical_and_scalar", "_logical_and_scalar"),
    "Or": ("broadcast_logical_or", "_logical_or_scalar", "_logical_or_scalar"),
    "Xor": ("broadcast_logical_xor", "_logical_xor_scalar", "_logical_xor_scalar"),
}

_ACTIVATIONS = {
    "Relu": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh", "Softplus": "softrelu", "Softsign": "softsign",
}  # fmt: skip

_REDUCTIONS = {
    "ReduceSum": "sum", "ReduceMean": "mean", "ReduceMax": "max", "ReduceMin": "min", "ReduceProd": "prod",
}  # fmt: skip


@rule(*_SAME)
def _same(c: Call) -> Value:
    return c.make(_SAME[c.operator], c.value(0))


@rule(*_BINARY)
def _binary(c: Call) -> Value:
    both, right, left = _BINARY[c.operator]
    values = [x for x in c.inputs if x is not None]
    if len(values) == 1:
        return values[0]

    def combine(a: Value, b: Value) -> Entry:
        suffix = "" if b is values[-1] else "_part"
        # A number of several axes may add axes to the other operand; one without does not.
        if (number := scalar(b)) is not None and np.ndim(b) <= 1:  # type: ignore[arg-type]
            return c.make(right, a, suffix=suffix, scalar=number)
        if (number := scalar(a)) is not None and np.ndim(a) <= 1:  # type: ignore[arg-type]
            return c.make(left, b, suffix=suffix, scalar=number)
        ranks = (
            [x.ndim if isinstance(x, np.ndarray) else c.rank(i) for i, x in enumerate((a, b))]
            if len(values) == 2
            else [0, 0]
        )
        if ranks[0] != ranks[1]:
            a, b = _same_rank(c, a, b, ranks)
        return c.make(both, a, b, suffix=suffix)

    made = reduce(combine, values)
    assert isinstance(made, tuple)
    return made


def _same_rank(c: Call, a: Value, b: Value, ranks: list[int]) -> tuple[Value, Value]:
    """Operands with as many axes: MXNet does not add any by itself."""
    most = max(ranks)
    made: list[Value] = []
    for k, (x, rank) in enumerate(zip((a, b), ranks, strict=True)):
        if rank == most:
            made.append(x)
        elif isinstance(x, np.ndarray):
            made.append(x.reshape((1,) * (most - rank) + x.shape))
        else:
            made.append(c.make("Reshape", x, suffix=f"_axes{k}", shape=(1,) * (most - rank) + (0,) * rank)
                        if rank == 0 else _leading_ones(c, x, most - rank, k))  # fmt: skip
    return made[0], made[1]


def _leading_ones(c: Call, x: Value, count: int, k: int) -> Value:
    for i in range(count):
        x = c.make("expand_dims", x, suffix=f"_axis{k}_{i}", axis=0)
    return x


@rule("Mean")
def _mean(c: Call) -> Value:
    values = [x for x in c.inputs if x is not None]
    total = reduce(lambda a, b: c.make("broadcast_add", a, b, suffix="_part"), values)
    return c.make("_div_scalar", total, scalar=float(len(values)))


@rule(*_ACTIVATIONS)
def _activation(c: Call) -> Value:
    return c.make("Activation", c.value(0), act_type=_ACTIVATIONS[c.operator])


@rule("LeakyRelu", "Elu", "Gelu")
def _leaky(c: Call) -> Value:
    if c.operator == "LeakyRelu":
        return c.make("LeakyReLU", c.value(0), act_type="leaky", slope=c.get("alpha", 0.01))
    if c.operator == "Elu":
        return c.make("LeakyReLU", c.value(0), act_type="elu", slope=c.get("alpha", 1.0))
    if c.get("approximate", "none") != "none":
        raise No("MXNet has no approximation of gelu")
    return c.make("LeakyReLU", c.value(0), act_type="gelu")


@rule("Selu")
def _selu(c: Call) -> Value:
    if (
        abs(c.get("alpha", 1.67326319) - 1.67326319) > 1e-4
        or abs(c.get("gamma", 1.05070102) - 1.05070102) > 1e-4
    ):
        raise No("MXNet's selu has the usual constants only")
    return c.make("LeakyReLU", c.value(0), act_type="selu")


@rule("PRelu")
def _prelu(c: Call) -> Value:
    slope, rank = c.constant(1, "its slope"), c.rank()
    if slope.size == 1:
        return c.make("LeakyReLU", c.value(0), slope.reshape(1), act_type="prelu")
    if rank < 2 or slope.ndim < rank - 1 or slope.shape[slope.ndim - rank + 1] != slope.size:
        raise No(f"MXNet's slope is one number for each channel, not of shape {slope.shape}")
    return c.make("LeakyReLU", c.value(0), slope.reshape(-1), act_type="prelu")


@rule("HardSigmoid")
def _hard_sigmoid(c: Call) -> Value:
    return c.make("hard_sigmoid", c.value(0), alpha=c.get("alpha", 0.2), beta=c.get("beta", 0.5))


@rule("HardSwish")
def _hard_swish(c: Call) -> Value:
    gate = c.make("hard_sigmoid", c.value(0), suffix="_gate", alpha=1 / 6, beta=0.5)
    return c.make("elemwise_mul", c.value(0), gate)


@rule("Mish")
def _mish(c: Call) -> Value:
    inner = c.make("Activation", c.value(0), suffix="_softplus", act_type="softrelu")
    return c.make("elemwise_mul", c.value(0), c.make("tanh", inner, suffix="_tanh"))


@rule("Clip")
def _clip(c: Call) -> Value:
    if c.has(1) and c.has(2):
        low, high = (
            float(c.constant(i, what)) for i, what in ((1, "its lower bound"), (2, "its upper bound"))
        )
        return c.make("clip", c.value(0), a_min=low, a_max=high)
    if c.has(1):
        return c.make("_maximum_scalar", c.value(0), scalar=float(c.constant(1, "its lower bound")))
    if c.has(2):
        return c.make("_minimum_scalar", c.value(0), scalar=float(c.constant(2, "its upper bound")))
    return c.value(0)


@rule("Cast")
def _cast(c: Call) -> Value:
    name = np.dtype(helper.tensor_dtype_to_np_dtype(c.get("to"))).name
    if name == "bool":
        return c.make("_not_equal_scalar", c.value(0), scalar=0.0)
    if name not in ("float16", "float32", "float64", "uint8", "int8", "int32", "int64"):
        raise No(f"MXNet has no elements of type {name}")
    return c.make("Cast", c.value(0), dtype=name)


@rule("Where")
def _where(c: Call) -> Value:
    shape = c.out_shapes[0]
    if shape is None or (None in shape and any(s != shape for s in c.shapes)):
        raise No("MXNet's where needs operands of the same shape")
    return c.make("where", *(_broadcast(c, i, shape) for i in range(3)))


def _broadcast(c: Call, i: int, shape: tuple[int | None, ...]) -> Value:
    """Input `i` in a shape that it broadcasts to."""
    value = c.value(i)
    if isinstance(value, np.ndarray):
        return np.array(np.broadcast_to(value, [int(n or 0) for n in shape]))
    if c.shapes[i] == shape:
        return value
    value = _leading_ones(c, value, len(shape) - c.rank(i), i)
    return c.make("broadcast_to", value, suffix=f"_operand{i}", shape=tuple(int(n or 0) for n in shape))


@rule(*_REDUCTIONS)
def _reduce(c: Call) -> Value:
    axes = _axes(c)
    if axes == ():
        return c.value(0)
    return c.make(_REDUCTIONS[c.operator], c.value(0), **_form(c, axes))


@rule("ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSumExp", "ReduceLogSum")
def _reduce_more(c: Call) -> Value:
    x, form = c.value(0), _form(c, _axes(c))
    if c.operator == "ReduceL1":
        return c.make("sum", c.make("abs", x, suffix="_abs"), **form)
    if c.operator == "ReduceSumSquare":
        return c.make("sum", c.make("square", x, suffix="_square"), **form)
    if c.operator == "ReduceL2":
        return c.make("sqrt", c.make("sum", c.make("square", x, suffix="_square"), suffix="_sum", **form))
    if c.operator == "ReduceLogSumExp":
        x = c.make("exp", x, suffix="_exp")
    return c.make("log", c.make("sum", x, suffix="_sum", **form))


def _axes(c: Call) -> tuple[int, ...] | None:
    """Axes of a reduction: an input since opset 18, before that an attribute; None for all."""
    found = c.numbers(1, "its axes") if c.has(1) else c.get("axes")
    if not found:
        return () if c.get("noop_with_empty_axes") else None
    return tuple(c.axis(a) for a in found)


def _form(c: Call, axes: tuple[int, ...] | None) -> dict[str, Any]:
    keep = bool(c.get("keepdims", 1))
    return {"keepdims": keep} if axes is None else {"axis": axes, "keepdims": keep}


@rule("ArgMax", "ArgMin")
def _arg(c: Call) -> Value:
    if c.get("select_last_index"):
        raise No("MXNet takes the first of equal elements")
    form = {"axis": c.axis(c.get("axis", 0)), "keepdims": bool(c.get("keepdims", 1))}
    found = c.make(c.operator.lower(), c.value(0), suffix="_float", **form)
    return c.make("Cast", found, dtype="int64")


@rule("TopK")
def _top(c: Call) -> list[Value]:
    (k,) = c.numbers(1, "its number of elements")
    form: dict[str, Any] = {"axis": c.axis(c.get("axis", -1)), "k": k, "is_ascend": not c.get("largest", 1)}
    node, _ = c.make("topk", c.value(0), ret_typ="both", dtype="int64", **form)
    return [(node, 0), (node, 1)]
