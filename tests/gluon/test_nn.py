"""Layers: names, texts and numbers are MXNet's; errors are clear."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import gluon_onnx as mx
from gluon_onnx import autograd, gluon, nd
from gluon_onnx.gluon import nn
from tests.gluon import rows
from tests.golden import store

GOLDEN = json.loads((store.HERE / "gluon.json").read_text(encoding="utf-8"))
NUMBERS, _ = store.read("gluon")
ERRORS: dict[str, type[Exception]] = {
    "AssertionError": AssertionError,
    "DeferredInitializationError": gluon.DeferredInitializationError,
    "MXNetError": mx.MXNetError,
    "NotImplementedError": NotImplementedError,
    "RuntimeError": RuntimeError,
    "TypeError": TypeError,
    "ValueError": ValueError,
}
TABLE = rows.LAYERS + rows.LOSSES


def ids(row: rows.Row) -> str:
    return row.id


@pytest.mark.parametrize("row", rows.LAYERS, ids=ids)
def test_names_and_texts(row: rows.Row) -> None:
    assert rows.describe(mx, row) == GOLDEN["rows"][row.id]


@pytest.mark.parametrize("row", rows.LOSSES, ids=ids)
def test_losses_name_themselves(row: rows.Row) -> None:
    told, expected = rows.describe(mx, row), GOLDEN["rows"][row.id]
    assert (told["repr"], told["name"], told["prefix"]) == (expected["repr"], expected["name"], expected["prefix"])


@pytest.mark.parametrize("hybridize", [False, True], ids=["eager", "hybridized"])
@pytest.mark.parametrize("row", TABLE, ids=ids)
def test_numbers(row: rows.Row, hybridize: bool) -> None:
    found = rows.compute(mx, row, hybridize)
    expected = {k.partition("|")[2]: v for k, v in NUMBERS.items() if k.startswith(row.id + "|")}
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].dtype == value.dtype
        np.testing.assert_allclose(found[name], value, rtol=1e-4, atol=1e-5, err_msg=name)


def test_selu_gradient() -> None:
    """MXNet multiplies with the scale twice where x is negative."""
    x = nd.array([-2.0, -0.5, 0.5])
    x.attach_grad()
    with autograd.record():
        y = nn.SELU()(x)
    y.backward()
    scale, alpha = 1.0507009873554805, 1.6732632423543772
    expected = scale * np.array([alpha * np.exp(-2.0), alpha * np.exp(-0.5), 1.0])
    np.testing.assert_allclose(x.grad.asnumpy(), expected, rtol=1e-5)


@pytest.mark.parametrize("name", rows.ERRORS)
def test_errors(name: str) -> None:
    error = rows.raised(rows.ERRORS[name], mx)
    assert isinstance(error, ERRORS[GOLDEN["errors"][name]])
    assert str(error)


# -- what the tables do not show -----------------------------------------------------------------------------


def test_sequential_is_a_list() -> None:
    net = nn.HybridSequential(prefix="net_")
    with net.name_scope():
        net.add(nn.Dense(4), nn.Dropout(0.5), nn.Dense(2))
    assert len(net) == 3 and net[-1] is list(net)[2]
    assert [b.name for b in net] == ["net_dense0", "net_dropout0", "net_dense1"]
    part = net[:2]
    assert type(part) is nn.HybridSequential and part[0] is net[0] and len(part) == 2
    net.initialize()
    x = nd.ones((1, 3))
    np.testing.assert_array_equal(net[2](part(x)).asnumpy(), net(x).asnumpy())
    with pytest.raises(IndexError):
        _ = net[3]


@pytest.mark.parametrize("kind", [nn.Sequential, nn.HybridSequential])
def test_empty_sequential_is_the_identity(kind: type) -> None:
    x = nd.ones((2, 2))
    assert kind()(x) is x


def test_sequential_of_hybrid_blocks_warns() -> None:
    net = nn.Sequential(prefix="net_")
    net.hybridize()
    net.add(nn.Dense(2))
    with pytest.warns(UserWarning, match=r"All children of this Sequential layer 'net_' are HybridBlocks"):
        net.hybridize()
    net.add(nn.Lambda("relu"))
    net.hybridize()


def test_shared_parameters() -> None:
    first = nn.Dense(3, in_units=3, prefix="first_")
    second = nn.Dense(3, in_units=3, prefix="second_", params=first.params)
    first.initialize()
    assert second.weight is first.weight and list(second.collect_params()) == ["first_weight", "first_bias"]
    x = nd.ones((2, 3))
    np.testing.assert_array_equal(first(x).asnumpy(), second(x).asnumpy())


@pytest.mark.parametrize(
    ("make", "shape", "weights"),
    [
        (lambda: nn.Dense(5), (2, 3, 4), {"weight": (5, 12), "bias": (5,)}),
        (lambda: nn.Dense(5, flatten=False), (2, 3, 4), {"weight": (5, 4), "bias": (5,)}),
        (lambda: nn.Conv2D(4, 3, groups=2), (1, 6, 5, 5), {"weight": (4, 3, 3, 3), "bias": (4,)}),
        (lambda: nn.Conv2D(4, 3, layout="NHWC"), (1, 5, 5, 6), {"weight": (4, 3, 3, 6), "bias": (4,)}),
        (lambda: nn.Conv2DTranspose(4, 3, groups=2), (1, 6, 5, 5), {"weight": (6, 2, 3, 3), "bias": (4,)}),
        (lambda: nn.BatchNorm(), (1, 6, 5), dict.fromkeys(["gamma", "beta", "running_mean", "running_var"], (6,))),
        (lambda: nn.LayerNorm(), (1, 6, 5), dict.fromkeys(["gamma", "beta"], (5,))),
        (lambda: nn.InstanceNorm(), (1, 6, 5), dict.fromkeys(["gamma", "beta"], (6,))),
        (lambda: nn.GroupNorm(num_groups=3), (1, 6, 5), dict.fromkeys(["gamma", "beta"], (3,))),
    ],
)
@pytest.mark.parametrize("hybridize", [False, True], ids=["eager", "hybridized"])
def test_shapes_are_found_from_the_first_input(make: Any, shape: tuple[int, ...], weights: dict[str, Any],
                                               hybridize: bool) -> None:  # fmt: skip
    block = make()
    block.initialize()
    if hybridize:
        block.hybridize()
    block(nd.ones(shape))
    assert {k.removeprefix(block.prefix): p.shape for k, p in block.collect_params().items()} == weights


@pytest.mark.parametrize("layer", [nn.BatchNorm, nn.BatchNormReLU])
def test_parameters_of_float16_batch_norm_stay_float32(layer: type) -> None:
    block = layer(in_channels=2)
    block.initialize()
    block.cast("float16")
    assert {p.data().dtype for p in block.collect_params().values()} == {np.float32}
    assert block(nd.ones((2, 2, 3, 3), dtype="float16")).dtype == np.float16
    block.cast("float64")
    assert {p.data().dtype for p in block.collect_params().values()} == {np.float64}


@pytest.mark.parametrize("hybridize", [False, True], ids=["eager", "hybridized"])
def test_dropout(hybridize: bool) -> None:
    block = nn.Dropout(0.25)
    if hybridize:
        block.hybridize()
    x = nd.ones((200, 100))
    x.attach_grad()
    np.testing.assert_array_equal(block(x).asnumpy(), x.asnumpy())
    with autograd.record():
        y = block(x)
    y.backward()
    out = y.asnumpy()
    np.testing.assert_allclose(np.unique(out), [0, 4 / 3], rtol=1e-6)
    assert abs((out == 0).mean() - 0.25) < 0.02
    np.testing.assert_array_equal(x.grad.asnumpy(), out)
    with autograd.train_mode():
        assert (block(x).asnumpy() != out).any()


def test_dropout_of_whole_rows() -> None:
    with autograd.train_mode():
        out = nn.Dropout(0.5, axes=(1,))(nd.ones((100, 7))).asnumpy()
    assert (out == out[:, :1]).all() and set(np.unique(out)) == {0.0, 2.0}


def test_embedding_gradient_of_repeated_numbers() -> None:
    block = nn.Embedding(4, 2, sparse_grad=True)
    block.initialize("ones")
    with autograd.record():
        y = block(nd.array([1, 3, 1]))
    y.backward()
    np.testing.assert_array_equal(block.weight.grad().asnumpy(), [[0, 0], [2, 2], [0, 0], [1, 1]])
    assert repr(gluon.contrib.nn.SparseEmbedding(4, 2)) == "SparseEmbedding(4 -> 2, float32)"


def test_lambda_takes_several_inputs() -> None:
    x, y = nd.array([1.0, 2.0]), nd.array([3.0, 1.0])
    assert nn.Lambda(lambda a, b: a - b)(x, y).asnumpy().tolist() == [-2, 1]
    block = nn.HybridLambda(lambda F, a, b: F.broadcast_maximum(a, b))
    assert repr(block) == "HybridLambda(<lambda>)"
    block.hybridize()
    assert block(x, y).asnumpy().tolist() == [3, 2]
    assert nn.HybridLambda("broadcast_minimum")(x, y).asnumpy().tolist() == [1, 1]


def test_sync_batch_norm_counts_gpus() -> None:
    with pytest.warns(UserWarning, match="Caution using SyncBatchNorm"):
        block = gluon.contrib.nn.SyncBatchNorm(prefix="bn_")
    assert block._kwargs["ndev"] == max(mx.num_gpus(), 1) and block._kwargs["key"] == "bn_"


@pytest.mark.parametrize(
    ("kind", "shape", "factor", "axes"),
    [
        ("PixelShuffle1D", (2, 6, 4), 3, (0, 1, 3, 2)),
        ("PixelShuffle2D", (1, 12, 2, 3), (2, 3), (0, 1, 4, 2, 5, 3)),
        ("PixelShuffle3D", (1, 24, 2, 3, 2), (2, 3, 2), (0, 1, 5, 2, 6, 3, 7, 4)),
    ],
)
def test_pixel_shuffle_is_a_transpose(kind: str, shape: tuple[int, ...], factor: Any, axes: tuple[int, ...]) -> None:
    x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    factors = (factor,) if isinstance(factor, int) else factor
    expected = x.reshape(shape[0], -1, *factors, *shape[2:]).transpose(axes)
    out = getattr(gluon.contrib.nn, kind)(factor)(nd.array(x))
    lengths = [f * n for f, n in zip(factors, shape[2:], strict=True)]
    np.testing.assert_array_equal(out.asnumpy(), expected.reshape(shape[0], -1, *lengths))


def test_a_layer_is_told_what_is_wrong() -> None:
    with pytest.raises(mx.MXNetError, match=r"c: channels must be a multiple of groups=3, got 4"):
        nn.Conv2D(4, 3, groups=3, prefix="c_")
    with pytest.raises(AssertionError, match=r"Only supports 'NCHW' and 'NHWC' layouts for now, got 'CHWN'"):
        nn.Conv2D(4, 3, layout="CHWN")
    with pytest.raises(AssertionError, match=r"kernel_size must be a number or a list of 2 ints, got \(3, 3, 3\)"):
        nn.Conv2D(4, (3, 3, 3))
    with pytest.raises(AssertionError, match=r"Only NCW and NWC layouts are valid for 1D Pooling, got 'NCHW'"):
        nn.AvgPool1D(layout="NCHW")
    with pytest.raises(AssertionError, match="Function name nothing is not found in symbol/ndarray"):
        nn.HybridLambda("nothing")


@pytest.mark.parametrize("dtype", ["float64", np.float64, np.dtype("float64")], ids=["name", "class", "dtype"])
def test_element_types_in_all_forms(dtype: Any) -> None:
    x = nd.ones((1, 2), dtype=dtype)
    for block in (nn.Dense(2, dtype=dtype), nn.Embedding(3, 2, dtype=dtype)):
        block.initialize()
        assert block(x).dtype == np.float64
        block.hybridize()
        assert block(x).dtype == np.float64
