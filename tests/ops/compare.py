"""Comparison of what a row gave with its golden values."""

from __future__ import annotations

import numpy as np

from tests.ops.cases import TOLERANCE, Case


def compare(row: Case, found: dict[str, np.ndarray], golden: dict[str, np.ndarray]) -> None:
    """Names, dtypes, shapes and, within the tolerance of their dtype, values are the same."""
    assert sorted(found) == sorted([*golden, *row.unchecked])
    for name, value in golden.items():
        assert found[name].dtype == value.dtype, f"{name}: expected {value.dtype}, got {found[name].dtype}"
        assert found[name].shape == value.shape, (
            f"{name}: expected shape {value.shape}, got {found[name].shape}"
        )
        rtol, atol = row.tolerance.get(value.dtype.name, TOLERANCE.get(value.dtype.name, (0, 0)))
        np.testing.assert_allclose(found[name], value, rtol, atol, equal_nan=True, err_msg=name)
