"""The profiler: what it records of eager operators, compiled programs and their nodes, and what it writes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import gluon_onnx as mx
from gluon_onnx import autograd, nd, profiler
from gluon_onnx._runtime.trace import trace
from gluon_onnx.gluon import nn


@pytest.fixture(autouse=True)
def off() -> Iterator[None]:
    profiler.set_config(profile_all=True)
    yield
    profiler.set_state("stop")
    trace.clear()
    profiler.set_config(profile_all=True, filename="profile.json")


def statistics() -> dict[str, dict[str, dict[str, float]]]:
    found: dict[str, dict[str, dict[str, float]]] = json.loads(profiler.dumps(format="json"))["Time"]
    return found


def network() -> tuple[nn.HybridSequential, nd.NDArray]:
    net = nn.HybridSequential(prefix="net_")
    with net.name_scope():
        net.add(nn.Conv2D(3, 3, activation="relu"), nn.Dense(2))
    net.initialize()
    net.hybridize()
    x = nd.ones((1, 2, 5, 5))
    net(x)
    return net, x


def test_nothing_is_recorded_while_it_is_off() -> None:
    net, x = network()
    net(x)
    assert statistics() == {}


def test_eager_operators() -> None:
    x = nd.ones((300, 300))
    profiler.set_state("run")
    for _ in range(3):
        nd.FullyConnected(x, x, num_hidden=300, no_bias=True)
    profiler.set_state("stop")
    nd.FullyConnected(x, x, num_hidden=300, no_bias=True)
    row = statistics()["operator"]["FullyConnected"]
    assert row["Count"] == 3
    assert 0 < row["Min"] <= row["Avg"] <= row["Max"] <= row["Total"] == pytest.approx(3 * row["Avg"])


def test_operators_that_numpy_computes() -> None:
    profiler.set_state("run")
    x = nd.ones((2, 3)) + 1
    profiler.set_config(profile_symbolic=True)
    _ = x + 1
    assert statistics()["operator"]["_plus_scalar"]["Count"] == 1


def test_compiled_programs_and_their_nodes() -> None:
    net, x = network()
    profiler.set_state("run")
    for _ in range(2):
        net(x)
    with autograd.record():
        y = net(x)
    y.backward()
    profiler.set_state("stop")
    found = statistics()
    assert found["program"]["net"]["Count"] == 3 and found["program"]["_backward_net"]["Count"] == 1
    operators = found["operator"]
    assert operators["FullyConnected"]["Count"] >= 3 and "_backward_FullyConnected" in operators
    assert {"Convolution", "Activation"} & operators.keys()


@pytest.mark.parametrize(
    ("config", "eager", "compiled"),
    [
        ({"profile_imperative": True}, True, False),
        ({"profile_symbolic": True}, False, True),
        ({"profile_all": True}, True, True),
        ({"profile_memory": True, "profile_api": True, "aggregate_stats": True}, True, True),
    ],
)
def test_what_is_chosen(config: dict[str, Any], eager: bool, compiled: bool) -> None:
    net, x = network()
    big = nd.ones((300, 300))
    profiler.set_config(**config)
    profiler.set_state("run")
    net(x)
    nd.Flatten(nd.FullyConnected(big, big, num_hidden=300, no_bias=True))
    profiler.set_state("stop")
    found = statistics()
    assert ("program" in found) == compiled
    counted = found.get("operator", {}).get("FullyConnected", {"Count": 0})["Count"]
    assert counted == eager + compiled


def test_spans_counters_and_marks_of_the_program(tmp_path: Path) -> None:
    domain = profiler.Domain("mine")
    task, frame, event = domain.new_task("task"), domain.new_frame("frame"), profiler.Event("event")
    profiler.set_config(filename=str(tmp_path / "profile.json"))
    profiler.set_state("run")
    for span in (task, frame, event):
        span.start()
        span.stop()
    counter = domain.new_counter("counter", 5)
    counter += 3
    counter -= 1
    domain.new_marker("mark").mark("thread")
    found = statistics()
    assert found["mine"]["task"]["Count"] == found["mine,frame"]["frame"]["Count"] == 1
    assert found["event"]["event"]["Count"] == 1
    assert [str(x) for x in (domain, task, counter)] == ["mine", "task", "counter"]
    profiler.dump(finished=True)
    rows = json.loads((tmp_path / "profile.json").read_text())["traceEvents"]
    assert [r["args"]["counter"] for r in rows if r["ph"] == "C"] == [5, 8, 7]
    (mark,) = (r for r in rows if r["ph"] == "i")
    assert mark["name"] == "mark" and mark["s"] == "t"
    (span,) = (r for r in rows if r["name"] == "task")
    assert span["cat"] == "mine" and span["ph"] == "X" and span["dur"] >= 0 and span["ts"] > 1.6e15
    assert statistics() == {} and not trace.running


def test_spans_are_not_recorded_while_it_is_off() -> None:
    task = profiler.Domain("mine").new_task("task")
    task.start()
    task.stop()
    assert statistics() == {}
    with pytest.raises(mx.MXNetError, match="Task 'task' was stopped without a start"):
        task.stop()


def test_dump_may_go_on(tmp_path: Path) -> None:
    profiler.set_config(filename=str(tmp_path / "a.json"))
    event = profiler.Event("event")
    profiler.set_state("run")
    for _ in range(2):
        event.start()
        event.stop()
        profiler.dump(finished=False)
    assert len(json.loads((tmp_path / "a.json").read_text())["traceEvents"]) == 2
    profiler.pause()
    event.start()
    event.stop()
    profiler.resume()
    assert statistics()["event"]["event"]["Count"] == 2


def test_table() -> None:
    profiler.set_state("run")
    for name, times in (("a", 1), ("b", 3), ("c", 2)):
        for _ in range(times):
            event = profiler.Event(name)
            event.start()
            event.stop()
    text = profiler.dumps(sort_by="count", ascending=True)
    lines = text.splitlines()
    assert lines[1:4] == ["Profile Statistics:", "event", "================="]
    assert " ".join(lines[4].split()) == "Name Total Count Time (ms) Min Time (ms) Max Time (ms) Avg Time (ms)"
    assert [line.split()[:2] for line in lines[5:8]] == [["a", "1"], ["c", "2"], ["b", "3"]]
    assert profiler.dumps(reset=True, sort_by="count").splitlines()[5].split()[0] == "b"
    assert statistics() == {}


def test_no_files_are_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    net, x = network()
    profiler.set_state("run")
    net(x)
    profiler.set_state("stop")
    assert statistics()["program"] and list(tmp_path.iterdir()) == []


def test_deprecated_names() -> None:
    with pytest.warns(DeprecationWarning, match="use profiler.set_config"):
        profiler.profiler_set_config("imperative", "x.json")
    assert trace.imperative and not trace.symbolic
    with pytest.warns(DeprecationWarning, match="use profiler.set_state"):
        profiler.profiler_set_state("run")
    assert trace.running


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: profiler.set_config(colour="red"), "cannot find argument 'colour'; possible arguments: filename"),
        (lambda: profiler.set_state("go"), "expected 'run' or 'stop', got 'go'"),
        (lambda: profiler.set_state("run", "server"), "there are no kvstore servers"),
        (lambda: profiler.set_kvstore_handle(None), "there are no kvstore servers"),
        (lambda: profiler.dumps(format="xml"), "format must be 'table' or 'json', got 'xml'"),
        (lambda: profiler.dumps(sort_by="name"), "sort_by must be one of"),
        (lambda: profiler.Domain("d").new_marker("m").mark("galaxy"), "scope must be global"),
    ],
)
def test_errors(call: Any, message: str) -> None:
    with pytest.raises(mx.MXNetError, match=message):
        call()
