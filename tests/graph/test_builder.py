"""Graphs under construction, programs, and the verifier."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest

from gluon_onnx.graph.builder import OPSET, Builder, Tensor
from gluon_onnx.graph.dims import Dim
from gluon_onnx.graph.errors import GraphError, ShapeError, TypeInferenceError, VerificationError
from gluon_onnx.graph.program import Program, bake, finish
from gluon_onnx.graph.verify import verify

N = Dim.symbol("n")


def run(program: Program, *arrays: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(
        program.model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, dict(zip(program.input_names, arrays, strict=True)))


def test_model_pins_opset_and_ir_version() -> None:
    g = Builder()
    model = finish(g, [g.op("Relu", g.input("x", np.float32, (2,)))]).model
    assert [(o.domain, o.version) for o in model.opset_import] == [("", OPSET)]
    assert model.ir_version == 13


def test_shapes_with_symbols_reach_the_end() -> None:
    g = Builder()
    x = g.input("x", np.float32, (N, 3, 8, 8))
    y = g.op("Conv", x, g.const(np.ones((4, 3, 3, 3), np.float32)), kernel_shape=[3, 3])
    z = g.reshape(y, (y.dims[0] * 36, 4))
    assert y.dims == (N, 4, 6, 6) and z.dims == (N * 36, 4)
    (result,) = run(finish(g, [z]), np.ones((5, 3, 8, 8), np.float32))
    assert result.shape == (180, 4) and (result == 27).all()


@pytest.mark.parametrize("size", [4, 7])
def test_values_of_dimension_expressions(size: int) -> None:
    g = Builder()
    x = g.input("x", np.float32, (N, 2))
    expression = (N * 3 + 1) // 2 - N
    (result,) = run(
        finish(g, [g.shape_tensor([N, expression, 5]), g.op("Identity", x)]), np.zeros((size, 2), np.float32)
    )[:1]
    assert result.tolist() == [size, (size * 3 + 1) // 2 - size, 5]


def test_outputs_may_be_inputs_constants_and_repeat() -> None:
    g = Builder()
    x = g.input("x", np.float32, (2,))
    y = g.op("Neg", x)
    results = run(
        finish(g, [x, y, y, g.const(np.array([7], np.int64))], names=["a", "b", "c", "d"]),
        np.ones(2, np.float32),
    )
    assert [r.tolist() for r in results] == [[1, 1], [-1, -1], [-1, -1], [7]]


def test_unneeded_nodes_are_left_out() -> None:
    g = Builder()
    x = g.input("x", np.float32, (2,))
    g.op("Exp", x)
    assert [n.op_type for n in finish(g, [g.op("Neg", x)]).nodes] == ["Neg"]


def test_bake_turns_inputs_into_initializers_of_the_same_name() -> None:
    g = Builder()
    x, w = g.input("x", np.float32, (2,)), g.input("w", np.float32, (2,))
    baked = bake(finish(g, [x * w], names=["y"]), {"w": np.array([2, 3], np.float32)})
    assert baked.input_names == ["x"] and [i.name for i in baked.model.graph.initializer] == ["w"]
    assert run(baked, np.ones(2, np.float32))[0].tolist() == [2, 3]


def test_states_cannot_be_baked() -> None:
    g = Builder()
    s = g.input("s", np.float32, (2,))
    g.update(s, s + 1.0)
    with pytest.raises(GraphError, match="updates"):
        bake(finish(g, [g.op("Neg", s)]), {"s": np.zeros(2, np.float32)})


def test_errors_name_operand_types() -> None:
    g = Builder()
    x, y = g.input("x", np.float32, (2,)), g.input("y", np.int64, (3,))
    with pytest.raises(TypeInferenceError, match="Add: operands have types float32 and int64"):
        g.op("Add", x, y)
    with pytest.raises(ShapeError, match=r"\(2,\) and \(3,\) do not broadcast"):
        g.op("Add", x, g.cast(y, np.float32))


def _broken(damage: str) -> Program:
    g = Builder()
    x = g.input("x", np.float32, (2, 3))
    y = g.op("Relu", x)
    program = finish(g, [g.op("Neg", y)])
    if damage == "order":
        program.nodes.reverse()
    elif damage == "shape":
        y.dims = (2, 4)
    elif damage == "type":
        y.dt = np.dtype(np.float64)
    elif damage == "name":
        y.name = "x"
    elif damage == "output":
        program.outputs[0] = Tensor(g, "z", np.dtype(np.float32), (2, 3))
    elif damage == "update":
        program.inputs[0].dims = (2, 3)
        program.updates = [(0, 0)]
        program.outputs[0].dt = np.dtype(np.float64)
    return program


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("order", "before it is defined"),
        ("shape", "claims shape"),
        ("type", "claims type"),
        ("name", "taken"),
        ("output", "not defined"),
        ("update", "claims type|cannot update"),
    ],
)
def test_verifier_refuses(damage: str, message: str) -> None:
    with pytest.raises(VerificationError, match=message):
        verify(_broken(damage))


def test_a_constant_made_inside_a_subgraph_serves_the_outer_graph() -> None:
    """Constants are shared, so that one may be met first in an inner graph and later used in the outer one."""
    g = Builder()
    x = g.input("x", np.float32, (2,))
    condition = g.op("Greater", g.op("ReduceSum", x, keepdims=0), 0.0)
    branches = {
        name: g.subgraph(name, [], lambda inner, f=factor: [x * inner.const(np.float32(f))])
        for name, factor in (("then_branch", 3.0), ("else_branch", 5.0))
    }
    (chosen,) = g.emit(
        "If", "", [condition], [ir.AttrGraph(k, v) for k, v in branches.items()], [(x.dt, x.dims)]
    )
    y = g.const(np.float32(3.0)) * chosen + g.const(np.float32(5.0))
    assert run(finish(g, [y]), np.ones(2, np.float32))[0].tolist() == [14, 14]
