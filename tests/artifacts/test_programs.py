"""The programs of training artifacts, without running them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gluon_onnx.graph.builder import Builder
from gluon_onnx.graph.errors import GraphError
from gluon_onnx.graph.exporters.artifacts import (
    Weight,
    accumulation_program,
    named_model,
    optimizer_program,
    safe_in_place,
)
from gluon_onnx.graph.exporters.update_rules import RULES, rule_states
from gluon_onnx.graph.program import Program, finish
from gluon_onnx.optimizer import Optimizer

FLOAT = np.dtype(np.float32)


def safe(program: Program) -> set[str]:
    names = program.output_names
    pairs = {names[o]: program.input_names[i] for o, i in program.updates}
    return set(safe_in_place(named_model(program), pairs))


def settings(rule: str, **options: Any) -> dict[str, Any]:
    optimizer = Optimizer.opt_registry[rule](**options)
    return {n: getattr(optimizer, n) for n in RULES[rule].settings}


def weights(rule: str, values: dict[str, Any]) -> list[Weight]:
    states = tuple(f"w.{n}" for n, _ in rule_states(rule, values, FLOAT))
    return [Weight("w", FLOAT, (3, 4), 1.0, 0.01, states)]


@pytest.mark.parametrize(
    ("rule", "options", "unsafe"),
    [
        ("sgd", {"momentum": 0.9}, set()),
        ("nag", {"momentum": 0.9}, set()),
        ("adam", {}, set()),
        ("rmsprop", {"centered": True}, set()),
        ("ftrl", {}, {"w.n_new"}),  # the old sum is read beside the new one
        ("ftml", {}, {"w.d_new"}),  # the old scale is read after the new one is known
    ],
)
def test_what_may_be_written_in_place(rule: str, options: dict[str, Any], unsafe: set[str]) -> None:
    values = settings(rule, **options)
    program = optimizer_program(rule, values, weights(rule, values))
    assert set(program.output_names) - safe(program) == unsafe


def test_a_product_of_matrices_is_not_written_over_its_factor() -> None:
    g = Builder()
    x = g.input("x", FLOAT, (4, 4))
    program = finish(g, [g.op("MatMul", x, x)], names=["x_new"])
    program.updates = [(0, 0)]
    assert safe(program) == set()


def test_sums_of_gradients_are_written_in_place() -> None:
    assert safe(accumulation_program({"w_grad": (FLOAT, (3,))})) == {"w_grad_sum_new"}


def test_names_of_states_and_updates() -> None:
    values = settings("adam")
    program = optimizer_program("adam", values, weights("adam", values))
    assert program.input_names == ["learning_rate", "step", "w", "w_grad", "w.mean", "w.var"]
    assert program.output_names == ["w_new", "w.mean_new", "w.var_new"]
    assert [program.input_names[i] for _, i in program.updates] == ["w", "w.mean", "w.var"]


def test_unknown_rule() -> None:
    with pytest.raises(
        GraphError, match="the optimizer 'none' has no rule as a graph; there are adadelta, adagrad"
    ):
        optimizer_program("none", {}, [Weight("w", FLOAT, (3,), 1.0, 0.0, ())])
