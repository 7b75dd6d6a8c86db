"""Further recurrent cells."""

from __future__ import annotations

from . import rnn_cell
from .rnn_cell import *  # noqa: F403 - the same names as rnn_cell.__all__

__all__ = list(rnn_cell.__all__)
