"""Arithmetic of symbolic dimensions."""

from __future__ import annotations

import pytest

from gluon_onnx.graph.dims import Dim, prod
from gluon_onnx.graph.errors import NeedsStaticShape

H, W = Dim.symbol("h"), Dim.symbol("w")


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((H + 2 - 3) // 1 + 1, H),
        (H * 4 // 4, H),
        (H - H, 0),
        (H * W // W, H),
        ((H + W) * 2 - 2 * W, 2 * H),
        (H * H, H * H),
        ((H + 1) % 1, 0),
        (prod([H, 3, W]), W * H * 3),
        (7 - (7 - H), H),
        ((2 * H) % 2, 0),
        (H * W * 6 // (H * 2), W * 3),
    ],
)
def test_canonical_forms_are_equal(left: object, right: object) -> None:
    assert left == right


def test_quotients_that_do_not_divide_are_kept() -> None:
    q = (H - 3) // 2 + 1
    assert q != H and str(q) == "(h - 3)//(2) + 1"
    assert isinstance(q, Dim) and q.symbols() == {"h"}


@pytest.mark.parametrize(
    ("value", "other", "expected"), [(H + 3, 4, True), (H, 1, True), (H, 0, True), (1 - H, 1, False)]
)
def test_comparisons_that_hold_for_every_positive_size(value: Dim, other: int, expected: bool) -> None:
    assert (value >= other) is expected


@pytest.mark.parametrize("question", [lambda: H > 1, lambda: int(H), lambda: H >= W, lambda: range(H)])
def test_undecided_questions_are_errors(question: object) -> None:
    with pytest.raises(NeedsStaticShape, match="h"):
        question()  # type: ignore[operator]
