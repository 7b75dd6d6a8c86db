"""``gluon-onnx finetune``: train a model on samples of one's own."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .feeds import numbers
from .outcome import CommandError, ExitCode
from .tables import Facts, Grid, Report, add_format_argument, emit

if TYPE_CHECKING:
    from ..artifacts.finetuning import FineTuned, Progress

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("file", type=Path, help="an .onnx or -symbol.json file")
    parser.add_argument(
        "--params", type=Path, help="parameters of a -symbol.json (default: PREFIX-NNNN.params beside it)"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("finetuned"), help="folder for results (default: finetuned)"
    )
    add_format_argument(parser)
    group = parser.add_argument_group("samples")
    group.add_argument(
        "--data",
        type=Path,
        required=True,
        help="an .npz file with arrays for the inputs and one called label, or a folder with a folder of pictures "
        "for each class",
    )
    group.add_argument(
        "--validation",
        default="0.1",
        help="samples to validate with, or the fraction kept for it (default: 0.1)",
    )
    group.add_argument("--size", metavar="CxHxW", help="channels, height and width of pictures")
    group.add_argument(
        "--mean", type=numbers, metavar="R,G,B", help="subtracted from the channels of pictures (0 to 255)"
    )
    group.add_argument("--std", type=numbers, metavar="R,G,B", help="what pictures are then divided by")
    group = parser.add_argument_group("training")
    group.add_argument(
        "--loss",
        default="softmax_cross_entropy",
        help="a loss of gluon.loss (default: softmax_cross_entropy)",
    )
    group.add_argument(
        "--trainable", metavar="REGEX", help="parameters to train (default: all, or the new head)"
    )
    group.add_argument(
        "--head", type=int, metavar="N", help="replace the last dense layer by a new one of N outputs"
    )
    group.add_argument("--features", metavar="NAME", help="the value that the new layer reads")
    group.add_argument("--optimizer", default="adam", help="an optimizer's name (default: adam)")
    group.add_argument("--lr", type=float, default=1e-3, help="learning rate (default: 0.001)")
    group.add_argument("--wd", type=float, default=0.0, help="weight decay (default: 0)")
    group.add_argument("--epochs", type=int, default=10, help="passes over the samples (default: 10)")
    group.add_argument("--batch", type=int, default=32, help="samples in a step (default: 32)")
    group.add_argument(
        "--patience", type=int, default=3, help="epochs without progress after which to stop (default: 3)"
    )
    group.add_argument("--seed", type=int, default=0, help="of everything random (default: 0)")
    group.add_argument("--device", default="cpu", help="cpu, gpu or gpu:1 (default: cpu)")
    group.add_argument("--restart", action="store_true", help="forget what an earlier run in this folder did")


def run(args: argparse.Namespace) -> ExitCode:
    """Train, and say what came out."""
    from ..artifacts.finetuning import finetune
    from ..base import MXNetError

    try:
        fraction: Any = float(args.validation)
    except ValueError:
        fraction = args.validation
    size = None
    if args.size is not None:
        parts = args.size.split("x")
        if len(parts) != 3 or not all(p.isdigit() for p in parts):
            raise CommandError(f"--size {args.size}: expected channels, height and width, as in 3x224x224")
        size = tuple(map(int, parts))
    try:
        with shown(args.epochs) as progress:
            found = finetune(
                args.file,
                args.data,
                args.out,
                loss=args.loss,
                trainable=args.trainable,
                head=args.head,
                features=args.features,
                params=args.params,
                validation=fraction,
                optimizer=args.optimizer,
                lr=args.lr,
                optimizer_params={"wd": args.wd} if args.wd else None,
                epochs=args.epochs,
                batch=args.batch,
                patience=args.patience,
                seed=args.seed,
                size=size,
                mean=args.mean,
                std=args.std,
                ctx=args.device,
                restart=args.restart,
                progress=progress,
            )
    except (MXNetError, ValueError) as e:
        if type(e).__name__ == "UnsupportedOperatorError":
            raise
        raise CommandError(str(e)) from e
    emit(report(found), args.format)
    return ExitCode.OK


@contextmanager
def shown(epochs: int) -> Iterator[Progress | None]:
    """A progress bar on standard error, where that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.4f}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None, epoch=0, epochs=epochs, loss=0.0)

        def progress(epoch: int, done: int, total: int, loss: float) -> None:
            bar.update(task, completed=done, total=total, epoch=epoch, loss=loss)

        yield progress


def report(found: FineTuned) -> Report:
    """What a run gave, for reading and as data."""
    rows = [
        [str(i), *(f"{row[k]:.4f}" if k in row else "" for k in ("loss", "validation_loss", "accuracy"))]
        for i, row in enumerate(found.history, 1)
    ]
    facts = [
        ("model", found.path),
        ("best epoch", found.best_epoch),
        ("resumed after", f"{found.resumed} epochs"),
        ("verified", f"largest difference {found.difference:.2g}"),
    ]
    data = {
        "path": found.path,
        "best_epoch": found.best_epoch,
        "resumed": found.resumed,
        "difference": found.difference,
        "history": found.history,
    }
    headers = ["epoch", "loss", "validation", "accuracy"]
    return Report("Fine-tuning", data, [Grid(headers, rows, headers), Facts(facts)])
