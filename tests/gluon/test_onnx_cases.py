"""ONNX's own tests through SymbolBlock.imports: whatever ONNX Runtime alone passes, a block passes."""

from __future__ import annotations

import pathlib
import re
from typing import Any

import numpy as np
import onnx
import pytest

import gluon_onnx as mx
from gluon_onnx import nd
from gluon_onnx.base import MXNetError
from gluon_onnx.gluon import SymbolBlock

from .onnx_cases import (
    OPERATORS,
    OTHERS,
    are_arrays,
    array,
    assert_same,
    bare_passes,
    bare_session,
    cases_of,
    in_other_opsets,
    versions,
)

DATA = pathlib.Path(onnx.__file__).parent / "backend" / "test" / "data"

#: What ONNX Runtime passes and a block does not: the error, and why. Beside these are models without inputs, and
#: models with inputs or outputs that are sequences, optionals or texts: a block is a function of arrays of numbers.
EXCEPTIONS = {
    "test_scan_sum": (
        "of opset 8, with a batch axis",
        "Scan had a batch axis in opset 8 alone; no exporter wrote it",
    ),
}
RANDOM = ("Bernoulli",)
NO_ARRAYS = "must be tensors of numbers to be arrays"
NO_INPUTS = "has no inputs, so that it is no function of arrays"


def expected_error(case: Any) -> str:
    """What a block says to a case that it does not pass."""
    if not are_arrays(case.model):
        return NO_ARRAYS
    return NO_INPUTS if not case.model.graph.input else EXCEPTIONS.get(case.name, ("", ""))[0]


def write(folder: pathlib.Path, model: onnx.ModelProto) -> str:
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return str(path)


def run(block: Any, inputs: list[Any]) -> list[np.ndarray]:
    found = block(*(nd.array(x, dtype=x.dtype) for x in inputs))
    return [y.asnumpy() for y in (found if isinstance(found, list) else [found])]


def check(case: Any, folder: pathlib.Path) -> None:
    """One case through a block, and its symbol through JSON."""
    path = write(folder, case.model)
    error = expected_error(case)
    if error:
        with pytest.raises(MXNetError, match=re.escape(error)):
            block = SymbolBlock.imports(path)
            run(block, [array(x) for x in case.data_sets[0][0]])
        return
    block = SymbolBlock.imports(path)
    for inputs, outputs in case.data_sets:
        found = run(block, [array(x) for x in inputs])
        for a, b in zip(found, outputs, strict=True):
            assert_same(a, array(b), case.rtol, case.atol)
    text = mx.sym.load(path).tojson()
    assert mx.sym.load_json(text).tojson() == text


@pytest.mark.parametrize("operator", [*OPERATORS, OTHERS])
def test_node(operator: str, tmp_path: pathlib.Path) -> None:
    cases = [case for case in cases_of(operator) if bare_passes(case)]
    if not cases:
        pytest.skip("ONNX Runtime passes no test of this operator, or onnx has none")
    for case in cases:
        check(case, tmp_path)


@pytest.mark.parametrize("operator", [op for op in OPERATORS if len(versions(op)) > 1])
def test_node_of_another_opset(operator: str, tmp_path: pathlib.Path) -> None:
    """The same nodes under other opsets: whatever ONNX Runtime makes of them there, a block makes of them."""
    count = 0
    for case in cases_of(operator):
        if expected_error(case):
            continue
        for model in in_other_opsets(case):
            values = [array(x) for x in case.data_sets[0][0]]
            try:
                session = bare_session(model.SerializeToString())
                expected = session.run(
                    None, dict(zip([v.name for v in model.graph.input], values, strict=True))
                )
            except Exception:  # noqa: BLE001  (not valid in that opset, or no kernel)
                continue
            count += 1
            if operator in RANDOM:
                SymbolBlock.imports(write(tmp_path, model))
                continue
            for a, b in zip(run(SymbolBlock.imports(write(tmp_path, model)), values), expected, strict=True):
                assert_same(a, b, 1e-5, 1e-6)
    if not count:
        pytest.skip("ONNX Runtime accepts its tests under no other opset")


MODELS = sorted(str(p.parent.relative_to(DATA)) for p in DATA.glob("[ps]*/*/model.onnx"))


@pytest.mark.parametrize("name", MODELS)
def test_model(name: str) -> None:
    path = str(DATA / name / "model.onnx")
    model = onnx.load(path)
    if not are_arrays(model):
        with pytest.raises(MXNetError, match=NO_ARRAYS):
            SymbolBlock.imports(path)
        return
    block = SymbolBlock.imports(path)
    try:
        session = bare_session(path)
    except Exception:  # noqa: BLE001  (an opset that it does not accept: being read is all that is asked)
        return
    weights = {t.name for t in model.graph.initializer}
    inputs = [v for v in model.graph.input if v.name not in weights]
    sets = sorted((DATA / name).glob("test_data_set_*"))
    assert sets
    for folder in sets:
        feed = {v.name: array(onnx.load_tensor(str(folder / f"input_{i}.pb"))) for i, v in enumerate(inputs)}
        for a, b in zip(run(block, list(feed.values())), session.run(None, feed), strict=True):
            assert_same(a, b, 1e-5, 1e-6)


LIGHT = sorted(p.name for p in (DATA / "light").glob("light_*.onnx"))


@pytest.mark.parametrize(
    "name", [n for n in LIGHT if n in ("light_squeezenet.onnx", "light_shufflenet.onnx")]
)
def test_network(name: str) -> None:
    """Two of the networks that onnx has with made-up weights (all nine pass; the others take seconds)."""
    path = str(DATA / "light" / name)
    (data,) = [v for v in onnx.load(path).graph.input if "data" in v.name]
    shape = [d.dim_value for d in data.type.tensor_type.shape.dim]
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    (expected,) = bare_session(path).run(None, {data.name: x})
    (found,) = run(SymbolBlock.imports(path), [x])
    assert_same(found, expected, 1e-4, 1e-6)
