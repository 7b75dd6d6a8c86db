"""Watching the arrays of an executor while it runs."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Collection
from typing import Any

from . import ndarray
from .graph.symbol import Entry
from .ndarray import NDArray
from .symbol import Symbol

__all__ = ["Monitor", "watch"]

# MXNet has no name for the only input of its elementwise operators, save for these, which were layers once.
_NAMED = ("L2Normalization", "LRN", "MakeLoss")


class Monitor:
    """Collects statistics of the outputs of an executor's operators, and of its parameters.

    Parameters
    ----------
    interval : int
        Batches between two collections.
    stat_func : callable (NDArray) -> NDArray or list of NDArray, optional
        By default the norm divided by the square root of the size.
    pattern : str
        Regular expression: arrays whose names match it at their beginning are collected.
    sort : bool
        Sort what is collected by name.
    monitor_all : bool
        Collect the inputs of operators too.
    """

    def __init__(
        self,
        interval: int,
        stat_func: Callable[[NDArray], Any] | None = None,
        pattern: str = ".*",
        sort: bool = False,
        monitor_all: bool = False,
    ) -> None:
        self.interval = interval
        self.stat_func = stat_func or _root_mean_square
        self.re_prog = re.compile(pattern)
        self.sort = sort
        self.monitor_all = monitor_all
        self.activated = False
        self.queue: list[tuple[int, str, Any]] = []
        self.step = 0
        self.exes: list[Any] = []

    def stat_helper(self, name: str, array: NDArray) -> None:
        """Take in one array; executors call it."""
        if self.activated and self.re_prog.match(name):
            self.queue.append((self.step, name, self.stat_func(array)))

    def install(self, exe: Any) -> None:
        """Watch an executor; several may be watched.

        Parameters
        ----------
        exe : Executor
        """
        exe.set_monitor_callback(self.stat_helper, self.monitor_all)
        self.exes.append(exe)

    def tic(self) -> None:
        """Begin to collect, if the batch that is about to run is one to watch."""
        if self.step % self.interval == 0:
            self.queue = []
            self.activated = True
        self.step += 1

    def toc(self) -> list[tuple[int, str, str]]:
        """End collecting.

        Returns
        -------
        list of (batch, name, statistics as text)
            Empty for a batch that was not watched.
        """
        if not self.activated:
            return []
        for exe in self.exes:
            for names, arrays in (
                (exe._symbol.list_arguments(), exe.arg_arrays),
                (exe._symbol.list_auxiliary_states(), exe.aux_arrays),
            ):
                for name, array in zip(names, arrays, strict=True):
                    self.stat_helper(name, array)
        self.activated = False
        if self.sort:
            self.queue.sort(key=lambda entry: entry[1])
        result = [(step, name, _as_text(name, stats)) for step, name, stats in self.queue]
        self.queue = []
        return result

    def toc_print(self) -> None:
        """End collecting and log the statistics."""
        for step, name, text in self.toc():
            logging.info("Batch: %7d %-30s %s", step, name, text)


def watch(
    symbol: Symbol, everything: bool, variables: bool, labels: Collection[str] = ()
) -> tuple[Symbol, list[tuple[str, str]]]:
    """The values to show to a monitor of a symbol, as a symbol of their own, with names.

    Parameters
    ----------
    everything : also the inputs of operators, called by node and argument.
    variables : of these, the variables also by their own names.
    labels : names of variables that are left out.

    Returns
    -------
    (Symbol, list of (name, operator))
        The operator of variables is "null".
    """
    entries: list[Entry] = []
    rows: list[tuple[str, str]] = []
    for node in symbol.nodes():
        if node.op is None:
            continue
        if everything:
            names = node.argument_names()
            if node.op.elementwise and len(names) == 1 and node.op.name not in _NAMED:
                names = ["input0"]
            for argument, entry in zip(names, node.inputs, strict=True):
                source = entry[0]
                if source.name in labels and source.op is None:
                    continue
                if variables and source.op is None:
                    entries.append(entry)
                    rows.append((source.name, "null"))
                entries.append(entry)
                rows.append((f"{node.name}_{argument}", node.op.name))
        outputs = node.output_names()
        entries += [(node, i) for i in node.shown()]
        rows += [(outputs[i], node.op.name) for i in node.shown()]
    return Symbol(entries), rows


def _root_mean_square(array: NDArray) -> Any:
    return ndarray.norm(array) / math.sqrt(array.size)


def _as_text(name: str, stats: Any) -> str:
    stats = [stats] if isinstance(stats, NDArray) else stats
    if not isinstance(stats, list) or not all(isinstance(stat, NDArray) for stat in stats):
        raise TypeError(f"the stat_func of a Monitor must return an NDArray or a list of them; see {name!r}")
    return "".join(f"{stat.asscalar() if stat.shape == (1,) else stat.asnumpy()}\t" for stat in stats)
