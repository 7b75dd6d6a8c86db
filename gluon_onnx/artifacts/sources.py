"""What `artifacts.export` takes: networks, symbols of a loss, optimizers, shapes."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx

from .. import ndarray, symbol
from .. import optimizer as opt
from ..base import MXNetError
from ..gluon import HybridBlock
from ..gluon import loss as losses
from ..gluon.structure import flatten
from ..graph.dims import Dim, DimLike
from ..graph.exporters.artifacts import loss_program
from ..graph.exporters.update_rules import RULES
from ..graph.importers.onnx import import_onnx
from ..graph.lower import TensorSpec
from ..symbol import Symbol

__all__ = ["Source", "chosen_trainable", "find_loss", "label_specs", "optimizer_of", "source_of"]

Array = np.ndarray[Any, Any]
Dims = tuple[int | str, ...]
Spec = tuple[np.dtype[Any], Dims]


@dataclass(eq=False)
class Source:
    """A network as a symbol.

    Attributes
    ----------
    inputs : element types and shapes; texts are symbolic sizes.
    params : values of all other variables.
    trainable : names of the parameters that are trained by default.
    factors : factors of learning rate and weight decay by parameter.
    """

    name: str
    symbol: Symbol
    inputs: dict[str, Spec]
    params: dict[str, Array]
    trainable: list[str]
    factors: dict[str, tuple[float, float]]


def spec_of(given: Any, what: str) -> Spec:
    """Element type and shape from an array, a shape, or a pair of shape and element type.

    Raises
    ------
    ValueError : it is none of them.
    """
    if hasattr(given, "shape") and hasattr(given, "dtype"):
        return np.dtype(given.dtype), tuple(given.shape)
    try:
        if isinstance(given, str):
            raise TypeError
        items = tuple(given)
        if len(items) == 2 and isinstance(items[0], list | tuple):
            return np.dtype(items[1]), _dims(items[0])
        return np.dtype(np.float32), _dims(items)
    except TypeError as e:
        raise ValueError(
            f"{what}: expected an array, a shape as (32, 784) or ('batch', 784), or a pair of a shape and an element "
            f"type, got {given!r}"
        ) from e


def _dims(given: Sequence[Any]) -> Dims:
    if not all(isinstance(d, int | str | np.integer) for d in given):
        raise TypeError
    return tuple(d if isinstance(d, str) else int(d) for d in given)


def _named(given: Any, names: Sequence[str]) -> dict[str, Spec]:
    """Specs by the names of the inputs."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        one = hasattr(given, "shape") or not given or isinstance(given[0], int | str)
        items = [given] if one else list(given)
        if len(items) != len(names):
            raise ValueError(f"inputs: expected {len(names)}, for {list(names)}, got {len(items)}")
        given = dict(zip(names, items, strict=True))
    unknown = [n for n in given if n not in names]
    if unknown:
        raise ValueError(f"inputs: expected names among {list(names)}, got {unknown}")
    return {n: spec_of(x, f"inputs[{n!r}]") for n, x in given.items()}


def source_of(model: Any, inputs: Any) -> Source:
    """A hybrid block, or an ONNX model or its path, as a source.

    Raises
    ------
    TypeError : it is neither.
    MXNetError : shapes are missing, or the model cannot be trained.
    """
    if isinstance(model, HybridBlock):
        return _of_block(model, inputs)
    if isinstance(model, str | os.PathLike | onnx.ModelProto):
        return _of_onnx(model, inputs)
    raise TypeError(
        f"expected a HybridBlock, an ONNX model, or the path of one, got {type(model).__name__}"
        + ("; a Block must be a HybridBlock to become a graph" if hasattr(model, "collect_params") else "")
    )


def _of_block(net: HybridBlock, inputs: Any) -> Source:
    names = [str(s.name) for s in net._graph[0]] if net._graph is not None else None
    if names is None:
        if inputs is None:
            raise MXNetError(f"{net.name}: was not called yet: give inputs=, or hybridize and call it once")
        several = isinstance(inputs, Mapping | list) or (
            isinstance(inputs, tuple) and inputs and not isinstance(inputs[0], int | str)
        )
        number = len(inputs) if several and not hasattr(inputs, "shape") else 1
        if isinstance(inputs, tuple) and len(inputs) == 2 and not hasattr(inputs[1], "__len__"):
            number = 1  # a shape and an element type
        names = ["data"] if number == 1 else [f"data{i}" for i in range(number)]
        if isinstance(inputs, Mapping):
            inputs = [inputs.get(n, x) for n, x in zip(names, inputs.values(), strict=True)]
    given = _named([inputs] if _is_pair(inputs) else inputs, names)
    if given and len(given) == len(names):
        examples = [
            ndarray.zeros(tuple(2 if isinstance(d, str) else d for d in given[n][1]), dtype=given[n][0])
            for n in names
        ]
        net._get_graph(*examples)
        if any(p._deferred_init for p in net.collect_params().values()):
            net._finish_deferred(examples)
    out, arrays = net._exported_arrays()
    if net._labels:
        raise MXNetError(
            f"{net.name}: ends in loss layers with the labels {list(net._labels)}; make a SymbolBlock of what is "
            "before them (get_internals()) and give a loss"
        )
    params = {k.partition(":")[2]: v.asnumpy() for k, v in arrays.items()}
    specs = dict(given)
    known = net._compiled.inputs if net._compiled is not None else []
    for n, (dt, shape) in zip(names, known, strict=False):
        specs.setdefault(n, (np.dtype(dt), tuple(shape)))
    missing = [n for n in names if n not in specs]
    if missing:
        raise MXNetError(f"{net.name}: give the shapes of the inputs {missing}, or call the block once")
    found = net.collect_params()
    return Source(
        net.name,
        out,
        {n: specs[n] for n in names},
        {n: params[n] for n in found if n in params},
        [n for n, p in found.items() if n in params and p.grad_req != "null"],
        {n: (float(p.lr_mult), float(p.wd_mult)) for n, p in found.items()},
    )


def _is_pair(given: Any) -> bool:
    """Whether it is one shape with its element type."""
    return (
        isinstance(given, tuple)
        and len(given) == 2
        and isinstance(given[0], list | tuple)
        and not isinstance(given[1], list | tuple)
        and not hasattr(given[1], "shape")
    )


def _of_onnx(model: str | os.PathLike[str] | onnx.ModelProto, inputs: Any) -> Source:
    read = import_onnx(model, Symbol)
    given = _named([inputs] if _is_pair(inputs) else inputs, read.inputs)
    specs: dict[str, Spec] = {}
    for n in read.inputs:
        dt, dims = read.specs[n]
        specs[n] = given.get(n) or (dt, tuple(f"{n}_{i}" if d is None else d for i, d in enumerate(dims)))
    name = "ONNX model" if isinstance(model, onnx.ModelProto) else os.fspath(model)
    params = {n: np.asarray(v) for n, v in read.params.items()}
    trainable = [n for n in params if n in read.trainable]
    return Source(name, read.symbol, specs, params, trainable, {})  # type: ignore[arg-type]


# -- losses --------------------------------------------------------------------------------------------------------

LOSSES: dict[str, Callable[[], Any]] = {
    "softmax_cross_entropy": losses.SoftmaxCrossEntropyLoss,
    "cross_entropy": losses.SoftmaxCrossEntropyLoss,
    "sigmoid_cross_entropy": losses.SigmoidBinaryCrossEntropyLoss,
    "bce": losses.SigmoidBinaryCrossEntropyLoss,
    "l2": losses.L2Loss,
    "mse": losses.L2Loss,
    "l1": losses.L1Loss,
    "huber": losses.HuberLoss,
    "hinge": losses.HingeLoss,
    "logistic": losses.LogisticLoss,
}


def find_loss(loss: Any) -> Callable[..., Any]:
    """A loss by its name, or as it is.

    Raises
    ------
    ValueError : no loss has this name.
    """
    if callable(loss):
        found: Callable[..., Any] = loss
        return found
    if isinstance(loss, str):
        made = LOSSES.get(loss) or (getattr(losses, loss) if loss in losses.__all__ else None)
        if made is not None:
            named: Callable[..., Any] = made()
            return named
    known = ", ".join(sorted(LOSSES))
    raise ValueError(
        f"loss: expected a block of gluon.loss, a function of symbols, or one of {known}; got {loss!r}"
    )


def as_dims(spec: Spec) -> TensorSpec:
    """A spec whose texts are symbolic dimensions."""
    dims: list[DimLike] = [Dim.symbol(d) if isinstance(d, str) else d for d in spec[1]]
    return spec[0], dims


def label_specs(source: Source, outputs: Sequence[Symbol], loss: Any, labels: Any) -> dict[str, Spec]:
    """Element types and shapes of the labels; by default one that fits the first output, in float32.

    Raises
    ------
    MXNetError : a label has the name of an input or parameter.
    """
    if labels is not None:
        if not isinstance(labels, Mapping):
            labels = {"label": labels}
        specs = {str(n): spec_of(x, f"labels[{n!r}]") for n, x in labels.items()}
        clash = [n for n in specs if n in source.inputs or n in source.params]
        if clash:
            raise MXNetError(f"labels {clash}: the model has inputs or parameters of these names")
        return specs
    known = {**{n: as_dims(s) for n, s in source.inputs.items()}, **param_specs(source)}
    first = loss_program(outputs[0], known, ["output"], list(known), reduction=None)
    dims: list[int | str] = [d if isinstance(d, int) else str(d) for d in first.outputs[0].dims]
    if isinstance(loss, losses.SoftmaxCrossEntropyLoss) and loss._sparse_label:
        del dims[loss._axis]
    name = "label" if "label" not in source.inputs and "label" not in source.params else "training_label"
    return {name: (np.dtype(np.float32), tuple(dims))}


def param_specs(source: Source) -> dict[str, TensorSpec]:
    """Element types and shapes of the parameters."""
    return {n: (v.dtype, v.shape) for n, v in source.params.items()}


def loss_symbol(
    source: Source, outputs: Sequence[Symbol], loss: Callable[..., Any], labels: Sequence[str]
) -> Symbol:
    """The symbol of the loss.

    Raises
    ------
    MXNetError : it is not one array.
    """
    made = loss(*outputs, *(symbol.var(n) for n in labels))
    flat = flatten(made, "the loss")[0]
    if len(flat) != 1 or len(flat[0].list_outputs()) != 1:
        raise MXNetError(f"the loss must be one array, got {len(flat)} for {source.name}")
    found: Symbol = flat[0]
    return found


# -- parameters ----------------------------------------------------------------------------------------------------


def chosen_trainable(source: Source, trainable: Any, states: Sequence[str]) -> list[str]:
    """Names of the parameters to train.

    Parameters
    ----------
    trainable : names, a regular expression that is looked for in names, a function of a name, or None.
    states : names of running statistics.

    Raises
    ------
    MXNetError : a name is unknown or cannot be trained, or none is left.
    """
    names = list(source.params)
    smooth = [n for n in names if source.params[n].dtype.kind == "f" and n not in states]
    if trainable is None:
        chosen = [n for n in source.trainable if n in smooth]
    elif isinstance(trainable, str):
        pattern = re.compile(trainable)
        chosen = [n for n in smooth if pattern.search(n)]
        wrong = [n for n in names if n not in smooth and n not in states and pattern.search(n)]
        if wrong and not chosen:
            raise MXNetError(_integers(source, wrong))
    elif callable(trainable):
        chosen = [n for n in smooth if trainable(n)]
    else:
        wanted = list(trainable)
        unknown = [n for n in wanted if n not in names]
        if unknown:
            raise MXNetError(f"trainable: {source.name} has no parameters {unknown}; it has {names}")
        wrong = [n for n in wanted if source.params[n].dtype.kind != "f"]
        if wrong:
            raise MXNetError(_integers(source, wrong))
        wrong = [n for n in wanted if n in states]
        if wrong:
            raise MXNetError(f"trainable: {wrong} are running statistics, which have no gradients")
        chosen = [n for n in names if n in wanted]
    if not chosen:
        raise MXNetError(f"trainable: {trainable!r} names no parameter of {source.name}; it has {smooth}")
    return chosen


def _integers(source: Source, names: Sequence[str]) -> str:
    types = ", ".join(f"{n!r} ({source.params[n].dtype})" for n in names)
    return f"trainable: only floating-point parameters can be trained, not {types}"


def optimizer_of(optimizer: Any, params: Mapping[str, Any] | None) -> tuple[str, opt.Optimizer]:
    """The name of an optimizer's rule, and the optimizer.

    Raises
    ------
    MXNetError : it cannot become a graph.
    """
    if isinstance(optimizer, str):
        optimizer = opt.create(optimizer, **dict(params or {}))
    elif params:
        raise ValueError("optimizer_params go with an optimizer's name, not with an Optimizer")
    if not isinstance(optimizer, opt.Optimizer):
        raise TypeError(f"optimizer: expected an Optimizer or its name, got {optimizer!r}")
    name = type(optimizer).__name__.lower()
    if type(optimizer) is opt.ccSGD:
        name = "sgd"
    if name not in RULES or not type(optimizer).__module__.startswith(opt.__name__):
        raise MXNetError(
            f"the optimizer {type(optimizer).__name__} cannot become a graph; those that can are "
            f"{', '.join(sorted(RULES))}"
        )
    return name, optimizer
