"""Golden values on disk: one small ``.npz`` a family.

Thousands of tiny arrays would each pay for a ZIP member, so a family is one index (JSON) and one flat array a dtype.
"""

from __future__ import annotations

import json
import pathlib

import numpy as np

HERE = pathlib.Path(__file__).parent

Golden = dict[str, np.ndarray]


def write(
    family: str, values: Golden, fingerprints: dict[str, int], folder: pathlib.Path = HERE
) -> pathlib.Path:
    """Write the arrays of a family; the same arrays always give the same bytes."""
    entries: dict[str, tuple[str, tuple[int, ...]]] = {}
    flat: dict[str, list[np.ndarray]] = {}
    for key, value in values.items():
        entries[key] = (value.dtype.name, value.shape)
        flat.setdefault(value.dtype.name, []).append(value.reshape(-1))
    text = json.dumps({"rows": fingerprints, "arrays": entries}, separators=(",", ":"))
    arrays = {name: np.concatenate(parts) for name, parts in sorted(flat.items())}
    path = folder / f"{family}.npz"
    np.savez_compressed(
        path, index=np.frombuffer(text.encode(), dtype="uint8"), **{f"_{k}": v for k, v in arrays.items()}
    )
    return path


def read(family: str, folder: pathlib.Path = HERE) -> tuple[Golden, dict[str, int]]:
    """The arrays of a family by ``id|dtype|name``, and the fingerprints of the rows they were made for."""
    with np.load(folder / f"{family}.npz") as stored:
        index = json.loads(stored["index"].tobytes())
        flat = {name[1:]: stored[name] for name in stored.files if name != "index"}
    position = dict.fromkeys(flat, 0)
    values: Golden = {}
    for key, (dtype, shape) in index["arrays"].items():
        start = position[dtype]
        position[dtype] = start + int(np.prod(shape))
        values[key] = flat[dtype][start : position[dtype]].reshape(shape)
    return values, index["rows"]


def of_row(values: Golden, row: str, dtype: str) -> Golden:
    """The values of one row, by name: ``out0``, ``grad1``, ``state2``."""
    names = [f"{kind}{index}" for kind in ("out", "grad", "state") for index in range(32)]
    return {name: values[key] for name in names if (key := f"{row}|{dtype}|{name}") in values}
