"""``gluon-onnx demo``: the whole way on real data, from an imperative loop to a checked ONNX file."""

from __future__ import annotations

import argparse
import importlib.util
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .isolate import add_isolate
from .outcome import CommandError, ExitCode
from .tables import open_console

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Epoch", "Results", "add_arguments", "run"]

VALIDATION = 360  # images held back
BATCH = 64
LEARNING_RATE = 2e-3
ACCURACY = 0.975  # the least that a right implementation reaches
TOLERANCE = 1e-4  # on logits of size ~10 in float32: the order of summation is all that may differ

Array = npt.NDArray[Any]


@dataclass
class Epoch:
    """What one pass over the training images gave."""

    number: int
    hybridized: bool
    loss: float
    accuracy: float
    seconds: float


@dataclass
class Results:
    """The numbers of a run; all but the times depend on the seed alone."""

    seed: int
    epochs: list[Epoch] = field(default_factory=list)
    reload_difference: float = 0.0
    onnx_difference: float = 0.0
    feature: str = ""
    feature_accuracy: float = 0.0
    seconds: float = 0.0


@dataclass
class Digits:
    """Shuffled images (N, 1, 8, 8) and labels (N,) to train on and to validate with."""

    train: tuple[Array, Array]
    valid: tuple[Array, Array]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_isolate(parser)
    parser.add_argument(
        "--out", type=Path, default=Path("demo-output"), metavar="DIR", help="where to write (%(default)s)"
    )
    parser.add_argument(
        "--epochs", type=int, default=12, help="passes over the images; the first is imperative (%(default)s)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="the same seed gives the same numbers (%(default)s)"
    )
    parser.add_argument(
        "--device", choices=("cpu", "gpu"), default="cpu", help="where to train (%(default)s)"
    )
    parser.add_argument(
        "--no-plots", action="store_true", help="write no PNG files; matplotlib is then not needed"
    )


def run(args: argparse.Namespace) -> ExitCode:
    """Train, export, check, draw; a check has failed if accuracy or agreement is not what it must be."""
    if args.epochs < 1:
        raise CommandError(f"--epochs must be at least 1, got {args.epochs}")
    if not args.no_plots and importlib.util.find_spec("matplotlib") is None:
        raise CommandError("the plots need matplotlib: pip install 'gluon-onnx[plot]', or say --no-plots")
    args.out.mkdir(parents=True, exist_ok=True)

    import gluon_onnx as mx

    console = open_console()
    started = time.perf_counter()
    ctx = mx.gpu(0) if args.device == "gpu" else mx.cpu()
    digits = load(args.seed)
    console.print(f"gluon-onnx {mx.__version__}: handwritten digits, seed {args.seed}", style="bold")
    console.print(
        f"{len(digits.train[1]):,} images to train on, {len(digits.valid[1])} to validate with, on {ctx}\n"
    )
    results = Results(args.seed)
    net = build(args.seed, ctx)
    net.summary(mx.nd.zeros((1, 1, 8, 8), ctx=ctx))
    train(net, digits, args.epochs, ctx, results, console)
    logits = export_and_check(net, digits.valid[0], args.out, ctx, results, console)
    extract_feature(digits, args.out, ctx, results, console)
    results.seconds = time.perf_counter() - started
    (args.out / "results.json").write_text(json.dumps(asdict(results), indent=2) + "\n", encoding="utf-8")
    if not args.no_plots:
        from .demo_plots import draw_predictions, draw_training

        draw_training(results.epochs, args.out / "training.png")
        draw_predictions(*digits.valid, logits, args.out / "predictions.png")
        console.print("drawn               training.png, predictions.png")
    return verdict(results, args.out, console)


def verdict(results: Results, out: Path, console: Console) -> ExitCode:
    """Say whether all is as it must be."""
    accuracy = results.epochs[-1].accuracy
    faults = []
    if accuracy < ACCURACY:
        faults.append(f"validation accuracy {accuracy:.2%} is below {ACCURACY:.1%}: train longer (--epochs)")
    for name in ("reload_difference", "onnx_difference"):
        if not getattr(results, name) <= TOLERANCE:
            faults.append(f"{name.replace('_', ' ')} {getattr(results, name):.3g} is above {TOLERANCE:g}")
    console.print(f"\nEverything is in {out}/ ({results.seconds:.1f} s).")
    for fault in faults:
        console.print(f"failed: {fault}", style="bold red")
    return ExitCode.CHECK_FAILED if faults else ExitCode.OK


def load(seed: int) -> Digits:
    """The digits, shuffled by the seed and split."""
    from gluon_onnx.gluon.data.digits import load_digits

    images, labels = load_digits()
    order = np.random.RandomState(seed).permutation(len(labels))
    images, labels = images[order], labels[order]
    return Digits((images[VALIDATION:], labels[VALIDATION:]), (images[:VALIDATION], labels[:VALIDATION]))


def build(seed: int, ctx: Any) -> Any:
    """A small convolutional net with freshly initialized parameters."""
    import gluon_onnx as mx
    from gluon_onnx.gluon import nn

    mx.random.seed(seed)
    np.random.seed(seed)  # the initializers of MXNet draw from here
    net = nn.HybridSequential(prefix="digits_")
    with net.name_scope():
        for channels in (16, 32):
            net.add(
                nn.Conv2D(channels, kernel_size=3, padding=1, use_bias=False),
                nn.BatchNorm(),
                nn.Activation("relu"),
            )
        net.add(nn.MaxPool2D(2), nn.Conv2D(64, kernel_size=3, activation="relu"), nn.Flatten())
        net.add(nn.Dense(64, activation="relu"), nn.Dropout(0.3), nn.Dense(10))
    net.initialize(mx.init.Xavier(), ctx=ctx)
    return net


def batches(images: Array, labels: Array, random: np.random.RandomState) -> Iterator[tuple[Array, Array]]:
    """Whole batches in random order, some images shifted by a pixel."""
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (8, 8), axis=(2, 3))
    order = random.permutation(len(labels))
    for start in range(0, len(order) - BATCH + 1, BATCH):
        chosen = order[start : start + BATCH]
        down, right = random.choice(3, (2, BATCH), p=(0.15, 0.7, 0.15))
        yield windows[chosen, :, down, right], labels[chosen]


def train(net: Any, digits: Digits, epochs: int, ctx: Any, results: Results, console: Console) -> None:
    """One imperative epoch, then hybridized ones; the rate falls to zero along a cosine."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    import gluon_onnx as mx
    from gluon_onnx import gluon

    images, labels = digits.train
    steps = len(labels) // BATCH
    rates = mx.lr_scheduler.CosineScheduler(max_update=epochs * steps, base_lr=LEARNING_RATE)
    trainer = gluon.Trainer(
        net.collect_params(), "adam", {"lr_scheduler": rates, "learning_rate": LEARNING_RATE}
    )
    entropy = gluon.loss.SoftmaxCrossEntropyLoss()
    random = np.random.RandomState(results.seed)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("training", total=epochs * steps)
        for number in range(1, epochs + 1):
            if number == 2:
                net.hybridize()
            mode = "hybridized" if number > 1 else "imperative"
            started = time.perf_counter()
            losses = []
            for pixels, truth in batches(images, labels, random):
                data, label = mx.nd.array(pixels, ctx=ctx), mx.nd.array(truth, ctx=ctx)
                with mx.autograd.record():
                    loss = entropy(net(data), label)
                loss.backward()
                trainer.step(BATCH)
                losses.append(loss.mean())
                progress.update(task, advance=1, description=f"epoch {number} {mode}")
            mean = float(np.mean([value.asscalar() for value in losses]))
            seconds = time.perf_counter() - started
            epoch = Epoch(number, number > 1, mean, evaluate(net, digits.valid, ctx), seconds)
            results.epochs.append(epoch)
            console.print(
                f"epoch {number:2d}  {mode}  loss {mean:.4f}  validation accuracy {epoch.accuracy:7.2%}"
                f"  {steps * BATCH / seconds:7,.0f} images/s"
            )


def evaluate(net: Any, data: tuple[Array, Array], ctx: Any) -> float:
    """The share of images that the net names rightly."""
    import gluon_onnx as mx

    metric = mx.metric.Accuracy()
    for start in range(0, len(data[1]), BATCH):
        part = slice(start, start + BATCH)
        metric.update([mx.nd.array(data[1][part], ctx=ctx)], [net(mx.nd.array(data[0][part], ctx=ctx))])
    return float(metric.get()[1])


def export_and_check(
    net: Any, images: Array, out: Path, ctx: Any, results: Results, console: Console
) -> Array:
    """Save and reload the parameters, export, run model.onnx with ONNX Runtime alone; returns its logits."""
    import onnx
    import onnxruntime

    import gluon_onnx as mx

    net.hybridize()
    expected = net(mx.nd.array(images, ctx=ctx)).asnumpy()
    net.save_parameters(str(out / "digits.params"))
    again = build(results.seed + 1, ctx)
    again.load_parameters(str(out / "digits.params"), ctx=ctx)
    again.hybridize()
    results.reload_difference = float(np.abs(again(mx.nd.array(images, ctx=ctx)).asnumpy() - expected).max())
    console.print(
        "\nparameters          digits.params, loaded into a new net:"
        f" max abs difference {results.reload_difference:.2e}"
    )
    net.export(str(out / "model"))
    net.export(str(out / "model.onnx"))
    model = onnx.load(str(out / "model.onnx"))
    onnx.checker.check_model(model, full_check=True)
    size = (out / "model.onnx").stat().st_size
    console.print(
        f"exported            model.onnx, {size:,} bytes, opset {model.opset_import[0].version}:"
        " onnx.checker agrees"
    )
    session = onnxruntime.InferenceSession(str(out / "model.onnx"), providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {session.get_inputs()[0].name: images})
    results.onnx_difference = float(np.abs(logits - expected).max())
    console.print(f"onnxruntime alone   max abs difference {results.onnx_difference:.2e}")
    return np.asarray(logits)


def extract_feature(digits: Digits, out: Path, ctx: Any, results: Results, console: Console) -> None:
    """Load the exported model as a SymbolBlock, cut before its last layers; use what comes out there."""
    import gluon_onnx as mx
    from gluon_onnx import gluon

    whole = mx.sym.load(str(out / "model-symbol.json"))
    internals = whole.get_internals()
    results.feature = next(
        name for name in internals.list_outputs() if name.endswith("dense0_relu_fwd_output")
    )
    inner = gluon.SymbolBlock(internals[results.feature], mx.sym.var("data"))
    inner.load_parameters(str(out / "model-0000.params"), ctx=ctx, ignore_extra=True)

    def features(images: Array) -> Array:
        found = inner(mx.nd.array(images, ctx=ctx)).asnumpy()
        return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True))

    nearest = (features(digits.valid[0]) @ features(digits.train[0]).T).argmax(axis=1)
    results.feature_accuracy = float((digits.train[1][nearest] == digits.valid[1]).mean())
    console.print(
        f"SymbolBlock         inner feature {results.feature}: its nearest neighbour"
        f" names {results.feature_accuracy:.2%} rightly"
    )
