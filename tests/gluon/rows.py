"""Tables of layers and losses, and what to observe of each with MXNet or with this package.

``tests/golden/make_gluon.py`` runs them with real MXNet, the tests with this package. Inputs and parameters are drawn
from the name of their row, so they are not stored.
"""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


_ROUND = str.maketrans("[]", "()")


@dataclass(frozen=True)
class Row:
    """A layer or a loss.

    ``make`` gets ``mx`` and returns the block. ``inputs`` are shapes of normally distributed arrays, or functions that
    get a random stream and return an array. ``train`` compares training mode too, gradients included; ``grads`` names
    the inputs with a gradient (all of type float by default). ``hybrid`` is off for what has no symbol form in MXNet.
    ``wrong`` names values that MXNet gets wrong; a test of their own says what is right.
    """

    id: str
    make: Callable[[Any], Any]
    inputs: Sequence[Any]
    train: bool = True
    grads: Sequence[int] | None = None
    hybrid: bool = True
    wrong: Sequence[str] = ()

    def arrays(self) -> list[Array]:
        """The inputs."""
        stream = np.random.RandomState(zlib.crc32(self.id.encode()))
        return [
            make(stream) if callable(make) else stream.standard_normal(make).astype("float32") for make in self.inputs
        ]


def _value(name: str, shape: Sequence[int], dtype: Any) -> Array:
    """A parameter's value, by the end of its name."""
    stream = np.random.RandomState(zlib.crc32(name.encode()))
    low, high = (0.5, 1.5) if name.endswith(("running_var", "gamma")) else (-0.5, 0.5)
    return stream.uniform(low, high, size=tuple(shape)).astype(dtype)


def build(mx: Any, row: Row) -> Any:
    """The block, named as the first of its kind."""
    with mx.name.NameManager(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SyncBatchNorm warns
        return row.make(mx)


def describe(mx: Any, row: Row) -> dict[str, Any]:
    """Texts and names: reprs before and after the first call, parameters, and the traced symbol's nodes."""
    block = build(mx, row)
    told: dict[str, Any] = {"repr": repr(block), "name": block.name, "prefix": block.prefix}
    told["params"] = [[p.name, list(p.shape or ()), str(np.dtype(p.dtype)), p.grad_req]
                      for p in block.collect_params().values()]  # fmt: skip
    block.initialize()
    block(*[mx.nd.array(x, dtype=x.dtype) for x in row.arrays()])
    told["repr after"] = repr(block)
    told["shapes"] = {k: list(p.shape) for k, p in block.collect_params().items()}
    if row.hybrid:
        names = [mx.sym.var(f"data{i}") for i in range(len(row.inputs))]
        with mx.name.NameManager():
            out = block(*names)
        out = mx.sym.Group(out) if isinstance(out, list | tuple) else out
        told["nodes"] = out.get_internals().list_outputs()
        told["arguments"] = out.list_arguments()
        told["states"] = out.list_auxiliary_states()
        attributes = out.attr_dict()
        # Some layers of MXNet give a shape as a list.
        told["attributes"] = {
            node: {k: v.translate(_ROUND) if k == "__shape__" else v for k, v in sorted(found.items())}
            for node, found in attributes.items()
            if not node.startswith("data")
        }
    return told


def _listed(x: Any) -> list[Any]:
    return list(x) if isinstance(x, list | tuple) else [x]


def compute(mx: Any, row: Row, hybridize: bool) -> dict[str, Array]:
    """Outputs in prediction and in training mode, gradients, and parameters that a call changed."""
    block = build(mx, row)
    block.initialize()
    arrays = row.arrays()
    inputs = [mx.nd.array(x, dtype=x.dtype) for x in arrays]
    if hybridize:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Sequential warns that it is not compiled as a whole
            block.hybridize()
    block(*inputs)
    params = dict(block.collect_params().items())
    for name, p in params.items():
        p.set_data(mx.nd.array(_value(name, p.shape, p.dtype), dtype=p.dtype))
    found = {f"predict{i}": y.asnumpy() for i, y in enumerate(_listed(block(*inputs)))}
    if not row.train:
        return found
    wanted = row.grads if row.grads is not None else [i for i, x in enumerate(arrays) if x.dtype.kind == "f"]
    for i in wanted:
        inputs[i].attach_grad()
    with mx.autograd.record():
        outputs = _listed(block(*inputs))
    stream = np.random.RandomState(7)
    heads = [mx.nd.array(stream.uniform(0.5, 1.5, size=y.shape), dtype=y.dtype) for y in outputs]
    mx.autograd.backward(outputs, heads)
    found.update({f"train{i}": y.asnumpy() for i, y in enumerate(outputs)})
    found.update({f"grad{i}": inputs[i].grad.asnumpy() for i in wanted})
    for name, p in params.items():
        if p.grad_req != "null":
            found[f"grad {name}"] = p.grad().asnumpy()
        elif name.endswith(("running_mean", "running_var")):
            found[f"state {name}"] = p.data().asnumpy()
    return {k: v for k, v in found.items() if k not in row.wrong}


def raised(make: Callable[[Any], Any], mx: Any) -> Exception | None:
    """What `make(mx)` raises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            make(mx)
        except Exception as e:  # noqa: BLE001 - whatever comes is the answer
            return e
    return None


def _ints(shape: Sequence[int], high: int, low: int = 0) -> Callable[[np.random.RandomState], Array]:
    return lambda stream: stream.randint(low, high, size=shape).astype("float32")


def _signs(shape: Sequence[int]) -> Callable[[np.random.RandomState], Array]:
    return lambda stream: stream.randint(0, 2, size=shape).astype("float32") * 2 - 1


def _uniform(shape: Sequence[int], low: float = 0.05, high: float = 0.95) -> Callable[[np.random.RandomState], Array]:
    return lambda stream: stream.uniform(low, high, size=shape).astype("float32")


def _probabilities(shape: Sequence[int], axis: int = -1) -> Callable[[np.random.RandomState], Array]:
    def make(stream: np.random.RandomState) -> Array:
        x = stream.uniform(0.1, 1.0, size=shape)
        return (x / x.sum(axis, keepdims=True)).astype("float32")

    return make


def _values(*values: Any) -> Callable[[np.random.RandomState], Array]:
    return lambda stream: np.array(values, "float32")


def _stack(mx: Any, *layers: Any, kind: str = "HybridSequential") -> Any:
    net = getattr(mx.gluon.nn, kind)(prefix="net_")
    with net.name_scope():
        for make in layers:
            net.add(make(mx.gluon.nn))
    return net


LAYERS = [
    Row("dense", lambda mx: mx.gluon.nn.Dense(3), [(2, 4)]),
    Row("dense-in-units", lambda mx: mx.gluon.nn.Dense(3, in_units=4), [(2, 4)]),
    Row("dense-no-bias-tanh", lambda mx: mx.gluon.nn.Dense(3, use_bias=False, activation="tanh"), [(2, 4)]),
    Row("dense-flatten", lambda mx: mx.gluon.nn.Dense(3, activation="relu"), [(2, 3, 4)]),
    Row("dense-keep-axes", lambda mx: mx.gluon.nn.Dense(3, flatten=False), [(2, 3, 4)]),
    Row("dense-float64", lambda mx: mx.gluon.nn.Dense(3, dtype="float64", prefix="d_"),
        [lambda stream: stream.standard_normal((2, 4))]),
    Row("dense-initializers", lambda mx: mx.gluon.nn.Dense(3, weight_initializer="ones", bias_initializer="zeros"),
        [(2, 4)]),
    Row("dropout", lambda mx: mx.gluon.nn.Dropout(0.5), [(2, 4)], train=False),
    Row("dropout-axes", lambda mx: mx.gluon.nn.Dropout(0.25, axes=(1,)), [(2, 4)], train=False),
    Row("dropout-none", lambda mx: mx.gluon.nn.Dropout(0), [(2, 4)]),
    Row("embedding", lambda mx: mx.gluon.nn.Embedding(5, 3), [_ints((2, 4), 5)], grads=[]),
    Row("flatten", lambda mx: mx.gluon.nn.Flatten(), [(2, 3, 4)]),
    *[Row(f"activation-{a}", lambda mx, a=a: mx.gluon.nn.Activation(a), [(3, 4)])
      for a in ("relu", "sigmoid", "tanh", "softrelu", "softsign")],
    Row("leakyrelu", lambda mx: mx.gluon.nn.LeakyReLU(0.2), [(3, 4)]),
    Row("prelu", lambda mx: mx.gluon.nn.PReLU(), [(3, 4)]),
    Row("prelu-channels", lambda mx: mx.gluon.nn.PReLU(in_channels=4), [(3, 4, 2)]),
    Row("elu", lambda mx: mx.gluon.nn.ELU(0.7), [(3, 4)]),
    Row("selu", lambda mx: mx.gluon.nn.SELU(), [(3, 4)], wrong=["grad0"]),
    Row("gelu", lambda mx: mx.gluon.nn.GELU(), [(3, 4)]),
    Row("swish", lambda mx: mx.gluon.nn.Swish(1.5), [(3, 4)]),
    Row("batchnorm", lambda mx: mx.gluon.nn.BatchNorm(), [(4, 3, 5)]),
    Row("batchnorm-last-axis", lambda mx: mx.gluon.nn.BatchNorm(axis=-1, epsilon=1e-3, in_channels=5), [(4, 3, 5)]),
    Row("batchnorm-no-scale", lambda mx: mx.gluon.nn.BatchNorm(scale=False, momentum=0.5), [(4, 3, 5)]),
    Row("batchnorm-no-center", lambda mx: mx.gluon.nn.BatchNorm(center=False), [(4, 3, 5)]),
    Row("batchnorm-global", lambda mx: mx.gluon.nn.BatchNorm(use_global_stats=True), [(4, 3, 5)]),
    Row("batchnormrelu", lambda mx: mx.gluon.nn.BatchNormReLU(), [(4, 3, 5, 2)], train=False),
    Row("instancenorm", lambda mx: mx.gluon.nn.InstanceNorm(), [(2, 3, 6)]),
    Row("instancenorm-axis", lambda mx: mx.gluon.nn.InstanceNorm(axis=2, scale=True, in_channels=6), [(2, 3, 6)]),
    Row("layernorm", lambda mx: mx.gluon.nn.LayerNorm(), [(2, 3, 6)]),
    Row("layernorm-axis", lambda mx: mx.gluon.nn.LayerNorm(axis=1, scale=False, prefix="ln_"), [(2, 3, 6)]),
    Row("groupnorm", lambda mx: mx.gluon.nn.GroupNorm(num_groups=2), [(2, 4, 3)]),
    Row("reflectionpad", lambda mx: mx.gluon.nn.ReflectionPad2D(2), [(1, 2, 4, 5)]),
    Row("reflectionpad-sides", lambda mx: mx.gluon.nn.ReflectionPad2D((0, 0, 0, 0, 1, 0, 2, 1)), [(1, 2, 4, 5)]),
    Row("conv1d", lambda mx: mx.gluon.nn.Conv1D(4, 3), [(2, 3, 8)]),
    Row("conv1d-strides", lambda mx: mx.gluon.nn.Conv1D(4, 3, 2, 1, 2, in_channels=3), [(2, 3, 9)]),
    Row("conv2d", lambda mx: mx.gluon.nn.Conv2D(4, 3), [(2, 3, 6, 7)]),
    Row("conv2d-groups", lambda mx: mx.gluon.nn.Conv2D(4, (3, 2), (2, 1), (1, 0), groups=2, use_bias=False,
                                                       activation="relu"), [(2, 4, 6, 7)]),
    Row("conv3d", lambda mx: mx.gluon.nn.Conv3D(2, 2, strides=2, padding=1), [(1, 3, 4, 5, 4)]),
    Row("conv1dtranspose", lambda mx: mx.gluon.nn.Conv1DTranspose(4, 3, 2, output_padding=1), [(2, 3, 5)]),
    Row("conv2dtranspose", lambda mx: mx.gluon.nn.Conv2DTranspose(4, 3, in_channels=3), [(2, 3, 4, 5)]),
    Row("conv2dtranspose-groups", lambda mx: mx.gluon.nn.Conv2DTranspose(4, 4, 2, 1, groups=2, use_bias=False,
                                                                          in_channels=6),
        [(2, 6, 4, 5)]),
    Row("conv3dtranspose", lambda mx: mx.gluon.nn.Conv3DTranspose(2, 2, activation="sigmoid"), [(1, 3, 3, 2, 3)]),
    *[Row(f"{kind}pool{n}d", lambda mx, kind=kind, n=n: getattr(mx.gluon.nn, f"{kind}Pool{n}D")(),
          [(2, 3, *range(5, 5 + n))]) for kind in ("Max", "Avg", "GlobalMax", "GlobalAvg") for n in (1, 2, 3)],
    Row("maxpool2d-full", lambda mx: mx.gluon.nn.MaxPool2D(3, 2, 1, ceil_mode=True), [(1, 2, 6, 7)]),
    Row("avgpool2d-full", lambda mx: mx.gluon.nn.AvgPool2D(3, 2, 1, ceil_mode=True), [(1, 2, 6, 7)]),
    Row("avgpool2d-without-pad", lambda mx: mx.gluon.nn.AvgPool2D(3, 1, 1, count_include_pad=False), [(1, 2, 6, 7)]),
    Row("lambda", lambda mx: mx.gluon.nn.Lambda("relu"), [(3, 4)], hybrid=False),
    Row("lambda-function", lambda mx: mx.gluon.nn.Lambda(_double), [(3, 4)], hybrid=False),
    Row("hybridlambda", lambda mx: mx.gluon.nn.HybridLambda("tanh"), [(3, 4)]),
    Row("hybridlambda-function", lambda mx: mx.gluon.nn.HybridLambda(_leaky), [(3, 4)]),
    Row("sequential", lambda mx: _stack(mx, lambda nn: nn.Dense(3), lambda nn: nn.Dense(2), kind="Sequential"),
        [(2, 4)], hybrid=False),
    Row("sequential-slice", lambda mx: _stack(mx, lambda nn: nn.Dense(3), lambda nn: nn.ELU(),
                                              lambda nn: nn.Dense(2))[1:],
        [(2, 4)]),
    Row("lenet", lambda mx: _stack(mx, lambda nn: nn.Conv2D(4, 3, activation="relu"), lambda nn: nn.BatchNorm(),
                                   lambda nn: nn.MaxPool2D(), lambda nn: nn.Flatten(), lambda nn: nn.Dense(5),
                                   lambda nn: nn.LayerNorm()), [(2, 1, 8, 8)]),
    Row("nested", lambda mx: _stack(mx, lambda nn: nn.Dense(3), lambda nn: _stack_inner(nn)), [(2, 4)]),
    Row("concurrent", lambda mx: _branches(mx, mx.gluon.contrib.nn.Concurrent(axis=1)), [(2, 4)], hybrid=False),
    Row("hybridconcurrent", lambda mx: _branches(mx, mx.gluon.contrib.nn.HybridConcurrent(axis=1)), [(2, 4)]),
    Row("identity", lambda mx: mx.gluon.contrib.nn.Identity(), [(2, 4)]),
    Row("pixelshuffle1d", lambda mx: mx.gluon.contrib.nn.PixelShuffle1D(3), [(2, 6, 4)]),
    Row("pixelshuffle2d", lambda mx: mx.gluon.contrib.nn.PixelShuffle2D((2, 3)), [(1, 12, 2, 3)]),
    Row("syncbatchnorm", lambda mx: mx.gluon.contrib.nn.SyncBatchNorm(num_devices=1), [(4, 3, 5)]),
    Row("deformable", lambda mx: mx.gluon.contrib.cnn.DeformableConvolution(3, 3, padding=1), [(2, 2, 4, 5)]),
    Row(
        "deformable_options",
        lambda mx: mx.gluon.contrib.cnn.DeformableConvolution(
            4, (2, 3), strides=(1, 2), dilation=(2, 1), groups=2, num_deformable_group=2, use_bias=False,
            in_channels=4, activation="relu", offset_use_bias=False, prefix="moved_",
        ),
        [(1, 4, 5, 6)],
    ),
]  # fmt: skip


def _double(x: Any) -> Any:
    return 2 * x


def _leaky(F: Any, x: Any) -> Any:
    return F.LeakyReLU(x, slope=0.1)


def _stack_inner(nn: Any) -> Any:
    inner = nn.HybridSequential()
    with inner.name_scope():
        inner.add(nn.Dense(2, activation="sigmoid"), nn.Dense(2))
    return inner


def _branches(mx: Any, block: Any) -> Any:
    with block.name_scope():
        block.add(mx.gluon.nn.Dense(2), mx.gluon.contrib.nn.Identity(), mx.gluon.nn.Dense(3))
    return block


def _loss(kind: str, *inputs: Any, id: str = "", grads: Sequence[int] = (0,), **kwargs: Any) -> Row:
    return Row(f"{kind}{id}", lambda mx: getattr(mx.gluon.loss, kind)(**kwargs), inputs, grads=grads)


LOSSES = [
    _loss("L2Loss", (4, 3), (4, 3)),
    _loss("L2Loss", (4, 3), (12,), _uniform((4, 1)), id="-weights", weight=0.7),
    _loss("L2Loss", (4, 3, 2), (4, 3, 2), id="-batch-axis", batch_axis=1),
    _loss("L1Loss", (4, 3), (4, 3), grads=(0, 1)),
    _loss("L1Loss", (4, 3), (4, 3), _uniform((4, 1)), id="-weights", weight=2.5),
    _loss("SigmoidBCELoss", (4, 3), _ints((4, 3), 2)),
    _loss("SigmoidBCELoss", lambda s: (s.standard_normal((4, 3)) * 60).astype("float32"), _uniform((4, 3)),
          id="-large"),
    _loss("SigmoidBCELoss", _uniform((4, 3)), _ints((4, 3), 2), id="-from-sigmoid", from_sigmoid=True),
    _loss("SigmoidBCELoss", (4, 3), _ints((4, 3), 2), _uniform((4, 1)), _uniform((1, 3), 0.5, 3.0), id="-pos-weight"),
    _loss("SigmoidBCELoss", _uniform((4, 3)), _ints((4, 3), 2), _uniform((4, 1)), _uniform((1, 3), 0.5, 3.0),
          id="-from-sigmoid-pos-weight", from_sigmoid=True, weight=0.5),
    _loss("SoftmaxCELoss", (4, 5), _ints((4,), 5)),
    _loss("SoftmaxCELoss", (4, 5), _ints((4,), 5), _uniform((4, 1)), id="-weights", weight=0.3),
    _loss("SoftmaxCELoss", (4, 5), _probabilities((4, 5)), id="-dense", sparse_label=False),
    _loss("SoftmaxCELoss", (4, 5, 3), _ints((4, 3), 5), id="-axis", axis=1),
    _loss("SoftmaxCELoss", (4, 5, 3), _probabilities((4, 5, 3), 1), id="-axis-dense", axis=1, sparse_label=False),
    _loss("SoftmaxCELoss", _uniform((4, 5), -3, -0.5), _ints((4,), 5), id="-from-logits", from_logits=True),
    _loss("KLDivLoss", _uniform((4, 5), -3, -0.5), _probabilities((4, 5))),
    _loss("KLDivLoss", (4, 5), _probabilities((4, 5)), _uniform((4, 1)), id="-softmax", from_logits=False, weight=2.0),
    _loss("KLDivLoss", (4, 5, 2), _probabilities((4, 5, 2), 1), id="-axis", from_logits=False, axis=1),
    _loss("CTCLoss", (2, 8, 5), _ints((2, 3), 4)),
    _loss("CTCLoss", (8, 2, 5), _ints((3, 2), 4), id="-time-first", layout="TNC", label_layout="TN", weight=0.5),
    _loss("CTCLoss", (2, 8, 5), _values((1, 2, -1, -1), (0, 0, 3, -1)), id="-padded"),
    _loss("CTCLoss", (2, 8, 5), _ints((2, 4), 4), _values(6, 8), _values(2, 3), id="-lengths"),
    _loss("HuberLoss", (4, 3), (4, 3)),
    _loss("HuberLoss", (4, 3), (4, 3), _uniform((4, 1)), id="-rho", rho=0.4, weight=1.5),
    _loss("HingeLoss", (4, 3), _signs((4, 3))),
    _loss("HingeLoss", (4, 3), _signs((4, 3)), _uniform((4, 1)), id="-margin", margin=0.5),
    _loss("SquaredHingeLoss", (4, 3), _signs((4, 3)), margin=1.5),
    _loss("LogisticLoss", (4, 3), _signs((4, 3))),
    _loss("LogisticLoss", (4, 3), _ints((4, 3), 2), _uniform((4, 1)), id="-binary", label_format="binary", weight=0.5),
    _loss("TripletLoss", (4, 3), (4, 3), (4, 3), grads=(0, 1, 2)),
    _loss("TripletLoss", (4, 3, 2), (4, 3, 2), (4, 3, 2), id="-margin", margin=4, weight=0.5),
    _loss("PoissonNLLLoss", (4, 3), _ints((4, 3), 6)),
    _loss("PoissonNLLLoss", _uniform((4, 3), 0.5, 4), _ints((4, 3), 6), _uniform((4, 1)), id="-rates",
          from_logits=False),
    _loss("CosineEmbeddingLoss", (4, 3), (4, 3), _signs((4,)), grads=(0, 1)),
    _loss("CosineEmbeddingLoss", (4, 3), (4, 3), _signs((4,)), _uniform((4, 1)), id="-margin", margin=0.2, weight=3.0),
    Row("PoissonNLLLoss-full", lambda mx: mx.gluon.loss.PoissonNLLLoss(compute_full=True),
        [(4, 3), _ints((4, 3), 6, low=1)], train=False, hybrid=False),
    Row("SDMLLoss", lambda mx: mx.gluon.loss.SDMLLoss(smoothing_parameter=0.2), [(4, 3), (4, 3)], hybrid=False),
]  # fmt: skip

ERRORS: dict[str, Callable[[Any], Any]] = {
    "dense input shape": lambda mx: _called(mx, mx.gluon.nn.Dense(3, in_units=4), (2, 5)),
    "dense uninitialized": lambda mx: mx.gluon.nn.Dense(3)(mx.nd.ones((2, 4))),
    "dense data before shape": lambda mx: _deferred(mx.gluon.nn.Dense(3)).weight.data(),
    "dense unknown argument": lambda mx: mx.gluon.nn.Dense(3, in_unit=4),
    "activation unknown": lambda mx: _called(mx, mx.gluon.nn.Activation("swosh"), (2, 5)),
    "leakyrelu negative": lambda mx: mx.gluon.nn.LeakyReLU(-0.1),
    "conv2d layout": lambda mx: mx.gluon.nn.Conv2D(3, 3, layout="CHWN"),
    "conv1d layout": lambda mx: mx.gluon.nn.Conv1D(3, 3, layout="NWC"),
    "conv2d kernel": lambda mx: mx.gluon.nn.Conv2D(3, (3, 3, 3)),
    "conv2d groups": lambda mx: mx.gluon.nn.Conv2D(4, 3, groups=3),
    "conv2d input groups": lambda mx: mx.gluon.nn.Conv2D(4, 3, groups=2, in_channels=5),
    "conv2d input channels": lambda mx: _called(mx, mx.gluon.nn.Conv2D(4, 3, in_channels=5), (1, 4, 5, 5)),
    "conv2d input rank": lambda mx: _called(mx, mx.gluon.nn.Conv2D(4, 3), (1, 5, 5)),
    "conv2dtranspose output padding": lambda mx: mx.gluon.nn.Conv2DTranspose(4, 3, output_padding=(1,)),
    "maxpool2d layout": lambda mx: mx.gluon.nn.MaxPool2D(layout="NCW"),
    "maxpool3d size": lambda mx: mx.gluon.nn.MaxPool3D((2, 2)),
    "reflectionpad numbers": lambda mx: mx.gluon.nn.ReflectionPad2D((1, 1)),
    "lambda unknown": lambda mx: mx.gluon.nn.Lambda("no_such_function"),
    "hybridlambda unknown": lambda mx: mx.gluon.nn.HybridLambda("no_such_function"),
    "lambda number": lambda mx: mx.gluon.nn.Lambda(3),
    "hybridlambda number": lambda mx: mx.gluon.nn.HybridLambda(3),
    "hybridsequential of a plain block": lambda mx: mx.gluon.nn.HybridSequential().add(mx.gluon.nn.Lambda("relu")),
    "block without forward": lambda mx: mx.gluon.Block()(mx.nd.ones((1,))),
    "ctc layout": lambda mx: mx.gluon.loss.CTCLoss(layout="CTN"),
    "ctc label layout": lambda mx: mx.gluon.loss.CTCLoss(label_layout="C"),
    "logistic label format": lambda mx: mx.gluon.loss.LogisticLoss(label_format="x"),
    "loss weight": lambda mx: mx.gluon.loss.L1Loss(weight="1")(mx.nd.ones((1, 2)), mx.nd.ones((1, 2))),
    "pixelshuffle factors": lambda mx: mx.gluon.contrib.nn.PixelShuffle2D((1, 2, 3)),
}


def _called(mx: Any, block: Any, shape: Sequence[int]) -> Any:
    return _deferred(block)(mx.nd.ones(shape)).asnumpy()


def _deferred(block: Any) -> Any:
    block.initialize()
    return block
