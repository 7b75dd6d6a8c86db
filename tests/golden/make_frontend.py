"""Make frontend.json, what MXNet 1.9.1 answers for metrics, schedules, initializers and data iterators.

Run with an interpreter that has ``mxnet==1.9.1`` and ``numpy<1.24``::

    python tests/golden/make_frontend.py

Each entry holds its arguments, so the tests need nothing from this file.
"""

from __future__ import annotations

import itertools
import json
import os
import pathlib
import tempfile

import mxnet as mx
import numpy as np

Json = dict[str, object]
DRAW = np.random.RandomState(0)


def probabilities(*shape: int) -> list[object]:
    scores = np.exp(DRAW.randn(*shape))
    return np.round(scores / scores.sum(-1, keepdims=True), 3).tolist()


def classes(n: int, size: int) -> list[int]:
    return DRAW.randint(0, n, size).tolist()


def numbers(*shape: int) -> list[object]:
    return np.round(DRAW.randn(*shape), 2).tolist()


def metric(name: object, batches: list[list[list[object]]], **kwargs: object) -> Json:
    """The values after each batch; local statistics are reset after the second."""
    made = mx.metric.create(name, **kwargs)
    values = []
    for i, (labels, preds) in enumerate(batches):
        made.update([mx.nd.array(x) for x in labels], [mx.nd.array(x) for x in preds])
        values.append([made.get(), made.get_global()])
        if i == 1:
            made.reset_local()
            values.append([made.get(), made.get_global()])
    return {"name": name, "kwargs": kwargs, "batches": batches, "values": values, "text": str(made)}


def metrics() -> list[Json]:
    binary = [[[classes(2, 8)], [probabilities(8, 2)]] for _ in range(3)]
    three = [[[classes(3, 8), classes(3, 5)], [probabilities(8, 3), probabilities(5, 3)]] for _ in range(3)]
    images = [[[[[0, 2, 1, 1], [2, 0, 1, 2]]], [np.moveaxis(probabilities(2, 4, 3), 2, 1).tolist()]]] * 2
    vectors = [[[numbers(7)], [numbers(7)]] for _ in range(3)]
    matrices = [[[numbers(7, 3)], [numbers(7, 3)]] for _ in range(3)]
    found = [[[classes(3, 6)], [classes(3, 6)]] for _ in range(2)]
    return [
        metric("acc", three),
        metric("acc", images, axis=1),
        metric("acc", found),
        metric("top_k_acc", three, top_k=2),
        metric("f1", binary),
        metric("f1", binary, average="micro"),
        metric("mcc", binary),
        metric("mcc", binary, average="micro"),
        metric("pcc", three),
        metric("perplexity", three, ignore_label=None),
        metric("perplexity", three, ignore_label=1),
        metric("ce", three),
        metric("nll_loss", three, eps=1e-3),
        metric("loss", three),
        metric("torch", three),
        metric("caffe", three),
        metric("mae", vectors),
        metric("mae", matrices),
        metric("mse", matrices),
        metric("rmse", matrices),
        metric("pearsonr", matrices),
        metric(["acc", "ce"], three),
    ]


def schedule(name: str, **kwargs: object) -> Json:
    made = getattr(mx.lr_scheduler, name)(**kwargs)
    return {"name": name, "kwargs": kwargs, "values": [made(i) for i in range(26)]}


def schedules() -> list[Json]:
    warm = {"warmup_steps": 4, "warmup_begin_lr": 0.1}
    return [
        schedule("FactorScheduler", step=3, factor=0.3, base_lr=1, stop_factor_lr=0.005),
        schedule("FactorScheduler", step=4, factor=0.5, base_lr=0.3, **warm),
        schedule("MultiFactorScheduler", step=[5, 8, 20], factor=0.7, base_lr=0.3),
        schedule("MultiFactorScheduler", step=[2, 8], factor=0.7, base_lr=0.3, **warm),
        schedule("PolyScheduler", max_update=17, base_lr=0.3, pwr=2, final_lr=0.01, **warm),
        schedule("PolyScheduler", max_update=17, base_lr=0.3, pwr=0.9, warmup_mode="constant", **warm),
        schedule("CosineScheduler", max_update=19, base_lr=3, final_lr=0.1),
        schedule("CosineScheduler", max_update=19, base_lr=3, **warm),
    ]


def filled(name: str, variable: str, shape: tuple[int, ...], *args: object, **kwargs: object) -> Json:
    init = getattr(mx.init, name)(*args, **kwargs)
    array = mx.nd.full(shape, 9)
    init(mx.init.InitDesc(variable, global_init=mx.init.One()), array)
    entry = {"name": name, "args": args, "kwargs": kwargs, "variable": variable, "shape": shape}
    return {**entry, "values": array.asnumpy().tolist(), "dumps": init.dumps()}


def dumped(name: str, *args: object, **kwargs: object) -> Json:
    text = getattr(mx.init, name)(*args, **kwargs).dumps()
    return {"name": name, "args": args, "kwargs": kwargs, "dumps": text}


def initializers() -> dict[str, list[Json]]:
    lstm = 2 * 4 * 2 * (3 + 2 + 2) + 2 * 4 * 2 * (4 + 2 + 2)
    values = [
        filled("Zero", "w_weight", (2, 3)),
        filled("One", "w_weight", (2, 3)),
        filled("Constant", "w_weight", (2, 3), 0.25),
        filled("Bilinear", "up_weight", (2, 1, 4, 4)),
        filled("Bilinear", "up_weight", (1, 2, 3, 5)),
        filled("LSTMBias", "lstm_weight", (8,), forget_bias=2.0),
        filled("FusedRNN", "rnn_weight", (lstm,), None, 2, 2, "lstm", bidirectional=True, forget_bias=3.0),
        filled("FusedRNN", "rnn_weight", (3 * 2 * (3 + 2 + 2),), None, 2, 1, "gru"),
    ]
    values += [
        filled("Constant", f"x_{end}", (2,), 5.0)
        for end in ("weight", "bias", "gamma", "beta", "min", "max", "bias_quantize")
    ]
    texts = [
        dumped("Uniform", 0.1),
        dumped("Normal"),
        dumped("Orthogonal", rand_type="normal"),
        dumped("Xavier", factor_type="in", magnitude=2.34),
        dumped("MSRAPrelu", slope=0.1),
    ]
    return {"values": values, "dumps": texts}


def passes(data_iter: object, count: int) -> list[object]:
    seen: list[object] = []
    for _ in range(count):
        for batch in data_iter:
            index = None if batch.index is None else batch.index.tolist()
            arrays = [[x.asnumpy().tolist() for x in part] for part in (batch.data, batch.label)]
            seen.append([*arrays, batch.pad, index])
        seen.append("end")
        data_iter.reset()
    return seen


def described(data_iter: object) -> list[str]:
    return [str(data_iter.provide_data), str(data_iter.provide_label)]


def array_iterators() -> list[Json]:
    entries = []
    x, y = np.arange(14.0).reshape(7, 2), np.arange(7.0)
    sources = {"array": (x, y), "list": ([x, y], None), "dict": ({"b": x, "a": y}, {"c": y})}
    for source, last, shuffle, size in itertools.product(
        sources, ("pad", "discard", "roll_over"), (False, True), (3, 7)
    ):
        np.random.seed(5)
        made = mx.io.NDArrayIter(*sources[source], size, shuffle, last_batch_handle=last)
        entry = {"source": source, "batch_size": size, "shuffle": shuffle, "last": last}
        entries.append({**entry, "provide": described(made), "passes": passes(made, 3)})
    return entries


def csv_iterators() -> list[Json]:
    entries = []
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        files = {
            "d.csv": "".join(f"{i},{i + 1},{i + 2}\n" for i in range(0, 21, 3)),
            "l.csv": "".join(f"{10 * i}\n" for i in range(7)),
            "l2.csv": "".join(f"{i},{-i}\n" for i in range(7)),
        }
        for name, text in files.items():
            pathlib.Path(name).write_text(text)
        for more in (
            {},
            {"label_csv": "l.csv"},
            {"label_csv": "l2.csv", "label_shape": (2,)},
            {"label_csv": "l.csv", "round_batch": False},
            {"dtype": "int64", "data_shape": (3, 1)},
        ):
            kwargs = {"data_csv": "d.csv", "data_shape": (3,), "batch_size": 3, **more}
            made = mx.io.CSVIter(**kwargs)
            entry = {"files": files, "kwargs": kwargs}
            entries.append({**entry, "provide": described(made), "passes": passes(made, 3)})
    return entries


def record_file() -> Json:
    magic = bytes([0x0A, 0x23, 0xD7, 0xCE])
    records = [b"", b"a", b"abcd", magic, b"abcd" + magic, magic * 2 + b"xy", b"a" + magic]
    records.append(b"abc" + magic + b"defgh" + magic + b"ijk")
    records.append(mx.recordio.pack((0, 3.5, 7, 1), b"one"))
    records.append(mx.recordio.pack((0, [1.5, 2.5], 8, 0), b"two"))
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, name) for name in ("x.idx", "x.rec")]
        writer = mx.recordio.MXIndexedRecordIO(*paths, "w")
        for i, record in enumerate(records):
            writer.write_idx(i * 10, record)
        writer.close()
        index, contents = (pathlib.Path(path).read_bytes() for path in paths)
    return {"records": [r.hex() for r in records], "index": index.decode(), "contents": contents.hex()}


def main() -> None:
    path = pathlib.Path(__file__).resolve().with_name("frontend.json")
    found = {
        "mxnet": mx.__version__,
        "metrics": metrics(),
        "schedules": schedules(),
        "initializers": initializers(),
        "array_iterators": array_iterators(),
        "csv_iterators": csv_iterators(),
        "record_file": record_file(),
    }
    path.write_text(json.dumps(found, separators=(",", ":"), default=float) + "\n")


if __name__ == "__main__":
    main()
