"""Programs on parameters and blocks."""

from __future__ import annotations

#: What runs before every program.
START = """
import contextlib, io, os, tempfile, warnings
from collections import OrderedDict
P = gluon.Parameter
folder = tempfile.mkdtemp()
path = os.path.join(folder, "file")
c = [mx.cpu(0), mx.cpu(1)]

def made(cls=nn.Dense, *args, **kwargs):
    with mx.name.NameManager():
        net = cls(*args, **kwargs)
    net.initialize("ones")
    return net

class Two(nn.HybridBlock):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.a = nn.Dense(2, in_units=3)
            self.b = nn.Dense(4, in_units=2, params=None)
    def hybrid_forward(self, F, x):
        return self.b(self.a(x))

class Scale(nn.HybridBlock):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.scale = self.params.get("scale", shape=(1,), init="ones")
            self.offset = self.params.get_constant("offset", [[1.0, 2.0]])
    def hybrid_forward(self, F, x, scale, offset):
        return F.broadcast_add(F.broadcast_mul(x, scale), offset)

class Branch(nn.HybridBlock):
    def hybrid_forward(self, F, x):
        if x.sum() > 0:
            return x
        return -x

class Nested(nn.HybridBlock):
    def hybrid_forward(self, F, x, pair):
        return [x + pair[0], (pair[1], x)]

def printed(f):
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream):
        f()
    return stream.getvalue()

def warned(f):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        f()
    return sorted({w.category.__name__ for w in caught})
"""

PARAMETER = r"""
repr(P("w", shape=(2, 3)))
repr(P("w"))
repr(P("w", shape=(2,), dtype="float16"))
repr(P("w", shape=(2,), dtype=np.float64))
P("w", shape=5).shape
P("w", shape=(2, 3)).grad_req
P("w", grad_req="nonsense")
P("w", grad_req="write", differentiable=False).grad_req
P("w", stype="nonsense")
P("w", shape=(2,)).data()
P("w", shape=(2,)).grad()
P("w", shape=(2,)).list_data()
P("w", shape=(2,)).list_grad()
P("w", shape=(2,)).list_ctx()
P("w", shape=(2,)).zero_grad()
P("w", shape=(2,)).reset_ctx(mx.cpu(1))
P("w", shape=(2,)).set_data(nd.ones(2))
P("w", shape=(0, 2)).initialize()
P("w").initialize()
p = P("w", shape=(0, 2), allow_deferred_init=True)\np.initialize()\np.data()
p = P("w", shape=(0, 2), allow_deferred_init=True)\np.initialize()\np.list_data()
p = P("w", shape=(0, 2), allow_deferred_init=True)\np.initialize()\np.grad()
p = P("w", shape=(0, 2), allow_deferred_init=True)\np.initialize(ctx=c)\np.list_ctx()
p = P("w", shape=(0, 2), allow_deferred_init=True)\np.initialize()\np.set_data(nd.ones((3, 2)))\np.shape
p = P("w", shape=(0, 2), allow_deferred_init=True)\np.initialize()\np.set_data(nd.ones((3, 3)))
p = P("w", shape=(0, 2), allow_deferred_init=True)\np.initialize()\np.reset_ctx(mx.cpu(1))\np.list_ctx()
p = P("w", shape=(0, 2), allow_deferred_init=True)\np.initialize("ones")\np.shape = (3, 2)\np._finish_deferred_init()\np.data()
p = P("w", shape=(0, 2), allow_deferred_init=True)\np.initialize("ones")\np._finish_deferred_init()
p = P("w", shape=(2, 3))\np.shape = (2, 3)\np.shape
p = P("w", shape=(2, 3))\np.shape = (2, 4)
p = P("w", shape=(2, 0))\np.shape = (2, 4)\np.shape
p = P("w", shape=(2, 0))\np.shape = (2, 4, 1)
p = P("w", shape=(2, -1))\np.shape = (2, 4)\np.shape
p = P("w")\np.shape = (2, 4)\np.shape
p = P("w", shape=(2,))\np.initialize("ones")\n[p.data(), p.grad()]
p = P("w", shape=(2,), init="ones")\np.initialize("zeros")\np.data()
p = P("w", shape=(2,), init="ones")\np.initialize(default_init="zeros")\np.data()
p = P("w", shape=(2,))\np.initialize(default_init="ones")\np.data()
p = P("w_bias", shape=(2,))\np.initialize()\nbool((p.data() == 0).sum() == 0)
p = P("w", shape=(2,))\np.initialize("nonsense")
p = P("w", shape=(2,))\np.initialize("ones")\nwarned(lambda: p.initialize("zeros"))
p = P("w", shape=(2,))\np.initialize("ones")\np.initialize("zeros")\np.data()
p = P("w", shape=(2,))\np.initialize("ones")\np.initialize("zeros", force_reinit=True)\np.data()
p = P("w", shape=(2,))\np.initialize("ones", ctx=c)\n[p.list_ctx(), len(p.list_data()), len(p.list_grad()), p.data(c[1]).context]
p = P("w", shape=(2,))\np.initialize("ones", ctx=c)\np.data().context
p = P("w", shape=(2,))\np.initialize("ones", ctx=c)\np.data(mx.cpu(2))
p = P("w", shape=(2,))\np.initialize("ones", ctx=c)\np.grad(mx.cpu(2))
p = P("w", shape=(2,))\np.initialize("ones", ctx=mx.cpu(1))\np.data().context
p = P("w", shape=(2,))\np.initialize("ones", ctx=mx.cpu(1))\np.data(mx.cpu(0))
p = P("w", shape=(2,))\nwith mx.cpu(1):\n    p.initialize("ones")\np.list_ctx()
p = P("w", shape=(2,))\np.initialize("ones", ctx=c)\np.set_data(nd.array([3, 4]))\np.list_data()
p = P("w", shape=(2,))\np.initialize("ones")\np.set_data(nd.array([3, 4, 5]))
p = P("w", shape=(2,))\np.initialize("ones")\nx = p.data()\np.set_data(nd.array([3, 4]))\nx
p = P("w", shape=(2,))\np.initialize("ones", ctx=c)\np.reset_ctx(mx.cpu(2))\n[p.list_ctx(), p.list_data(), p.list_grad()]
p = P("w", shape=(2,))\np.initialize("ones")\np.reset_ctx([mx.cpu(1), mx.cpu(2)])\np.list_data()
p = P("w", shape=(2,))\np.initialize("ones")\np.grad_req = "null"\np.grad()
p = P("w", shape=(2,))\np.initialize("ones")\np.grad_req = "null"\np.list_grad()
p = P("w", shape=(2,))\np.initialize("ones")\np.grad_req = "null"\np.data().grad
p = P("w", shape=(2,), grad_req="null")\np.initialize("ones")\np.grad_req = "write"\np.grad()
p = P("w", shape=(2,))\np.grad_req = "nonsense"
p = P("w", shape=(2,), grad_req="add")\np.initialize("ones")\nfor _ in "abc":\n  with autograd.record():\n    y = p.data() * 2\n  y.backward()\np.grad()
p = P("w", shape=(2,), grad_req="add")\np.initialize("ones")\nwith autograd.record():\n  y = p.data() * 2\ny.backward()\np.zero_grad()\np.grad()
p = P("w", shape=(2,))\np.initialize("ones")\np.cast("float64")\n[p.dtype, p.data().dtype, p.grad().dtype]
p = P("w", shape=(2,))\np.cast("float16")\np.initialize("ones")\np.data().dtype
p = P("w", shape=(2,), dtype="float64")\np.initialize("ones")\n[p.data().dtype, p.grad().dtype]
p = P("w", shape=(2,), dtype="int32", grad_req="null")\np.initialize("ones")\np.data()
p = P("w", shape=(2,))\np.initialize("ones")\np.row_sparse_data(nd.array([0]))
p = P("w", shape=(2,))\np.initialize("ones")\np.list_row_sparse_data(nd.array([0]))
P("w", shape=(2, 3), lr_mult=2, wd_mult=0.5, dtype="float16", init="ones").var().list_attr()
P("w", shape=(2, 3)).var().name
P("w").var().list_attr()
p = P("w", shape=(2, 3))\np.var() is p.var()
p = P("w", lr_mult=2, wd_mult=3)\np.lr_mult, p.wd_mult
p = P("w", shape=(2,))\np.initialize("ones")\np.data().asnumpy()[:] = 5\np.data()
p = P("w", shape=(2,))\np.initialize("ones")\np.data()[:] = 5\np.data()
p = P("w", shape=(2,), stype="default", grad_stype="default")\n[p.stype, p.grad_stype]
k = gluon.Constant("k", [[1, 2], [3, 4]])\n[k.grad_req, k.shape, k.value]
k = gluon.Constant("k", nd.array([1, 2], dtype="int32"))\nk.initialize()\nk.data()
k = gluon.Constant("k", [1, 2])\nk.initialize()\nk.grad()
k = gluon.Constant("k", [1, 2])\nk.initialize("zeros")\nk.data()
k = gluon.Constant("k", [1, 2])\nk.grad_req = "write"\nk.grad_req
k = gluon.Constant("k", [1, 2])\nwarned(lambda: setattr(k, "grad_req", "write"))
repr(gluon.Constant("k", [1, 2]))
issubclass(gluon.parameter.DeferredInitializationError, mx.MXNetError)
isinstance(gluon.Constant("k", [1]), P)
gluon.parameter.tensor_types
"""

DICT = r"""
d = gluon.ParameterDict("net_")\nd.get("w", shape=(2,)).name
d = gluon.ParameterDict("net_")\nd.get("w", shape=(2,)) is d.get("w")
d = gluon.ParameterDict("net_")\nd.get("w", shape=(2,))\nd.get("w", shape=(3,))
d = gluon.ParameterDict("net_")\nd.get("w", shape=(2, 0))\nd.get("w", shape=(0, 3)).shape
d = gluon.ParameterDict("net_")\nd.get("w", shape=(2,), dtype="float32")\nd.get("w", dtype="float64")
d = gluon.ParameterDict("net_")\nd.get("w", shape=(2,), dtype="float32")\nd.get("w", dtype=np.float32).name
d = gluon.ParameterDict("net_")\nd.get("w", shape=(2,), lr_mult=2)\nd.get("w", lr_mult=3)
d = gluon.ParameterDict("net_")\nd.get("w", shape=(2,))\nd.get("w", init="ones").init
d = gluon.ParameterDict("net_")\nd.get("w", nonsense=2)
d = gluon.ParameterDict("net_")\nd.prefix
d = gluon.ParameterDict()\nd.prefix
d = gluon.ParameterDict("a_")\nd.get("w", shape=(2,))\nd.get("b", shape=(3,))\n[list(d.keys()), len(list(d.items())), [p.name for p in d.values()], list(d)]
d = gluon.ParameterDict("a_")\nd.get("w", shape=(2,))\nd["a_w"].name
d = gluon.ParameterDict("a_")\nd["a_w"]
d = gluon.ParameterDict("a_")\nd.get("w", shape=(2,))\n["a_w" in d.keys(), "w" in d.keys()]
d = gluon.ParameterDict("a_")\nd.get("w", shape=(2,))\nd.get("v", shape=(2,), dtype="float16")\nrepr(d)
repr(gluon.ParameterDict("a_"))
d = gluon.ParameterDict("a_")\nw = d.get("w", shape=(2,))\ne = gluon.ParameterDict("a_", d)\n[e.get("w") is w, list(e.keys())]
d = gluon.ParameterDict("a_")\nw = d.get("w", shape=(2,))\ne = gluon.ParameterDict("b_", d)\n[e.get("w", shape=(2,)) is w, list(e.keys())]
d = gluon.ParameterDict("a_")\nd.get("w", shape=(2,))\ne = gluon.ParameterDict("b_")\ne.get("w", shape=(2,))\nd.update(e)\nlist(d.keys())
d = gluon.ParameterDict("a_")\nd.get("w", shape=(2,))\ne = gluon.ParameterDict("a_")\ne.get("w", shape=(2,))\nd.update(e)
d = gluon.ParameterDict("a_")\nd.get_constant("k", [1, 2]).name
d = gluon.ParameterDict("a_")\nd.get_constant("k")
d = gluon.ParameterDict("a_")\nd.get_constant("k", [1, 2]) is d.get_constant("k", np.array([1.0, 2.0]))
d = gluon.ParameterDict("a_")\nd.get_constant("k", [1, 2])\nd.get_constant("k", [1, 3])
d = gluon.ParameterDict("a_")\nd.get("k", shape=(2,))\nd.get_constant("k", [1, 3])
d = gluon.ParameterDict("a_")\nd.get("w", shape=(2,))\nd.initialize("ones")\nd["a_w"].data()
d = gluon.ParameterDict("a_")\nd.get("w", shape=(2,))\nd.initialize(mx.init.One(), ctx=c)\nd["a_w"].list_ctx()
d = gluon.ParameterDict("a_")\nd.get("w", shape=(2,), init="zeros")\nd.initialize(mx.init.One())\nd["a_w"].data()
d = gluon.ParameterDict("a_")\nd.get("w", shape=(2,))\nd.initialize(mx.init.One())\nd.initialize(mx.init.Zero())\nd["a_w"].data()
d = gluon.ParameterDict("a_")\nd.get("w", shape=(2,))\nd.initialize(mx.init.One())\nd.initialize(mx.init.Zero(), force_reinit=True)\nd["a_w"].data()
d = gluon.ParameterDict("a_")\nd.get("w", shape=(2,))\nd.initialize(mx.init.One())\nd.reset_ctx(mx.cpu(1))\nd["a_w"].list_ctx()
d = gluon.ParameterDict("a_")\nd.get("w", shape=(2,))\nd.get("v", shape=(2,))\nd.setattr("lr_mult", 0.5)\n[p.lr_mult for p in d.values()]
d = gluon.ParameterDict("a_")\nd.get("w", shape=(2,))\nd.initialize(mx.init.One())\nd.setattr("grad_req", "null")\nd["a_w"].grad()
d = gluon.ParameterDict("a_")\nd.get("w", shape=(2,))\nd.initialize(mx.init.One())\nd["a_w"].grad()[:] = 3\nd.zero_grad()\nd["a_w"].grad()
d = gluon.ParameterDict("a_")\nd.get("w", shape=(2,))\nd.initialize(mx.init.One(), ctx=c)\nsorted(map(str, d.list_ctx()))
d = gluon.ParameterDict("a_")\nd.get("w", shape=(2,))\nd.initialize(mx.init.One())\nd.save(path)\nnd.load(path)
d = gluon.ParameterDict("a_")\nd.get("w", shape=(2,))\nd.initialize(mx.init.One())\nd.save(path, strip_prefix="a_")\nnd.load(path)
d = gluon.ParameterDict("a_")\nd.get("w", shape=(2,))\nd.initialize(mx.init.One())\nd.save(path, strip_prefix="b_")
d = gluon.ParameterDict("a_")\nd.get("w", shape=(2,))\nd.save(path)
nd.save(path, {"a_w": nd.array([5, 6])})\nd = gluon.ParameterDict("a_")\nd.get("w", shape=(2,))\nd.load(path, mx.cpu())\nd["a_w"].data()
nd.save(path, {"w": nd.array([5, 6])})\nd = gluon.ParameterDict("a_")\nd.get("w", shape=(2,))\nd.load(path, mx.cpu(), restore_prefix="a_")\nd["a_w"].data()
nd.save(path, {"arg:a_w": nd.array([5, 6])})\nd = gluon.ParameterDict("a_")\nd.get("w", shape=(2,))\nd.load(path, mx.cpu())\nd["a_w"].data()
nd.save(path, {"a_v": nd.array([5, 6])})\nd = gluon.ParameterDict("a_")\nd.get("w", shape=(2,))\nd.load(path, mx.cpu())
nd.save(path, {"a_v": nd.array([5, 6])})\nd = gluon.ParameterDict("a_")\nd.get("w", shape=(2,))\nd.load(path, mx.cpu(), allow_missing=True)
nd.save(path, {"a_v": nd.array([5, 6])})\nd = gluon.ParameterDict("a_")\nd.get("w", shape=(2,))\nd.load(path, mx.cpu(), allow_missing=True, ignore_extra=True)\nd["a_w"].data()
nd.save(path, {"a_w": nd.array([5, 6, 7])})\nd = gluon.ParameterDict("a_")\nd.get("w", shape=(2,))\nd.load(path, mx.cpu())
nd.save(path, {"a_w": nd.array([5, 6], dtype="float64")})\nd = gluon.ParameterDict("a_")\nd.get("w", shape=(2,))\nd.load(path, mx.cpu())
nd.save(path, {"a_w": nd.array([5, 6], dtype="float64")})\nd = gluon.ParameterDict("a_")\nd.get("w", shape=(2,))\nd.load(path, mx.cpu(), cast_dtype=True)\nd["a_w"].data()
nd.save(path, {"a_w": nd.array([5, 6], dtype="float64")})\nd = gluon.ParameterDict("a_")\nd.get("w", shape=(2,))\nd.load(path, mx.cpu(), cast_dtype=True, dtype_source="saved")\nd["a_w"].data()
nd.save(path, {"a_w": nd.array([5, 6], dtype="float64")})\nd = gluon.ParameterDict("a_")\nd.get("w", shape=(2,))\nd.load(path, mx.cpu(), cast_dtype=True, dtype_source="nonsense")
nd.save(path, [nd.array([5, 6])])\nd = gluon.ParameterDict("a_")\nd.get("w", shape=(2,))\nd.load(path, mx.cpu())
nd.save(path, {"a_w": nd.array([5, 6])})\nd = gluon.ParameterDict("a_")\nd.get("w", shape=(2,))\nd.initialize(mx.init.One(), ctx=c)\nd.load(path, c)\nd["a_w"].list_data()
nd.save(path, {"a_w": nd.array([5, 6])})\nd = gluon.ParameterDict("a_")\nd.get("w", shape=(2,))\nd.initialize(mx.init.One(), ctx=mx.cpu(1))\nd.load(path, mx.cpu(0))
d = gluon.ParameterDict("a_")\nd.get("w", shape=(2,))\nd.load_dict({"a_w": nd.array([5, 6])}, mx.cpu())\nd["a_w"].data()
open(path, "w").close()\nd = gluon.ParameterDict("a_")\nd.load(path, mx.cpu())
"""

BLOCK = r"""
made(nn.Dense, 3).name
made(nn.Dense, 3).prefix
made(nn.Dense, 3, prefix="my_").name
made(nn.Dense, 3, prefix="my_").collect_params().keys()
[list(made(nn.Dense, 3, prefix="").collect_params().keys()), made(nn.Dense, 3, prefix="").name]
list(made(Two).collect_params().keys())
list(made(Two, prefix="x_").collect_params().keys())
list(made(Two).collect_params(".*weight").keys())
list(made(Two).collect_params("two0_dense0").keys())
list(made(Two).collect_params(".*dense1_bias|.*dense0_weight").keys())
list(made(Two).params.keys())
made(Two).collect_params().prefix
repr(made(Two))
repr(made(nn.Dense, 3))
repr(made(nn.Dense, 3, in_units=2, activation="relu", use_bias=False))
repr(made(nn.Conv2D, 3, 2, strides=2, padding=1, groups=1, in_channels=2))
repr(made(nn.HybridSequential))
net = nn.HybridSequential()\nnet.add(nn.Dense(2, in_units=1), nn.Activation("relu"), nn.Dropout(0.5), nn.BatchNorm(in_channels=2), nn.Flatten())\nrepr(net)
net = nn.HybridSequential()\nnet.add(nn.MaxPool2D(), nn.AvgPool1D(3), nn.GlobalAvgPool2D(), nn.LeakyReLU(0.1), nn.Embedding(3, 4), nn.LayerNorm(in_channels=3), nn.InstanceNorm(), nn.Lambda("relu"), nn.HybridLambda("relu"))\nrepr(net)
made(Two)(nd.ones((1, 3)))
net = made(Two)\nnet.hybridize()\nnet(nd.ones((1, 3)))
net = made(Two)\nnet.hybridize(static_alloc=True, static_shape=True)\nnet(nd.ones((1, 3)))
net = made(Two)\nnet.hybridize(inline_limit=3, forward_bulk_size=2, backward_bulk_size=2)\nnet(nd.ones((1, 3)))
net = made(Two)\nnet.hybridize(nonsense=1)\nnet(nd.ones((1, 3)))
net = made(Two)\nnet.hybridize()\nnet.hybridize(False)\nnet(nd.ones((1, 3)))
net = made(Two)\nnet(sym.var("x")).list_arguments()
net = made(Two)\nnet(sym.var("x")).list_outputs()
net = made(Two)\nnet(sym.var("x")).get_internals().list_outputs()
made(Two)(nd.ones((1, 4)))
made(Two)("x")
made(Two)(nd.ones((1, 3)), nd.ones((1, 3)))
made(Two)()
nn.Dense(3)(nd.ones((1, 2)))
net = nn.Dense(3)\nnet.initialize("ones")\nnet.weight.data()
net = nn.Dense(3)\nnet.initialize("ones")\nnet(nd.ones((1, 2)))\nnet.weight.shape
net = made(nn.Dense, 3, flatten=False)\nnet(nd.ones((2, 4, 5))).shape
net = made(nn.Dense, 3)\nnet(nd.ones((2, 4, 5))).shape
net = made(nn.Dense, 3, in_units=2)\nnet.cast("float64")\nnet(nd.ones((1, 2), dtype="float64")).dtype
net = made(nn.Dense, 3, in_units=2)\nnet.cast("float16")\n[net.weight.dtype, net.weight.data().dtype]
net = made(nn.Dense, 3)\nnet.cast("float64")\nnet(nd.ones((1, 2), dtype="float64")).dtype
net = made(nn.BatchNorm, in_channels=2)\nnet.cast("float16")\n[p.dtype for p in net.collect_params().values()]
net = made(nn.Dense, 3)\nnet.infer_shape(nd.ones((1, 7)))\nnet.weight.shape
net = made(nn.Dense, 3)\nnet.infer_type(nd.ones((1, 7), dtype="float64"))\nnet.weight.dtype
net = made(Two)\nseen = []\nnet.apply(lambda b: seen.append(b.name))\nseen
net = made(Two)\nnet.apply(lambda b: None) is net
net = made(Two)\nprinted(lambda: net.summary(nd.ones((2, 3))))
net = made(Scale)\nprinted(lambda: net.summary(nd.ones((2, 2))))
net = made(Nested)\nprinted(lambda: net.summary(nd.ones(2), [nd.ones(2), nd.zeros(2)]))
net = made(nn.HybridSequential)\nnet.add(nn.Conv2D(4, 3, in_channels=1), nn.BatchNorm(in_channels=4), nn.Flatten(), nn.Dense(3, in_units=144))\nnet.initialize()\nprinted(lambda: net.summary(nd.ones((2, 1, 8, 8))))
a = made(nn.Dense, 2, in_units=2)\nnet = nn.HybridSequential()\nnet.add(a, nn.Dense(2, in_units=2, params=a.params))\nprinted(lambda: net.summary(nd.ones((1, 2))))
net = made(Two)\nnet.hybridize()\nnet(nd.ones((1, 3)))\nnet.summary(nd.ones((2, 3)))
nn.Dense(3, in_units=3).summary(nd.ones((2, 3)))
net = made(Two)\nseen = []\nh = net.a.register_forward_hook(lambda b, i, o: seen.append((b.name, i[0].shape, o.shape)))\nnet(nd.ones((1, 3)))\nh.detach()\nnet(nd.ones((1, 3)))\nseen
net = made(Two)\nseen = []\nh = net.a.register_forward_pre_hook(lambda b, i: seen.append((b.name, i[0].shape)))\nnet(nd.ones((1, 3)))\nh.detach()\nnet(nd.ones((1, 3)))\nseen
net = made(Two)\nseen = []\nwith net.a.register_forward_hook(lambda b, i, o: seen.append(1)):\n    net(nd.ones((1, 3)))\nnet(nd.ones((1, 3)))\nseen
net = made(Two)\nseen = []\nnet.hybridize()\nnet.register_forward_hook(lambda b, i, o: seen.append(o.shape))\nnet(nd.ones((1, 3)))\nnet(nd.ones((2, 3)))\nseen
net = made(Two)\nseen = []\nnet.hybridize()\nnet.register_op_hook(lambda name, op, x: seen.append(name))\nnet(nd.ones((1, 3)))\nlen(seen) > 0
net = made(Two)\nnet.a = nn.Dense(5)\nnet.a.name
net = made(Two)\nnet.a = 5
net = made(Two)\nnet.a = None
net = made(Scale)\n[list(net.collect_params().keys()), net(nd.ones((1, 2)))]
net = made(Scale)\nnet.hybridize()\nnet(nd.ones((1, 2)))
net = made(Scale)\nnet(sym.var("x")).list_arguments()
net = made(Branch)\nnet(nd.ones((2,)))
net = made(Branch)\nnet.hybridize()\nnet(nd.ones((2,)))
net = made(Nested)\nnet(nd.ones((2,)), [nd.ones((2,)), nd.zeros((2,))])
net = made(Nested)\nnet.hybridize()\nnet(nd.ones((2,)), [nd.ones((2,)), nd.zeros((2,))])
net = made(Nested)\nnet.hybridize()\nnet(nd.ones((2,)), [nd.ones((2,)), nd.zeros((2,))])\nnet(nd.ones((2,)), nd.ones((2,)))
net = made(nn.HybridSequential)\nnet.add(nn.Dense(2))\n[len(net), net[0].name, len(net[0:1]), [b.name for b in net]]
net = made(nn.HybridSequential)\nwith net.name_scope():\n    net.add(nn.Dense(2), nn.Dense(3))\n[b.name for b in net]
net = made(nn.HybridSequential, prefix="")\nwith net.name_scope(), mx.name.NameManager():\n    net.add(nn.Dense(2), nn.Dense(3))\n[b.name for b in net]
net = made(nn.HybridSequential)\nnet.add(nn.Dense(2))\nnet[5]
net = made(nn.HybridSequential)\nnet.add(3)
net = made(nn.HybridSequential)\nnet.add(nn.Sequential())
net = made(nn.Sequential)\nnet.add(nn.Sequential())\nlen(net)
class B(gluon.Block):\n    pass\nB()(nd.ones(1))
class B(nn.HybridBlock):\n    pass\nB()(nd.ones(1))
class B(nn.HybridBlock):\n    def __init__(self):\n        super().__init__()\n        self.inner = nn.Sequential()\nB()
class B(gluon.Block):\n    def __init__(self):\n        super().__init__()\n        self.many = [nn.Dense(2)]\nb = B()\nwarned(lambda: b.collect_params())
class B(gluon.Block):\n    def __init__(self):\n        super().__init__()\n        self.w = gluon.Parameter("w", shape=(2,))\nlist(B().collect_params().keys())
class B(gluon.Block):\n    def __init__(self):\n        super().__init__()\n        self.w = self.params.get("w", shape=(2,))\n        self.w = self.params.get("w", shape=(2,))\nB()
a = made(nn.Dense, 3, in_units=2)\nb = nn.Dense(3, in_units=2, params=a.collect_params())\n[b.weight is a.weight, list(b.collect_params().keys())]
a = made(nn.Dense, 3, in_units=2)\nb = nn.Dense(4, in_units=2, params=a.collect_params())
a = made(nn.Dense, 3, in_units=2)\nb = nn.Dense(3, in_units=2, prefix="b_", params=a.params)\n[b.name, list(b.collect_params().keys())]
net = made(Two)\nnet.save_parameters(path)\nsorted(nd.load(path))
net = made(Two)\nnet.save_parameters(path)\nother = Two()\nother.load_parameters(path, ctx=mx.cpu())\nother(nd.ones((1, 3)))
net = made(Two)\nnet.save_parameters(path)\nother = Two()\nother.load_parameters(path, ctx=c)\nother.a.weight.list_ctx()
net = made(Two)\nnet.save_params(path)\nsorted(nd.load(path))
net = made(Two)\nwarned(lambda: net.save_params(path))
net = made(Two)\nnet.save_params(path)\nother = Two()\nother.load_params(path, mx.cpu(), False, False)\nother(nd.ones((1, 3)))
net = made(Two)\nnet.save_parameters(path)\nnn.Dense(2, in_units=3).load_parameters(path)
net = made(Two)\nnet.save_parameters(path)\nother = nn.Dense(2, in_units=3)\nother.load_parameters(path, allow_missing=True)
net = made(Two)\nnet.save_parameters(path)\nother = nn.Dense(2, in_units=3)\nother.load_parameters(path, allow_missing=True, ignore_extra=True)\nother.weight.data()
net = made(nn.Dense, 2, in_units=3)\nnet.save_parameters(path)\nother = nn.Dense(2, in_units=4)\nother.load_parameters(path)
net = made(nn.Dense, 2, in_units=3)\nnet.cast("float64")\nnet.save_parameters(path)\nother = nn.Dense(2, in_units=3)\nother.load_parameters(path)
net = made(nn.Dense, 2, in_units=3)\nnet.cast("float64")\nnet.save_parameters(path)\nother = nn.Dense(2, in_units=3)\nother.load_parameters(path, cast_dtype=True)\nother.weight.data().dtype
net = made(nn.Dense, 2, in_units=3)\nnet.cast("float64")\nnet.save_parameters(path)\nother = nn.Dense(2, in_units=3)\nother.load_parameters(path, cast_dtype=True, dtype_source="saved")\nother.weight.data().dtype
nn.Dense(2).load_parameters("does-not-exist")
net = made(nn.Dense, 2, in_units=3)\nnet.hybridize()\nnet.export(path)
net = made(nn.Dense, 2, in_units=3)\nnet.export(path)
net = made(nn.Dense, 2, in_units=3)\nnet.hybridize()\nnet(nd.ones((1, 3)))\nnet.export(path)\n[sorted(nd.load(path + "-0000.params")), sym.load(path + "-symbol.json").list_inputs()]
net = made(nn.Dense, 2, in_units=3)\nnet.hybridize()\nnet(nd.ones((1, 3)))\nnet.export(path, epoch=7)\n"file-0007.params" in os.listdir(folder)
net = made(nn.Dense, 2, in_units=3)\nnet.hybridize()\nnet(nd.ones((1, 3)))\nnet.export(path)\nb = gluon.SymbolBlock.imports(path + "-symbol.json", ["data"], path + "-0000.params")\nb(nd.ones((1, 3)))
net = made(nn.Dense, 2, in_units=3)\nx = sym.var("x")\nb = gluon.SymbolBlock(net(x), x, params=net.collect_params())\n[b(nd.ones((1, 3))), list(b.collect_params().keys())]
net = made(nn.Dense, 2, in_units=3)\nx = sym.var("x")\nb = gluon.SymbolBlock([net(x), net(x) * 2], [x], params=net.collect_params())\nb(nd.ones((1, 3)))
x = sym.var("x")\ngluon.SymbolBlock(sym.FullyConnected(x, num_hidden=2, name="fc"), sym.var("q"))
x = sym.var("x")\nb = gluon.SymbolBlock(sym.FullyConnected(x, num_hidden=2, name="fc"), x)\nb.initialize("ones")\nb(nd.ones((1, 3)))
x = sym.var("x")\nb = gluon.SymbolBlock(sym.FullyConnected(x, num_hidden=2, name="fc"), x)\nb(nd.ones((1, 3)))
x = sym.var("x")\nb = gluon.SymbolBlock(x * 2, x)\nb(sym.var("z")).list_arguments()
x = sym.var("x")\nb = gluon.SymbolBlock(x * 2, x)\nb.cast("float64")\nb(nd.ones((1, 3), dtype="float64")).dtype
net = made(Two)\nwith autograd.record():\n    y = net(nd.ones((2, 3))).sum()\ny.backward()\nnet.a.weight.grad()
net = made(Two)\nnet.hybridize()\nwith autograd.record():\n    y = net(nd.ones((2, 3))).sum()\ny.backward()\nnet.a.weight.grad()
net = made(Two)\nnet.collect_params().setattr("grad_req", "add")\nfor _ in "ab":\n  with autograd.record():\n    y = net(nd.ones((2, 3))).sum()\n  y.backward()\nnet.a.bias.grad()
net = made(nn.Dropout, 0.5)\n[net(nd.ones((2, 2))), autograd.is_training()]
net = made(nn.BatchNorm)\nnet(nd.ones((2, 3))).shape\n[p.shape for p in net.collect_params().values()]
net = made(nn.BatchNorm, in_channels=2, scale=False)\n[(p.name, p.grad_req) for p in net.collect_params().values()]
net = made(nn.BatchNorm, in_channels=2)\nnet.running_mean.grad_req
net = made(nn.BatchNorm, in_channels=2, momentum=0.5)\nwith autograd.record():\n    net(nd.array([[1, 2], [3, 4]]))\nnet.running_mean.data()
net = made(nn.BatchNorm, in_channels=2, momentum=0.5)\nwith autograd.record():\n    y = net(nd.array([[1, 2], [3, 4]]))\ny.backward()\n[net.running_mean.data(), net.running_var.data()]
net = made(nn.BatchNorm, in_channels=2, momentum=0.5)\nnet.hybridize()\nwith autograd.record():\n    y = net(nd.array([[1, 2], [3, 4]]))\ny.backward()\n[net.running_mean.data(), net.running_var.data()]
net = made(nn.BatchNorm, in_channels=2, momentum=0.5)\nnet(nd.array([[1, 2], [3, 4]]))\nnet.running_mean.data()
repr(gluon.SymbolBlock(sym.relu(sym.var("x")), sym.var("x")))
repr(gluon.SymbolBlock([sym.relu(sym.var("x"), name="a"), sym.tanh(sym.var("x"), name="b")], sym.var("x")))
net = made(nn.Lambda, "relu")\nnet(nd.array([-1, 1]))
net = made(nn.HybridLambda, lambda F, x: F.relu(x) + 1)\nnet.hybridize()\nnet(nd.array([-1, 1]))
made(nn.Lambda, "nonsense")
made(nn.Lambda, 3)
made(nn.Activation, "nonsense")(nd.ones(2))
made(nn.LeakyReLU, -1)
made(nn.Conv2D, 2, (3, 3), in_channels=1)(nd.ones((1, 1, 4, 4))).shape
made(nn.Conv2D, 2, (3, 3), in_channels=1, layout="nonsense")
made(nn.Conv2D, 2, (3, 3))(nd.ones((1, 1, 4)))
made(nn.Embedding, 3, 2)(nd.array([[0, 2]])).shape
gluon.utils.split_data(nd.arange(6), 4)
gluon.utils.split_data(nd.arange(6), 4, even_split=False)
gluon.utils.split_and_load(nd.arange(4), c)
gluon.utils.split_and_load(np.arange(4), [mx.cpu()])
gluon.utils.clip_global_norm([nd.array([3.0]), nd.array([4.0])], 1.0)
gluon.utils.clip_global_norm([nd.array([3.0]), nd.array([4.0])], 1.0, check_isfinite=False)
a = [nd.array([3.0]), nd.array([4.0])]\ngluon.utils.clip_global_norm(a, 1.0)\na
gluon.utils.clip_global_norm([], 1.0)
gluon.loss.L2Loss()(nd.array([1, 2]), nd.array([3, 5]))
repr(gluon.loss.L2Loss())
t = gluon.Trainer(made(nn.Dense, 1, in_units=1).collect_params(), "sgd", {"learning_rate": 0.5})\n[t.learning_rate, t.optimizer.learning_rate]
t = gluon.Trainer(made(nn.Dense, 1, in_units=1).collect_params(), "sgd")\nt.set_learning_rate(0.25)\nt.learning_rate
t = gluon.Trainer(made(nn.Dense, 1, in_units=1).collect_params(), "nonsense")
t = gluon.Trainer([1, 2], "sgd")
t = gluon.Trainer(made(nn.Dense, 1, in_units=1).collect_params(), "sgd")\nt.step(1)
n = made(nn.Dense, 1, in_units=1)\nt = gluon.Trainer(n.collect_params(), "sgd", {"learning_rate": 1})\nwith autograd.record():\n    y = n(nd.ones((1, 1)))\ny.backward()\nt.step(2)\nn.weight.data()
n = made(nn.Dense, 1, in_units=1)\nt = gluon.Trainer(n.collect_params(), "sgd", {"learning_rate": 1})\nt.step(1, ignore_stale_grad=True)\nn.weight.data()
n = made(nn.Dense, 1, in_units=1)\nt = gluon.Trainer(n.collect_params(), "sgd", {"learning_rate": 1})\nfor _ in "ab":\n  with autograd.record():\n    y = n(nd.ones((1, 1)))\n  y.backward()\n  t.step(1)\nt.step(1)
"""

DATA = r"""
list(gluon.data.BatchSampler(gluon.data.SequentialSampler(7), 3, "keep"))
list(gluon.data.BatchSampler(gluon.data.SequentialSampler(7), 3, "discard"))
s = gluon.data.BatchSampler(gluon.data.SequentialSampler(7), 3, "rollover")\n[list(s), list(s), list(s)]
s = gluon.data.BatchSampler(gluon.data.SequentialSampler(7), 3, "rollover")\nlist(s)\nlen(s)
[len(gluon.data.BatchSampler(gluon.data.SequentialSampler(7), 3, m)) for m in ("keep", "discard", "rollover")]
list(gluon.data.BatchSampler(gluon.data.SequentialSampler(7), 3, "nonsense"))
list(gluon.data.SequentialSampler(4))
list(gluon.data.SequentialSampler(4, 3))
sorted(gluon.data.RandomSampler(4))
list(gluon.data.FilterSampler(lambda x: x > 1, gluon.data.SimpleDataset([0, 3, 1, 5])))
gluon.data.ArrayDataset([1, 2], [3, 4])[1]
gluon.data.ArrayDataset([1, 2])[1]
gluon.data.ArrayDataset([1, 2], [3])
gluon.data.ArrayDataset()
gluon.data.ArrayDataset(nd.arange(3), np.arange(3))[1]
len(gluon.data.SimpleDataset([1, 2, 3]))
gluon.data.SimpleDataset([1, 2, 3]).transform(lambda x: x * 2)[1]
gluon.data.SimpleDataset([1, 2, 3]).transform(lambda x: x * 2, lazy=False)[1]
gluon.data.ArrayDataset([1, 2], [3, 4]).transform_first(lambda x: x * 10)[1]
list(gluon.data.SimpleDataset([1, 2, 3, 4]).filter(lambda x: x % 2))
list(gluon.data.SimpleDataset(range(5)).take(2))
list(gluon.data.SimpleDataset(range(5)).shard(2, 0))
list(gluon.data.SimpleDataset(range(5)).shard(2, 1))
list(gluon.data.SimpleDataset(range(4)).sample(gluon.data.SequentialSampler(2)))
[x for x in gluon.data.DataLoader(gluon.data.SimpleDataset(range(5)), 2)]
[x for x in gluon.data.DataLoader(gluon.data.SimpleDataset(range(5)), 2, last_batch="discard")]
[x for x in gluon.data.DataLoader(gluon.data.SimpleDataset(range(5)), 2, last_batch="rollover")]
[len(gluon.data.DataLoader(gluon.data.SimpleDataset(range(5)), 2, last_batch=m)) for m in ("keep", "discard", "rollover")]
[x for x in gluon.data.DataLoader(gluon.data.ArrayDataset(nd.arange(4).reshape((2, 2)), np.arange(2)), 2)]
[x for x in gluon.data.DataLoader(gluon.data.ArrayDataset(nd.arange(4).reshape((2, 2)), np.arange(2, dtype="int64")), 2)]
[x for x in gluon.data.DataLoader([np.float64(1), np.float64(2)], 2)]
[x for x in gluon.data.DataLoader([(1, 2.5), (3, 4.5)], 2)]
[x for x in gluon.data.DataLoader([nd.ones(2), nd.zeros(2)], 2)]
[x for x in gluon.data.DataLoader(gluon.data.SimpleDataset(range(4)), batch_sampler=gluon.data.BatchSampler(gluon.data.SequentialSampler(4), 3))]
[x for x in gluon.data.DataLoader(gluon.data.SimpleDataset(range(4)), 2, sampler=gluon.data.SequentialSampler(3))]
[x for x in gluon.data.DataLoader(gluon.data.SimpleDataset(range(4)), 2, batchify_fn=lambda xs: sum(xs))]
gluon.data.DataLoader(gluon.data.SimpleDataset(range(4)))
gluon.data.DataLoader(gluon.data.SimpleDataset(range(4)), 2, shuffle=True, sampler=gluon.data.SequentialSampler(3))
gluon.data.DataLoader(gluon.data.SimpleDataset(range(4)), 2, batch_sampler=gluon.data.BatchSampler(gluon.data.SequentialSampler(4), 3))
gluon.data.DataLoader(gluon.data.SimpleDataset(range(4)), 2, last_batch="nonsense")
"""

DIFFERENT = {}

#: What is different here, by reason.
DIFFERENCES: dict[str, dict[str, object]] = {
    "An error, but of another class": {
        'p = P("w", shape=(0, 2), allow_deferred_init=True)\np.initialize("ones")\np._finish_deferred_init()': {
            "raises": ["ValueError"]
        },
        'p = P("w", shape=(2,))\np.initialize("nonsense")': {"raises": ["ValueError"]},
        'd = gluon.ParameterDict("a_")\nd.get_constant("k", [1, 2])\nd.get_constant("k", [1, 3])': {
            "raises": ["AssertionError"]
        },
        'nd.save(path, {"a_w": nd.array([5, 6], dtype="float64")})\nd = gluon.ParameterDict("a_")\nd.get("w", shape=(2,))\nd.load(path, mx.cpu(), cast_dtype=True, dtype_source="nonsense")': {
            "raises": ["ValueError"]
        },
        'nd.save(path, [nd.array([5, 6])])\nd = gluon.ParameterDict("a_")\nd.get("w", shape=(2,))\nd.load(path, mx.cpu())': {
            "raises": ["MXNetError", "RuntimeError"]
        },
        'nn.Dense(2).load_parameters("does-not-exist")': {"raises": ["FileNotFoundError", "OSError"]},
        "gluon.utils.clip_global_norm([], 1.0)": {"raises": ["ValueError"]},
        "gluon.data.ArrayDataset([1, 2], [3])": {"raises": ["ValueError"]},
        "gluon.data.ArrayDataset()": {"raises": ["ValueError"]},
        'gluon.data.DataLoader(gluon.data.SimpleDataset(range(4)), 2, last_batch="nonsense")': {
            "raises": ["ValueError"]
        },
    },
    "Properties that MXNet has for other arrays only": {
        'p = P("w", shape=(2,), stype="default", grad_stype="default")\n[p.stype, p.grad_stype]': {
            "list": [{"text": "default"}, {"text": "default"}]
        },
    },
    "A warning of deprecation": {
        "net = made(Two)\nwarned(lambda: net.save_params(path))": {"list": [{"text": "DeprecationWarning"}]},
    },
    "Running statistics change in the forward pass, MXNet's in the backward pass": {
        "net = made(nn.BatchNorm, in_channels=2, momentum=0.5)\nwith autograd.record():\n    net(nd.array([[1, 2], [3, 4]]))\nnet.running_mean.data()": {
            "NDArray": "float32",
            "shape": [2],
            "values": [1.0, 1.5],
        },
    },
}
DIFFERENT = {program: answer for answers in DIFFERENCES.values() for program, answer in answers.items()}


def rows() -> list[str]:
    """All programs."""
    text = PARAMETER + DICT + BLOCK + DATA
    return [line.replace("\\n", "\n") for line in text.split("\n") if line]
