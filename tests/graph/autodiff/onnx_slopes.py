"""Gradients of the node tests that ship inside of the onnx package, against differences in double precision."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator
from onnxruntime.capi.onnxruntime_pybind11_state import (
    Fail,
    InvalidArgument,
    InvalidGraph,
    NotImplemented,
    RuntimeException,
)

from gluon_onnx.graph.autodiff.engine import joint
from gluon_onnx.graph.builder import OPSET
from gluon_onnx.graph.importers.onnx import read_onnx
from gluon_onnx.graph.program import Program
from tests.gluon.onnx_cases import array, bare_session, cases_of

Array = np.ndarray[Any, Any]
Run = Callable[[Sequence[Array]], list[Array]]

_NARROW = ("float16", "bfloat16")
_FLOAT, _DOUBLE = onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE


@dataclass
class Case:
    """A function of float64 arrays.

    Attributes
    ----------
    program : its inputs are those of the test that have a slope; all others are constants.
    feeds : where it is evaluated.
    heads : its results of floating type.
    expected : what they are, in the precision of the test.
    reference : whether ONNX's reference computes the program, not ONNX Runtime.
    step : half the distance of two places that are compared.
    error : how far the slope along a direction may be off, relative to the sum of its parts.
    """

    program: Program
    feeds: list[Array]
    heads: list[int]
    expected: list[Array]
    reference: bool = False
    step: float = 1e-5
    error: float = 1e-6

    def forward(self) -> Run:
        """By ONNX Runtime, or by ONNX's reference where that fails, or gives other results (in double precision)."""
        evaluate = runner(self.program, self.reference)
        with contextlib.suppress(RuntimeException, InvalidArgument, Fail):
            found = evaluate(self.feeds)
            if all(
                found[i].shape == e.shape and np.allclose(found[i], e, rtol=1e-3, atol=1e-5, equal_nan=True)
                for i, e in zip(self.heads, self.expected, strict=True)
            ):
                return evaluate
        return runner(self.program, reference=True)


def _double_tensor(t: onnx.TensorProto) -> None:
    if t.data_type == _FLOAT:
        t.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(t).astype(np.float64), t.name))


def _double_graph(graph: onnx.GraphProto) -> None:
    """Single precision becomes double in a graph and its subgraphs."""
    for v in (*graph.input, *graph.output, *graph.value_info):
        _double_type(v.type)
    for t in graph.initializer:
        _double_tensor(t)
    for node in graph.node:
        for a in node.attribute:
            if a.type == onnx.AttributeProto.GRAPH:
                _double_graph(a.g)
            elif a.type == onnx.AttributeProto.TENSOR:
                _double_tensor(a.t)
            elif a.name in ("to", "dtype", "stash_type") and a.i == _FLOAT:
                a.i = _DOUBLE


def _double_type(kind: onnx.TypeProto) -> None:
    which = kind.WhichOneof("value")
    if which == "tensor_type" and kind.tensor_type.elem_type == _FLOAT:
        kind.tensor_type.elem_type = _DOUBLE
    elif which in ("sequence_type", "optional_type"):
        _double_type(getattr(kind, which).elem_type)


def _double(value: Any) -> Any:
    if isinstance(value, list):
        return [_double(v) for v in value]
    return value.astype(np.float64) if isinstance(value, np.ndarray) and value.dtype == np.float32 else value


def _single(model: onnx.ModelProto) -> set[str]:
    """Inputs that must stay in single precision."""
    found: set[str] = set()
    version = min(OPSET, next(o.version for o in model.opset_import if not o.domain))
    for node in model.graph.node:
        schema = onnx.defs.get_schema(node.op_type, version, node.domain)
        kinds = {c.type_param_str: c.allowed_type_strs for c in schema.type_constraints}
        for i, name in enumerate(node.input):
            formal = schema.inputs[min(i, len(schema.inputs) - 1)]
            kind = kinds.get(formal.type_str, [formal.type_str])
            if not any("double" in k for k in kind):
                found.add(name)
    return found


#: Operands that say what is computed, by operator: their places.
_SETTINGS = {
    "Dropout": (1,),
    "NegativeLogLikelihoodLoss": (2,),
    "OneHot": (0, 1),
    "Resize": (1, 2),
    "SoftmaxCrossEntropyLoss": (2,),
}


def _settings(model: onnx.ModelProto) -> set[str]:
    """Inputs that have no slope by nature."""
    return {
        node.input[i]
        for node in model.graph.node
        for i in _SETTINGS.get(node.op_type, ())
        if i < len(node.input)
    }


def case_of(test: Any) -> Case | None:
    """A test of onnx as a function; None where no input or no result is of floating type."""
    model = onnx.ModelProto()
    model.CopyFrom(test.model)
    single, settings = _single(model), _settings(model)
    inputs = [array(v) for v in test.data_sets[0][0]]
    if any(isinstance(v, np.ndarray) and v.dtype.name in _NARROW for v in inputs):
        return None
    real = [
        i.name
        for i, v in zip(model.graph.input, inputs, strict=True)
        if getattr(v, "dtype", None) == np.float32
    ]
    only_single = bool(real) and set(real) <= single
    kind = np.float32 if only_single else np.float64
    if not only_single:
        _double_graph(model.graph)
    feeds, kept = [], []
    for info, value in zip(model.graph.input, inputs, strict=True):
        if only_single:
            pass
        elif info.name in single:
            info.type.tensor_type.elem_type = _FLOAT
        else:
            value = _double(value)
        smooth = isinstance(value, np.ndarray) and value.dtype == kind and info.name not in settings
        if smooth or not isinstance(value, np.ndarray):
            if not smooth:
                return None
            kept.append(info)
            feeds.append(value)
        else:
            model.graph.initializer.append(numpy_helper.from_array(value, info.name))
    del model.graph.input[:]
    model.graph.input.extend(kept)
    program = read_onnx(model).program()
    heads = [i for i, t in enumerate(program.outputs) if t.dt == kind]
    if not feeds or not heads:
        return None
    expected = [array(v) for v in test.data_sets[0][1]]
    case = Case(program, feeds, heads, [expected[i] for i in heads])
    if only_single:
        case.step, case.error = 1e-2, 1e-3
    return case


def runner(program: Program, reference: bool = False) -> Run:
    """The program as a function: by ONNX Runtime, or by ONNX's reference where that lacks a kernel."""
    names = program.input_names
    session: Any = None
    if not reference:
        with contextlib.suppress(NotImplemented, InvalidGraph, Fail):
            session = bare_session(program.model.SerializeToString())
    if session is None:
        session = ReferenceEvaluator(program.model)

    def evaluate(feeds: Sequence[Array]) -> list[Array]:
        with np.errstate(all="ignore"):
            return [np.asarray(y) for y in session.run(None, dict(zip(names, feeds, strict=True)))]

    return evaluate


def _moved(case: Case, random: np.random.RandomState) -> list[Array]:
    return [np.asarray(x + random.uniform(0.01, 0.03, x.shape), x.dtype) for x in case.feeds]


def check(case: Case, seed: str, aside: bool = False) -> None:
    """Compare gradients along random directions with differences.

    Parameters
    ----------
    aside : step a little aside first, because the test lies at a kink.
    """
    random = np.random.RandomState(zlib.crc32(seed.encode()))
    forward = case.forward()
    wrt = list(range(len(case.feeds)))
    feeds = _moved(case, random) if aside else case.feeds
    found = forward(feeds)
    heads = [
        np.where(np.isfinite(found[i]), random.uniform(0.5, 1.5, found[i].shape), 0.0) for i in case.heads
    ]
    heads = [h.astype(found[i].dtype) for i, h in zip(case.heads, heads, strict=True)]
    slopes = runner(joint(case.program, wrt, case.heads))([*feeds, *heads])
    for i, slope in zip(wrt, slopes, strict=True):
        assert slope.shape == feeds[i].shape, (slope.shape, feeds[i].shape)
        for _ in range(2):
            way = random.uniform(-1, 1, slope.shape)
            sides = []
            for step in (case.step, -case.step):
                moved = list(feeds)
                moved[i] = np.asarray(moved[i] + step * way, moved[i].dtype)
                results = forward(moved)
                sides.append(
                    [
                        np.where(h, results[k], 0.0) * h.astype(np.float64)
                        for k, h in zip(case.heads, heads, strict=True)
                    ]
                )
            expected = sum(float((a - b).sum()) for a, b in zip(*sides, strict=True)) / (2 * case.step)
            got, scale = float((slope * way).sum()), float(np.abs(slope * way).sum())
            size = sum(float(np.abs(a).sum()) for a in sides[0])
            assert abs(got - expected) <= case.error * (scale + 1e-3 * size + 1e-3), (
                f"input {i}: the gradient gives {got!r}, differences {expected!r}"
            )


def gradient_case(case: Case, aside: bool = False) -> Case:
    """The gradient of a case as a case: a function of its operands and of the gradients of its results."""
    random = np.random.RandomState(4)
    feeds = _moved(case, random) if aside else case.feeds
    heads = [random.uniform(0.5, 1.5, y.shape) for y in (case.forward()(feeds)[i] for i in case.heads)]
    program = joint(case.program, list(range(len(case.feeds))), case.heads)
    places = list(range(len(program.outputs)))
    inputs = [*feeds, *heads]
    return Case(program, inputs, places, runner(program)(inputs), case.reference, case.step)


def rows(operator: str) -> list[Any]:
    """The tests of an operator, without those that write another one out in parts."""
    return [t for t in cases_of(operator) if "_expanded" not in t.name]
