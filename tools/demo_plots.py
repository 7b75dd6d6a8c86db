"""The pictures of ``gluon-onnx demo``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

if TYPE_CHECKING:
    from .demo import Epoch

__all__ = ["draw_predictions", "draw_training"]

BLUE, RED, GREY = "#1f5fa8", "#c0392b", "#777777"


def draw_training(epochs: Sequence[Epoch], path: Path) -> None:
    """Draw loss and validation accuracy over the epochs."""
    figure = Figure(figsize=(7.2, 4.0), layout="constrained")
    FigureCanvasAgg(figure)
    left = figure.add_subplot()
    right = left.twinx()
    numbers = [epoch.number for epoch in epochs]
    left.semilogy(numbers, [epoch.loss for epoch in epochs], color=BLUE, marker="o", markersize=4)
    left.set_xlabel("epoch")
    left.set_ylabel("training loss", color=BLUE)
    left.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    left.yaxis.set_major_formatter("{x:g}")
    left.yaxis.set_minor_formatter(NullFormatter())
    left.tick_params(axis="y", labelcolor=BLUE)
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    accuracies = [100 * epoch.accuracy for epoch in epochs]
    right.plot(numbers, accuracies, color=RED, marker="s", markersize=4)
    right.set_ylabel("validation accuracy, %", color=RED)
    right.tick_params(axis="y", labelcolor=RED)
    right.set_ylim(min(90.0, min(accuracies) - 2), 100.5)
    imperative = sum(not epoch.hybridized for epoch in epochs)
    left.axvspan(numbers[0] - 0.5, imperative + 0.5, color=GREY, alpha=0.15, linewidth=0)
    left.set_xlim(numbers[0] - 0.5, numbers[-1] + 0.5)
    left.set_title(
        f"handwritten digits: {accuracies[-1]:.2f} % after {len(epochs)} epochs (grey: imperative)",
        fontsize=11,
    )
    figure.savefig(path, dpi=120)


def draw_predictions(
    images: npt.NDArray[Any],
    labels: npt.NDArray[Any],
    logits: npt.NDArray[Any],
    path: Path,
    *,
    rows: int = 6,
    columns: int = 10,
) -> None:
    """Draw validation images with the digit that the model names: mistakes and doubtful ones first.

    Parameters
    ----------
    images : (N, 1, 8, 8); labels : (N,); logits : (N, 10).
    """
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = shifted / shifted.sum(axis=1, keepdims=True)
    named = probabilities.argmax(axis=1)
    order = np.argsort(probabilities[np.arange(len(labels)), labels], kind="stable")[: rows * columns]
    figure = Figure(figsize=(columns * 0.95, rows * 1.15 + 0.4), layout="constrained")
    FigureCanvasAgg(figure)
    wrong = int((named != labels).sum())
    figure.suptitle(
        f"{len(labels)} validation images, {wrong} named wrongly; the least certain ones first"
        " (red: a mistake, the truth in brackets)",
        fontsize=10,
    )
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for axes, index in zip(grid.flat, order, strict=False):
        axes.imshow(images[index, 0], cmap="gray_r", vmin=0, vmax=1)
        right = named[index] == labels[index]
        text = f"{named[index]}" if right else f"{named[index]} ({labels[index]})"
        axes.set_title(
            f"{text}  {probabilities[index, named[index]]:.0%}",
            fontsize=8,
            color="black" if right else RED,
            pad=2,
        )
    figure.savefig(path, dpi=120)
