"""Metrics against the values of MXNet 1.9.1, and where those are wrong."""

from __future__ import annotations

import json
import logging
import math
from typing import Any

import numpy as np
import pytest

import gluon_onnx as mx
from tests.golden import frontend

GOLDEN = frontend.load()["metrics"]
# Sums of a few float32 logarithms or squares; counts and float64 correlations are exact to rounding.
FLOAT32 = {"perplexity", "ce", "nll_loss", "loss", "torch", "caffe", "mae", "mse", "rmse"}


def nd(values: Any, **kwargs: Any) -> Any:
    return mx.nd.array(values, **kwargs)


def flat(value: Any) -> list[Any]:
    return [x for each in value for x in flat(each)] if isinstance(value, (list, tuple)) else [value]


@pytest.mark.parametrize("row", GOLDEN, ids=frontend.label)
def test_values_after_each_batch_are_mxnets(row: dict[str, Any]) -> None:
    metric = mx.metric.create(row["name"], **row["kwargs"])
    found = []
    for i, (labels, preds) in enumerate(row["batches"]):
        metric.update([nd(x) for x in labels], [nd(x) for x in preds])
        found.append([metric.get(), metric.get_global()])
        if i == 1:
            metric.reset_local()
            found.append([metric.get(), metric.get_global()])
    names = row["name"] if isinstance(row["name"], list) else [row["name"]]
    rel = 1e-6 if FLOAT32 & set(names) else 1e-14
    for ours, theirs in zip(flat(found), flat(row["values"]), strict=True):
        assert type(ours) is type(theirs)
        assert ours == (theirs if isinstance(theirs, str) else pytest.approx(theirs, rel=rel, nan_ok=True))


CREATED: list[tuple[Any, dict[str, Any]]] = [
    ("acc", {"axis": 0}),
    ("Accuracy", {"name": "mine", "label_names": ["y"], "output_names": ["out"]}),
    ("top_k_accuracy", {"top_k": 3}),
    ("f1", {"average": "micro"}),
    ("mcc", {"average": "micro"}),
    ("pcc", {}),
    ("perplexity", {"ignore_label": -1, "axis": 0}),
    ("mae", {}),
    ("mse", {}),
    ("rmse", {}),
    ("ce", {"eps": 1e-3}),
    ("nll_loss", {}),
    ("pearsonr", {"average": "micro"}),
    ("loss", {}),
    ("torch", {}),
    ("caffe", {}),
    (["acc", "f1"], {}),
    ("composite", {"metrics": ["acc", {"metric": "mae", "name": "x"}]}),
]


@pytest.mark.parametrize(("spec", "kwargs"), CREATED, ids=lambda value: str(value))
def test_a_metric_is_made_again_from_its_configuration(spec: Any, kwargs: dict[str, Any]) -> None:
    # MXNet forgets `average`, and appends the number of a TopKAccuracy to its name once more
    metric = mx.metric.create(spec, **kwargs)
    config = metric.get_config()
    again = mx.metric.create(json.dumps(config))
    assert again.get_config() == config
    assert (type(again), again.name, vars(again).keys()) == (type(metric), metric.name, vars(metric).keys())
    assert {**config, **kwargs}.keys() == config.keys()


def test_before_any_update_the_value_is_nan() -> None:
    for metric in mx.metric.create(["acc", "f1", "mcc", "pcc", "mae", "pearsonr", "ce"]).metrics:
        assert math.isnan(metric.get()[1])
        assert math.isnan(metric.get_global()[1])


def test_long_runs_keep_their_digits() -> None:
    # in float32 a sum of 1e8 does not change when 1 is added
    metric = mx.metric.create("mae")
    for error in (1e8, 1.0, 1.0, 1.0, 1.0):
        metric.update([nd([0.0])], [nd([error])])
    assert metric.sum_metric == 1e8 + 4


def test_printed_form() -> None:
    metric = mx.metric.Accuracy()
    metric.update([nd([0, 1, 1])], [nd([[0.3, 0.7], [0, 1.0], [0.4, 0.6]])])
    assert str(metric) == "EvalMetric: {'accuracy': 0.6666666666666666}"
    assert str(metric.get()) == "('accuracy', 0.6666666666666666)"


@pytest.mark.parametrize("kind", ["f1", "mcc"])
def test_labels_of_a_column_count_once_each(kind: str) -> None:
    # MXNet broadcasts (n, 1) labels against n predictions and counts n * n pairs
    label, pred = [1, 0, 1, 0], [[0.1, 0.9], [0.2, 0.8], [0.3, 0.7], [0.9, 0.1]]
    flat_labels, column = mx.metric.create(kind, average="micro"), mx.metric.create(kind, average="micro")
    flat_labels.update([nd(label)], [nd(pred)])
    column.update([nd(label).reshape((4, 1))], [nd(pred)])
    assert column.get() == flat_labels.get()
    assert column.num_inst == 4


def test_pearson_of_all_samples_has_global_statistics() -> None:
    # MXNet's global value is 0, and reset_local() does not forget the samples
    metric = mx.metric.create("pearsonr", average="micro")
    draw = np.random.RandomState(0)
    x, y = draw.randn(3, 10), draw.randn(3, 10)
    for i in range(2):
        metric.update([nd(x[i], dtype="float64")], [nd(y[i], dtype="float64")])
    metric.reset_local()
    metric.update([nd(x[2], dtype="float64")], [nd(y[2], dtype="float64")])
    assert metric.get()[1] == pytest.approx(np.corrcoef(x[2], y[2])[0, 1], rel=1e-12)
    assert metric.get_global()[1] == pytest.approx(np.corrcoef(x.ravel(), y.ravel())[0, 1], rel=1e-12)


def test_pcc_grows_with_the_classes_it_meets() -> None:
    metric = mx.metric.PCC()
    metric.update([nd([0, 1])], [nd([0, 1])])
    metric.update([nd([4, 3, 4])], [nd([4, 3, 0])])
    whole = mx.metric.PCC()
    whole.update([nd([0, 1, 4, 3, 4])], [nd([0, 1, 4, 3, 0])])
    assert metric.get()[1] == pytest.approx(whole.get()[1], rel=1e-15)


def test_top_k_with_fewer_classes_is_always_right() -> None:
    # MXNet fails in argpartition
    metric = mx.metric.create("top_k_acc", top_k=5)
    metric.update([nd([0, 1])], [nd([[0.9, 0.1], [0.9, 0.1]])])
    assert metric.get() == ("top_k_accuracy_5", 1.0)


def test_perplexity_of_half_precision() -> None:
    # MXNet computes in float16, where 1e-10 is 0 and its logarithm infinite
    metric = mx.metric.Perplexity(None)
    metric.update([nd([0, 0])], [nd([[0.0, 1.0], [1.0, 0.0]], dtype="float16")])
    assert metric.get()[1] == pytest.approx(1e5, rel=1e-5)


@pytest.mark.parametrize("kind", ["mae", "mse", "rmse"])
def test_errors_of_bytes_do_not_wrap_around(kind: str) -> None:
    metric = mx.metric.create(kind)
    metric.update([nd([0, 255], dtype="uint8")], [nd([2, 253], dtype="uint8")])
    assert metric.get()[1] == (4 if kind == "mse" else 2)


def test_single_arrays_are_taken_as_lists() -> None:
    metric = mx.metric.create("mse")
    metric.update(nd([[1, 2, 3]]), nd([[1, 2, 6]]))
    assert metric.get() == ("mse", 3.0)
    loss = mx.metric.Loss()
    loss.update(None, nd([1, 2, 3]))
    assert loss.get() == ("loss", 2.0)


def test_update_by_name() -> None:
    metric = mx.metric.Accuracy(output_names=["out"], label_names=["y"])
    labels, outputs = {"x": nd([9]), "y": nd([1])}, {"out": nd([[0.1, 0.9]]), "state": nd([[0]])}
    metric.update_dict(labels, outputs)
    assert metric.get() == ("accuracy", 1.0)
    composite = mx.metric.CompositeEvalMetric(["acc"], output_names=["out"], label_names=["y"])
    composite.update_dict(labels, outputs)
    assert composite.get() == (["accuracy"], [1.0])
    with pytest.raises(KeyError, match=r"metric 'accuracy': label 'y' was not given; given: \['z'\]"):
        metric.update_dict({"z": nd([1])}, outputs)


def test_functions_as_metrics() -> None:
    def error(label: Any, pred: Any) -> Any:
        assert isinstance(label, np.ndarray)
        return np.abs(label - pred).sum()

    for metric in (mx.metric.create(error), mx.metric.np(error), mx.metric.CustomMetric(error)):
        metric.update([nd([1, 2])], [nd([1, 5])])
        assert metric.get() == ("error", 3.0)
    pairs = mx.metric.np(lambda label, pred: (6, 4), name="pairs", allow_extra_outputs=True)
    pairs.update([nd([1])], [nd([1]), nd([2])])
    assert (pairs.get(), pairs.num_inst) == (("pairs", 1.5), 4)
    unnamed = mx.metric.create(lambda label, pred: 0)
    assert unnamed.name == "custom(<lambda>)"
    with pytest.raises(NotImplementedError, match="is a Python function"):
        unnamed.get_config()


def test_own_metrics_are_found_by_name() -> None:
    @mx.metric.register
    @mx.metric.alias("count_for_test")
    class BatchesForTest(mx.metric.EvalMetric):  # type: ignore[misc, name-defined]
        def __init__(self, name: str = "batches") -> None:
            super().__init__(name)

        def update(self, labels: Any, preds: Any) -> None:
            self.sum_metric += 1
            self.num_inst = 1

    metric = mx.metric.create(["batchesfortest", "count_for_test"])
    metric.update([], [])
    metric.update([], [])
    assert metric.get() == (["batches", "batches"], [2.0, 2.0])
    assert metric.get_global() == metric.get()
    assert metric.get_global_name_value() == [("batches", 2.0), ("batches", 2.0)]
    with pytest.warns(UserWarning, match="metric name 'batchesfortest' now means"):
        mx.metric.register(BatchesForTest)


ERRORS: list[tuple[Any, type[Exception], str]] = [
    (lambda: mx.metric.create("accurracy"), ValueError, "no metric .* 'accurracy'; did you mean 'acc"),
    (lambda: mx.metric.create("zzzzzz"), ValueError, r"known are \['acc', 'accuracy'"),
    (lambda: mx.metric.create(3), TypeError, "metric must be a name or a EvalMetric, got 3"),
    (lambda: mx.metric.create(mx.metric.MAE(), name="x"), TypeError, "further arguments are not allowed"),
    (lambda: mx.metric.register(int), TypeError, "a metric must be a subclass of EvalMetric"),
    (lambda: mx.metric.TopKAccuracy(1), ValueError, "top_k must be more than 1, got 1: use Accuracy"),
    (lambda: mx.metric.F1(average="weighted"), ValueError, "'macro' or 'micro', got 'weighted'"),
    (lambda: mx.metric.PearsonCorrelation(average="x"), ValueError, "average must be 'macro' or 'micro'"),
    (lambda: mx.metric.create(["acc"]).get_metric(1), ValueError, "Metric index 1 is out of range 0 and 1"),
    (lambda: mx.metric.MAE().update([nd([1])], []), ValueError, "Length of labels 1 does not match"),
    (
        lambda: mx.metric.Accuracy().update([nd([1, 2, 3])], [nd([[0.1, 0.9]])]),
        ValueError,
        "Length of labels 3 does not match that of predictions 1",
    ),
    (
        lambda: mx.metric.F1().update([nd([0, 1, 2])], [nd([[0.5, 0.5]] * 3)]),
        ValueError,
        "F1 currently only supports binary classification",
    ),
    (lambda: mx.metric.MCC().update([nd([0, 1])], [nd([0, 1])]), ValueError, "'mcc' needs scores of shape"),
    (
        lambda: mx.metric.create("top_k_acc", top_k=2).update([nd([0, 1])], [nd([0, 1])]),
        ValueError,
        r"'top_k_accuracy_2' needs scores \(batch, classes\), got \(2,\)",
    ),
    (
        # MXNet takes -1 for the last class
        lambda: mx.metric.CrossEntropy().update([nd([-1])], [nd([[0.2, 0.8]])]),
        ValueError,
        "metric 'cross-entropy': label -1 lies outside 0 ... 1",
    ),
    (
        lambda: mx.metric.Perplexity(None).update([nd([1, 2, 3])], [nd([[0.2, 0.8]] * 2)]),
        ValueError,
        r"metric 'perplexity': 3 labels for predictions of shape \(2, 2\) with 2 classes along axis -1",
    ),
]


@pytest.mark.parametrize(("action", "error", "text"), ERRORS, ids=[text for _, _, text in ERRORS])
def test_errors(action: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        action()


def test_metric_logging_survives_a_composite(caplog: pytest.LogCaptureFixture) -> None:
    from gluon_onnx.callback import log_train_metric

    class Param:
        epoch, nbatch, eval_metric = 1, 10, mx.metric.create(["acc", "mae"])

    Param.eval_metric.update([nd([1])], [nd([1])])
    with caplog.at_level(logging.INFO):
        log_train_metric(5, auto_reset=True)(Param)
    assert [r.getMessage() for r in caplog.records] == [
        "Iter[1] Batch[10] Train-accuracy=1.000000",
        "Iter[1] Batch[10] Train-mae=0.000000",
    ]
    assert math.isnan(Param.eval_metric.get()[1][0])
    assert Param.eval_metric.get_global()[1] == [1.0, 0.0]
