"""What inference and composition of symbols say when something is wrong, and what a pickled symbol is."""

from __future__ import annotations

import copy
import pickle
import pickletools
from collections.abc import Callable

import pytest

import gluon_onnx as mx
from gluon_onnx import sym
from gluon_onnx.base import MXNetError
from gluon_onnx.graph.errors import ArgumentError, AttributeParseError, ShapeError, TypeInferenceError

x, y = sym.var("x"), sym.var("y")
FC = sym.FullyConnected(x, num_hidden=4, name="fc")

#: Calls, their errors, and what the texts must say: operator, node, argument, expected, received.
WRONG: dict[str, tuple[Callable[[], object], type[Exception], list[str]]] = {
    "weight": (
        lambda: FC.infer_shape(x=(2, 3), fc_weight=(4, 5)),
        ShapeError,
        ["FullyConnected", "'fc'", "'weight'", "3", "(4, 5)"],
    ),
    "two sizes": (
        lambda: sym.elemwise_add(x, y, name="plus").infer_shape(x=(2, 3), y=(2, 4)),
        ShapeError,
        ["elemwise_add", "'plus'", "(2, 3)", "(2, 4)"],
    ),
    "broadcasting": (
        lambda: sym.broadcast_mul(x, y, name="times").infer_shape(x=(2, 3), y=(4, 3)),
        ShapeError,
        ["broadcast_mul", "'times'", "(2, 3)", "(4, 3)"],
    ),
    "axes": (
        lambda: sym.Convolution(x, kernel=(3, 3), num_filter=2, name="c").infer_shape(x=(1, 3, 8)),
        ShapeError,
        ["Convolution", "'c'", "'data'", "expected 4 axes", "got 3"],
    ),
    "groups": (
        lambda: sym.Convolution(x, kernel=(3, 3), num_filter=4, num_group=3, name="c").infer_shape(
            x=(1, 3, 8, 8)
        ),
        ShapeError,
        ["Convolution", "'c'", "'num_group'", "4", "3"],
    ),
    "elements": (
        lambda: sym.Reshape(x, shape=(5, 2), name="r").eval(x=mx.nd.ones((2, 6))),
        ShapeError,
        ["Reshape", "'r'", "(2, 6)", "(5, 2)"],
    ),
    "joined": (
        lambda: sym.Concat(x, y, dim=1, name="j").infer_shape(x=(2, 3), y=(3, 3)),
        ShapeError,
        ["Concat", "'j'", "'arg1'", "(2, ?)", "(3, 3)"],
    ),
    "declared": (
        lambda: (sym.var("v", shape=(2, 3)) + x).infer_shape(x=(2, 4)),
        ShapeError,
        ["_plus0", "(2, 3)", "(2, 4)"],
    ),
    "types": (
        lambda: sym.elemwise_add(x, y, name="plus").infer_type(x="float32", y="float64"),
        TypeInferenceError,
        ["elemwise_add", "'plus'", "float32", "float64"],
    ),
    "types of a layer": (
        lambda: FC.infer_type(x="float32", fc_weight="float16"),
        TypeInferenceError,
        ["FullyConnected", "'fc'", "'weight'", "float32", "float16"],
    ),
    "unknown argument of inference": (
        lambda: FC.infer_shape(z=(2, 3)),
        ArgumentError,
        ["infer_shape", "'z'", "'x'"],
    ),
    "unknown argument of composition": (lambda: FC(z=y), MXNetError, ["'z'", "'x'", "'fc_weight'"]),
    "unknown parameter": (lambda: sym.sum(x, slope=2), ArgumentError, ["sum", "'slope'", "data", "axis"]),
    "missing parameter": (
        lambda: sym.FullyConnected(x),
        AttributeParseError,
        ["FullyConnected", "'num_hidden'"],
    ),
    "value of a parameter": (
        lambda: sym.FullyConnected(x, num_hidden="many"),
        AttributeParseError,
        ["FullyConnected", "'num_hidden'", "an integer", "'many'"],
    ),
    "choice": (
        lambda: sym.Activation(x, act_type="swish"),
        AttributeParseError,
        ["Activation", "'act_type'", "'relu'", "'swish'"],
    ),
    "number of inputs": (lambda: sym.relu(x, y), ArgumentError, ["relu", "2", "1", "data"]),
    "kind of input": (lambda: sym.relu(3), ArgumentError, ["relu", "'data'", "Symbol", "int"]),
    "outputs of an input": (
        lambda: sym.relu(sym.Group([x, y])),
        MXNetError,
        ["relu", "'data'", "2 outputs", "expected one"],
    ),
    "unknown operator": (lambda: sym.Convolutoin, AttributeError, ["'Convolutoin'", "Convolution"]),
    "output by name": (lambda: FC["fc"], ValueError, ["'fc'", "'fc_output'"]),
    "output by number": (lambda: FC[3], IndexError, ["3", "1"]),
}


@pytest.mark.parametrize("name", WRONG)
def test_error(name: str) -> None:
    """The error's class, and the parts of its text."""
    call, error, parts = WRONG[name]
    with mx.name.NameManager(), pytest.raises(error) as caught:
        call()
    assert [part for part in parts if part not in str(caught.value)] == []


def test_incomplete_shapes_are_named_where_they_are_needed() -> None:
    """Binding says which shapes do not follow."""
    with pytest.raises(
        MXNetError, match=r"simple_bind: the shapes of \['x', 'fc_weight', 'fc_bias'\] cannot be inferred"
    ):
        FC.simple_bind(mx.cpu())


def test_a_pickled_symbol_is_json() -> None:
    """The pickle names one function, that which reads JSON, and holds text; so does a copy share nothing."""
    data = pickle.dumps(FC, protocol=2)
    called = [arg for op, arg, _ in pickletools.genops(data) if op.name in ("GLOBAL", "STACK_GLOBAL")]
    assert called == ["gluon_onnx.symbol.symbol load_json"]
    again = pickle.loads(data)
    assert again.tojson() == FC.tojson()
    for other in (again, copy.copy(FC), copy.deepcopy(FC)):
        other._set_attr(mood="good")
        assert FC.attr("mood") is None
        assert type(other) is type(FC)


@pytest.mark.parametrize("hybrid", [True, False])
def test_mixed_element_types(hybrid: bool) -> None:
    """A layer that is called with another element type than it has names operator, argument and both types."""
    net = mx.gluon.nn.Dense(2, in_units=3, prefix="net_")
    net.initialize()
    if hybrid:
        net.hybridize()
    node = r" \(node 'net_fwd'\)" if hybrid else ""
    text = rf"operator FullyConnected{node}, argument 'weight': expected float64 like 'data', got float32"
    with pytest.raises(TypeInferenceError, match=text):
        net(mx.nd.ones((2, 3), dtype="float64"))


def test_operators_without_parameters_ignore_what_they_do_not_have() -> None:
    with pytest.warns(UserWarning, match="operator relu has no parameters: argument 'slope' is ignored"):
        symbol = sym.relu(sym.var("x"), slope=2)
    assert symbol.attr("slope") is None
