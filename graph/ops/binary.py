"""Elementwise operators of two arrays or more, with and without broadcasting."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from ..autodiff.engine import Gradient, tensor
from ..builder import Builder, CustomFunction, Tensor
from ..errors import ShapeError
from ..shapes import ShapeContext, TypeContext
from ._numeric import Array, holds, is_integer, require_number, same_shape, same_type
from .registry import Operator, operator

__all__ = ["ARITHMETIC", "COMPARISONS", "Binary", "Kernel2"]

Binary = Callable[[Builder, Tensor, Tensor], Tensor]
Kernel2 = Callable[[Array, Array], Array]


# -- what they compute ------------------------------------------------------------------------------------------
def _remainder(g: Builder, a: Tensor, b: Tensor) -> Tensor:
    """The remainder that has the sign of the divisor; 0 where the divisor is 0."""
    zero = g.const(0, a.dt)
    none = g.op("Equal", b, zero)
    divisor = g.op("Where", none, g.const(1, a.dt), b)
    if is_integer(a.dt):
        return g.op("Where", none, zero, g.op("Mod", a, divisor))
    rest = g.op("Mod", a, divisor, fmod=1)
    wrong = g.op("Less", rest * g.op("Sign", b), zero)
    return g.op("Where", none, zero, rest + g.op("Where", wrong, b, zero))


def _remainder_gradient(g: Builder, n: ir.Node, dy: Tensor) -> tuple[Gradient, ...]:
    a, b = map(tensor, n.inputs)
    return dy, lambda: -(dy * g.op("Floor", a / b))


_REMAINDER = CustomFunction("Remainder", _remainder, _remainder_gradient)


def _mod(g: Builder, a: Tensor, b: Tensor) -> Tensor:
    return g.custom(_REMAINDER, a, b)[0]


def _div(g: Builder, a: Tensor, b: Tensor) -> Tensor:
    return a / b


def _power(g: Builder, a: Tensor, b: Tensor) -> Tensor:
    if is_integer(a.dt):
        wide = np.dtype(np.float64)
        return g.cast(g.cast(g.op("Pow", g.cast(a, wide), g.cast(b, wide)), np.int64), a.dt)
    return g.op("Pow", a, b)


def _hypot(g: Builder, a: Tensor, b: Tensor) -> Tensor:
    """``sqrt(a * a + b * b)``, in the next wider type so that squares stay finite."""
    wide = np.dtype(np.float32 if a.dt == np.float16 else np.float64)
    x, y = g.cast(a, wide), g.cast(b, wide)
    return g.cast(g.op("Sqrt", x * x + y * y), a.dt)


def _not_zero(g: Builder, x: Tensor) -> Tensor:
    return g.op("Not", g.op("Equal", x, g.const(0, x.dt)))


def _comparison(op_type: str) -> Binary:
    return lambda g, a, b: g.op(op_type, a, b)


def _logic(op_type: str) -> Binary:
    return lambda g, a, b: g.op(op_type, _not_zero(g, a), _not_zero(g, b))


#: Name, what it says, lowering, NumPy kernel where that gives the same bits.
ARITHMETIC: dict[str, tuple[str, Binary, Kernel2 | None]] = {
    "add": ("The sum", lambda g, a, b: a + b, np.add),
    "sub": ("The difference", lambda g, a, b: a - b, np.subtract),
    "mul": ("The product", lambda g, a, b: a * b, np.multiply),
    "div": ("The quotient (of integers: cut off towards zero)", _div, None),
    "mod": ("The remainder of a division, with the sign of the divisor; 0 for a divisor of 0", _mod, None),
    "power": ("`lhs` to the power of `rhs`", _power, None),
    "maximum": ("The larger", lambda g, a, b: g.op("Max", a, b), np.maximum),
    "minimum": ("The smaller", lambda g, a, b: g.op("Min", a, b), np.minimum),
    "hypot": ("The hypotenuse ``sqrt(lhs ** 2 + rhs ** 2)``", _hypot, None),
}
#: The same for predicates, whose lowering gives booleans.
COMPARISONS: dict[str, tuple[str, Binary, Kernel2]] = {
    "equal": ("lhs == rhs", _comparison("Equal"), np.equal),
    "not_equal": ("lhs != rhs", lambda g, a, b: g.op("Not", g.op("Equal", a, b)), np.not_equal),
    "greater": ("lhs > rhs", _comparison("Greater"), np.greater),
    "greater_equal": ("lhs >= rhs", _comparison("GreaterOrEqual"), np.greater_equal),
    "lesser": ("lhs < rhs", _comparison("Less"), np.less),
    "lesser_equal": ("lhs <= rhs", _comparison("LessOrEqual"), np.less_equal),
    "logical_and": ("lhs and rhs", _logic("And"), np.logical_and),
    "logical_or": ("lhs or rhs", _logic("Or"), np.logical_or),
    "logical_xor": ("lhs xor rhs", _logic("Xor"), np.logical_xor),
}


# -- registration -----------------------------------------------------------------------------------------------
def _register(
    name: str,
    aliases: tuple[str, ...],
    says: str,
    lowering: Binary,
    kernel: Kernel2 | None,
    broadcasts: bool,
    predicate: bool,
) -> Operator:
    """Register an operator ``name(lhs, rhs)`` with operands of one element type, which its result has too."""

    def lower(g: Builder, lhs: Tensor, rhs: Tensor) -> Tensor:
        require_number(name, lhs=lhs, rhs=rhs)
        same_type(name, lhs, rhs)
        if not broadcasts:
            same_shape(name, lhs, rhs)
        y = lowering(g, lhs, rhs)
        return holds(g, y, lhs.dt) if predicate else y

    def run(lhs: Array, rhs: Array) -> Array | None:
        if lhs.dtype != rhs.dtype or lhs.dtype == np.bool_ or not (broadcasts or lhs.shape == rhs.shape):
            return None  # the lowering says what is wrong
        if lhs.ndim != rhs.ndim and not (broadcasts and lhs.ndim and rhs.ndim):
            return None
        assert kernel is not None
        try:
            y = kernel(lhs, rhs)
        except ValueError:
            return None
        return y.astype(lhs.dtype) if predicate else y

    how = "with broadcasting" if broadcasts else "of arrays of one shape"
    lower.__doc__ = f"{name}(lhs, rhs)\n\n{says}, element by element, {how}."
    op = operator(name, *aliases, elementwise=not broadcasts, differentiable=not predicate)(lower)
    if kernel is not None:
        op.numpy(run)
    return op


_SAME_SHAPE = {
    "add": ("elemwise_add", "_add", "_Plus", "_plus", "_sparse_elemwise_add"),
    "sub": ("elemwise_sub", "_sub", "_Minus", "_minus", "_sparse_elemwise_sub"),
    "mul": ("elemwise_mul", "_mul", "_Mul", "_sparse_elemwise_mul"),
    "div": ("elemwise_div", "_div", "_Div", "_sparse_elemwise_div"),
}
_BROADCAST = {
    "add": ("broadcast_plus", "_sparse_broadcast_add", "_sparse_broadcast_plus"),
    "sub": ("broadcast_minus", "_sparse_broadcast_sub", "_sparse_broadcast_minus"),
    "mul": ("_sparse_broadcast_mul",),
    "div": ("_sparse_broadcast_div",),
}

for _name, (_says, _lowering, _kernel) in ARITHMETIC.items():
    _first, *_others = _SAME_SHAPE.get(_name, (f"_{_name}", f"_{_name.title()}"))
    _register(_first, tuple(_others), _says, _lowering, _kernel, False, False)
    _register(f"broadcast_{_name}", _BROADCAST.get(_name, ()), _says, _lowering, _kernel, True, False)
for _name, (_says, _lowering, _kernel) in COMPARISONS.items():
    _text = f"Whether ``{_says}``, as 1 or 0"
    _register(f"_{_name}", (f"_{_name.title()}",), _text, _lowering, _kernel, False, True)
    _register(f"broadcast_{_name}", (), _text, _lowering, _kernel, True, True)
_register("_grad_add", (), *ARITHMETIC["add"], False, False)
_register("_scatter_elemwise_div", (), *ARITHMETIC["div"], False, False)


@operator("_identity_with_attr_like_rhs", elementwise=True)
def identity_like(g: Builder, lhs: Tensor, rhs: Tensor) -> Tensor:
    """_identity_with_attr_like_rhs(lhs, rhs)

    A copy of `lhs`, which has the shape of `rhs`.
    """
    same_shape("_identity_with_attr_like_rhs", lhs, rhs)
    return g.op("Identity", lhs)


@operator(
    "add_n",
    "ElementWiseSum",
    "_sparse_add_n",
    "_sparse_ElementWiseSum",
    num_args="num_args",
    elementwise=True,
)
def add_n(g: Builder, *args: Tensor, num_args: int) -> Tensor:
    """add_n(*args, num_args)

    The sum of any number of arrays of one shape and element type.
    """
    for x in args:
        require_number("add_n", args=x)
        same_type("add_n", args[0], x)
        same_shape("add_n", args[0], x)
    total = args[0]
    for x in args[1:]:
        total = total + x
    return total


@operator("where", "_sparse_where")
def where(g: Builder, condition: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """where(condition, x, y)

    Elements of `x` where `condition` is not zero, else of `y`. `condition` has the shape of `x` and `y`, or has one
    axis and picks whole slices along their first.
    """
    same_type("where", x, y)
    same_shape("where", x, y)
    chosen = condition if condition.dt == np.bool_ else _not_zero(g, condition)
    if condition.dims != x.dims:
        if condition.ndim != 1 or condition.dims[0] != x.dims[0]:
            raise ShapeError(
                f"argument 'condition': expected shape {x.dims} or ({x.dims[0]},), got {condition.dims}"
            )
        chosen = g.reshape(chosen, (condition.dims[0], *[1] * (x.ndim - 1)))
    return g.op("Where", chosen, x, y)


@where.infer_shape
def _(s: ShapeContext, a: object) -> None:
    for name in ("x", "y"):
        s.set(name, s[0])
    s.set(0, s["x"])
    s.set(0, s["y"])
    for name in ("x", "y"):
        s.set(name, s[0])


@where.infer_type
def _(t: TypeContext, a: object) -> None:
    t.unify_all(["x", "y", 0])
