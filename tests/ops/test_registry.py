"""The operator registry against MXNet 1.9.1's own: names, inputs, parameters and defaults."""

from __future__ import annotations

import json
import pathlib
import re
from typing import Any

import pytest

from gluon_onnx.graph.errors import UnsupportedOperatorError
from gluon_onnx.graph.ops import Operator, find, names
from gluon_onnx.graph.ops.schema import REQUIRED
from tests.ops.cases import FAMILIES, all_cases
from tests.ops.unsupported import UNSUPPORTED, WITHOUT_ROWS

#: What MXNet 1.9.1 says of its operators: names, inputs, parameters with type and default.
MXNET: list[dict[str, Any]] = json.loads(
    (pathlib.Path(__file__).parents[1] / "data" / "mxnet_ops.json").read_text()
)
BY_NAME = {name: entry for entry in MXNET for name in entry["names"]}
#: Parameters that MXNet documents wrongly, as they are.
ERRATA: dict[str, dict[str, str]] = {
    "smooth_l1": {"scalar": "float, optional, default=1"},
    "_linalg_potrf": {"lower": "boolean, optional, default=1"},
    "_linalg_potri": {"lower": "boolean, optional, default=1"},
    "_linspace": {
        "start": "double, required",
        "stop": "double or None, optional, default=None",
        "num": "int, required",
        "endpoint": "boolean, optional, default=1",
        "ctx": "string, optional, default=''",
        "dtype": BY_NAME["_arange"]["params"]["dtype"],
    },
}
#: Registered operators that MXNet does not have, and what for.
OWN: dict[str, str] = {"_contrib_mrcnn_mask_target": "in MXNet's builds for NVIDIA devices"}


def _registered() -> list[Operator]:
    return [find(name) for name in names() if find(name).name == name and name not in OWN]


@pytest.mark.parametrize("op", _registered(), ids=lambda op: op.name)
def test_declaration(op: Operator) -> None:
    """An operator has MXNet's names, inputs, parameters in their order, and defaults."""
    entry = BY_NAME[op.name]
    assert {op.name, *op.aliases} == set(entry["names"])
    if op.variadic is None:
        # MXNet lists auxiliary states among the inputs of some operators only.
        assert list(op.inputs) in (entry["inputs"], [*entry["inputs"], *op.aux])
    documented: dict[str, str] = ERRATA.get(op.name, entry["params"])
    # MXNet counts the inputs of some operators by itself; of others it has no word for their number.
    assert op.num_args == entry.get("num_args") or ("num_args" not in entry and op.num_args in documented)
    assert [p.rstrip("_") for p in op.params if p != op.num_args or p in documented] == list(documented)
    for name, text in documented.items():
        parameter = op.params[name] if name in op.params else op.params[f"{name}_"]
        for option in re.findall(r"'(\w+)'", text.partition("}")[0]) if text.startswith("{") else ():
            assert str(parameter.parse(option)) == option, f"{name} must accept {option!r}"
        found = re.search(r",\s*optional, default=(.*)$", text)
        if found is None:
            assert parameter.default is REQUIRED, f"{name} is required"
            continue
        expected = parameter.parse(found.group(1).strip("'"))
        assert type(parameter.default) is type(expected), f"{name}: {parameter.default!r} is not {expected!r}"
        if isinstance(expected, float):
            expected = pytest.approx(expected, rel=1e-6)
        assert parameter.default == expected, name


@pytest.mark.parametrize("name", sorted({name for entry in MXNET for name in entry["names"]}))
def test_supported_or_listed(name: str) -> None:
    """Every operator of MXNet is registered, or listed as absent with a reason, and never both."""
    listed = {alias for op in UNSUPPORTED for alias in BY_NAME[op]["names"]}
    if name in listed:
        with pytest.raises(UnsupportedOperatorError, match=re.escape(name)):
            find(name)
    else:
        assert name in {find(name).name, *find(name).aliases}


@pytest.mark.parametrize("op", [*_registered(), *map(find, OWN)], ids=lambda op: op.name)
def test_has_rows(op: Operator) -> None:
    """Every registered operator has rows in the tables, or is tested elsewhere, which is said."""
    tested = {row.op for family in FAMILIES for row in all_cases(family)}
    called = {op.name, *op.aliases}
    assert bool(tested & called) != bool(called & set(WITHOUT_ROWS))


@pytest.mark.parametrize("table", [UNSUPPORTED, WITHOUT_ROWS], ids=["unsupported", "without_rows"])
def test_tables_are_dated(table: dict[str, str]) -> None:
    """The lists name operators of MXNet, each with the date and the reason."""
    for op, reason in table.items():
        assert op in BY_NAME
        assert re.match(r"20\d\d-\d\d-\d\d: .{10,}", reason), op


def test_rows_are_unique() -> None:
    """No two rows of all tables have one id, for it seeds their inputs."""
    ids = [row.id for family in FAMILIES for row in all_cases(family)]
    assert len(ids) == len(set(ids))
