"""Programs on autograd, and on draws and linear algebra as functions of arrays."""

from __future__ import annotations

#: What runs before every program.
START = """
x = nd.array([1.0, 2.0, 3.0])
x.attach_grad()
z = nd.array([4.0, 5.0, 6.0])
z.attach_grad()
m = nd.array([[2.0, 0.5], [0.5, 3.0]])

class Cube(autograd.Function):
    def forward(self, a):
        self.save_for_backward(a)
        return a * a * a
    def backward(self, dy):
        a, = self.saved_tensors
        return 3 * a * a * dy
"""

AUTOGRAD = r"""
[autograd.is_recording(), autograd.is_training()]
with autograd.record():\n    s = [autograd.is_recording(), autograd.is_training()]\ns
with autograd.record(train_mode=False):\n    s = [autograd.is_recording(), autograd.is_training()]\ns
with autograd.record(), autograd.pause():\n    s = [autograd.is_recording(), autograd.is_training()]\ns
with autograd.record(), autograd.pause(train_mode=True):\n    s = [autograd.is_recording(), autograd.is_training()]\ns
with autograd.train_mode():\n    s = [autograd.is_recording(), autograd.is_training()]\ns
with autograd.record(), autograd.predict_mode():\n    s = [autograd.is_recording(), autograd.is_training()]\ns
[autograd.set_recording(True), autograd.set_recording(False), autograd.set_training(True), autograd.set_training(False)]
with autograd.record():\n    y = x * x\ny.backward()\nx.grad
with autograd.record():\n    y = x * x\ny.backward(nd.array([1, 10, 100]))\nx.grad
with autograd.record():\n    y = x * x\ny.backward(nd.array([1, 10]))
with autograd.record():\n    y = x * x\ny.backward()\ny.backward()
with autograd.record():\n    y = x * x\ny.backward(retain_graph=True)\ny.backward()\nx.grad
with autograd.record():\n    y = (x * z).sum()\ny.backward()\n[x.grad, z.grad]
with autograd.record():\n    y = x * 2\n    w = y * z\nautograd.backward([y, w])\n[x.grad, z.grad]
with autograd.record():\n    y = x * 2\n    w = y * z\nautograd.backward([y, w], [nd.ones(3), nd.zeros(3)])\n[x.grad, z.grad]
with autograd.record():\n    y = x * 2\nautograd.backward(y)\nx.grad
with autograd.record():\n    y = x * 2\nautograd.backward([y], [None])\nx.grad
with autograd.record():\n    y = x * 2\nautograd.backward([y], [nd.ones(3), nd.ones(3)])
(x * 2).backward()
nd.ones(3).backward()
x.backward()
with autograd.record():\n    y = x * x * x\ng = autograd.grad(y, x)\n[type(g), g]
with autograd.record():\n    y = x * x * x\ng = autograd.grad([y], [x])\n[type(g), g, x.grad]
with autograd.record():\n    y = x * x * x\n    g = autograd.grad(y, [x], create_graph=True, retain_graph=True)[0]\ng.backward()\nx.grad
with autograd.record():\n    y = x * x * x\n    g = autograd.grad(y, [x], create_graph=True)[0]\n    h = autograd.grad(g, [x], create_graph=True)[0]\n    k = autograd.grad(h, [x])[0]\nk
with autograd.record():\n    y = x * x\nautograd.grad(y, [x], nd.array([1, 2, 3]))
with autograd.record():\n    y = x * x\nautograd.grad(y, [z])
with autograd.record():\n    y = x * x + nd.argmax(z, axis=0)\nautograd.grad(y, [z])
with autograd.record():\n    y = x * 2\n    w = y * y\nautograd.grad(w, [y])
with autograd.record():\n    y = x * 2\nautograd.grad(y, [y])
with autograd.record():\n    y = x * x\nautograd.grad(y, [nd.ones(3)])
with autograd.record():\n    y = x * x\nautograd.grad(y, [])
g = nd.zeros(3)\nw = nd.array([1.0, 2.0, 3.0])\nautograd.mark_variables(w, g)\nwith autograd.record():\n    y = w * w\ny.backward()\ng
g = nd.ones(3)\nw = nd.array([1.0, 2.0, 3.0])\nautograd.mark_variables([w], [g], "add")\nwith autograd.record():\n    y = w * w\ny.backward()\ng
g = nd.ones(3)\nw = nd.array([1.0, 2.0, 3.0])\nautograd.mark_variables([w], [g], ["null"])\nwith autograd.record():\n    y = w * w + x\ny.backward()\ng
x.attach_grad("add")\nfor _ in "abc":\n  with autograd.record():\n    y = x * 2\n  y.backward()\nx.grad
x.attach_grad("null")\nwith autograd.record():\n    y = x * z\ny.backward()\nx.grad
with autograd.record():\n    y = Cube()(x)\ny.backward()\nx.grad
with autograd.record():\n    y = Cube()(x) * z\ny.backward()\n[x.grad, z.grad]
Cube()(x)
f = Cube()\nwith autograd.record():\n    y = f(x)\n    w = f(y)\n1
with autograd.record():\n    y = nd.BlockGrad(x * 2) * x\ny.backward()\nx.grad
with autograd.record():\n    y = (x * 2).detach() * x\ny.backward()\nx.grad
with autograd.record():\n    with autograd.pause():\n        w = x * 5\n    y = w * x\ny.backward()\nx.grad
with autograd.record():\n    y = x[1:] * 2\ny.backward()\nx.grad
with autograd.record():\n    y = x[nd.array([0, 0, 2])] * 2\ny.backward()\nx.grad
with autograd.record():\n    y = x.reshape((3, 1)) * z\ny.backward()\n[x.grad, z.grad]
with autograd.record():\n    y = nd.concat(x, z, dim=0) ** 2\ny.backward()\n[x.grad, z.grad]
with autograd.record():\n    y = nd.Dropout(x, p=0.0)\ny.backward()\nx.grad
with autograd.record(train_mode=False):\n    y = nd.Dropout(x, p=0.5)\n[y, y.backward(), x.grad]
with autograd.record():\n    y = nd.argmax(x, axis=0) + x.sum()\ny.backward()\nx.grad
with autograd.record():\n    y = x.astype("float64") * 2\ny.backward()\n[x.grad, y.dtype]
with autograd.record():\n    x[:] = 5
with autograd.record():\n    y = x * 2\n    y += 1
with autograd.record():\n    y = x * 2\n    y[0] = 1
with autograd.record():\n    y = x * x\nx[:] = 0\nx
with autograd.record():\n    y = nd.maximum(x, z) + nd.minimum(x, 2)\ny.backward()\n[x.grad, z.grad]
with autograd.record():\n    y = nd.abs(x - 2) + nd.relu(x - 2) + nd.sign(x) + nd.clip(x, 1, 2)\ny.backward()\nx.grad
with autograd.record():\n    y = nd.norm(x)\ny.backward()\nx.grad
with autograd.record():\n    y = x.max() + x.mean() + x.prod()\ny.backward()\nx.grad
with autograd.record():\n    y = nd.where(nd.array([1, 0, 1]), x, z)\ny.backward()\n[x.grad, z.grad]
with autograd.record():\n    y = x ** z\ny.backward()\nx.grad
with autograd.record():\n    y = nd.SoftmaxOutput(nd.ones((2, 2)) * x[0:2], nd.array([0, 1]))\ny.backward()\nx.grad
with autograd.record():\n    y = nd.LinearRegressionOutput(x, z)\ny.backward()\nx.grad
with autograd.record():\n    y = nd.MakeLoss(x * 3, grad_scale=2)\ny.backward()\nx.grad
with autograd.record():\n    y = x / 0\ny.backward()\nx.grad
with autograd.record():\n    y = nd.sqrt(x - 1)\ny.backward()\nx.grad
with autograd.record():\n    y = nd.topk(x, k=2, ret_typ="value")\ny.backward()\nx.grad
with autograd.record():\n    y = nd.sort(x, is_ascend=False) * z\ny.backward()\n[x.grad, z.grad]
with autograd.record():\n    y = nd.linalg.potrf(m)\n1
autograd.get_symbol(x)
with autograd.record():\n    y = (x * 2 + z).sum()\nautograd.get_symbol(y).list_arguments()
w = nd.ones(2, dtype="int32")\nw.attach_grad()\nwith autograd.record():\n    y = w * 2\ny.backward()\nw.grad
"""

RANDOM = r"""
nd.random.uniform().shape
nd.random.uniform(shape=3).shape
nd.random.uniform(2, 3, (2, 2)).shape
nd.random.uniform(nd.array([0, 1]), nd.array([1, 2])).shape
nd.random.uniform(nd.array([0, 1]), nd.array([1, 2]), shape=3).shape
nd.random.uniform(nd.array([0, 1]), 2)
nd.random.uniform(shape=2, dtype="float64").dtype
nd.random.uniform(shape=2, dtype="float16").dtype
nd.random.uniform(shape=2, dtype="int32")
nd.random.uniform(shape=2, ctx=mx.cpu(1)).context
w = nd.zeros((2, 3))\nnd.random.uniform(1, 2, out=w).shape
nd.random.uniform("a", 2)
nd.random.normal(shape=(2, 3)).shape
nd.random.normal(0, 1, (2,)).dtype
nd.random.normal(nd.array([0, 1]), nd.array([1, 2]), shape=(2, 2)).shape
nd.random.normal(scale=-1, shape=2).shape
nd.random.randn(2, 3).shape
nd.random.randn(2, 3, loc=5, scale=0.1).shape
nd.random.randn().shape
nd.random.poisson(3, shape=(2,)).shape
nd.random.poisson(nd.array([1, 2, 3])).shape
nd.random.exponential(2, shape=(2,)).shape
nd.random.gamma(2, 3, shape=(2,)).shape
nd.random.gamma(nd.array([1, 2]), nd.array([1, 2]), shape=4).shape
nd.random.negative_binomial(3, 0.5, shape=(2,)).shape
nd.random.generalized_negative_binomial(3, 0.5, shape=(2,)).shape
nd.random.randint(0, 5, shape=(2,)).dtype
nd.random.randint(0, 5, shape=(2,), dtype="int64").dtype
nd.random.randint(0, 5).shape
nd.random.randint(0, 5, shape=(2,), dtype="float32")
nd.random.randint(5, 6, shape=(3,))
nd.random.randint(5, 5, shape=(3,))
nd.random.multinomial(nd.array([0, 1]))
nd.random.multinomial(nd.array([[0, 1], [1, 0]]))
nd.random.multinomial(nd.array([[0, 1], [1, 0]]), shape=3)
nd.random.multinomial(nd.array([0, 1]), dtype="float32")
nd.random.multinomial(nd.array([0, 1]), get_prob=True)
nd.random.shuffle(nd.array([1, 1, 1]))
nd.random.shuffle(nd.arange(4)).sort()
mx.random.seed(3)\na = nd.random.uniform(shape=4)\nmx.random.seed(3)\nbool((a == nd.random.uniform(shape=4)).min() == 1)
mx.random.seed(3, ctx=mx.cpu())\na = nd.random.normal(shape=4)\nmx.random.seed(3, ctx=mx.cpu(0))\nbool((a == nd.random.normal(shape=4)).min() == 1)
mx.random.seed("a")
mx.random.uniform(shape=(2,)).shape
mx.random.normal(shape=(2,)).shape
mx.nd.random_uniform(shape=(2,)).shape
mx.nd.uniform(shape=(2,)).shape
mx.nd.sample_uniform(nd.array([0, 1]), nd.array([1, 2])).shape
mx.nd.random.bernoulli(0.5, shape=(2,)).shape
"""

LINALG = r"""
nd.linalg.gemm(m, m, nd.zeros((2, 2)))
nd.linalg.gemm(m, m, m, transpose_a=True, alpha=2, beta=3)
nd.linalg.gemm2(m, m)
nd.linalg.gemm2(m, m, transpose_b=True, alpha=2)
nd.linalg.gemm2(m, nd.ones((3, 2)))
nd.linalg.potrf(m)
nd.linalg.potri(nd.linalg.potrf(m))
nd.linalg.trmm(nd.linalg.potrf(m), m)
nd.linalg.trsm(nd.linalg.potrf(m), m)
nd.linalg.sumlogdiag(m)
nd.linalg.syrk(m)
nd.linalg.extractdiag(m)
nd.linalg.makediag(nd.array([1, 2]))
nd.linalg.extracttrian(m)
nd.linalg.maketrian(nd.array([1, 2, 3]))
nd.linalg.inverse(m)
nd.linalg.det(m)
nd.linalg.slogdet(m)
nd.linalg.det(nd.ones((2, 3)))
nd.linalg.potrf(nd.ones((2, 3)))
nd.linalg.inverse(nd.ones((2,)))
nd.linalg.nonsense(m)
[v.shape for v in nd.linalg.gelqf(m)]
[v.shape for v in nd.linalg.syevd(m)]
nd.linalg_gemm2(m, m)
nd.linalg.gemm2(m.astype("float64"), m.astype("float64")).dtype
nd.linalg.gemm2(m, m.astype("float64"))
nd.linalg.gemm2(nd.ones((3, 2, 2)), nd.ones((3, 2, 4))).shape
"""

OTHERS = r"""
mx.cpu()
mx.gpu(1)
mx.cpu(1) == mx.cpu(1)
mx.cpu(1) == mx.gpu(1)
mx.cpu(0) == "cpu(0)"
hash(mx.cpu(1)) == hash(mx.cpu(1))
mx.Context("cpu", 2)
mx.Context("nonsense")
mx.Context(mx.cpu(2)).device_id
[mx.cpu(2).device_type, mx.cpu(2).device_id, mx.cpu(2).device_typeid]
mx.current_context()
with mx.cpu(3):\n    s = [mx.current_context(), nd.ones(1).context]\ns + [mx.current_context()]
with mx.Context("cpu", 1):\n    with mx.cpu(2):\n        s = nd.zeros(1).context\ns
mx.num_gpus()
mx.context.num_gpus()
mx.context.gpu_memory_info(0)
nd.ones(1, ctx=mx.gpu(0))
mx.nd.ones(1).as_in_context(mx.gpu(0))
mx.test_utils.default_context()
mx.lr_scheduler.FactorScheduler(step=2, factor=0.5, base_lr=1)(5)
mx.lr_scheduler.FactorScheduler(step=0)
mx.lr_scheduler.FactorScheduler(step=1, factor=2)
mx.lr_scheduler.MultiFactorScheduler(step=[3, 2])
mx.lr_scheduler.PolyScheduler(max_update=0)
mx.lr_scheduler.CosineScheduler(max_update=10, warmup_steps=3, warmup_begin_lr=0.1, warmup_mode="nonsense")(1)
mx.init.create("nonsense")
mx.init.Xavier(rnd_type="nonsense")(mx.init.InitDesc("w_weight"), nd.ones((2, 2)))
mx.init.Constant(3)(mx.init.InitDesc("w_weight"), nd.ones((2, 2)))
mx.init.Zero()("w_unknown", nd.ones(2))
mx.init.Xavier()(mx.init.InitDesc("w_weight"), nd.ones((2,)))
mx.init.Mixed([".*bias", ".*"], [mx.init.Zero(), mx.init.One()])(mx.init.InitDesc("a_bias"), nd.full(2, 7))
w = nd.full(2, 7)\nmx.init.Load({"arg:a": nd.array([1, 2])})("a", w)\nw
mx.init.Load({"a": nd.array([1, 2])})("b", nd.ones(2))
mx.init.One().dumps()
mx.metric.create("nonsense")
mx.metric.Accuracy().get()
a = mx.metric.Accuracy()\na.update([nd.array([0, 1])], [nd.array([[0.9, 0.1], [0.8, 0.2]])])\na.get()
a = mx.metric.Accuracy()\na.update([nd.array([0, 1, 1])], [nd.array([[0.9, 0.1], [0.8, 0.2]])])
a = mx.metric.Accuracy()\na.update([nd.array([0])], [])
mx.metric.TopKAccuracy(top_k=1)
mx.metric.CompositeEvalMetric([mx.metric.MAE(), "mse"]).get()
mx.metric.np(lambda a, b: 1.0).name
mx.optimizer.create("nonsense")
mx.optimizer.create("sgd", learning_rate=0.3).learning_rate
mx.optimizer.SGD(learning_rate=0.3, lr_scheduler=mx.lr_scheduler.FactorScheduler(1, 0.5)).learning_rate
mx.optimizer.SGD(param_idx2name={0: "w"}, nonsense=2)
mx.optimizer.SGD(wd=-1).wd
o = mx.optimizer.SGD(learning_rate=0.5)\no.set_learning_rate(0.1)\no.lr
o = mx.optimizer.SGD(learning_rate=1)\nw = nd.ones(2)\no.update(0, w, nd.ones(2), o.create_state(0, w))\nw
o = mx.optimizer.SGD(learning_rate=1, momentum=0.5)\nw = nd.ones(2)\no.create_state(0, w)
o = mx.optimizer.SGD(learning_rate=1, lr_scheduler=mx.lr_scheduler.FactorScheduler(1))\no.set_learning_rate(3)
"""

DIFFERENT = {}

#: What is different here, by reason.
DIFFERENCES: dict[str, dict[str, object]] = {
    "An error where MXNet goes on with a wrong shape or parameter, or stops": {
        "with autograd.record():\n    y = x * x\ny.backward(nd.array([1, 10]))": {
            "raises": ["MXNetError", "RuntimeError"]
        },
        "nd.random.normal(scale=-1, shape=2).shape": {"raises": ["MXNetError", "RuntimeError", "ValueError"]},
        "nd.random.randint(5, 5, shape=(3,))": {"raises": ["MXNetError", "RuntimeError", "ValueError"]},
    },
    "An error, but of another class": {
        "with autograd.record():\n    y = x * 2\nautograd.backward([y], [nd.ones(3), nd.ones(3)])": {
            "raises": ["MXNetError", "RuntimeError"]
        },
        "with autograd.record():\n    y = x * x\nautograd.grad(y, [])": {
            "raises": ["MXNetError", "RuntimeError"]
        },
        "f = Cube()\nwith autograd.record():\n    y = f(x)\n    w = f(y)\n1": {
            "raises": ["MXNetError", "RuntimeError"]
        },
        "nd.random.uniform(nd.array([0, 1]), 2)": {"raises": ["ValueError"]},
        'mx.Context("nonsense")': {"raises": ["ValueError"]},
        'mx.init.create("nonsense")': {"raises": ["ValueError"]},
        'mx.init.Load({"a": nd.array([1, 2])})("b", nd.ones(2))': {"raises": ["ValueError"]},
        'mx.metric.create("nonsense")': {"raises": ["ValueError"]},
        "mx.metric.TopKAccuracy(top_k=1)": {"raises": ["ValueError"]},
    },
    "Gradients that MXNet does not give": {
        "with autograd.record():\n    y = x * x * x\n    g = autograd.grad(y, [x], create_graph=True, retain_graph=True)[0]\ng.backward()\nx.grad": {
            "NDArray": "float32",
            "shape": [3],
            "values": [6.0, 12.0, 18.0],
        },
        "with autograd.record():\n    y = x * x * x\n    g = autograd.grad(y, [x], create_graph=True)[0]\n    h = autograd.grad(g, [x], create_graph=True)[0]\n    k = autograd.grad(h, [x])[0]\nk": {
            "NDArray": "float32",
            "shape": [3],
            "values": [6.0, 6.0, 6.0],
        },
        "with autograd.record():\n    y = x * 2\n    w = y * y\nautograd.grad(w, [y])": {
            "list": [{"NDArray": "float32", "shape": [3], "values": [4.0, 8.0, 12.0]}]
        },
        "with autograd.record():\n    y = x * 2\nautograd.grad(y, [y])": {
            "list": [{"NDArray": "float32", "shape": [3], "values": [1.0, 1.0, 1.0]}]
        },
        "with autograd.record():\n    y = nd.sort(x, is_ascend=False) * z\ny.backward()\n[x.grad, z.grad]": {
            "list": [
                {"NDArray": "float32", "shape": [3], "values": [6.0, 5.0, 4.0]},
                {"NDArray": "float32", "shape": [3], "values": [3.0, 2.0, 1.0]},
            ]
        },
    },
    "The buffer of a variable without gradients stays": {
        'x.attach_grad("null")\nwith autograd.record():\n    y = x * z\ny.backward()\nx.grad': {
            "NDArray": "float32",
            "shape": [3],
            "values": [0.0, 0.0, 0.0],
        },
    },
    "Variables may be written to while recording: a gradient that needs the old value is refused": {
        "with autograd.record():\n    x[:] = 5": None,
    },
    "Not available": {
        "autograd.get_symbol(x)": {"Symbol": ["var0"], "inputs": ["var0"]},
        "with autograd.record():\n    y = (x * 2 + z).sum()\nautograd.get_symbol(y).list_arguments()": {
            "list": [{"text": "var0"}, {"text": "var1"}]
        },
    },
    "Degenerate draws": {
        "nd.random.randn().shape": {"tuple": [1]},
        "nd.random.randint(5, 6, shape=(3,))": {"NDArray": "int32", "shape": [3], "values": [5, 5, 5]},
    },
    "Less rounding, and a float in place of a scalar of NumPy": {
        "nd.linalg.trsm(nd.linalg.potrf(m), m)": {
            "NDArray": "float32",
            "shape": [2, 2],
            "values": [1.4142135381698608, 0.3535533845424652, 0.0, 1.6955825090408325],
        },
        "a = mx.metric.Accuracy()\na.update([nd.array([0, 1])], [nd.array([[0.9, 0.1], [0.8, 0.2]])])\na.get()": {
            "tuple": [{"text": "accuracy"}, 0.5]
        },
    },
    "A name on the first level, too": {
        "mx.num_gpus()": 0,
    },
}
DIFFERENT = {program: answer for answers in DIFFERENCES.values() for program, answer in answers.items()}


def rows() -> list[str]:
    """All programs."""
    text = AUTOGRAD + RANDOM + LINALG + OTHERS
    return [line.replace("\\n", "\n") for line in text.split("\n") if line]
