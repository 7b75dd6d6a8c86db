"""Benchmark cases of PyTorch through ``torch.compile``."""

from __future__ import annotations

import models_torch

CASES = models_torch.cases(compiled=True)

find = CASES.get
