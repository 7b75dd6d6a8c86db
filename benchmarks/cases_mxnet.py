"""Benchmark cases of MXNet 1.9.1, in an environment of its own."""

from __future__ import annotations

import cases_gluon
import models_gluon
import mxnet as mx

CASES = {**cases_gluon.cases(mx), **models_gluon.cases(mx)}
