"""Gradient rules of elementwise operators."""

from __future__ import annotations

import math
from collections.abc import Callable

import onnx_ir as ir

from ...builder import Builder, Tensor
from ..engine import Gradient, attribute, rule, tensor


def mask(g: Builder, condition: Tensor, like: Tensor) -> Tensor:
    """A boolean tensor as zeros and ones of the element type of `like`."""
    return g.cast(condition, like.dt)


@rule("Identity")
def identity(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    return dy


@rule("Cast", "CastLike")
def cast(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    return g.cast(dy, tensor(n.inputs[0]).dt)


@rule("Add")
def add(g: Builder, n: ir.Node, dy: Tensor) -> tuple[Gradient, ...]:
    return dy, dy


@rule("Sum")
def sum_(g: Builder, n: ir.Node, dy: Tensor) -> tuple[Gradient, ...]:
    return (dy,) * len(n.inputs)


@rule("Mean")
def mean(g: Builder, n: ir.Node, dy: Tensor) -> tuple[Gradient, ...]:
    return (dy * (1.0 / len(n.inputs)),) * len(n.inputs)


@rule("Sub")
def sub(g: Builder, n: ir.Node, dy: Tensor) -> tuple[Gradient, ...]:
    return dy, lambda: -dy


@rule("Mul")
def mul(g: Builder, n: ir.Node, dy: Tensor) -> tuple[Gradient, ...]:
    a, b = map(tensor, n.inputs)
    return lambda: dy * b, lambda: dy * a


@rule("Div")
def div(g: Builder, n: ir.Node, dy: Tensor) -> tuple[Gradient, ...]:
    b, y = tensor(n.inputs[1]), tensor(n.outputs[0])
    return lambda: dy / b, lambda: -(dy * y / b)


@rule("Mod")
def mod(g: Builder, n: ir.Node, dy: Tensor) -> tuple[Gradient, ...]:
    a, b = map(tensor, n.inputs)

    def truncated() -> Tensor:
        q = a / b
        if not attribute(n, "fmod", 0):
            return -(dy * g.op("Floor", q))
        return -(dy * g.op("Sign", q) * g.op("Floor", g.op("Abs", q)))

    return dy, truncated


@rule("Pow")
def pow_(g: Builder, n: ir.Node, dy: Tensor) -> tuple[Gradient, ...]:
    a, b, y = tensor(n.inputs[0]), tensor(n.inputs[1]), tensor(n.outputs[0])

    def base() -> Tensor:
        p = g.cast(b, a.dt)
        if b.const is not None and b.const.size == 1 and float(b.const.reshape(())) == 2.0:
            return dy * a * 2.0
        return dy * p * g.op("Pow", a, p - 1.0)

    def exponent() -> Tensor:
        """NaN at negative bases; 0 where the base and so the result is 0."""
        zero = g.op("And", g.op("Equal", a, 0.0), g.op("GreaterOrEqual", b, 0.0))
        log = g.op("Log", g.op("Where", zero, g.const(1.0, a.dt), a))
        return g.cast(dy * y * log, b.dt)

    return base, exponent


@rule("Max", "Min")
def extremum(g: Builder, n: ir.Node, dy: Tensor) -> tuple[Gradient, ...]:
    """The first operand that has the extremum gets the gradient; where one is NaN none does."""
    inputs = list(map(tensor, n.inputs))
    if len(inputs) == 1:
        return (dy,)
    if len(inputs) == 2:
        first, second = ("GreaterOrEqual", "Less") if n.op_type == "Max" else ("LessOrEqual", "Greater")
        return lambda: dy * mask(g, g.op(first, *inputs), dy), lambda: dy * mask(g, g.op(second, *inputs), dy)
    open_, parts, zero = dy, [], g.const(0, dy.dt)
    for x in inputs:
        hit = g.op("Equal", x, tensor(n.outputs[0]))
        parts.append(g.op("Where", hit, open_, zero))
        open_ = g.op("Where", hit, zero, open_)
    return tuple(parts)


@rule("Where")
def where(g: Builder, n: ir.Node, dy: Tensor) -> tuple[Gradient, ...]:
    condition, zero = tensor(n.inputs[0]), g.const(0, dy.dt)
    return None, lambda: g.op("Where", condition, dy, zero), lambda: g.op("Where", condition, zero, dy)


@rule("Clip")
def clip(g: Builder, n: ir.Node, dy: Tensor) -> tuple[Gradient, ...]:
    """The gradient passes at both limits, and where the operand is NaN. The limits get what it lost."""
    x = tensor(n.inputs[0])
    low, high = (tensor(v) if v is not None else None for v in (*n.inputs[1:], None, None)[:2])
    crossed = low is not None and high is not None and not _ordered(low, high)
    raised = g.op("Max", x, low) if crossed else x  # the upper limit counts where the lower one is above it
    below = None if low is None else g.op("Less", x, low)
    above = None if high is None else g.op("Greater", raised, high)
    outside = [below, above]

    def data() -> Tensor:
        both = [b for b in outside if b is not None]
        if not both:
            return dy
        lost = both[0] if len(both) == 1 else g.op("Or", *both)
        return dy * mask(g, g.op("Not", lost), dy)  # Where takes several times as long

    def of(condition: Tensor | None, unless: Tensor | None = None) -> Tensor | None:
        if condition is None:
            return None
        if unless is not None:
            condition = g.op("And", condition, g.op("Not", unless))
        return dy * mask(g, condition, dy)

    return data, lambda: of(below, above if crossed else None), lambda: of(above)


def _ordered(low: Tensor, high: Tensor) -> bool:
    """Whether limits are known to be in order."""
    return low.const is not None and high.const is not None and bool((low.const <= high.const).all())


def _unary(op_type: str, derivative: Callable[[Builder, Tensor, Tensor, ir.Node], Tensor]) -> None:
    """Register ``dx = dy * derivative(g, x, y, node)``."""

    @rule(op_type)
    def unary(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
        slope: Tensor = derivative(g, tensor(n.inputs[0]), tensor(n.outputs[0]), n)
        return dy * slope


_SQRT_PI = math.sqrt(math.pi)

_unary("Abs", lambda g, x, y, n: g.op("Sign", x))
_unary("Relu", lambda g, x, y, n: g.op("Sign", y))  # NaN stays NaN
_unary("Sigmoid", lambda g, x, y, n: y * (1.0 - y))
_unary("Tanh", lambda g, x, y, n: 1.0 - y * y)
_unary("Exp", lambda g, x, y, n: y)
_unary("Sqrt", lambda g, x, y, n: 0.5 / y)
_unary("Softplus", lambda g, x, y, n: g.op("Sigmoid", x))
_unary("Erf", lambda g, x, y, n: g.op("Exp", -(x * x)) * (2.0 / _SQRT_PI))
_unary("Sin", lambda g, x, y, n: g.op("Cos", x))
_unary("Cos", lambda g, x, y, n: -g.op("Sin", x))
_unary("Tan", lambda g, x, y, n: y * y + 1.0)
_unary("Sinh", lambda g, x, y, n: g.op("Cosh", x))
_unary("Cosh", lambda g, x, y, n: g.op("Sinh", x))
_unary(
    "ThresholdedRelu", lambda g, x, y, n: mask(g, g.op("Greater", x, float(attribute(n, "alpha", 1.0))), x)
)
_unary(
    "Shrink",
    lambda g, x, y, n: mask(g, g.op("Greater", g.op("Abs", x), float(attribute(n, "lambd", 0.5))), x),
)


def _swish(g: Builder, x: Tensor, y: Tensor, n: ir.Node) -> Tensor:
    alpha = float(attribute(n, "alpha", 1.0))
    s = g.op("Sigmoid", x * alpha)
    return s + x * s * (1.0 - s) * alpha


def _mish(g: Builder, x: Tensor, y: Tensor, n: ir.Node) -> Tensor:
    t = g.op("Tanh", g.op("Softplus", x))
    return t + x * (1.0 - t * t) * g.op("Sigmoid", x)


def _hard_swish(g: Builder, x: Tensor, y: Tensor, n: ir.Node) -> Tensor:
    rising = g.op("Where", g.op("Greater", x, -3.0), x / 3.0 + 0.5, g.const(0, x.dt))
    return g.op("Where", g.op("Less", x, 3.0), rising, g.const(1, x.dt))


_unary("Swish", _swish)
_unary("Mish", _mish)
_unary("HardSwish", _hard_swish)


@rule("Neg")
def neg(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    return -dy


@rule("Log")
def log(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    return dy / tensor(n.inputs[0])


@rule("Reciprocal")
def reciprocal(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    y = tensor(n.outputs[0])
    return -(dy * y * y)


@rule("Softsign")
def softsign(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    d = g.op("Abs", tensor(n.inputs[0])) + 1.0
    return dy / (d * d)


def _inverse(op_type: str, denominator: Callable[[Builder, Tensor], Tensor]) -> None:
    """Register ``dx = dy / denominator(g, x)``."""

    @rule(op_type)
    def inverse(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
        divisor: Tensor = denominator(g, tensor(n.inputs[0]))
        return dy / divisor


_inverse("Asin", lambda g, x: g.op("Sqrt", 1.0 - x * x))
_inverse("Acos", lambda g, x: -g.op("Sqrt", 1.0 - x * x))
_inverse("Atan", lambda g, x: x * x + 1.0)
_inverse("Asinh", lambda g, x: g.op("Sqrt", x * x + 1.0))
_inverse("Acosh", lambda g, x: g.op("Sqrt", x * x - 1.0))
_inverse("Atanh", lambda g, x: 1.0 - x * x)


@rule("LeakyRelu")
def leaky_relu(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    positive = g.op("Greater", tensor(n.inputs[0]), 0.0)
    return g.op("Where", positive, dy, dy * float(attribute(n, "alpha", 0.01)))


@rule("Elu")
def elu(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    x, y, alpha = tensor(n.inputs[0]), tensor(n.outputs[0]), float(attribute(n, "alpha", 1.0))
    return g.op("Where", g.op("Greater", x, 0.0), dy, dy * (y + alpha))


@rule("Selu")
def selu(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    x, y = tensor(n.inputs[0]), tensor(n.outputs[0])
    alpha, gamma = (
        float(attribute(n, "alpha", 1.67326319217681884765625)),
        float(attribute(n, "gamma", 1.05070102214813232421875)),
    )
    return g.op("Where", g.op("Greater", x, 0.0), dy * gamma, dy * (y + alpha * gamma))


@rule("Celu")
def celu(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    y, alpha = tensor(n.outputs[0]), float(attribute(n, "alpha", 1.0))
    return g.op("Where", g.op("Greater", y, 0.0), dy, dy * (y * (1.0 / alpha) + 1.0))


@rule("HardSigmoid")
def hard_sigmoid(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    y, alpha = tensor(n.outputs[0]), float(attribute(n, "alpha", 0.2))
    inside = g.op("And", g.op("Greater", y, 0.0), g.op("Less", y, 1.0))
    return dy * mask(g, inside, dy) * alpha


@rule("PRelu")
def prelu(g: Builder, n: ir.Node, dy: Tensor) -> tuple[Gradient, ...]:
    x, slope = map(tensor, n.inputs)
    positive = g.op("Greater", x, 0.0)
    return (
        lambda: g.op("Where", positive, dy, dy * slope),
        lambda: g.op("Where", positive, g.const(0, dy.dt), dy * x),
    )


@rule("Gelu")
def gelu(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    x = tensor(n.inputs[0])
    if attribute(n, "approximate", "none") == "tanh":
        k = math.sqrt(2.0 / math.pi)
        t = g.op("Tanh", (x + x * x * x * 0.044715) * k)
        return dy * ((t + 1.0) * 0.5 + x * (1.0 - t * t) * (x * x * (3 * 0.044715) + 1.0) * (0.5 * k))
    cdf = (g.op("Erf", x * math.sqrt(0.5)) + 1.0) * 0.5
    return dy * (cdf + x * g.op("Exp", x * x * -0.5) * (1.0 / math.sqrt(2.0 * math.pi)))
