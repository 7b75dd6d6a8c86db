"""Block.save and Block.load: the names of the saved model come back with its parameters and graphs."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import numpy as np
import pytest

from gluon_onnx import gluon, init, nd
from gluon_onnx.graph.errors import FormatError


class Two(gluon.HybridBlock):
    """Nested outputs, of which one is an input."""

    def __init__(self) -> None:
        super().__init__()
        with self.name_scope():
            self.a = gluon.nn.Dense(4)

    def hybrid_forward(self, F: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
        return self.a(x), [x]


class Model(gluon.Block):
    """Children under keys that hold their names, which differ from one model to the next."""

    def __init__(self, *children: gluon.Block) -> None:
        super().__init__()
        for child in children:
            self._children[f"{child.name}:{len(self._children)}"] = child

    def forward(self, *args: Any) -> Any:
        x = args[0]
        for child in self._children.values():
            x = child(x)
        return x


@pytest.mark.parametrize("hybridize", [False, True])
def test_round_trip(hybridize: bool, tmp_path: pathlib.Path) -> None:
    prefix = str(tmp_path / "net")
    x = nd.array([[1, 2, 3]])
    one = Model(gluon.nn.Dense(3), Two())
    one.initialize(init.One())
    if hybridize:
        one.hybridize()
    expected, (same,) = one(x)
    one.save(prefix)
    two = Model(gluon.nn.Dense(3), Two())
    assert list(two.collect_params()) != list(one.collect_params())
    two.load(prefix)
    assert list(two.collect_params()) == list(one.collect_params())
    assert list(two._children) == list(one._children)
    found, (again,) = two(x)
    assert expected.shape == (1, 4)
    np.testing.assert_array_equal(found.asnumpy(), expected.asnumpy())
    np.testing.assert_array_equal(again.asnumpy(), same.asnumpy())
    assert [child._active for child in two._children.values()] == [hybridize] * 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["net-model.json", "net-model.params"]


def test_file_is_mxnets(tmp_path: pathlib.Path) -> None:
    """The members that MXNet 1.9.1 writes and reads, with its numbers for the structure of results."""
    prefix = str(tmp_path / "net")
    one = Two()
    one.initialize()
    one.hybridize()
    one(nd.ones((1, 2)))
    one.save(prefix)
    model = json.loads((tmp_path / "net-model.json").read_text())
    assert list(model) == ["two0"]
    top = model["two0"]
    assert (top["in_format"], top["out_format"], top["hybridized"]) == ([0], [0, [0]], True)
    assert top["children"] == {one.a.name: "a"}
    assert top["dense1"] == {"orig_name": one.a.name, "hybridized": False, "children": {}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not a model of Block.save"),
        ("{}", r"describes another model: the block 'dense\d+' would be 'dense0', it has \[\]"),
        ('{"conv2d0": {"orig_name": "c"}}', r"would be 'dense0', it has \['conv2d0'\]"),
        ('{"dense0": {"orig_name": "c"}}', "not a model of Block.save: KeyError"),
    ],
)
def test_other_models(text: str, message: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / "net-model.json").write_text(text)
    with pytest.raises(FormatError, match=message):
        gluon.nn.Dense(1).load(str(tmp_path / "net"))
