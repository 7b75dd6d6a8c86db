"""What `inspect`, `help` and editors show of operators."""

from __future__ import annotations

import inspect

import pytest

import gluon_onnx as mx
from gluon_onnx.graph.ops import find, names

ROWS = {
    "nd.FullyConnected": "data weight bias=None * num_hidden no_bias=False flatten=True out=None name=None",
    "sym.Activation": "data act_type * out=None name=None",
    "nd.clip": "data a_min a_max * out=None name=None",
    "nd.concat": "*data dim=1 out=None name=None",
    "sym.linalg.gemm2": "A B transpose_a=False transpose_b=False alpha=1.0 axis=-2 * out=None name=None",
    "nd.NDArray.sum": "self axis=None keepdims=False exclude=False * out=None name=None",
    "sym.Symbol.pick": "self index axis=-1 keepdims=False mode='clip' * out=None name=None",
    "nd.NDArray.clip": "self a_min a_max * out=None name=None",
}


def _shown(function: object) -> str:
    words, keywords = [], False
    for p in inspect.signature(function).parameters.values():
        if p.kind == p.KEYWORD_ONLY and not keywords and not any(w.startswith("*") for w in words):
            words.append("*")
        keywords = p.kind == p.KEYWORD_ONLY
        stars = "*" * (p.kind == p.VAR_POSITIONAL)
        words.append(f"{stars}{p.name}" + ("" if p.default is p.empty else f"={p.default!r}"))
    return " ".join(words)


@pytest.mark.parametrize("path", ROWS)
def test_signature(path: str) -> None:
    """Inputs, then parameters with their defaults."""
    found: object = mx
    for part in path.split("."):
        found = getattr(found, part)
    assert _shown(found) == ROWS[path]


def test_types_are_shown() -> None:
    """Of inputs, parameters and the result."""
    shown = inspect.signature(mx.nd.FullyConnected)
    assert shown.return_annotation == "NDArray"
    assert [shown.parameters[n].annotation for n in ("data", "bias", "num_hidden", "flatten")] == [
        "NDArray",
        "NDArray | None",
        "an integer",
        "a boolean",
    ]


def test_every_operator_can_be_inspected() -> None:
    """Documentation that begins with the signature, and a signature that names all inputs and parameters."""
    for name in names():
        op = find(name)
        for space in (mx.nd, mx.sym):
            function = getattr(space._internal if name.startswith("_") else space, name)
            shown = list(inspect.signature(function).parameters)
            hidden = {op.num_args, *op.params} if op.variadic else {op.num_args}
            assert set(op.inputs) | set(op.params) <= set(shown) | hidden, name
            assert function.__doc__.startswith(f"{name}("), name


@pytest.mark.parametrize("method", ["sum", "softmax", "take", "argmax"])
def test_methods_are_documented(method: str) -> None:
    """With the operator's own text."""
    for cls in (mx.nd.NDArray, mx.sym.Symbol):
        assert find(method).doc in getattr(cls, method).__doc__
