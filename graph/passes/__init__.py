"""Passes over programs."""

from __future__ import annotations

from . import hyperbolic  # noqa: F401  (registers detours)
