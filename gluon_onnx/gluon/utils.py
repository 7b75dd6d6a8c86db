"""Helpers of training code: batches for several devices, gradient clipping, downloads."""

from __future__ import annotations

import hashlib
import os
import time
import uuid
import warnings
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from .. import ndarray
from ..base import MXNetError
from ..context import Context
from ..ndarray import NDArray
from ..util import is_np_shape

__all__ = ["check_sha1", "clip_global_norm", "download", "replace_file", "split_and_load", "split_data"]

_DEFAULT_REPOSITORY = "https://apache-mxnet.s3-accelerate.dualstack.amazonaws.com/"
_CHUNK = 1 << 20
_TIMEOUT = (10.0, 60.0)  # seconds to connect, and between two pieces of a body


def split_data(data: NDArray, num_slice: int, batch_axis: int = 0, even_split: bool = True) -> list[NDArray]:
    """Split an array into slices, usually one for each device.

    Parameters
    ----------
    data : a batch.
    num_slice : number of slices.
    batch_axis : the axis to split.
    even_split : refuse a length that `num_slice` does not divide; else the first slices are one longer.

    Raises
    ------
    ValueError : the axis cannot be split evenly.
    """
    size = data.shape[batch_axis]
    if even_split and size % num_slice:
        raise ValueError(
            f"data with shape {data.shape} cannot be evenly split into {num_slice} slices along axis "
            f"{batch_axis}. Use a batch size that's multiple of {num_slice} or set even_split=False to allow "
            "uneven partitioning of data."
        )
    length, longer = divmod(size, num_slice)
    edges = np.cumsum([0] + [length + (i < longer) for i in range(num_slice)]).tolist()
    if batch_axis == 0:
        return [data[edges[i] : edges[i + 1]] for i in range(num_slice)]
    return [
        ndarray.slice_axis(data, axis=batch_axis, begin=edges[i], end=edges[i + 1]) for i in range(num_slice)
    ]


def split_and_load(
    data: Any, ctx_list: Sequence[Context], batch_axis: int = 0, even_split: bool = True
) -> list[NDArray]:
    """Split an array into slices and put one onto each context.

    Parameters
    ----------
    data : a batch: an NDArray, or anything that `nd.array` takes.
    batch_axis, even_split : see `split_data`.
    """
    if not isinstance(data, NDArray):
        data = ndarray.array(data, ctx=ctx_list[0])
    if len(ctx_list) == 1:
        return [data.as_in_context(ctx_list[0])]
    slices = split_data(data, len(ctx_list), batch_axis, even_split)
    return [x.as_in_context(ctx) for x, ctx in zip(slices, ctx_list, strict=True)]


def clip_global_norm(arrays: Sequence[NDArray], max_norm: float, check_isfinite: bool = True) -> Any:
    """Scale arrays in place so that the 2-norm of all of them together is at most `max_norm`.

    Parameters
    ----------
    arrays : arrays, mostly gradients; they may live on different contexts.
    check_isfinite : warn where the norm is not finite. Costs a copy of one number to the CPU.

    Returns
    -------
    The norm before: a float, or an NDArray of shape (1,) without `check_isfinite`.
    """
    if not arrays:
        raise ValueError("clip_global_norm needs at least one array")
    ctx = arrays[0].context
    squares = [ndarray.dot(x, x) for x in (a.reshape((-1,)) for a in arrays)]
    norm = ndarray.sqrt(ndarray.add_n(*[x.as_in_context(ctx) for x in squares]))
    result = norm.asscalar() if check_isfinite else norm
    if check_isfinite and not np.isfinite(result):
        warnings.warn(
            "nan or inf is detected. Clipping results will be undefined.", UserWarning, stacklevel=2
        )
    scale = ndarray.broadcast_minimum(max_norm / (norm + 1e-8), ndarray.ones_like(norm))
    for a in arrays:
        a *= scale.as_in_context(a.context)
    return result


# -- files --------------------------------------------------------------------------------------------


def check_sha1(filename: str | os.PathLike[str], sha1_hash: str) -> bool:
    """Whether a file's content has the given SHA-1, in hexadecimal digits."""
    digest = hashlib.sha1(usedforsecurity=False)
    with open(filename, "rb") as f:
        while block := f.read(_CHUNK):
            digest.update(block)
    return digest.hexdigest() == sha1_hash.lower()


def replace_file(src: str | os.PathLike[str], dst: str | os.PathLike[str]) -> None:
    """Move a file over another one, at once: readers see the old or the new content. A failure removes `src`.

    Raises
    ------
    OSError : it cannot be moved.
    """
    try:
        os.replace(src, dst)
    except OSError:
        if os.path.isfile(src):
            os.remove(src)
        raise


class _TransferError(MXNetError):
    """A download that failed in a way that another attempt may mend."""


def download(
    url: str,
    path: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    sha1_hash: str | None = None,
    retries: int = 5,
    verify_ssl: bool = True,
    progress: Callable[[int, int | None], None] | None = None,
) -> str:
    """Download a file. What is at `path` is replaced only by a complete file with the right hash.

    Parameters
    ----------
    url : http or https.
    path : a file or a folder; the current folder by default. The URL's last part names the file in a folder.
    overwrite : download even if the file is there already.
    sha1_hash : expected SHA-1; an existing file with another one is replaced.
    retries : number of attempts, at least one.
    verify_ssl : check the server's certificate.
    progress : called with the bytes received so far and the bytes expected, if known.

    Returns
    -------
    Path of the file.

    Raises
    ------
    MXNetError : all attempts failed; the message has the URL and the last reason.
    ValueError : `retries` is negative, or the URL ends without a file name and `path` gives none.
    """
    target = _target(url, path)
    if retries < 0:
        raise ValueError(f"Number of retries should be at least 0, currently it's {retries}")
    if not verify_ssl:
        warnings.warn(
            "Unverified HTTPS request is being made (verify_ssl=False). Adding certificate verification is "
            "strongly advised.",
            stacklevel=2,
        )
    if os.path.exists(target) and not overwrite and (sha1_hash is None or check_sha1(target, sha1_hash)):
        return target
    os.makedirs(os.path.dirname(os.path.abspath(target)), exist_ok=True)
    attempts = max(retries, 1)
    for attempt in range(1, attempts + 1):
        try:
            _fetch(url, target, sha1_hash, verify_ssl, progress)
            break
        except _TransferError as e:
            if attempt == attempts:
                raise MXNetError(
                    f"failed downloading {url} to {target} (attempt {attempt} of {attempts}): {e}"
                ) from e
            time.sleep(min(0.1 * 2 ** (attempt - 1), 5.0))
    return target


def _target(url: str, path: str | os.PathLike[str] | None) -> str:
    """The file that a URL is downloaded to."""
    where = "" if path is None else os.path.expanduser(os.fspath(path))
    if where and not os.path.isdir(where):
        return where
    name = url.split("?", 1)[0].rsplit("/", 1)[-1]
    if not name:
        raise ValueError(
            f"Can't construct file-name from this URL: {url}. Please set the `path` option manually."
        )
    return os.path.join(where, name)


def _fetch(
    url: str,
    target: str,
    sha1_hash: str | None,
    verify_ssl: bool,
    progress: Callable[[int, int | None], None] | None,
) -> None:
    """One attempt: into a temporary file beside `target`, checked, then put in its place."""
    import requests

    temporary = f"{target}.{uuid.uuid4()}"
    try:
        try:
            response = requests.get(url, stream=True, verify=verify_ssl, timeout=_TIMEOUT)
            with response:
                if response.status_code != 200:
                    raise _TransferError(
                        f"the server answered {response.status_code} {response.reason or ''}".strip()
                    )
                received = _receive(response, temporary, progress)
        except requests.exceptions.RequestException as e:
            raise _TransferError(f"{type(e).__name__}: {e}") from e
        announced = response.headers.get("Content-Length")
        if announced is None and received == 0:  # how a connection that ended within the headers looks
            raise _TransferError("the server sent nothing")
        # A compressed body is longer unpacked than announced.
        if (
            announced is not None
            and "Content-Encoding" not in response.headers
            and received != int(announced)
        ):
            raise _TransferError(f"the connection ended after {received} of {announced} bytes")
        if sha1_hash is not None and not check_sha1(temporary, sha1_hash):
            raise _TransferError(
                f"the content's SHA-1 is not {sha1_hash}; the file there may be another version"
            )
        replace_file(temporary, target)
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)


def _receive(response: Any, temporary: str, progress: Callable[[int, int | None], None] | None) -> int:
    """Write a response's body to a file; returns the number of bytes."""
    total = response.headers.get("Content-Length")
    received = 0
    with open(temporary, "wb") as f:
        for block in response.iter_content(chunk_size=_CHUNK):
            f.write(block)
            received += len(block)
            if progress is not None:
                progress(received, int(total) if total is not None else None)
    return received


def _get_repo_url() -> str:
    """Base URL of the repository of data sets and models: $MXNET_GLUON_REPO, or MXNet's own."""
    url = os.environ.get("MXNET_GLUON_REPO") or _DEFAULT_REPOSITORY
    return url if url.endswith("/") else url + "/"


def _get_repo_file_url(namespace: str, filename: str) -> str:
    """URL of a file in the repository of data sets and models."""
    return f"{_get_repo_url()}{namespace}/{filename}"


# -- what blocks are made of -----------------------------------------------------------------------------


def _indent(s_: str, numSpaces: int) -> str:
    """The text with all lines but the first indented."""
    return s_.replace("\n", "\n" + " " * numSpaces)


def _brief_print_list(lst: Iterable[Any], limit: int = 7) -> str:
    """Quoted elements with commas between; of long lists the first and the last ones."""
    items = [f"'{x}'" for x in lst]
    if len(items) > limit:
        half = limit // 2
        items = [*items[:half], "...", *items[-(limit - half) :]]
    return ", ".join(items)


class HookHandle:
    """What registering a hook returns: `detach` removes it. As a context manager it does so at the end."""

    def __init__(self) -> None:
        self._hooks: weakref.ref[OrderedDict[int, Any]] | None = None
        self._id: int | None = None

    def attach(self, hooks_dict: OrderedDict[int, Any], hook: Any) -> None:
        """Register `hook`.

        Raises
        ------
        AssertionError : the handle has a hook already.
        """
        if self._hooks is not None:
            raise AssertionError("The same handle cannot be attached twice.")
        self._id = id(hook)
        hooks_dict[self._id] = hook
        self._hooks = weakref.ref(hooks_dict)

    def detach(self) -> None:
        """Remove the hook; nothing happens when it is gone already."""
        hooks = None if self._hooks is None else self._hooks()
        if hooks is not None and self._id is not None:
            hooks.pop(self._id, None)

    def __getstate__(self) -> tuple[OrderedDict[int, Any] | None, int | None]:
        return (None if self._hooks is None else self._hooks()), self._id

    def __setstate__(self, state: tuple[OrderedDict[int, Any] | None, int | None]) -> None:
        hooks, self._id = state
        self._hooks = None if hooks is None else weakref.ref(hooks)

    def __enter__(self) -> HookHandle:
        return self

    def __exit__(self, *_: object) -> None:
        self.detach()


def shape_is_known(shape: Sequence[int] | None) -> bool:
    """Whether a shape has no unknown part: no 0, or no -1 with NumPy's meaning of shapes (`mx.np_shape`).

    Raises
    ------
    AssertionError : a length is less than what means unknown.
    """
    if shape is None:
        return False
    unknown = -1 if is_np_shape() else 0
    if any(n < unknown for n in shape):
        raise AssertionError(
            f"shape dimension size cannot be less than {unknown}, while received {tuple(shape)}"
        )
    return unknown not in shape and (len(shape) > 0 or unknown == -1)
