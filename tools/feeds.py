"""Inputs that a model is run on: from files, pictures, or random."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .model_file import Tensor
from .outcome import CommandError, ExitCode
from .runnable import Runnable, Specs, open_runnable
from .tables import Facts, Grid, shape_text

__all__ = [
    "Feed",
    "Wishes",
    "add_feed_arguments",
    "arrays_of",
    "input_parts",
    "inputs_data",
    "make_feeds",
    "open_with_wishes",
    "read_wishes",
    "specs_of",
]

Array = npt.NDArray[Any]

SHAPE = r":\d+(x\d+)*"
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".ppm", ".tif", ".tiff")


@dataclass(frozen=True)
class Feed:
    """A value for an input, and in words where it came from."""

    name: str
    value: Array
    source: str


def add_feed_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments about inputs."""
    group = parser.add_argument_group("inputs")
    group.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="value of an input: x=file.npy, x=file.npz (the array of that name; x=file.npz:other for another), "
        "x=photo.jpg or x=photo.jpg:1x3x224x224, x=random or x=random:1x3x224x224; x:1x3x224x224 is short for the "
        "last. Inputs that are not named are random",
    )
    group.add_argument("--seed", type=int, default=0, help="of random inputs (default: 0)")
    group.add_argument(
        "--batch", type=int, metavar="N", help="repeat pictures, and make random inputs, for a batch of N"
    )
    group.add_argument(
        "--mean", type=numbers, metavar="R,G,B", help="subtracted from the channels of pictures (0 to 255)"
    )
    group.add_argument("--std", type=numbers, metavar="R,G,B", help="what pictures are then divided by")
    group.add_argument(
        "--bgr", action="store_true", help="channels of pictures in the order blue, green, red"
    )
    group.add_argument(
        "--random-weights",
        action="store_true",
        help="make up the parameters that a -symbol.json has no values for, from the seed",
    )


def numbers(text: str) -> list[float]:
    """One number, or several with commas between them."""
    return [float(part) for part in text.split(",")]


@dataclass(frozen=True)
class Wishes:
    """What the arguments say about inputs.

    Attributes
    ----------
    texts : values by the names of inputs, as they are given.
    arrays : those that are read from files.
    shapes : of the inputs for which the arguments tell.
    """

    texts: dict[str, str]
    arrays: dict[str, Feed]
    shapes: dict[str, tuple[int, ...]]


def read_wishes(args: argparse.Namespace) -> Wishes:
    """Parse ``--input``, and read the arrays that it names.

    Raises
    ------
    CommandError : a value is malformed, or a file holds no array.
    OSError : a file cannot be read.
    """
    texts: dict[str, str] = {}
    for text in args.input:
        name, value = parse(text)
        if name in texts:
            raise CommandError(f"--input {text}: a value for {name} is given twice")
        texts[name] = value
    arrays = {n: read_array(t, n) for n, t in texts.items() if not is_random(t) and not is_picture(t)}
    shapes = {name: feed.value.shape for name, feed in arrays.items()}
    shapes |= {
        n: parse_shape(t, n)
        for n, t in texts.items()
        if n not in arrays and (re.search(SHAPE + "$", t) or t.startswith("random:"))
    }
    return Wishes(texts, arrays, shapes)


def open_with_wishes(path: Path, params: Path | None, args: argparse.Namespace, wishes: Wishes) -> Runnable:
    """The model in a file, whose open shapes follow from what is fed.

    Raises
    ------
    CommandError : see `open_runnable`, or `wishes` name an input that the model does not have.
    """
    runnable = open_runnable(path, params, wishes.shapes, args.seed if args.random_weights else None)
    names = [tensor.name for tensor in runnable.inputs]
    unknown = [name for name in wishes.texts if name not in names]
    if unknown:
        raise CommandError(f"--input {unknown[0]}: {path} has the inputs {', '.join(names) or '(none)'}")
    return runnable


def make_feeds(runnable: Runnable, args: argparse.Namespace, wishes: Wishes) -> list[Feed]:
    """A value for every input of a model.

    Raises
    ------
    CommandError : an array or a picture does not fit the input, or a shape must be given.
    OSError : a file cannot be read.
    """
    shapes = runnable.shapes(wishes.shapes, args.batch)
    random = np.random.default_rng(args.seed)
    feeds = []
    for tensor in runnable.inputs:
        name, dtype = tensor.name, runnable.dtype(tensor)
        text = wishes.texts.get(name, "random")
        if name in wishes.arrays:
            feeds.append(fitted(wishes.arrays[name], tensor, dtype))
        elif is_picture(text):
            path = Path(re.sub(SHAPE + "$", "", text))
            feeds.append(Feed(name, picture(path, name, shapes[name], args).astype(dtype), str(path)))
        else:
            feeds.append(Feed(name, draw(random, dtype, shapes[name]), f"random, seed {args.seed}"))
    return feeds


def parse(text: str) -> tuple[str, str]:
    """Name and value of ``--input``."""
    name, equals, value = text.partition("=")
    if equals and name and value:
        return name, value
    shape = re.search(SHAPE + "$", text)
    if not equals and shape and shape.start():
        return text[: shape.start()], f"random{shape[0]}"
    raise CommandError(f"--input {text}: expected NAME=FILE, NAME=random or NAME:SHAPE, as data:1x3x224x224")


def is_random(text: str) -> bool:
    """Whether a value is to be drawn."""
    return text == "random" or text.startswith("random:")


def is_picture(text: str) -> bool:
    """Whether a value is a file with a picture."""
    return re.sub(SHAPE + "$", "", text).lower().endswith(PICTURES)


def parse_shape(text: str, name: str) -> tuple[int, ...]:
    """The shape behind the last colon, as in ``random:1x3x224x224``."""
    found = re.search(SHAPE + "$", text)
    if found is None:
        raise CommandError(f"--input {name}={text}: expected a shape behind the colon, as :1x3x224x224")
    return tuple(map(int, found[0][1:].split("x")))


def read_array(text: str, name: str) -> Feed:
    """An array from a ``.npy`` or ``.npz`` file; no pickles are loaded."""
    path, key = text, ""
    if ".npz:" in text:
        path, _, key = text.rpartition(":")
    if not path.endswith((".npy", ".npz")):
        raise CommandError(
            f"--input {name}={text}: expected a file named *.npy or *.npz, a picture "
            f"({', '.join(PICTURES)}), or random"
        )
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return Feed(name, loaded, path)
        with loaded:
            found = loaded.files
            key = key or (found[0] if len(found) == 1 else name)
            if key not in found:
                raise CommandError(
                    f"--input {name}={text}: no array {key!r} there, but {', '.join(found) or 'none'}"
                )
            return Feed(name, loaded[key], f"{path}:{key}")
    except (ValueError, EOFError) as error:  # NumPy's, for damaged files and for pickles
        raise CommandError(f"--input {name}={text}: not an array: {error}") from error


def fitted(feed: Feed, tensor: Tensor, wanted: np.dtype[Any]) -> Feed:
    """The value in the input's element type, if it can be converted and has a fitting shape."""
    value, shape = feed.value, tensor.shape
    if shape is not None and (
        len(shape) != value.ndim
        or any(isinstance(d, int) and d != n for d, n in zip(shape, value.shape, strict=True))
    ):
        raise CommandError(
            f"{feed.source}: the input {tensor.name!r} has shape {shape_text(shape)}, the array {value.shape}"
        )
    if value.dtype != wanted:
        if value.dtype.kind not in "fiub" or (value.dtype.kind == "f" and wanted.kind not in "fV"):
            raise CommandError(
                f"{feed.source}: the input {tensor.name!r} has elements of {wanted.name}, the array of "
                f"{value.dtype.name}"
            )
        value = value.astype(wanted)
    return Feed(feed.name, np.ascontiguousarray(value), feed.source)


def draw(random: np.random.Generator, dtype: np.dtype[Any], shape: Sequence[int]) -> Array:
    """Random elements: from 0 to 1, bytes from 0 to 255, other integers 0 or 1."""
    if dtype.kind in "iu":
        return random.integers(0, 256 if dtype == np.uint8 else 2, shape).astype(dtype)
    if dtype.kind == "b":
        return random.random(shape) < 0.5
    if dtype.kind in "fV":
        return random.random(shape).astype(dtype)
    raise CommandError(
        f"random elements of type {dtype.name} cannot be drawn; give a file", ExitCode.UNSUPPORTED
    )


def picture(path: Path, name: str, shape: Sequence[int], args: argparse.Namespace) -> Array:
    """A picture in the shape of an input: resized, channels first (or last, where the shape says so)."""
    if len(shape) != 4 or not {shape[1], shape[3]} & {1, 3}:
        raise CommandError(
            f"--input {name}={path}: a picture needs an input of shape (batch, 3, height, width) or "
            f"(batch, height, width, 3), with 1 channel for grey ones; this one has {shape_text(shape)}"
        )
    first = shape[1] in (1, 3)
    channels, (height, width) = (shape[1], shape[2:]) if first else (shape[3], shape[1:3])
    image = decode(path, channels, height, width)
    if args.bgr:
        image = image[..., ::-1]
    for what, values in (("--mean", args.mean), ("--std", args.std)):
        if values is not None and len(values) not in (1, channels):
            raise CommandError(f"{what}: expected one number or {channels}, got {len(values)}")
    if args.mean is not None:
        image = image - np.asarray(args.mean, np.float32)
    if args.std is not None:
        image = image / np.asarray(args.std, np.float32)
    if first:
        image = image.transpose(2, 0, 1)
    return np.repeat(image[np.newaxis], shape[0], axis=0)


def decode(path: Path, channels: int, height: int, width: int) -> Array:
    """Red, green, blue (or grey) from 0 to 255 as float32, of the size that is wanted."""
    from ..base import MXNetError
    from ..image import imdecode, imresize

    contents = path.read_bytes()
    try:
        image = imdecode(contents, flag=int(channels == 3))
        if image.shape[:2] != (height, width):
            image = imresize(image, width, height, interp=9)
    except ImportError as error:
        raise CommandError(f"{path}: {error}", ExitCode.UNSUPPORTED) from error
    except MXNetError as error:
        raise CommandError(f"{path}: {error}") from error
    found: Array = image.asnumpy().astype(np.float32)
    return found


def specs_of(feeds: Sequence[Feed]) -> Specs:
    """Element types and shapes of the inputs."""
    return {feed.name: (feed.value.dtype, feed.value.shape) for feed in feeds}


def arrays_of(feeds: Sequence[Feed]) -> dict[str, Array]:
    """The values by name."""
    return {feed.name: feed.value for feed in feeds}


def inputs_data(feeds: Sequence[Feed]) -> list[dict[str, Any]]:
    """What was fed, for JSON."""
    return [
        {"name": f.name, "dtype": f.value.dtype.name, "shape": f.value.shape, "source": f.source}
        for f in feeds
    ]


def input_parts(runnable: Runnable, feeds: Sequence[Feed]) -> list[Grid | Facts | str]:
    """What was fed, for a report; and which of it was assumed."""
    grid = Grid(
        ("input", "dtype", "shape", "from"),
        [(f.name, f.value.dtype.name, shape_text(f.value.shape), f.source) for f in feeds],
    )
    return [grid, *(note for note in runnable.file.notes if note.startswith("input "))]
