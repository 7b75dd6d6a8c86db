"""DataLoader: batches, workers, and what happens when workers fail."""

from __future__ import annotations

import gc
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gluon_onnx as mx
from gluon_onnx.gluon import data
from gluon_onnx.gluon.data._workers import WorkerDiedError

ROOT = Path(__file__).parents[3]
KINDS = [
    pytest.param({}, id="here"),
    pytest.param({"num_workers": 2}, id="processes"),
    pytest.param({"num_workers": 2, "thread_pool": True}, id="threads"),
    pytest.param({"num_workers": 1, "auto_reload": True}, id="reloading"),
    pytest.param({"num_workers": 2, "prefetch": 0}, id="no prefetch"),
    pytest.param({"num_workers": 2, "prefetch": 1000}, id="all prefetched"),
]
WORKERS = KINDS[1:3]


class Samples(data.Dataset):
    """Sample i is an NDArray, a NumPy array and a number, all of value i."""

    def __len__(self) -> int:
        return 11

    def __getitem__(self, idx: Any) -> Any:
        return mx.nd.full((2, 3), idx), np.full(4, idx, "uint8"), int(idx)


@pytest.mark.parametrize("kind", KINDS)
def test_every_pass_has_all_samples_in_order(kind: dict[str, Any]) -> None:
    loader = data.DataLoader(Samples(), batch_size=4, **kind)
    assert len(loader) == 3
    for _ in range(3):
        batches = list(loader)
        assert [len(number) for _, _, number in batches] == [4, 4, 3]
        assert [int(i) for _, _, number in batches for i in number.asnumpy()] == list(range(11))
        for array, raw, number in batches:
            assert array.shape == (len(number), 2, 3)
            assert (array.asnumpy()[:, 1, 2] == number.asnumpy()).all()
            assert (raw.asnumpy()[:, 3] == number.asnumpy()).all()
            assert [np.dtype(x.dtype).name for x in (array, raw, number)] == ["float32", "uint8", "int64"]
            assert {x.context for x in (array, raw, number)} == {mx.cpu()}


@pytest.mark.parametrize("kind", KINDS[:3])
def test_datasets_that_are_closures(kind: dict[str, Any]) -> None:
    scale = 3

    class Local(data.Dataset):
        def __len__(self) -> int:
            return 4

        def __getitem__(self, idx: Any) -> Any:
            return idx * scale

    dataset = Local().transform(lambda x: x + 1)
    loader = data.DataLoader(dataset, batch_size=2, batchify_fn=lambda samples: list(samples), **kind)
    assert list(loader) == [[1, 4], [7, 10]]


@pytest.mark.parametrize("kind", KINDS[:3])
def test_arrays_as_datasets(kind: dict[str, Any]) -> None:
    values = np.arange(6.0).reshape(3, 2)
    for source in (values, mx.nd.array(values), values.tolist()):
        (batch,) = data.DataLoader(source, batch_size=3, **kind)
        assert batch.dtype is (np.float32 if isinstance(source, mx.nd.NDArray) else np.float64)
        assert batch.asnumpy().tolist() == values.tolist()


@pytest.mark.parametrize("kind", KINDS[:3])
@pytest.mark.parametrize(
    ("last", "sizes"),
    [("keep", [[4, 4, 3]] * 2), ("discard", [[4, 4]] * 2), ("rollover", [[4, 4], [4, 4, 4]])],
)
def test_last_batch(kind: dict[str, Any], last: str, sizes: list[list[int]]) -> None:
    loader = data.DataLoader(Samples(), batch_size=4, last_batch=last, **kind)
    assert [[len(batch[2]) for batch in loader] for _ in range(2)] == sizes


def test_shuffling_and_samplers() -> None:
    numbers = list(range(20))
    np.random.seed(3)
    shuffled = [int(x.asscalar()) for x in data.DataLoader(numbers, batch_size=1, shuffle=True)]
    np.random.seed(3)
    assert shuffled == list(data.RandomSampler(20))
    picked = data.DataLoader(numbers, batch_size=2, sampler=data.SequentialSampler(4, 6))
    assert [x.asnumpy().tolist() for x in picked] == [[6, 7], [8, 9]]
    batches = data.DataLoader(numbers, batch_sampler=[[3, 1], [2]], num_workers=1)
    assert [x.asnumpy().tolist() for x in batches] == [[3, 1], [2]]
    assert len(batches) == 2


def test_pinned_batches() -> None:
    for workers in (0, 1):
        loader = data.DataLoader(Samples(), batch_size=11, pin_memory=True, num_workers=workers)
        (batch,) = loader
        assert {x.context for x in batch} == {mx.cpu_pinned(0)}


@pytest.mark.parametrize("kind", WORKERS)
def test_passes_at_the_same_time(kind: dict[str, Any]) -> None:
    loader = data.DataLoader(list(range(6)), batch_size=1, **kind)
    first, second = iter(loader), iter(loader)
    pairs = [(int(a.asscalar()), int(b.asscalar())) for a, b in zip(first, second, strict=True)]
    assert pairs == [(i, i) for i in range(6)]


def test_a_pass_that_is_given_up_leaves_nothing_behind() -> None:
    loader = data.DataLoader(list(range(50)), batch_size=1, num_workers=2, prefetch=20)
    for _ in range(3):
        batches = iter(loader)
        assert next(batches).asscalar() == 0
        del batches
    assert [int(x.asscalar()) for x in loader] == list(range(50))
    assert not loader._workers._results
    assert not loader._workers._forgotten


def test_large_and_odd_arrays_cross_processes() -> None:
    rng = np.random.RandomState(0)
    batch = {
        "large": rng.rand(300, 500),
        "odd": rng.rand(40, 30, 20)[::2, :, 1::3],
        "fortran": np.asfortranarray(rng.rand(100, 100)),
        "empty": np.zeros((0, 3), "int8"),
        "scalar": np.float32(2),
        "words": np.array(["a", "bc"]),
        "nd": mx.nd.array(rng.rand(100, 300)),
        "small": [mx.nd.array([1, 2], dtype="int32"), None, "text"],
    }
    loader = data.DataLoader([0], batch_size=1, batchify_fn=lambda _: batch, num_workers=1)
    (found,) = loader
    for name in ("large", "odd", "fortran", "empty", "scalar", "words"):
        np.testing.assert_array_equal(found[name], batch[name])
        assert found[name].dtype == batch[name].dtype
    np.testing.assert_array_equal(found["nd"].asnumpy(), batch["nd"].asnumpy())
    assert found["small"][0].asnumpy().tolist() == [1, 2]
    assert found["small"][1:] == [None, "text"]
    found["large"][:] = 0  # it belongs to us
    found["nd"][:] = 0


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts descriptors in /proc")
def test_collected_batches_hold_no_descriptors() -> None:
    loader = data.DataLoader(np.zeros((40, 20000)), batch_size=1, num_workers=1)
    before = len(os.listdir("/proc/self/fd"))
    batches = list(loader)
    assert len(batches) == 40
    assert len(os.listdir("/proc/self/fd")) == before


def test_requests_larger_than_a_socket_do_not_block() -> None:
    # results and requests of more than a socket's buffer each way, all asked for at once
    indices = [list(range(60000))] * 6
    loader = data.DataLoader(
        range(60000),
        batch_sampler=indices,
        batchify_fn=lambda samples: [bytes(300000), len(samples)],
        num_workers=1,
        prefetch=6,
    )
    assert [size for _, size in loader] == [60000] * 6


def random_sample(_: int) -> list[float]:
    return [np.random.rand(), random.random(), float(mx.nd.random.uniform(shape=(1,)).asscalar())]


def test_workers_draw_their_own_numbers_and_a_seed_repeats_them() -> None:
    def draw() -> np.ndarray[Any, Any]:
        loader = data.DataLoader(data.SimpleDataset(range(8)).transform(random_sample), 1, num_workers=2)
        return np.concatenate([x.asnumpy() for x in loader])

    np.random.seed(11)
    state = np.random.get_state()[1].tolist()  # type: ignore[index, union-attr]
    first = draw()
    assert np.random.get_state()[1].tolist() == state  # type: ignore[index, union-attr]
    second = draw()
    np.random.seed(12)
    third = draw()
    np.testing.assert_array_equal(first, second)
    # MXNet's workers all begin with the state of their parent, and draw the same
    assert len(np.unique(np.concatenate([first, third]))) == 2 * first.size


def convolved(seed: int) -> Any:
    image = mx.nd.array(np.random.RandomState(seed).rand(1, 8, 40, 40))
    return mx.nd.Convolution(image, mx.nd.ones((8, 8, 3, 3)), no_bias=True, kernel=(3, 3), num_filter=8)


def test_operators_run_in_workers_of_a_program_that_has_run_them() -> None:
    # sessions of the parent have threads that a forked process lacks: using or ending them there may hang
    expected = [convolved(i).asnumpy() for i in range(6)]
    dataset = data.SimpleDataset(range(6)).transform(convolved)
    busy, done = threading.Event(), threading.Event()

    def compute() -> None:
        while not done.is_set():
            convolved(0)
            busy.set()

    thread = threading.Thread(target=compute)
    thread.start()
    try:
        busy.wait(60)
        for _ in range(3):
            found = list(data.DataLoader(dataset, batch_size=1, num_workers=2, timeout=60))
            for one, other in zip(found, expected, strict=True):
                np.testing.assert_allclose(one.asnumpy()[0], other, rtol=1e-5)
    finally:
        done.set()
        thread.join()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_gpu_in_a_worker_is_an_error_that_says_why() -> None:
    dataset = data.SimpleDataset([1]).transform(lambda x: mx.nd.ones((1,), ctx=mx.gpu(0)))
    with pytest.raises(mx.MXNetError, match=r"gpu\(0\): CUDA cannot be used in a forked process"):
        list(data.DataLoader(dataset, batch_size=1, num_workers=1))


# -- failures ----------------------------------------------------------------------------------------------


def fail(sample: Any) -> Any:
    match sample:
        case "raise":
            raise KeyError("the reason")
        case "odd error":
            raise OddError(1, 2)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "exit":
            sys.exit(3)
        case "hang":
            time.sleep(60)
        case "connection":
            raise ConnectionError("of the dataset itself")
    return sample


class OddError(Exception):
    """Cannot be pickled."""

    def __init__(self, a: int, b: int) -> None:
        super().__init__(f"{a} and {b}")


def failing(what: str, **kwargs: Any) -> Any:
    dataset = data.SimpleDataset([0, 1, what, 3]).transform(fail)
    return data.DataLoader(dataset, batch_size=1, batchify_fn=lambda samples: samples[0], **kwargs)


@pytest.mark.parametrize("kind", WORKERS)
def test_an_error_of_the_dataset_is_raised_where_its_batch_is_asked_for(kind: dict[str, Any]) -> None:
    loader = failing("raise", **kind)
    for _ in range(2):  # the workers go on working
        batches = iter(loader)
        assert [next(batches), next(batches)] == [0, 1]
        with pytest.raises(KeyError, match="the reason"):
            next(batches)


def test_the_error_of_a_worker_says_where_it_comes_from() -> None:
    with pytest.raises(KeyError) as caught:
        list(failing("raise", num_workers=2))
    assert caught.value.__notes__ == ["raised in DataLoader-0 while loading samples [2]"]
    assert "in fail\n" in str(caught.value.__cause__)


@pytest.mark.parametrize(
    ("what", "error", "text"),
    [
        ("odd error", RuntimeError, "OddError: 1 and 2"),
        ("connection", ConnectionError, "of the dataset itself"),
        ("kill", WorkerDiedError, r"worker DataLoader-0 \(process \d+\) was killed by signal 9 \(SIGKILL\)"),
        ("exit", WorkerDiedError, r"ended with exit code 3 before it delivered its batch"),
    ],
)
def test_failures_of_workers(what: str, error: type[Exception], text: str) -> None:
    loader = failing(what, num_workers=2)
    begin = time.monotonic()
    for _ in range(2):  # workers that died are replaced
        batches = iter(loader)
        assert [next(batches), next(batches)] == [0, 1]
        with pytest.raises(error, match=text):
            next(batches)
    assert time.monotonic() - begin < 20


def test_a_worker_that_dies_between_passes_is_replaced() -> None:
    loader = data.DataLoader(list(range(4)), batch_size=1, num_workers=2)
    assert len(list(loader)) == 4
    for process in multiprocessing.active_children():
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
    assert [int(x.asscalar()) for x in loader] == [0, 1, 2, 3]


def test_errors_of_workers_are_mxnet_errors_too() -> None:
    assert issubclass(WorkerDiedError, mx.MXNetError)


@pytest.mark.parametrize("kind", WORKERS)
def test_timeout(kind: dict[str, Any]) -> None:
    if kind.get("thread_pool"):
        release = threading.Event()
        loader = data.DataLoader([0], 1, batchify_fn=lambda _: release.wait(60), timeout=1, **kind)
    else:
        loader = failing("hang", timeout=1, **kind)
    begin = time.monotonic()
    with pytest.raises(multiprocessing.TimeoutError, match=r"within 1 seconds: .*DataLoader\(timeout=...\)"):
        list(loader)
    assert time.monotonic() - begin < 20
    if kind.get("thread_pool"):
        release.set()


def test_what_cannot_be_pickled_is_an_error_not_a_hang() -> None:
    loader = data.DataLoader([0], batch_size=1, batchify_fn=lambda _: (lambda: 0), num_workers=1)
    with pytest.raises((AttributeError, TypeError), match=r"[Cc]an't"):
        list(loader)


def test_workers_end_with_their_loader() -> None:
    gc.collect()
    before = set(multiprocessing.active_children())
    loader = data.DataLoader(np.zeros((99, 200)), batch_size=8, num_workers=2)
    batches = iter(loader)
    next(batches)
    assert len(set(multiprocessing.active_children()) - before) == 2
    del batches, loader
    assert not set(multiprocessing.active_children()) - before


def test_a_loader_may_be_dropped_while_it_is_iterated() -> None:
    assert [x.asscalar() for x in iter(data.DataLoader([1, 2], 1, num_workers=1))] == [1, 2]


PROGRAM = """
import os, sys, time
import gluon_onnx as mx
from gluon_onnx.gluon.data import DataLoader

class Dataset:
    def __len__(self): return 4
    def __getitem__(self, i): return mx.nd.ones((2,)) * i

train, val = DataLoader(Dataset(), 2, num_workers=1), DataLoader([1], 1, num_workers=1)
print([x.asnumpy().tolist() for x in train], flush=True)
print(*(w.process.pid for loader in (train, val) for w in loader._workers._workers), flush=True)
if sys.argv[1] == "die":
    os.kill(os.getpid(), 9)
"""


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="looks for processes in /proc")
@pytest.mark.parametrize("end", ["return", "die"])
def test_programs(end: str) -> None:
    """A dataset in ``__main__`` works, and no worker outlives the program, however that ends."""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, end],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert run.stderr == ""
    assert run.returncode == (0 if end == "return" else -9)
    batches, pids = run.stdout.splitlines()
    assert batches == "[[[0.0, 0.0], [1.0, 1.0]], [[2.0, 2.0], [3.0, 3.0]]]"
    deadline = time.monotonic() + 10
    while (left := [pid for pid in pids.split() if alive(int(pid))]) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert left == []


SPAWNED = """
import multiprocessing
import numpy as np
import gluon_onnx as mx
from gluon_onnx.gluon.data import ArrayDataset, DataLoader

if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    dataset = ArrayDataset(mx.nd.array(np.arange(6).reshape(3, 2)), np.arange(3))
    print([[x.asnumpy().tolist() for x in batch] for batch in DataLoader(dataset, 2, num_workers=1)])
"""


def test_the_start_method_that_a_program_chose_is_used(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(SPAWNED)
    run = subprocess.run(
        [sys.executable, "-W", "error", str(tmp_path / "program.py")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert run.stderr == ""
    assert run.stdout == "[[[[0.0, 1.0], [2.0, 3.0]], [0, 1]], [[[4.0, 5.0]], [2]]]\n"


ERRORS: list[tuple[dict[str, Any], str]] = [
    ({}, "batch_size must be specified unless batch_sampler is"),
    ({"batch_size": 1, "batch_sampler": []}, "must not be specified if batch_sampler is"),
    ({"shuffle": True, "batch_sampler": []}, "must not be specified if batch_sampler is"),
    ({"batch_size": 1, "shuffle": True, "sampler": data.SequentialSampler(1)}, "shuffle must not be"),
    ({"batch_size": 1, "timeout": 0}, "timeout must be positive, given 0"),
    ({"batch_size": 1, "last_batch": "x"}, "got 'x'"),
]


@pytest.mark.parametrize(("kwargs", "text"), ERRORS, ids=[" ".join(kwargs) or "none" for kwargs, _ in ERRORS])
def test_arguments_that_contradict_each_other(kwargs: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        data.DataLoader([1], **kwargs)
