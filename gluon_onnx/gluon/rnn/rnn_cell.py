"""Recurrent cells: one step at a time, or unrolled."""

from __future__ import annotations

from ._base import HybridRecurrentCell, RecurrentCell
from ._cells import GRUCell, LSTMCell, RNNCell
from ._containers import BidirectionalCell, HybridSequentialRNNCell, SequentialRNNCell
from ._modifiers import DropoutCell, ModifierCell, ResidualCell, ZoneoutCell

__all__ = [
    "BidirectionalCell",
    "DropoutCell",
    "GRUCell",
    "HybridRecurrentCell",
    "HybridSequentialRNNCell",
    "LSTMCell",
    "ModifierCell",
    "RNNCell",
    "RecurrentCell",
    "ResidualCell",
    "SequentialRNNCell",
    "ZoneoutCell",
]
