"""Checkpoints of a symbol and its parameters: ``<prefix>-symbol.json`` and ``<prefix>-<epoch>.params``."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

from . import ndarray, symbol
from .base import MXNetError
from .ndarray import NDArray

__all__ = ["BatchEndParam", "load_checkpoint", "load_params", "save_checkpoint"]

Params = dict[str, NDArray]


class BatchEndParams(NamedTuple):
    """What callbacks at the end of a batch receive."""

    epoch: int
    nbatch: int
    eval_metric: Any
    locals: Any


BatchEndParam = BatchEndParams


def save_checkpoint(
    prefix: str,
    epoch: int,
    symbol: Any,
    arg_params: Mapping[str, NDArray],
    aux_params: Mapping[str, NDArray],
    remove_amp_cast: bool = True,
) -> None:
    """Write a network and its parameters.

    Parameters
    ----------
    prefix : str
        Beginning of the names of both files.
    epoch : int
        Appears in the parameters' file name, with four digits.
    symbol : Symbol or None
        None writes the parameters only.
    arg_params, aux_params : dict of str to NDArray
        Parameters and auxiliary states.
    remove_amp_cast : bool
        See `Symbol.save`.
    """
    if symbol is not None:
        symbol.save(f"{prefix}-symbol.json", remove_amp_cast=remove_amp_cast)
    named = {f"arg:{name}": value for name, value in arg_params.items()}
    named.update({f"aux:{name}": value for name, value in aux_params.items()})
    path = f"{prefix}-{epoch:04d}.params"
    ndarray.save(path, named)
    logging.info('Saved checkpoint to "%s"', path)


def load_params(prefix: str, epoch: int) -> tuple[Params, Params]:
    """Read the parameters of a checkpoint.

    Returns
    -------
    (arg_params, aux_params)
        Values whose names lack the prefixes ``arg:`` and ``aux:`` are taken for parameters.

    Raises
    ------
    MXNetError
        For a file that cannot be read, or whose arrays have no names.
    """
    path = f"{prefix}-{epoch:04d}.params"
    try:
        named = ndarray.load(path)
    except OSError as error:
        raise MXNetError(f"cannot read the parameters {path}: {error}") from error
    if not named:
        logging.warning("Params file '%s' is empty", path)
        return {}, {}
    if not isinstance(named, dict):
        raise MXNetError(f"{path} holds {len(named)} arrays without names, not parameters")
    arg_params: Params = {}
    aux_params: Params = {}
    for name, value in named.items():
        kind, _, rest = name.partition(":")
        if kind == "aux":
            aux_params[rest] = value
        else:
            arg_params[rest if kind == "arg" else name] = value
    return arg_params, aux_params


def load_checkpoint(prefix: str, epoch: int) -> tuple[Any, Params, Params]:
    """Read a network and its parameters.

    Returns
    -------
    (symbol, arg_params, aux_params)
        Values whose names lack the prefixes ``arg:`` and ``aux:`` are sorted by what the symbol says.

    Raises
    ------
    MXNetError
        For files that cannot be read.
    """
    path = f"{prefix}-symbol.json"
    try:
        network = symbol.load(path)
    except OSError as error:
        raise MXNetError(f"cannot read the network {path}: {error}") from error
    arg_params, aux_params = load_params(prefix, epoch)
    for name in network.list_auxiliary_states():
        if name in arg_params:
            aux_params.setdefault(name, arg_params.pop(name))
    return network, arg_params, aux_params
