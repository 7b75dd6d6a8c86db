"""Indexing and assignment of NDArrays against NumPy.

MXNet 1.9.1 gives the same answers to these keys, except that it refuses most empty selections; that it puts new axes
that follow index arrays before them; and that it writes outside of its memory when index arrays of an assignment hold
negative positions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gluon_onnx as mx
from gluon_onnx import autograd, nd
from gluon_onnx.base import MXNetError
from tests.ndarray import keys

ROWS = [pytest.param(n, shape, key, id=f"{n}-{key.replace(' ', '')}") for n, (shape, key) in enumerate(keys.make())]
#: Keys that the random ones do not cover.
MASKS = [
    ((4,), "np.array([True, False, True, True])"),
    ((3, 2), "np.array([[True, False], [False, False], [True, True]])"),
    ((3, 2), "np.array([False, False, True]), 1"),
    ((2, 3, 2), ":, np.array([True, False, True])"),
    ((2, 3), "[True, False]"),
    ((3, 2), "np.zeros(3, bool)"),
    ((2, 3), "True"),
    ((2, 3), "range(2), 1"),
    ((2, 3), "(0, 1), (2, 0)"),
    ((2, 3), "[]"),
    ((2, 3), "np.int32(1)"),
    ((2, 3), "np.int64(-1), np.uint8(2)"),
    ((2, 3), "..."),
    ((2, 3), "()"),
    ((2, 3), "[0.9, 1.2]"),
]
SPECIAL = [pytest.param(1, shape, key, id=key) for shape, key in MASKS]


def _plain(x: np.ndarray, key: str) -> Any:
    """The key as NumPy understands it."""
    text = key.replace("nd.", "np.").replace('"float32"', '"int64"').replace("[0.9, 1.2]", "[0, 1]")
    return eval(f"k[{text}]", {"np": np, "k": _Key(), "x": x})


class _Key:
    def __getitem__(self, key: Any) -> Any:
        return key


def _key(key: str) -> Any:
    return eval(f"k[{key}]", {"np": np, "nd": nd, "k": _Key()})


def _selects(row: Any) -> bool:
    """Whether a row selects anything."""
    _, shape, key = row.values
    x = keys.filled(shape)
    return bool(np.size(x[_plain(x, key)]))


@pytest.mark.parametrize(("number", "shape", "key"), [*ROWS, *SPECIAL])
def test_get(number: int, shape: tuple[int, ...], key: str) -> None:
    """What is selected; an index that leaves no axes leaves one."""
    x = keys.filled(shape)
    np.testing.assert_array_equal(nd.array(x)[_key(key)].asnumpy(), np.atleast_1d(x[_plain(x, key)]))


@pytest.mark.parametrize(("number", "shape", "key"), [*ROWS, *SPECIAL])
def test_set(number: int, shape: tuple[int, ...], key: str) -> None:
    """What is written, by an array that broadcasts to the selection."""
    expected = keys.filled(shape)
    plain = _plain(expected, key)
    selected = np.shape(expected[plain])
    value = keys.assigned(selected or (1,), number)
    x = nd.array(expected)
    x[_key(key)] = nd.array(value)
    expected[plain] = value if selected else value.item()
    np.testing.assert_array_equal(x.asnumpy(), expected)


@pytest.mark.parametrize(("number", "shape", "key"), [*filter(_selects, ROWS), *filter(_selects, SPECIAL)])
def test_recorded(number: int, shape: tuple[int, ...], key: str) -> None:
    """The same selection while recording, and its gradient: repeated positions add up."""
    x = keys.filled(shape)
    selected = np.atleast_1d(x[_plain(x, key)])
    variable = nd.array(x)
    variable.attach_grad()
    with autograd.record():
        y = variable[_key(key)] * 2
    np.testing.assert_array_equal(y.asnumpy(), 2 * selected)
    head = keys.assigned(selected.shape, 0)
    y.backward(nd.array(head))
    expected = np.zeros_like(x)
    np.add.at(expected, _plain(x, key), 2 * head if np.ndim(x[_plain(x, key)]) else 2 * head.item())
    np.testing.assert_array_equal(variable.grad.asnumpy(), expected)


@pytest.mark.parametrize("recording", [False, True])
@pytest.mark.parametrize(
    ("key", "error", "message"),
    [
        ("2", IndexError, "index 2 is out of bounds for axis 0 with size 2"),
        ("-3", IndexError, "index -3 is out of bounds for axis 0 with size 2"),
        ("0, 3", IndexError, "index 3 is out of bounds for axis 1 with size 3"),
        ("[0, 2]", IndexError, "index 2 is out of bounds for axis 0 with size 2"),
        ("nd.array([-3])", IndexError, "index -3 is out of bounds for axis 0 with size 2"),
        ("0, 0, 0", IndexError, "too many indices"),
        ("..., 0, ...", IndexError, "only one ellipsis"),
        ("np.ones(3, bool)", IndexError, "boolean index did not match"),
        ("[0, 1], [0, 1, 2]", IndexError, "could not be broadcast"),
        ("::0", ValueError, "slice step cannot be zero"),
        ("'a'", ValueError, "cannot be indexed with 'a' of type str"),
        ("1.5", ValueError, "cannot be indexed with 1.5 of type float"),
        ("{}", ValueError, "cannot be indexed with {} of type dict"),
    ],
)
def test_refused_keys(key: str, error: type[Exception], message: str, recording: bool) -> None:
    """Keys that mean nothing, in reading and in writing."""
    x = nd.zeros((2, 3))
    if recording:
        x.attach_grad()
    with pytest.raises(error, match=message), autograd.record() if recording else autograd.pause():
        x[_key(key)]
    with pytest.raises(error, match=message):
        x[_key(key)] = 1


@pytest.mark.parametrize("make", [nd.array, np.array, list], ids=["NDArray", "numpy", "list"])
@pytest.mark.parametrize(
    ("key", "value"),
    [(slice(None), [1, 2]), (0, [[1, 2, 3], [1, 2, 3]]), ((0, 0), [1, 2]), ([0, 1], [1, 2])],
)
def test_refused_shapes(key: Any, value: list[Any], make: Any) -> None:
    """Values that do not broadcast; MXNet raises a ValueError, other code catches its MXNetError."""
    x = nd.zeros((2, 3))
    for error in (ValueError, MXNetError):
        with pytest.raises(error, match="cannot assign a value of shape"):
            x[key] = make(value)


@pytest.mark.parametrize("value", ["a", None, {}, object(), [[1], [1, 2]]])
def test_refused_values(value: Any) -> None:
    """Values that are no numbers. (MXNet fills with NaN for None.)"""
    x = nd.zeros((2, 3))
    with pytest.raises(TypeError, match="a value to assign must be a number"):
        x[0] = value


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("0", np.ones((1, 1, 3))),
        (":", np.ones((1, 1, 2, 3))),
        (":, None", np.ones((2, 1, 3))),
        (":, None", np.ones((2, 3))),
        ("None, 0", np.ones((1, 3))),
        ("0, 1", [1]),
        ("0, 1", np.ones((1, 1))),
        ("0", True),
        ("[0]", np.float64(1)),
        ("0:1, 0", [nd.ones((1,))]),
    ],
)
def test_lenient_values(key: str, value: Any) -> None:
    """Axes of length 1 that the selection does not have, and new axes left out, as in MXNet."""
    x = nd.zeros((2, 3))
    x[_key(key)] = value
    expected = np.zeros((2, 3), np.float32)
    expected[_plain(expected, key)] = 1
    np.testing.assert_array_equal(x.asnumpy(), expected)


@pytest.mark.parametrize(
    ("dtype", "value", "expected"),
    [
        ("int32", 2.9, 2),
        ("int32", -2.9, -2),
        ("uint8", 300, 44),
        ("int64", 2**53 + 1, 2**53 + 1),
        ("float16", 1e6, np.inf),
        ("float32", np.float64(0.1), np.float32(0.1)),
    ],
)
def test_conversion(dtype: str, value: Any, expected: Any) -> None:
    """Values take the element type of the array, as C converts them."""
    x = nd.zeros((2,), dtype=dtype)
    x[0] = np.asarray(value) if dtype == "uint8" else value
    assert x.asnumpy()[0] == expected
    assert x.dtype == np.dtype(dtype)


@pytest.mark.parametrize("key", ["1", "1:", "1, 2", "0:1, 1:3", "1, :, None", "...", ":"])
def test_views(key: str) -> None:
    """A contiguous selection shares memory, in both directions."""
    x = nd.zeros((2, 4))
    y = x[_key(key)]
    y[:] = 1
    expected = np.zeros((2, 4), np.float32)
    expected[_plain(expected, key)] = 1
    np.testing.assert_array_equal(x.asnumpy(), expected)
    x[:] = 2
    np.testing.assert_array_equal(y.asnumpy(), np.full(y.shape, 2))


@pytest.mark.parametrize("key", [":, 1", "::-1", ":, ::2", "[1]", "nd.array([1])", "np.array([True, False])"])
def test_copies(key: str) -> None:
    """Every other selection is a copy."""
    x = nd.zeros((2, 4))
    x[_key(key)][:] = 1
    assert not x.asnumpy().any()


def test_overlap() -> None:
    """A selection of the array itself can be assigned to it."""
    x = nd.arange(4)
    x[1:] = x[:-1]
    np.testing.assert_array_equal(x.asnumpy(), [0, 0, 1, 2])


def test_whole_is_itself() -> None:
    """``x[:]`` and ``x[()]`` are the array."""
    x = nd.zeros((2,))
    assert x[:] is x
    assert x[()] is x


def test_empty_target() -> None:
    """Nothing can be written into an array without elements."""
    x = mx.nd.array(np.zeros((0, 3)))
    x[:] = 1
    assert x.shape == (0, 3)


@pytest.mark.parametrize("shape", [(2, 3), (3,), (1, 1), (1, 2, 3)])
def test_recorded_assignment(shape: tuple[int, ...]) -> None:
    """A recorded value that fills a whole array takes its history along."""
    x, buffer = nd.ones(shape), nd.zeros((2, 3), dtype="float64")
    x.attach_grad()
    with autograd.record():
        buffer[:] = x * 2
        y = buffer * buffer
    y.backward()
    count = 6 // int(np.prod(shape))
    np.testing.assert_array_equal(x.grad.asnumpy(), np.full(shape, 8 * count))


def test_positions_share_programs() -> None:
    """Recorded steps through a sequence compile one program, not one a position."""
    from gluon_onnx.ndarray import dispatch

    x = nd.ones((50, 3))
    x.attach_grad()
    with autograd.record():
        x[0] + x[1]
        before = len(dispatch._functions)
        for t in range(50):
            x[t]
    assert len(dispatch._functions) == before


@pytest.mark.parametrize("key", ["1", "0:1", "..., 2", "[0, 2]", "None, 0"])
def test_recorded_part(key: str) -> None:
    """A recorded value cannot fill a part of an array."""
    x, buffer = nd.ones((1,)), nd.zeros((3, 3))
    x.attach_grad()
    with autograd.record(), pytest.raises(MXNetError, match=r"^Inplace operations .* when recording with autograd: "):
        buffer[_key(key)] = x * 2


def test_recorded_values_do_not_go_into_variables_and_results() -> None:
    """Both would lose a gradient."""
    x, y = nd.ones((2,)), nd.zeros((2,))
    for variable in (x, y):
        variable.attach_grad()
    with autograd.record():
        with pytest.raises(MXNetError, match="cannot become a variable's value"):
            y[:] = x * 2
        z = x * 3
        for write in (lambda: z.__setitem__(0, x[0:1]), lambda: z.__iadd__(x), lambda: nd.relu(x, out=z)):
            with pytest.raises(MXNetError, match="Inplace operations"):
                write()
