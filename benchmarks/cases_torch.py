"""Benchmark cases of PyTorch, eager."""

from __future__ import annotations

import models_torch

_MODELS = models_torch.cases()

CASES = {**_MODELS, "LeNet step, batch 64": _MODELS["lenet"]}

find = CASES.get
