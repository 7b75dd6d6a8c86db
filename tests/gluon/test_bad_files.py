"""Files that are no models, through the doors that users take: one clear error, and nothing written anywhere."""

from __future__ import annotations

import os
import pathlib

import numpy as np
import pytest

import gluon_onnx as mx
from gluon_onnx import gluon, nd
from gluon_onnx.base import MXNetError


def saved(folder: pathlib.Path, prefix: str = "") -> tuple[pathlib.Path, pathlib.Path]:
    """A symbol and its parameters, all of whose names begin with `prefix`."""
    data = mx.sym.var("data")
    x = mx.sym.FullyConnected(data, num_hidden=3, name=f"{prefix}fc")
    x.save(folder / "net-symbol.json")
    values = {f"{prefix}fc_weight": nd.ones((3, 4)), f"{prefix}fc_bias": nd.zeros(3)}
    nd.save(str(folder / "net.params"), {f"arg:{n}": v for n, v in values.items()})
    return folder / "net-symbol.json", folder / "net.params"


CONTENTS = {
    "empty": b"",
    "zeros": bytes(64),
    "text": b"layers: 3\n",
    "not UTF-8": b'{"nodes": "\xff"}',
    "pickle": b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94.",
}


@pytest.mark.parametrize("name", CONTENTS)
@pytest.mark.parametrize("which", [0, 1, 2], ids=["symbol", "params", "onnx"])
def test_file_of_something_else(name: str, which: int, tmp_path: pathlib.Path) -> None:
    symbol, params = saved(tmp_path)
    bad = [symbol, params, tmp_path / "net.onnx"][which]
    bad.write_bytes(CONTENTS[name])
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(MXNetError, match=bad.name):
        if which == 2:
            gluon.SymbolBlock.imports(bad)
        else:
            gluon.SymbolBlock.imports(symbol, "data", params)
    assert sorted(os.listdir(tmp_path)) == before


def test_no_prefix_of_a_symbol_is_a_symbol(tmp_path: pathlib.Path) -> None:
    symbol, _ = saved(tmp_path)
    content = symbol.read_bytes().rstrip()
    for n in range(len(content)):
        symbol.write_bytes(content[:n])
        with pytest.raises(MXNetError, match=r"net-symbol\.json"):
            mx.sym.load(symbol)


def test_names_are_only_names(tmp_path: pathlib.Path) -> None:
    """A name with the separators of paths names no file."""
    folder = tmp_path / "inner"
    folder.mkdir()
    symbol, params = saved(folder, "../../a\\b/")
    block = gluon.SymbolBlock.imports(symbol, "data", params)
    x = np.ones((2, 4), np.float32)
    expected = block(nd.array(x)).asnumpy()
    block.export(str(folder / "again"))
    assert sorted(os.listdir(tmp_path)) == ["inner"]
    assert len(os.listdir(folder)) == 5
    again = gluon.SymbolBlock.imports(folder / "again-symbol.json", "data", folder / "again-0000.params")
    np.testing.assert_array_equal(again(nd.array(x)).asnumpy(), expected)
    model = gluon.SymbolBlock.imports(folder / "again-0000.onnx")
    np.testing.assert_allclose(model(nd.array(x)).asnumpy(), expected, rtol=1e-6)


def test_parameters_of_another_model(tmp_path: pathlib.Path) -> None:
    """Of other names, and of other shapes."""
    symbol, params = saved(tmp_path)
    block = gluon.SymbolBlock.imports(symbol, "data", params)
    block(nd.ones((1, 4)))
    block.export(str(tmp_path / "net"))
    model = tmp_path / "net-0000.onnx"
    other = str(tmp_path / "other.params")
    nd.save(other, {"arg:conv_weight": nd.ones((3, 4))})
    for file in (symbol, model):
        with pytest.raises((AssertionError, ValueError), match=r"fc_weight|conv_weight"):
            gluon.SymbolBlock.imports(file, "data", other)
    nd.save(other, {"arg:fc_weight": nd.ones((5, 4)), "arg:fc_bias": nd.ones(5)})
    with pytest.raises((AssertionError, MXNetError), match="fc_weight"):
        gluon.SymbolBlock.imports(model, "data", other)
