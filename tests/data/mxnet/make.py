"""Makes the files of this folder with real MXNet, one sub-folder for each version.

    python make.py            with the interpreter of an environment that has the MXNet to write as
    python make.py legacy     with MXNet 1.9.1: the 0.8 dialect, and what 1.9.1 makes of it

Versions 0.9.5 to 1.6.0 install from their wheels on Python 3.7 with numpy<1.17; 1.9.1 needs numpy<1.24. 0.8
has no wheel: its dialect is written out here.
"""

import json
import os
import sys

import mxnet as mx
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
VERSION = mx.__version__.split("-")[0]
NUMBER = tuple(int(n) for n in VERSION.split("."))
OUT = os.path.join(HERE, VERSION)
IMAGE = (2, 3, 8, 8)


def path(name):
    return os.path.join(OUT, name)


def network():
    """Convolution, BatchNorm, PReLU, pooling, two inputs of one value, a fully connected layer and a loss."""
    data = mx.sym.Variable("data")
    weight = mx.sym.Variable("conv_weight", lr_mult=2.0, wd_mult=0.0)
    shape = {"kernel": (3, 3), "num_filter": 4, "pad": (1, 1)}
    x = mx.sym.Convolution(data=data, weight=weight, no_bias=True, name="conv", **shape)
    with mx.AttrScope(ctx_group="stage1"):
        x = mx.sym.BatchNorm(x, fix_gamma=False, eps=1e-3, name="bn")
        x = mx.sym.LeakyReLU(x, act_type="prelu", name="prelu")
    y = mx.sym.Pooling(x, kernel=(2, 2), stride=(2, 2), pool_type="max", name="pool")
    y = mx.sym.Flatten(y * 0.5 + y, name="flat")
    y = mx.sym.FullyConnected(y, num_hidden=5, name="fc")
    return mx.sym.SoftmaxOutput(y, name="softmax")


def values(names, shapes, seed):
    random = np.random.RandomState(seed)
    result = {}
    for name, shape in dict(zip(names, shapes)).items():  # noqa: B905 - runs on old Pythons
        value = random.uniform(-0.5, 0.5, shape).astype(np.float32)
        if name.endswith(("gamma", "var")):
            value = value + 1.0
        result[name] = mx.nd.array(value)
    return result


def module(expected):
    """A checkpoint of Module: ``arg:`` and ``aux:`` names."""
    symbol = network()
    args, _, aux = symbol.infer_shape(data=IMAGE)
    arg_params = values(symbol.list_arguments(), args, 1)
    aux_params = values(symbol.list_auxiliary_states(), aux, 2)
    for name in ("data", "softmax_label"):
        del arg_params[name]
    net = mx.mod.Module(symbol, context=mx.cpu())
    net.bind([("data", IMAGE)], [("softmax_label", (IMAGE[0],))], for_training=False)
    net.init_params(arg_params=arg_params, aux_params=aux_params)
    image = np.random.RandomState(3).uniform(-1, 1, IMAGE).astype(np.float32)
    net.forward(mx.io.DataBatch([mx.nd.array(image)], [mx.nd.zeros((IMAGE[0],))]), is_train=False)
    expected["module:data"] = image
    expected["module:output"] = net.get_outputs()[0].asnumpy()
    net.save_checkpoint(path("module"), 3)
    for name, value in list(arg_params.items()) + list(aux_params.items()):
        expected["module:" + name] = value.asnumpy()


def gluon(expected):
    """A Gluon network: exported, and its parameters alone."""
    from mxnet.gluon import nn

    net = nn.HybridSequential(prefix="net_")
    with net.name_scope():
        net.add(nn.Conv2D(4, 3, in_channels=3))
        net.add(nn.BatchNorm(in_channels=4))
        net.add(nn.Activation("relu"))
        net.add(nn.GlobalAvgPool2D())
        net.add(nn.Flatten())
        net.add(nn.Dense(5, in_units=4))
    net.initialize()
    params = net.collect_params()
    new = values(list(params.keys()), [p.shape for p in params.values()], 4)
    for name, param in params.items():
        param.set_data(new[name])
        expected["gluon:" + name] = new[name].asnumpy()
    net.hybridize()
    image = np.random.RandomState(5).uniform(-1, 1, IMAGE).astype(np.float32)
    expected["gluon:data"] = image
    expected["gluon:output"] = net(mx.nd.array(image)).asnumpy()
    if hasattr(net, "export"):
        net.export(path("gluon"))
    save = getattr(net, "save_parameters", None) or net.save_params
    save(path("gluon.params"))


def bfloat16(numbers):
    """The Python front end of MXNet cannot make such an array; a graph can."""
    cast = {"op": "amp_cast", "name": "cast", "attrs": {"dtype": "bfloat16"}, "inputs": [[0, 0]]}
    graph = {"nodes": [{"op": "null", "name": "x", "inputs": []}, cast], "arg_nodes": [0], "heads": [[1, 0]]}
    symbol = mx.sym.load_json(json.dumps(graph))
    return symbol.bind(mx.cpu(), {"x": mx.nd.array(numbers)}).forward()[0]


def arrays(expected):
    """Every element type, sparse arrays, a plain list, an empty list."""
    named = {}
    table = mx.nd.ndarray._DTYPE_NP_TO_MX if hasattr(mx.nd, "ndarray") else mx.ndarray._DTYPE_NP_TO_MX
    for dtype in (np.float32, np.float64, np.float16, np.uint8, np.int32, np.int8, np.int64, np.bool_):
        if dtype in table:
            value = (np.arange(-5, 10).reshape(3, 1, 5) % 7).astype(dtype)
            # Bytes of odd number: what follows is not aligned.
            named[f"a{len(named):02d}_{np.dtype(dtype).name}"] = mx.nd.array(value, dtype=dtype)
    if VERSION == "1.9.1":
        named["bfloat16"] = bfloat16([1.0, -2.5, 3e38])
        expected["arrays:bfloat16"] = np.array([1.0, -2.5, 3e38], np.float32)
    if NUMBER >= (0, 12):
        dense = np.array([[0, 0, 0], [1, 0, 2], [0, 0, 0], [0, -3, 0]], np.float32)
        named["rows"] = mx.nd.array(dense).tostype("row_sparse")
        named["csr"] = mx.nd.array(dense).tostype("csr")
        named["no_rows"] = mx.nd.sparse.zeros("row_sparse", (4, 3))
        named["no_csr"] = mx.nd.sparse.zeros("csr", (4, 3))
    mx.nd.save(path("arrays.params"), named)
    for name, value in named.items():
        if name != "bfloat16":
            expected["arrays:" + name] = value.asnumpy()
    listed = [mx.nd.array([[1, 2], [3, 4]]), mx.nd.array([5])]
    mx.nd.save(path("list.params"), listed)
    mx.nd.save(path("empty.params"), [])
    if NUMBER >= (1, 6):
        mx.npx.set_np()
        special = {"scalar": mx.np.array(2.5), "nothing": mx.np.zeros((0, 3)), "one": mx.np.ones((1,))}
        mx.npx.save(path("np_shape.params"), special)
        mx.npx.reset_np()


def control_flow():
    """A loop, whose body is a graph inside the node."""

    def body(x, states):
        with mx.AttrScope(note="inner"):
            return mx.sym.relu(x) + states[0], [x - states[0]]

    outputs, states = mx.sym.contrib.foreach(body, mx.sym.var("x"), [mx.sym.var("start")])
    mx.sym.Group([outputs, states[0]]).save(path("foreach-symbol.json"))


def loops():
    """Control flow: the programs of test_control_flow.py, their files, and what they compute."""
    x, h, w = (mx.sym.var(n) for n in ("data", "state", "w"))
    outer = x * 2

    def step(item, states):
        part = mx.sym.slice_axis(mx.sym.sum(outer, axis=0), axis=1, begin=0, end=3)
        return mx.sym.FullyConnected(item, w, num_hidden=3, no_bias=True) + states[0] + part, [states[0] * 2]

    outputs, states = mx.sym.contrib.foreach(step, x, [h])
    foreach = mx.sym.Group([outputs] + states)
    i, t = mx.sym.var("i"), mx.sym.var("t")
    outputs, last = mx.sym.contrib.while_loop(
        lambda i, t: i < 5, lambda i, t: ([i + t, w * 1], [i + 1, t + i]), (i, t), 10
    )
    while_loop = mx.sym.Group(list(outputs) + list(last))
    a, b = mx.sym.var("a"), mx.sym.var("b")
    cond = mx.sym.contrib.cond(a * b < 5, lambda: (a + 5) * (b + 5), lambda: (a - 5) * (b - 5))
    inputs = {
        "foreach": {"data": (4, 2, 3), "state": (2, 3), "w": (3, 3)},
        "while_loop": {"i": (1,), "t": (1,), "w": (3,)},
        "cond": {"a": (1,), "b": (1,)},
    }
    found = {"while_loop/steps": np.array(5)}
    for name, symbol in (("foreach", foreach), ("while_loop", while_loop), ("cond", cond)):
        with open(path("control-" + name + ".json"), "w") as f:
            f.write(symbol.tojson())
        random = np.random.RandomState(3)
        args = {n: mx.nd.array(random.uniform(-0.5, 0.5, s)) for n, s in inputs[name].items()}
        grads = {n: mx.nd.zeros(s) for n, s in inputs[name].items()}
        executor = symbol.bind(mx.cpu(), args, args_grad=grads)
        values = executor.forward(is_train=True)
        executor.backward([mx.nd.ones(y.shape) for y in values])
        found.update((name + "/in/" + n, v.asnumpy()) for n, v in args.items())
        found.update((name + "/out/" + str(k), y.asnumpy()) for k, y in enumerate(values))
        found.update((name + "/grad/" + n, g.asnumpy()) for n, g in grads.items())
    np.savez_compressed(path("control-expected.npz"), **found)


def node(op, name, inputs=(), param=None, attr=None):
    """A node as MXNet 0.8 writes it."""
    item = {"op": op, "param": param or {}, "name": name, "inputs": [[i, 0] for i in inputs]}
    item["backward_source_id"] = -1
    if attr:
        item["attr"] = attr
    return item


def legacy():
    """The dialect of 0.8, which leaves auxiliary states out, and the graph that MXNet 1.9.1 makes of it."""
    shared = {"ctx_group": "stage1", "wd_mult": "0.3", "weight_lr_mult": "1.2"}
    nodes = [
        node("null", "data", attr={"lr_mult": "0.2", "note": "plain"}),
        node("null", "conv_weight", attr=dict(shared)),
        node("null", "conv_bias"),
        node(
            "Convolution",
            "conv",
            [0, 1, 2],
            {"kernel": "(3,3)", "num_filter": "4", "no_bias": "False", "cudnn_tune": "off"},
            shared,
        ),
        node("null", "bn_gamma"),
        node("null", "bn_beta"),
        node("BatchNorm", "bn", [3, 4, 5], {"eps": "0.001"}, {"lr_mult": "3", "beta_wd_mult": "0"}),
        node("null", "act_gamma", attr={"__init__": '["one", {}]'}),
        node("LeakyReLU", "act", [6, 7], {"act_type": "prelu"}),
        node("null", "unused"),
        node("_Plus", "_plus0", [8, 3]),
        node("_MulScalar", "_mulscalar0", [10], {"scalar": "2"}),
        node("null", "up_weight"),
        node("Deconvolution", "up", [11, 12], {"kernel": "(2,2)", "num_filter": "4", "no_bias": "True"}),
        node("IdentityAttachKLSparseReg", "kl", [13], {"penalty": "0.001"}, {"mirror_stage": "1"}),
        node("null", "fc_weight"),
        node("null", "fc_bias"),
        node("FullyConnected", "fc", [14, 15, 16], {"num_hidden": "5"}, {"bias_lr_mult": "2"}),
        node("null", "softmax_label"),
        node("Softmax", "softmax", [17, 18], {"grad_scale": "1"}, {"force_mirroring": "True"}),
        node("argmax_channel", "best", [17]),
    ]
    graph = {"nodes": nodes, "arg_nodes": variables(nodes), "heads": [[19, 0], [20, 0]]}
    write("0.8", "net-symbol.json", graph)
    nodes = [
        node("null", "x"),
        node("argmax", "most", [0], {"axis": "-1", "keepdims": "True"}),
        node("argmin", "least", [0], {"axis": "1", "keepdims": "True"}),
        node("null", "slope"),
        node("LeakyReLU", "act", [0, 3], {"act_type": "prelu"}),
        node("broadcast_minus", "minus", [1, 2]),
        node("ElementWiseSum", "sum", [5, 4], {"num_args": "2"}),
    ]
    for item in nodes:
        item["attr"] = item.pop("param")
        del item["backward_source_id"]
    heads = [[6, 0, 0]]
    for number in (901, 903, 904, 905, 10901):  # what is upgraded depends on the version
        graph = {"nodes": nodes, "arg_nodes": variables(nodes), "heads": heads}
        graph["attrs"] = {"mxnet_version": ["int", number]}
        write("0.8", f"v{number}-symbol.json", graph)


def variables(nodes):
    return [i for i, item in enumerate(nodes) if item["op"] == "null"]


def write(version, name, graph):
    folder = os.path.join(HERE, version)
    if not os.path.isdir(folder):
        os.makedirs(folder)
    text = json.dumps(graph, indent=1)
    with open(os.path.join(folder, name), "w") as stream:
        stream.write(text)
    upgraded = json.loads(mx.sym.load_json(text).tojson())
    with open(os.path.join(folder, name.replace("-symbol", "-upgraded")), "w") as stream:
        json.dump(upgraded, stream, indent=1)


def main():
    if sys.argv[1:] == ["legacy"]:
        legacy()
        return
    if not os.path.isdir(OUT):
        os.makedirs(OUT)
    expected = {}
    module(expected)
    if NUMBER >= (0, 11):
        gluon(expected)
    if NUMBER >= (1, 3):
        control_flow()
    if NUMBER >= (1, 9):
        with mx.name.NameManager():
            mx.AttrScope._subgraph_names.clear()
            loops()
    arrays(expected)
    np.savez_compressed(path("expected.npz"), **expected)


main()
