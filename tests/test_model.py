"""Checkpoints of a symbol and its parameters."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gluon_onnx as mx
from gluon_onnx import callback, model


def network() -> tuple[Any, dict[str, Any], dict[str, Any]]:
    symbol = mx.sym.BatchNorm(mx.sym.var("data"), name="bn")
    values = {name: mx.nd.array([i, i + 1]) for i, name in enumerate(["bn_gamma", "bn_beta"])}
    states = {name: mx.nd.array([i]) for i, name in enumerate(["bn_moving_mean", "bn_moving_var"])}
    return symbol, values, states


def plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value.asnumpy().tolist() for name, value in values.items()}


def test_what_is_saved_is_loaded(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    symbol, values, states = network()
    prefix = str(tmp_path / "net")
    with caplog.at_level(logging.INFO):
        callback.do_checkpoint(prefix, period=2)(1, symbol, values, states)
        callback.do_checkpoint(prefix, period=2)(2, symbol, values, states)
    assert caplog.messages == [f'Saved checkpoint to "{prefix}-0002.params"']
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net-0002.params", "net-symbol.json"]
    assert set(mx.nd.load(f"{prefix}-0002.params")) == {
        "arg:bn_gamma", "arg:bn_beta", "aux:bn_moving_mean", "aux:bn_moving_var",
    }  # fmt: skip
    found = model.load_checkpoint(prefix, 2)
    assert found[0].tojson() == symbol.tojson()
    assert [plain(part) for part in found[1:]] == [plain(values), plain(states)]


def test_parameters_without_prefixes_are_sorted_by_the_symbol(tmp_path: Path) -> None:
    # MXNet fails on them
    symbol, values, states = network()
    symbol.save(tmp_path / "net-symbol.json")
    mx.nd.save(str(tmp_path / "net-0000.params"), {**values, **states})
    _, arg_params, aux_params = model.load_checkpoint(str(tmp_path / "net"), 0)
    assert [plain(arg_params), plain(aux_params)] == [plain(values), plain(states)]


@pytest.mark.parametrize(("version", "epoch"), [("1.0.0", 3), ("1.6.0", 3)])
def test_checkpoints_of_mxnet(version: str, epoch: int) -> None:
    prefix = Path(__file__).parent / "data" / "mxnet" / version / "module"
    arg_params, aux_params = model.load_params(str(prefix), epoch)
    assert all(np.isfinite(value.asnumpy()).all() for value in {**arg_params, **aux_params}.values())
    assert not any(":" in name for name in {**arg_params, **aux_params})


def test_no_parameters_at_all_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    model.save_checkpoint(str(tmp_path / "net"), 0, None, {}, {})
    assert model.load_params(str(tmp_path / "net"), 0) == ({}, {})
    assert caplog.messages == [f"Params file '{tmp_path / 'net-0000.params'}' is empty"]


def test_errors(tmp_path: Path) -> None:
    prefix = str(tmp_path / "net")
    with pytest.raises(mx.MXNetError, match=r"cannot read the network .*net-symbol\.json"):
        model.load_checkpoint(prefix, 1)
    with pytest.raises(mx.MXNetError, match=r"net-0001\.params"):
        model.load_params(prefix, 1)
    mx.nd.save(f"{prefix}-0001.params", [mx.nd.ones((1,))])
    with pytest.raises(mx.MXNetError, match="holds 1 arrays without names"):
        model.load_params(prefix, 1)


def test_what_callbacks_receive() -> None:
    param = model.BatchEndParam(epoch=1, nbatch=2, eval_metric=None, locals={})
    assert str(param) == "BatchEndParams(epoch=1, nbatch=2, eval_metric=None, locals={})"
