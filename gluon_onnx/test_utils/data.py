"""Downloads of test data."""

from __future__ import annotations

import bz2
import gzip
import os
import shutil
import struct
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = [
    "download",
    "get_bz2_data",
    "get_cifar10",
    "get_mnist",
    "get_mnist_iterator",
    "get_mnist_ubyte",
    "get_zip_data",
]

_MNIST = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
_RECORDS = "http://data.mxnet.io/mxnet/data/"


def download(
    url: str, fname: str | None = None, dirname: str | None = None, overwrite: bool = False, retries: int = 5
) -> str:
    """Download a file; an existing one is kept unless `overwrite`.

    Parameters
    ----------
    fname : name of the file, by default the URL's last part.
    dirname : folder for it, made if need be.

    Returns
    -------
    The file's path.
    """
    from ..gluon.utils import download as fetch

    path = os.path.join(dirname or "", fname or url.rsplit("/", 1)[-1])
    if os.path.exists(path) and not overwrite:
        return path
    return fetch(url, path, overwrite=overwrite, retries=retries)


def get_zip_data(data_dir: str, url: str, data_origin_name: str) -> None:
    """Download a zip archive and extract it into `data_dir`, unless the archive is there already.

    Parameters
    ----------
    data_origin_name : name of the archive in `data_dir`.
    """
    path = os.path.join(data_dir, data_origin_name)
    if not os.path.exists(path):
        download(url, data_origin_name, data_dir)
        with zipfile.ZipFile(path) as archive:
            archive.extractall(data_dir)


def get_bz2_data(data_dir: str, data_name: str, url: str, data_origin_name: str) -> None:
    """Download a bzip2 file and unpack it to ``data_dir/data_name``, unless that is there already.

    Parameters
    ----------
    data_origin_name : name of the packed file in `data_dir`; it is removed.
    """
    target, packed = os.path.join(data_dir, data_name), os.path.join(data_dir, data_origin_name)
    if not os.path.exists(target):
        download(url, data_origin_name, data_dir)
        _unpack(bz2.open, packed, target)
        os.remove(packed)


def _unpack(opener: Callable[..., Any], packed: str, target: str) -> None:
    from ..gluon.utils import replace_file

    with opener(packed, "rb") as source, open(target + ".part", "wb") as out:
        shutil.copyfileobj(source, out)
    replace_file(target + ".part", target)


def get_mnist() -> dict[str, np.ndarray[Any, Any]]:
    """MNIST, downloaded into the current folder.

    Returns
    -------
    train_data, test_data : float32, shape (60000 or 10000, 1, 28, 28), between 0 and 1.
    train_label, test_label : int8.
    """
    from ..gluon.utils import _get_repo_file_url

    arrays = []
    for name in _MNIST:
        with gzip.open(download(_get_repo_file_url("gluon/dataset/mnist", name + ".gz"))) as f:
            content = f.read()
        rank = content[3]
        shape = struct.unpack(f">{rank}I", content[4 : 4 + 4 * rank])
        arrays.append(np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(shape))
    images, labels = (
        [a.reshape(-1, 1, 28, 28).astype(np.float32) / 255 for a in arrays[::2]],
        [a.astype(np.int8) for a in arrays[1::2]],
    )
    return {
        "train_data": images[0],
        "train_label": labels[0],
        "test_data": images[1],
        "test_label": labels[1],
    }


def get_mnist_ubyte() -> None:
    """The four unpacked files of MNIST in folder ``data``, downloaded where they are missing."""
    from ..gluon.utils import _get_repo_file_url

    for name in _MNIST:
        target = os.path.join("data", name)
        if not os.path.exists(target):
            packed = download(_get_repo_file_url("gluon/dataset/mnist", name + ".gz"), dirname="data")
            _unpack(gzip.open, packed, target)


def get_cifar10() -> None:
    """CIFAR-10 as record files in ``data/cifar``, downloaded where they are missing."""
    if not all(os.path.exists(os.path.join("data", "cifar", n)) for n in ("train.rec", "test.rec")):
        get_zip_data("data", _RECORDS + "cifar10.zip", "cifar10.zip")


def get_mnist_iterator(
    batch_size: int, input_shape: tuple[int, ...], num_parts: int = 1, part_index: int = 0
) -> Any:
    """Training and validation iterators over MNIST.

    Parameters
    ----------
    input_shape : (784,) for vectors, (1, 28, 28) for images.
    """
    from ..io import MNISTIter

    get_mnist_ubyte()
    common: dict[str, Any] = {"input_shape": input_shape, "batch_size": batch_size, "flat": len(input_shape) != 3}
    paths = [os.path.join("data", name) for name in _MNIST]
    return (
        MNISTIter(
            image=paths[0], label=paths[1], shuffle=True, num_parts=num_parts, part_index=part_index, **common
        ),
        MNISTIter(image=paths[2], label=paths[3], **common),
    )
