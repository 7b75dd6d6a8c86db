"""Programs that train with modules: run by real MXNet for the golden values, and by this package in the test.

Every program takes the package and gives arrays by name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray]


def random(*shape: int, seed: int = 0) -> np.ndarray:
    """Normal values, float32."""
    return np.random.RandomState(seed).randn(*shape).astype("float32")


def data(mx: Any, n: int = 40, batch: int = 8, **kwargs: Any) -> Any:
    """An iterator over points of three classes."""
    x = random(n, 6)
    label = (np.abs(x).argmax(axis=1) % 3).astype("float32")
    return mx.io.NDArrayIter(x, label, batch_size=batch, **kwargs)


def mlp(mx: Any, **weight: Any) -> Any:
    """Two layers with BatchNorm between them; `weight` are attributes of the first weight."""
    w = mx.sym.Variable("fc1_weight", **weight)
    # Without a bias: BatchNorm removes it, so that its gradient would be rounding errors, which Adam scales up.
    x = mx.sym.FullyConnected(mx.sym.Variable("data"), weight=w, num_hidden=5, no_bias=True, name="fc1")
    x = mx.sym.BatchNorm(x, fix_gamma=False, name="bn")
    x = mx.sym.Activation(x, act_type="tanh", name="act")
    x = mx.sym.FullyConnected(x, num_hidden=3, name="fc2")
    return mx.sym.SoftmaxOutput(x, name="softmax")


def first(mx: Any, symbol: Any, **shapes: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """First values of parameters and auxiliary states, made of their names' places in the alphabet."""
    args, _, aux = symbol.infer_shape(**shapes)
    arg = {
        n: mx.nd.array(random(*s, seed=len(n)) * 0.5)
        for n, s in zip(symbol.list_arguments(), args)  # noqa: B905
        if n not in shapes and not n.endswith("label")
    }
    states = {
        n: mx.nd.array(np.zeros(s) if n.endswith("mean") else np.ones(s))
        for n, s in zip(symbol.list_auxiliary_states(), aux)  # noqa: B905
    }
    return arg, states


def values(module: Any) -> Arrays:
    """All parameters and auxiliary states."""
    return {n: x.asnumpy() for part in module.get_params() for n, x in part.items()}


def fitted(
    mx: Any,
    contexts: int = 1,
    optimizer: str = "sgd",
    params: dict[str, Any] | None = None,
    weight: dict[str, Any] | None = None,
    kvstore: str = "local",
    n: int = 40,
    **options: Any,
) -> Arrays:
    """Three epochs of `fit`, a `score` and a `predict`."""
    symbol = mlp(mx, **(weight or {}))
    module = mx.mod.Module(symbol, context=[mx.cpu(i) for i in range(contexts)], **options)
    arg, aux = first(mx, symbol, data=(8, 6))
    metrics: list[float] = []
    module.fit(
        data(mx, n),
        eval_data=data(mx, 16),
        eval_metric=mx.metric.CrossEntropy(),
        batch_end_callback=lambda p: metrics.append(p.eval_metric.get()[1]),
        eval_end_callback=lambda p: metrics.append(p.eval_metric.get()[1]),
        kvstore=kvstore,
        optimizer=optimizer,
        optimizer_params=params or {"learning_rate": 0.2, "momentum": 0.9, "wd": 0.01},
        arg_params=arg,
        aux_params=aux,
        num_epoch=3,
    )
    score = [value for _, value in module.score(data(mx, 16), ["acc", "ce"])]
    predicted = module.predict(data(mx, 19)).asnumpy()  # the last batch is filled up
    return {
        **values(module),
        "metrics": np.array(metrics, "float32"),
        "score": np.array(score, "float32"),
        "predict": predicted,
    }


def uneven(mx: Any) -> Arrays:
    """Contexts with different work loads, by hand."""
    symbol = mlp(mx)
    module = mx.mod.Module(symbol, context=[mx.cpu(0), mx.cpu(1)], work_load_list=[1, 3])
    it = data(mx)
    module.bind(it.provide_data, it.provide_label, inputs_need_grad=True)
    arg, aux = first(mx, symbol, data=(8, 6))
    module.init_params(arg_params=arg, aux_params=aux)
    module.init_optimizer(optimizer="adam", optimizer_params={"learning_rate": 0.05})
    found = {}
    for i, batch in enumerate(it):
        module.forward_backward(batch)
        module.update()
        found[f"outputs{i}"] = module.get_outputs()[0].asnumpy()
        found[f"grads{i}"] = module.get_input_grads()[0].asnumpy()
    parts = module.get_outputs(merge_multi_context=False)[0]
    found["parts"] = np.array([x.shape[0] for x in parts], "float32")
    return {**found, **values(module)}


def added(mx: Any) -> Arrays:
    """Gradients that are added up over batches, of the weights and of the data; some are not wanted."""
    symbol = mlp(mx)
    module = mx.mod.Module(symbol)
    it = data(mx, 16)
    requests = dict.fromkeys(symbol.list_arguments(), "add")
    requests.update(softmax_label="null", fc2_bias="null")
    module.bind(it.provide_data, it.provide_label, inputs_need_grad=True, grad_req=requests)
    arg, aux = first(mx, symbol, data=(8, 6))
    module.init_params(arg_params=arg, aux_params=aux)
    for batch in it:
        module.forward_backward(batch)
    grads = module._exec_group.execs[0].grad_dict
    return {f"grad_{n}": g.asnumpy() for n, g in grads.items() if g is not None}


def reshaped(mx: Any) -> Arrays:
    """Batches of several sizes in one training, with head gradients of the outputs."""
    x = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=4, name="fc")
    symbol = mx.sym.Group([mx.sym.tanh(x, name="tanh"), mx.sym.sum(x, axis=1, name="sum")])
    module = mx.mod.Module(symbol, label_names=None)
    module.bind([("data", (8, 6))])
    arg, aux = first(mx, symbol, data=(8, 6))
    module.init_params(arg_params=arg, aux_params=aux)
    module.init_optimizer(optimizer_params={"learning_rate": 0.5})
    found = {}
    for i, n in enumerate((8, 3, 8, 5)):
        module.forward(mx.io.DataBatch([mx.nd.array(random(n, 6, seed=i))]), is_train=True)
        heads = [mx.nd.array(random(n, 4, seed=7)), mx.nd.array(random(n, seed=8))]
        module.backward(heads)
        module.update()
        found[f"tanh{i}"], found[f"sum{i}"] = (y.asnumpy() for y in module.get_outputs())
    return {**found, **values(module)}


def bucketed(mx: Any) -> Arrays:
    """Sequences of two lengths, in turns, with weights in common."""

    def make(length: int) -> tuple[Any, Any, Any]:
        x = mx.sym.Variable("data")
        w, u = mx.sym.Variable("w_weight"), mx.sym.Variable("u_weight")
        h = None
        for step in mx.sym.SliceChannel(x, num_outputs=length, axis=1, squeeze_axis=True):
            y = mx.sym.FullyConnected(step, weight=w, num_hidden=4, no_bias=True)
            if h is not None:
                y = y + mx.sym.FullyConnected(h, weight=u, num_hidden=4, no_bias=True)
            h = mx.sym.tanh(y)
        out = mx.sym.FullyConnected(h, num_hidden=3, name="out")
        return mx.sym.SoftmaxOutput(out, name="softmax"), ("data",), ("softmax_label",)

    module = mx.mod.BucketingModule(make, default_bucket_key=4)

    def batch(length: int, seed: int) -> Any:
        x = random(5, length, 6, seed=seed)
        label = (np.abs(x[:, 0]).argmax(axis=1) % 3).astype("float32")
        return mx.io.DataBatch(
            [mx.nd.array(x)],
            [mx.nd.array(label)],
            bucket_key=length,
            provide_data=[mx.io.DataDesc("data", x.shape)],
            provide_label=[mx.io.DataDesc("softmax_label", label.shape)],
        )

    longest = batch(4, 0)
    module.bind(longest.provide_data, longest.provide_label)
    symbol = make(4)[0]
    module.init_params(arg_params=first(mx, symbol, data=(5, 4, 6))[0])
    module.init_optimizer(optimizer_params={"learning_rate": 0.5, "momentum": 0.9})
    metric = mx.metric.CrossEntropy()
    found = {}
    for i, length in enumerate((4, 2, 2, 4, 3)):
        b = batch(length, i)
        module.prepare(b)
        module.forward_backward(b)
        module.update()
        module.update_metric(metric, b.label)
        found[f"outputs{i}"] = module.get_outputs()[0].asnumpy()
    return {**found, **values(module), "metric": np.array([metric.get()[1]], "float32")}


def chained(mx: Any) -> Arrays:
    """Two modules one after the other, and a loss in Python."""
    one = mx.sym.tanh(mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=5, name="fc1"))
    two = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=3, name="fc2")

    def hinge(scores: Any, labels: Any) -> Any:
        s, y = scores.asnumpy(), labels.asnumpy().astype(int)
        wrong = (s - s[np.arange(len(y)), y][:, None] + 1 > 0).astype("float32")
        wrong[np.arange(len(y)), y] = 0
        wrong[np.arange(len(y)), y] = -wrong.sum(axis=1)
        return wrong

    module = mx.mod.SequentialModule()
    module.add(mx.mod.Module(one, label_names=None))
    module.add(mx.mod.Module(two, label_names=None), auto_wiring=True)
    module.add(mx.mod.PythonLossModule(grad_func=hinge), take_labels=True, auto_wiring=True)
    it = data(mx)
    module.bind(it.provide_data, it.provide_label, inputs_need_grad=True)
    arg = {**first(mx, one, data=(8, 6))[0], **first(mx, two, data=(8, 5))[0]}
    module.init_params(arg_params=arg, aux_params={})
    module.init_optimizer(optimizer_params={"learning_rate": 0.1})
    metric = mx.metric.Accuracy()
    for batch in it:
        module.forward_backward(batch)
        module.update()
        module.update_metric(metric, batch.label)
    return {
        **values(module),
        "metric": np.array([metric.get()[1]], "float32"),
        "outputs": module.get_outputs()[0].asnumpy(),
        "grads": module._modules[0].get_input_grads()[0].asnumpy(),
    }


def with_states(mx: Any) -> Arrays:
    """Outputs that become the states of the next batch, on two contexts."""
    h = mx.sym.Variable("h")
    h = mx.sym.tanh(mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=4, name="fc") + h, name="next")
    module = mx.mod.Module(h, label_names=None, state_names=["h"], context=[mx.cpu(0), mx.cpu(1)])
    module.bind([("data", (6, 3))], for_training=False)
    arg = {"fc_weight": mx.nd.array(random(4, 3)), "fc_bias": mx.nd.array(random(4))}
    module.init_params(arg_params=arg, aux_params={})
    module.set_states(value=0.5)
    found = {}
    for i in range(3):
        module.forward(mx.io.DataBatch([mx.nd.array(random(6, 3, seed=i))]))
        found[f"outputs{i}"] = module.get_outputs()[0].asnumpy()
        module.set_states(states=module.get_outputs(merge_multi_context=False))
    return found


ADAM = {"learning_rate": 0.05, "wd": 0.01}

PROGRAMS: dict[str, Callable[[Any], Arrays]] = {
    "sgd": fitted,
    "adam": lambda mx: fitted(mx, optimizer="adam", params=ADAM),
    "two contexts": lambda mx: fitted(mx, contexts=2),
    "two contexts, update in the store": lambda mx: fitted(mx, contexts=2, kvstore="device"),
    "two contexts, no store": lambda mx: fitted(mx, contexts=2, kvstore=None),  # type: ignore[arg-type]
    "filled up": lambda mx: fitted(mx, n=37),
    "fixed": lambda mx: fitted(mx, fixed_param_names=["fc1_weight", "bn_gamma"]),
    "multipliers": lambda mx: fitted(mx, weight={"lr_mult": 0.1, "wd_mult": 10.0}),
    "work loads": uneven,
    "added gradients": added,
    "batch sizes": reshaped,
    "buckets": bucketed,
    "chain": chained,
    "states": with_states,
}
