"""CTCLoss beyond the rows of its table."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_onnx import autograd, nd


@pytest.mark.parametrize("blank", ["first", "last"])
def test_what_lies_behind_a_sequence_does_not_matter(blank: str) -> None:
    """MXNet reads no data behind the given lengths, and their gradient is zero."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(5, 2, 4)).astype(np.float32)
    values[3:, 0], values[4:, 1] = np.nan, np.inf
    label = nd.array([[1, 2], [2, 1]])
    lengths = nd.array([3, 4])

    def run(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        data = nd.array(x)
        data.attach_grad()
        with autograd.record():
            loss = nd.CTCLoss(data, label, lengths, use_data_lengths=True, blank_label=blank)
        loss.backward()
        return loss.asnumpy(), data.grad.asnumpy()

    loss, gradient = run(values)
    expected, clean = run(np.where(np.isfinite(values), values, 0))
    np.testing.assert_array_equal(loss, expected)
    np.testing.assert_array_equal(gradient, clean)
    assert not gradient[3:, 0].any() and not gradient[4:, 1].any()
    assert gradient[:3].any()
