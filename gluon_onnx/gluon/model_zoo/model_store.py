"""Files of pre-trained parameters: found in a local folder, else downloaded there."""

from __future__ import annotations

import hashlib
import logging
import os
import sys
import uuid
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ...base import MXNetError, data_dir
from ..utils import _get_repo_file_url, check_sha1, download, replace_file

if TYPE_CHECKING:
    from ..block import Block

__all__ = ["get_model_file", "load_pretrained", "purge", "short_hash"]

_CHUNK = 1 << 20

_model_sha1 = {
    "alexnet": "44335d1f0046b328243b32a26a4fbd62d9057b45",
    "densenet121": "f27dbf2dbd5ce9a80b102d89c7483342cd33cb31",
    "densenet161": "b6c8a95717e3e761bd88d145f4d0a214aaa515dc",
    "densenet169": "2603f878403c6aa5a71a124c4a3307143d6820e9",
    "densenet201": "1cdbc116bc3a1b65832b18cf53e1cb8e7da017eb",
    "inceptionv3": "ed47ec45a937b656fcc94dabde85495bbef5ba1f",
    "mobilenet0.25": "9f83e440996887baf91a6aff1cccc1c903a64274",
    "mobilenet0.5": "8e9d539cc66aa5efa71c4b6af983b936ab8701c3",
    "mobilenet0.75": "529b2c7f4934e6cb851155b22c96c9ab0a7c4dc2",
    "mobilenet1.0": "6b8c5106c730e8750bcd82ceb75220a3351157cd",
    "mobilenetv2_0.25": "ae8f9392789b04822cbb1d98c27283fc5f8aa0a7",
    "mobilenetv2_0.5": "aabd26cd335379fcb72ae6c8fac45a70eab11785",
    "mobilenetv2_0.75": "e2be7b72a79fe4a750d1dd415afedf01c3ea818d",
    "mobilenetv2_1.0": "36da4ff1867abccd32b29592d79fc753bca5a215",
    "resnet101_v1": "d988c13d6159779e907140a638c56f229634cb02",
    "resnet101_v2": "18e93e4f48947e002547f50eabbcc9c83e516aa6",
    "resnet152_v1": "671c637a14387ab9e2654eafd0d493d86b1c8579",
    "resnet152_v2": "f2695542de38cf7e71ed58f02893d82bb409415e",
    "resnet18_v1": "a0666292f0a30ff61f857b0b66efc0228eb6a54b",
    "resnet18_v2": "a81db45fd7b7a2d12ab97cd88ef0a5ac48b8f657",
    "resnet34_v1": "48216ba99a8b1005d75c0f3a0c422301a0473233",
    "resnet34_v2": "9d6b80bbc35169de6b6edecffdd6047c56fdd322",
    "resnet50_v1": "0aee57f96768c0a2d5b23a6ec91eb08dfb0a45ce",
    "resnet50_v2": "ecdde35339c1aadbec4f547857078e734a76fb49",
    "squeezenet1.0": "264ba4970a0cc87a4f15c96e25246a1307caf523",
    "squeezenet1.1": "33ba0f93753c83d86e1eb397f38a667eaf2e9376",
    "vgg11": "dd221b160977f36a53f464cb54648d227c707a05",
    "vgg11_bn": "ee79a8098a91fbe05b7a973fed2017a6117723a8",
    "vgg13": "6bc5de58a05a5e2e7f493e2d75a580d83efde38c",
    "vgg13_bn": "7d97a06c3c7a1aecc88b6e7385c2b373a249e95e",
    "vgg16": "e660d4569ccb679ec68f1fd3cce07a387252a90a",
    "vgg16_bn": "7f01cf050d357127a73826045c245041b0df7363",
    "vgg19": "ad2f660d101905472b83590b59708b71ea22b2e5",
    "vgg19_bn": "f360b758e856f1074a85abd5fd873ed1d98297c3",
}  # of the .params files that MXNet's developers trained and published


def short_hash(name: str) -> str:
    """The first eight digits of the SHA-1 of a model's file, which are part of the file's name.

    Raises
    ------
    ValueError : nobody published parameters for the model.
    """
    if name not in _model_sha1:
        raise ValueError(
            f"Pretrained model for {name} is not available. There are: {', '.join(sorted(_model_sha1))}"
        )
    return _model_sha1[name][:8]


def get_model_file(name: str, root: str | os.PathLike[str] | None = None) -> str:
    """Path of the file with a model's pre-trained parameters; downloads it where it is missing or damaged.

    The file is looked for in the repository that the environment variable MXNET_GLUON_REPO names, else in
    MXNet's own, as ``gluon/models/NAME-HASH.zip``.

    Parameters
    ----------
    name : a model's name, as in `vision.get_model`.
    root : folder of parameter files; ``$MXNET_HOME/models`` (``~/.mxnet/models``) by default. It is created.

    Raises
    ------
    ValueError : there are no parameters for the model.
    MXNetError : the download failed, or brought something else. A file that was there before is left as it was.
    """
    file_name = f"{name}-{short_hash(name)}"
    folder = os.path.expanduser(os.path.join(data_dir(), "models") if root is None else os.fspath(root))
    path = os.path.join(folder, file_name + ".params")
    if os.path.exists(path):
        if check_sha1(path, _model_sha1[name]):
            return path
        logging.warning("%s has not the expected SHA-1; downloading it again", path)
    os.makedirs(folder, exist_ok=True)
    url = _get_repo_file_url("gluon/models", file_name + ".zip")
    archive = os.path.join(folder, f"{file_name}.zip.{uuid.uuid4()}")
    try:
        try:
            with _progress_bar(file_name) as progress:
                download(url, path=archive, overwrite=True, progress=progress)
        except MXNetError as e:
            raise MXNetError(
                f"the pre-trained parameters of {name!r} are not in {folder} and cannot be downloaded: {e}. "
                f"Put {file_name}.params there by other means, or name a mirror in MXNET_GLUON_REPO."
            ) from e
        _unpack(archive, file_name + ".params", path, _model_sha1[name], url)
    finally:
        if os.path.exists(archive):
            os.remove(archive)
    return path


def _unpack(archive: str, member: str, path: str, sha1: str, url: str) -> None:
    """Put one file of an archive at `path`, if it has the right SHA-1."""
    temporary = f"{path}.{uuid.uuid4()}"
    digest = hashlib.sha1(usedforsecurity=False)
    try:
        try:
            with (
                zipfile.ZipFile(archive) as contents,
                contents.open(member) as source,
                open(temporary, "wb") as f,
            ):
                while block := source.read(_CHUNK):
                    digest.update(block)
                    f.write(block)
        except (zipfile.BadZipFile, KeyError, EOFError) as e:
            raise MXNetError(f"{url} is not a zip archive with the file {member}: {e}") from e
        if digest.hexdigest() != sha1:
            raise MXNetError(
                f"{member} from {url} has the SHA-1 {digest.hexdigest()}, expected {sha1}: the file there is "
                "damaged or another version"
            )
        replace_file(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)


@contextmanager
def _progress_bar(title: str) -> Iterator[Callable[[int, int | None], None] | None]:
    """What `download` reports its progress to: a bar, where standard error is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=None)
        yield lambda received, total: bar.update(task, completed=received, total=total)


def load_pretrained(net: Block, name: str, root: str | os.PathLike[str] | None, ctx: Any) -> None:
    """Load the pre-trained parameters `name` into a model; see `get_model_file`.

    Parameters
    ----------
    ctx : context, or list of contexts, of the parameters.
    """
    net.load_parameters(get_model_file(name, root), ctx=ctx)


def purge(root: str | os.PathLike[str] | None = None) -> None:
    """Delete all parameter files in the folder `root`, by default ``$MXNET_HOME/models``."""
    folder = os.path.expanduser(os.path.join(data_dir(), "models") if root is None else os.fspath(root))
    for name in os.listdir(folder):
        if name.endswith(".params"):
            os.remove(os.path.join(folder, name))
