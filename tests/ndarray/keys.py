"""Random indices of NDArrays, as source texts that MXNet and this package can both evaluate."""

from __future__ import annotations

import numpy as np

COUNT = 400


def _slice(stream: np.random.RandomState, size: int) -> str:
    def bound() -> str:
        return "" if stream.rand() < 0.4 else str(stream.randint(-size - 2, size + 3))

    step = stream.choice(["", "", "", "2", "-1", "-2", "3"])
    return f"{bound()}:{bound()}" + (f":{step}" if step else "")


def _array(stream: np.random.RandomState, size: int, shape: tuple[int, ...]) -> str:
    text = str(stream.randint(-size, size, shape).tolist())
    kinds = ["{}", "np.array({})", "nd.array({})", 'nd.array({}, dtype="int32")', 'np.array({}, dtype="float32")']
    return str(stream.choice(kinds)).format(text)


def make() -> list[tuple[tuple[int, ...], str]]:
    """Shapes and keys; the same ones on every call."""
    stream = np.random.RandomState(7)
    found = []
    for _ in range(COUNT):
        shape = tuple(int(n) for n in stream.randint(1, 5, stream.randint(1, 5)))
        advanced = stream.rand() < 0.5
        block = [(2,), (1,), (3,), (2, 1), (1, 3), (2, 3)]
        size = int(stream.randint(1, 4))  # of the index arrays: they must broadcast
        block = [s for s in block if all(n in (1, size) for n in s)]
        used = stream.randint(1, len(shape) + 1)
        split = stream.randint(used + 1) if stream.rand() < 0.25 else used
        parts = []
        for n in (*shape[:split], *shape[len(shape) - used + split :]):
            kind = stream.rand()
            if advanced and kind < 0.5:
                parts.append(_array(stream, n, block[stream.randint(len(block))]))
            elif kind < 0.7:
                parts.append(str(stream.randint(-n, n)))
            else:
                parts.append(_slice(stream, n))
        if split < used:
            parts.insert(split, "...")
        for _ in range(stream.choice([0, 0, 0, 1, 2])):
            parts.insert(stream.randint(len(parts) + 1), "None")
        found.append((shape, ", ".join(parts)))
    return found


def filled(shape: tuple[int, ...]) -> np.ndarray:
    """The array that is indexed."""
    return np.arange(1, 1 + int(np.prod(shape)), dtype=np.float32).reshape(shape)


def assigned(shape: tuple[int, ...], number: int) -> np.ndarray:
    """The array that is assigned to a selection of the given shape, in a shape that broadcasts to it."""
    lengths = [1 if (number >> i) % 2 else n for i, n in enumerate(shape)][number % (len(shape) + 1) :]
    return -np.arange(1, 1 + int(np.prod(lengths)), dtype=np.float32).reshape(lengths)
