"""Make the golden values of the operator tables with real MXNet 1.9.1.

Run from anywhere with an interpreter that has ``mxnet==1.9.1`` and ``numpy<1.24``::

    python tests/golden/make.py [family ...] [--check] [--only TEXT]

The same rows give the same files.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import pathlib
import subprocess
import sys
import tempfile
import warnings
from typing import Any

NATIVE = "MXNET_MKLDNN_ENABLED"
os.environ.setdefault("MXNET_STORAGE_FALLBACK_LOG_VERBOSE", "0")
os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
warnings.simplefilter("ignore")

import mxnet as mx  # noqa: E402
import numpy as np  # noqa: E402

from tests.golden import store  # noqa: E402
from tests.ops import cases, runner  # noqa: E402


def run(row: cases.Case, dtype: str) -> dict[str, np.ndarray]:
    """What MXNet answers, corrected where the row says that MXNet is wrong."""
    mx.random.seed(0)
    arrays = row.arrays(dtype)
    if row.oracle == "eager":
        found = runner.run_eager(mx, row, dtype, grads=row.oracle_grad, strict=False)
        for name in row.unchecked:
            del found[name]
    elif row.oracle == "symbol":
        found = runner.run_symbol(mx, row, dtype)
    else:
        assert row.expect is not None
        found = {n: _as(v, dtype) for n, v in row.expect(arrays, []).items() if n.startswith("out")}
    if row.expect is None:
        return found
    outputs = [found[f"out{i}"] for i in range(len(found)) if f"out{i}" in found]
    right = row.expect(arrays, [row.head(i, o.shape, o.dtype.name) for i, o in enumerate(outputs)])
    if row.oracle != "none" and all(
        n in found and np.allclose(found[n], v, 1e-3, 1e-5, equal_nan=True) for n, v in right.items()
    ):
        raise ValueError("the row says that MXNet is wrong, but it is right")
    found.update({n: _as(v, found[n].dtype if n in found else dtype) for n, v in right.items()})
    return found


def _as(value: np.ndarray, dtype: Any) -> np.ndarray:
    """A value that was computed in float64, in the dtype that MXNet gives."""
    return value.astype(dtype) if value.dtype.kind == "f" else value


def native_part(family: str, salt: str) -> store.Golden:
    """The values of the rows that MXNet computes only with its oneDNN kernels off, a choice made when it is loaded."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, family, "--salt", salt, "--folder", folder]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, NATIVE: "0"})
        return store.read(family, pathlib.Path(folder))[0]


def make(family: str, salt: str, only: str, verbose: bool) -> tuple[store.Golden, dict[str, int], int]:
    """The values of a family, the fingerprints of its rows, and how many rows MXNet refused."""
    golden: store.Golden = {}
    fingerprints: dict[str, int] = {}
    refused = 0
    native = os.environ.get(NATIVE) == "0"
    rows = cases.all_cases(family, salt)
    for row in rows:
        fingerprints[row.id] = row.fingerprint()
        if only not in row.id or (row.native != native and not only):
            continue
        for dtype in row.dtypes:
            if verbose:
                print(row.id, dtype, flush=True)
            try:
                found = run(row, dtype)
            except (
                mx.base.MXNetError,
                ValueError,
                TypeError,
                AttributeError,
                KeyError,
                AssertionError,
            ) as error:
                refused += 1
                with contextlib.suppress(mx.base.MXNetError):
                    mx.nd.waitall()  # else the error comes up again in the next row
                text = str(error).strip().replace("\n", " ")
                print(f"  REFUSED {row.id} {dtype}: {type(error).__name__} {text[:400]}")
                continue
            golden.update({f"{row.id}|{dtype}|{name}": value for name, value in found.items()})
            if only:
                print(row.id, dtype, *(f"{n} {v.dtype} {v.shape}\n{v}" for n, v in found.items()), sep="\n")
            elif (
                not row.note
                and not row.mxnet_wrong
                and any(np.isnan(v).any() for v in found.values() if v.dtype.kind == "f")
            ):
                print(f"  {row.id} {dtype} has NaN without a note")
    if not native and not only and any(row.native for row in rows):
        golden.update(native_part(family, salt))
    return golden, fingerprints, refused


def differing(golden: store.Golden, before: store.Golden) -> list[str]:
    """Values that differ by more than a tenth of what the tests allow; another processor may round differently."""

    def close(key: str) -> bool:
        if key not in golden or key not in before or golden[key].dtype != before[key].dtype:
            return False
        new, old = golden[key], before[key]
        rtol, atol = cases.TOLERANCE.get(new.dtype.name, (0.0, 0.0))
        return new.shape == old.shape and np.allclose(
            new, old, rtol / 10, atol / 10, equal_nan=new.dtype.kind == "f"
        )

    return sorted(key for key in {*before, *golden} if not close(key))


def main() -> int:
    """Write or check the files of the families asked for; non-zero if a row was refused or differs."""
    parser = argparse.ArgumentParser()
    parser.add_argument("family", nargs="*", default=list(cases.FAMILIES))
    parser.add_argument("--check", action="store_true", help="compare with the files instead of writing them")
    parser.add_argument("--only", default="", help="print the values of the rows whose id contains this")
    parser.add_argument("--salt", default="", help="another text gives other random inputs")
    parser.add_argument("--folder", type=pathlib.Path, default=store.HERE, help="where the files lie")
    parser.add_argument(
        "--verbose", action="store_true", help="name each row before it runs: shows which one crashed"
    )
    options = parser.parse_args()
    bad = 0
    for family in options.family:
        golden, fingerprints, refused = make(family, options.salt, options.only, options.verbose)
        bad += refused
        if options.only:
            continue
        if options.check:
            before, rows = store.read(family, options.folder)
            wrong = differing(golden, before)
            bad += len(wrong) + (rows != fingerprints)
            print(f"{family}: {len(golden)} values, {len(wrong)} differ {wrong[:5]}")
        else:
            path = store.write(family, golden, fingerprints, options.folder)
            print(f"{family}: {len(fingerprints)} rows, {len(golden)} values, {path.stat().st_size} bytes")
    return min(bad, 1)


if __name__ == "__main__":
    sys.exit(main())
