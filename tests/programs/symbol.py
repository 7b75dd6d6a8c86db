"""Programs on symbols: names, attributes, composition, inference, files, execution.

Every program runs in a name manager of its own.
"""

from __future__ import annotations

#: What runs before every program.
START = """
import json
mx.name.NameManager().__enter__()
x, y = sym.var("x"), sym.var("y")

def read(symbol):
    members = json.loads(symbol.tojson())
    del members["node_row_ptr"]  # MXNet counts outputs there that it hides everywhere else
    return members
"""

NAMES = r"""
(x + 1).name
[(x + 1).name, (x + 1).name, (x * y).name, (x / y).name, (x - y).name, (x ** 2).name, (-x).name]
[(1 - x).name, (1 / x).name, (2 ** x).name, (x % 2).name, (2 % x).name, (x == y).name, (x > 2).name]
[sym.relu(x).name, sym.Activation(x, act_type="relu").name, sym.broadcast_add(x, y).name, sym.elemwise_add(x, y).name]
sym.FullyConnected(x, num_hidden=3)
sym.FullyConnected(x, num_hidden=3, name="fc").list_arguments()
sym.FullyConnected(x, num_hidden=3, no_bias=True, name="fc").list_arguments()
sym.FullyConnected(x, y, num_hidden=3, name="fc").list_arguments()
sym.FullyConnected(data=x, bias=y, num_hidden=3, name="fc").list_arguments()
sym.Convolution(x, kernel=(3, 3), num_filter=2).list_arguments()
sym.BatchNorm(x).list_auxiliary_states()
sym.BatchNorm(x, name="bn").list_arguments()
sym.BatchNorm(x, name="bn").list_inputs()
sym.BatchNorm(x, name="bn").list_outputs()
sym.BatchNorm(x, name="bn", output_mean_var=True).list_outputs()
sym.split(x, num_outputs=3, name="s").list_outputs()
sym.split(x, num_outputs=3, name="s").name
sym.SoftmaxOutput(x, name="softmax").list_arguments()
sym.RNN(x, state_size=2, num_layers=1, mode="lstm", name="r").list_arguments()
sym.LeakyReLU(x, act_type="prelu", name="p").list_arguments()
sym.LeakyReLU(x, act_type="leaky", name="p").list_arguments()
sym.Dropout(x).list_outputs()
sym.topk(x, ret_typ="both", name="t").list_outputs()
sym.LayerNorm(x, name="ln").list_arguments()
sym.LayerNorm(x, name="ln").list_outputs()
sym.Concat(x, y, name="c").list_arguments()
sym.concat(x, y, dim=0).name
sym.add_n(x, y).name
sym.ElementWiseSum(x, y).name
sym.stack(x, y).name
sym.flatten(x).name
sym.Flatten(x).name
sym.max(x).name
sym.zeros((2,)).name
sym.arange(3).name
sym.linalg.gemm2(x, y).name
sym.contrib.box_nms(x).name
sym.random.uniform(shape=(2,)).name
sym.random.normal(x, y).name
sym.maximum(x, y).name
sym.maximum(x, 2).name
sym.pow(x, 2).name
sym.pow(2, x).name
sym.power(x, y).name
sym.maximum(2, x).name
x.softmax().name
sym.contrib.MultiBoxPrior(x).name
sym.linalg.potrf(x).name
sym.image.to_tensor(x).name
sym.sparse.dot(x, y).name
sym.op.relu(x).name
sym.random.randint(0, 3, shape=(2,)).name
sym.random.multinomial(x).name
sym.random.shuffle(x).name
sym.hypot(x, y).name
x.reshape((2, 3)).name
x.sum().name
x.astype("int32").name
x[0].name
mx.name.NameManager().get(None, "conv")
mx.name.NameManager().get("given", "conv")
mx.name.Prefix("p_").get(None, "conv")
mx.name.Prefix("p_").get("given", "conv")
with mx.name.Prefix("p_"):\n    z = sym.FullyConnected(x, num_hidden=2)\nz.list_inputs() + z.list_outputs()
with mx.name.Prefix("p_"):\n    z = sym.FullyConnected(x, num_hidden=2, name="fc")\nz.list_inputs() + z.list_outputs()
with mx.name.Prefix("p_"):\n    z = sym.var("v")\nz.name
with mx.name.Prefix("a_"):\n    with mx.name.Prefix("b_"):\n        z = sym.relu(x)\n    w = sym.relu(x)\n[z.name, w.name]
with mx.name.NameManager():\n    z = [sym.relu(x).name, sym.relu(x).name]\nz + [sym.relu(x).name]
class My(mx.name.NameManager):\n    def get(self, name, hint):\n        return "my_" + hint\nwith My():\n    z = sym.relu(x)\nz.name
sym.var("v")
sym.Variable("v", shape=(2, 3)).list_attr()
sym.var("v", lr_mult=2, wd_mult=0.5, dtype="float16", init=mx.init.One()).list_attr()
sym.var("v", attr={"a": "b"}).list_attr()
sym.var("v", attr={"a": 1})
sym.var("v", __note__="x").attr("__note__")
sym.var("v", note="x")
sym.var(3)
sym.var("v", dtype=np.int64).attr("__dtype__")
sym.var("v", init="xavier").attr("__init__")
sym.var("v", stype="default").list_attr()
sym.var("v").attr("nothing")
sym.var("v", lr_mult=1).list_attr(recursive=True)
sym.pow(base=x, exp=y).name
"""

ATTRIBUTES = r"""
sym.Activation(x, act_type="relu", name="a").list_attr()
sym.FullyConnected(x, num_hidden=3, name="fc").list_attr()
sym.FullyConnected(x, num_hidden=3, no_bias=True, name="fc").attr("no_bias")
sym.FullyConnected(x, num_hidden=3, name="fc", attr={"lr_mult": "2"}).attr_dict()
sym.FullyConnected(x, num_hidden=3, name="fc", lr_mult=2.0).attr_dict()
sym.FullyConnected(x, num_hidden=3, name="fc", __mine__="z").attr_dict()
sym.Convolution(x, kernel=(3, 3), num_filter=2, stride=(2, 1), name="c").attr_dict()
sym.Convolution(x, kernel=3, num_filter=2, name="c").attr_dict()
sym.Pooling(x, kernel=(2, 2), pool_type="avg", global_pool=True, name="p").list_attr()
sym.Reshape(x, shape=(-1, 2), name="r").list_attr()
sym.Dropout(x, p=0.25, name="d").list_attr()
sym.sum(x, axis=1, keepdims=True, name="s").list_attr()
sym.sum(x, axis=(0, 1), name="s").list_attr()
sym.clip(x, 0, 1, name="c").list_attr()
sym.transpose(x, axes=(1, 0), name="t").list_attr()
sym.one_hot(x, depth=3, dtype="int32", name="o").list_attr()
(x + 2).list_attr()
(x * 0.1).list_attr()
(x ** 2.5).list_attr()
(x > 1).list_attr()
sym.cast(x, dtype=np.float16, name="c").list_attr()
sym.zeros((2, 3), name="z").list_attr()
sym.arange(1, 5, 2, name="a").list_attr()
sym.slice(x, begin=(0, None), end=(1, 2), name="s").list_attr()
sym.slice_axis(x, axis=0, begin=0, end=None, name="s").list_attr()
sym.BatchNorm(x, eps=1e-5, fix_gamma=False, name="b").list_attr()
sym.LeakyReLU(x, act_type="leaky", slope=0.2, name="l").list_attr()
with mx.AttrScope(group="4", data="great"):\n    v = sym.var("v", attr={"dtype": "data", "group": "1"})\n    w = sym.var("w")\n[v.list_attr(), w.list_attr(), v.attr("group"), w.attr("data")]
with mx.AttrScope(ctx_group="dev1"):\n    z = sym.FullyConnected(x, num_hidden=2, name="fc")\nz.attr_dict()
with mx.AttrScope(lr_mult="0.1"):\n    z = sym.FullyConnected(x, num_hidden=2, name="fc")\nz.attr_dict()
with mx.AttrScope(__layer__="1"):\n    with mx.AttrScope(__other__="2"):\n        v = sym.var("v")\nv.list_attr()
mx.AttrScope(a=1)
mx.AttrScope(a="1").get({"b": "2"})
mx.AttrScope(a="1").get(None)
z = sym.var("v")\nz._set_attr(mood="good")\nz.attr("mood")
z = sym.var("v")\nz._set_attr(mood=3)
sym.relu(x + 1, name="r").attr_dict()
sym.Group([sym.var("p", __a__="1"), sym.var("q", __b__="2")]).attr_dict()
"""

COMPOSITION = r"""
fc = sym.FullyConnected(sym.var("data"), num_hidden=2, name="fc")\nrelu = sym.relu(sym.var("in"), name="r")\nrelu(fc).list_arguments()
fc = sym.FullyConnected(sym.var("data"), num_hidden=2, name="fc")\nrelu = sym.relu(sym.var("in"), name="r")\nrelu(**{"in": fc}).list_arguments()
fc = sym.FullyConnected(sym.var("data"), num_hidden=2, name="fc")\nrelu = sym.relu(sym.var("in"), name="r")\nz = relu(**{"in": fc})\n[relu.list_arguments(), z.list_outputs()]
z = (x + y)\nz(x=sym.relu(sym.var("a"), name="r")).list_arguments()
z = (x + y)\nz(sym.var("a"), sym.var("b")).list_arguments()
z = (x + y)\nz(sym.var("a")).list_arguments()
z = (x + y)\nz(sym.var("a"), sym.var("b"), sym.var("c"))
z = (x + y)\nz(q=sym.var("a"))
z = (x + y)\nz(sym.var("a"), y=sym.var("b"))
z = (x + y)\nz(3)
z = (x + y)\nz(x=sym.var("a"), name="renamed").list_outputs()
sym.Group([x, y]).list_outputs()
sym.Group([x + 1, sym.split(y, num_outputs=2, name="s")]).list_outputs()
sym.Group([x, y]).name
sym.Group([])
sym.Group([x, 3])
repr(sym.Group([x, y]))
repr(x)
repr(x + y)
len(sym.Group([x, y]))
[s.name for s in sym.Group([x, y])]
sym.split(x, num_outputs=3, name="s")[1].list_outputs()
sym.split(x, num_outputs=3, name="s")["s_output2"].list_outputs()
sym.split(x, num_outputs=3, name="s")["nothing"]
sym.split(x, num_outputs=3, name="s")[3]
sym.split(x, num_outputs=3, name="s")[-1].list_outputs()
sym.split(x, num_outputs=3, name="s")[0:2].list_outputs()
sym.FullyConnected(x, num_hidden=2, name="fc").get_internals().list_outputs()
sym.FullyConnected(x, num_hidden=2, name="fc").get_internals()["fc_output"].list_arguments()
sym.FullyConnected(x, num_hidden=2, name="fc").get_internals()[0].name
sym.FullyConnected(x, num_hidden=2, name="fc").get_internals()["fc_weight"].list_outputs()
sym.relu(sym.BatchNorm(x, name="bn"), name="r").get_internals().list_outputs()
sym.FullyConnected(x, num_hidden=2, name="fc").get_children().list_outputs()
x.get_children()
sym.Group([x + 1, y * 2]).get_children().list_outputs()
sym.relu(x + y, name="r").get_children().get_children().list_outputs()
(x + y).num_outputs
(x + y).list_arguments()
(x + x).list_arguments()
sym.relu(x, y)
sym.FullyConnected(x, y, x, x, num_hidden=2)
sym.FullyConnected(x, y, sym.var("b"), num_hidden=2, no_bias=True).list_arguments()
sym.relu(3)
sym.relu(x, nonsense=2)
sym.relu()
sym.FullyConnected(x)
sym.FullyConnected(x, num_hidden="many")
sym.FullyConnected(sym.Group([x, y]), num_hidden=2)
sym.Activation(x, act_type="nonsense")
sym.nonsense(x)
x + "a"
x + None
x + nd.ones((2,))
bool(x)
if x: pass\n1
x.asnumpy()
x.asscalar()
x.backward()
x.detach()
x.attach_grad()
x.wait_to_read()
x.as_in_context(mx.cpu())
import copy\nz = sym.FullyConnected(x, num_hidden=2, name="fc")\nw = copy.deepcopy(z)\nw._set_attr(a="b")\n[z.attr("a"), w.attr("a"), w.list_arguments()]
import copy\nz = sym.FullyConnected(x, num_hidden=2, name="fc")\nw = copy.copy(z)\nw.list_arguments()
import pickle\nz = sym.FullyConnected(x, num_hidden=2, name="fc")\npickle.loads(pickle.dumps(z)).list_arguments()
x == y
(x == y).list_outputs()
(x == 3).list_outputs()
(x != 3).list_outputs()
x == None
hash(x) == hash(x)
sym.load_json((x + y).tojson()).list_arguments()
sym.fromjson((x + y).tojson()).list_arguments()
sym.load_json("nonsense")
sym.load_json("{}")
sym.load("does-not-exist.json")
"""

JSON = r"""
json.loads((x + y).tojson())["nodes"]
read(sym.FullyConnected(x, num_hidden=2, name="fc"))
read(sym.BatchNorm(x, name="bn"))
read(sym.LeakyReLU(x, act_type="prelu", name="p"))
sym.BatchNorm(x, moving_mean=sym.var("m"), moving_var=sym.var("v", init="zeros"), name="bn").attr_dict()
sym.UpSampling(x, scale=2, sample_type="bilinear", num_filter=1, name="u").attr_dict()
sym.UpSampling(x, y, scale=2, sample_type="bilinear", num_filter=1, name="u").list_arguments()
sym.UpSampling(x, y, scale=2, sample_type="nearest", name="u").list_arguments()
sym.Concat(name="c", num_args=2).list_arguments()
sym.Concat(x, name="c", num_args=3).list_arguments()
sym.Concat(arg0=x, arg1=y, num_args=2, name="c").list_arguments()
sym.Concat(x, y, name="c").list_attr()
read(sym.split(x, num_outputs=2, name="s"))
read(sym.Group([sym.relu(x, name="r"), y]))
read(sym.relu(sym.split(x, num_outputs=2, name="s")[1], name="r"))
read(sym.var("v", shape=(2, 3), lr_mult=2, init="ones"))
read(sym.Dropout(sym.Activation(x, act_type="tanh", name="a"), p=0.3, name="d"))
read(sym.SoftmaxOutput(sym.Convolution(x, kernel=(3, 3), num_filter=2, name="c"), name="s"))
json.loads((sym.zeros((2,), name="z") + x * 2.5).tojson())["nodes"]
sym.load_json(sym.BatchNorm(x, name="bn", fix_gamma=False).tojson()).attr_dict()
sym.load_json(sym.BatchNorm(x, name="bn").tojson()).list_auxiliary_states()
sym.FullyConnected(x, num_hidden=2, name="fc").debug_str()
sym.relu(sym.Dropout(x * 2, p=0.5, name="d"), name="r").debug_str()
sym.Group([x, sym.split(y, num_outputs=2, name="s")[1]]).debug_str()
"""

INFERENCE = r"""
(x + y).infer_shape(x=(2, 3))
(x + y).infer_shape((2, 3), (2, 3))
(x + y).infer_shape(x=(2, 3), y=(2, 4))
(x + y).infer_shape(x=(2, 0), y=(0, 4))
(x + y).infer_shape()
(x + y).infer_shape((2, 3), y=(2, 3))
(x + y).infer_shape((2, 3), (2, 3), (2, 3))
(x + y).infer_shape(q=(2, 3))
sym.FullyConnected(x, num_hidden=4, name="fc").infer_shape(x=(2, 3))
sym.FullyConnected(x, num_hidden=4, name="fc").infer_shape(x=(2, 3, 5))
sym.FullyConnected(x, num_hidden=4, flatten=False, name="fc").infer_shape(x=(2, 3, 5))
sym.FullyConnected(x, num_hidden=4, name="fc").infer_shape(x=(2, 3), fc_weight=(4, 5))
sym.FullyConnected(x, num_hidden=4, name="fc").infer_shape(fc_weight=(4, 5))
sym.FullyConnected(x, num_hidden=4, name="fc").infer_shape_partial(fc_weight=(4, 5))
sym.FullyConnected(x, num_hidden=4, name="fc").infer_shape_partial()
sym.FullyConnected(x, num_hidden=4, name="fc").infer_shape_partial(x=(0, 3))
sym.Convolution(x, kernel=(3, 3), num_filter=4, name="c").infer_shape(x=(1, 3, 8, 8))
sym.Convolution(x, kernel=(3, 3), num_filter=4, num_group=3, name="c").infer_shape(x=(1, 3, 8, 8))
sym.Convolution(x, kernel=(3, 3), num_filter=4, name="c").infer_shape(x=(1, 3, 8))
sym.Convolution(x, kernel=(9, 9), num_filter=4, name="c").infer_shape(x=(1, 3, 8, 8))
sym.Convolution(x, kernel=(3, 3), num_filter=4, name="c").infer_shape_partial(x=(0, 3, 0, 0))
sym.Deconvolution(x, kernel=(3, 3), num_filter=4, stride=(2, 2), name="c").infer_shape(x=(1, 3, 8, 8))
sym.BatchNorm(x, name="bn").infer_shape(x=(2, 5, 3))
sym.BatchNorm(x, name="bn", axis=-1).infer_shape(x=(2, 5, 3))
sym.LayerNorm(x, name="ln").infer_shape(x=(2, 5, 3))
sym.Embedding(x, input_dim=7, output_dim=4, name="e").infer_shape(x=(2, 5))
sym.LeakyReLU(x, act_type="prelu", name="p").infer_shape(x=(2, 5, 3))
sym.RNN(x, state_size=2, num_layers=1, mode="lstm", name="r", state_outputs=True).infer_shape(x=(4, 2, 3))
sym.SoftmaxOutput(x, name="s").infer_shape(x=(4, 3))
sym.LinearRegressionOutput(x, name="s").infer_shape(x=(4, 3))
sym.Concat(x, y, dim=1).infer_shape(x=(2, 3), y=(2, 4))
sym.Concat(x, y, dim=1).infer_shape(x=(2, 3), y=(3, 4))
sym.Concat(x, y, dim=1).infer_shape_partial(x=(2, 3), y=(0, 4))
sym.Reshape(x, shape=(-1, 4)).infer_shape(x=(2, 6))
sym.Reshape(x, shape=(5, 2)).infer_shape(x=(2, 6))
sym.dot(x, y).infer_shape(x=(2, 3), y=(3, 4))
sym.dot(x, y).infer_shape(x=(2, 3), y=(4, 4))
sym.broadcast_add(x, y).infer_shape(x=(2, 1), y=(1, 3))
sym.broadcast_add(x, y).infer_shape(x=(2, 2), y=(1, 3))
sym.elemwise_add(x, y).infer_shape(x=(2, 1), y=(1, 3))
sym.transpose(x).infer_shape(x=(2, 3, 4))
sym.sum(x, axis=1).infer_shape(x=(2, 3, 4))
sym.sum(x).infer_shape(x=(2, 3, 4))
sym.Pooling(x, kernel=(2, 2), stride=(2, 2), pool_type="max", pooling_convention="full").infer_shape(x=(1, 1, 5, 5))
sym.split(x, num_outputs=2).infer_shape(x=(2, 4))
sym.split(x, num_outputs=3).infer_shape(x=(2, 4))
sym.slice(x, begin=(1,), end=(3,)).infer_shape(x=(5, 2))
sym.Flatten(x).infer_shape(x=(2, 3, 4))
sym.tile(x, reps=(2, 2)).infer_shape(x=(2, 3))
sym.where(x, y, sym.var("z")).infer_shape(x=(2, 3), y=(2, 3))
sym.var("v", shape=(2, 3)).infer_shape()
(sym.var("v", shape=(2, 3)) + x).infer_shape()
(sym.var("v", shape=(2, 0)) + x).infer_shape(x=(2, 3))
(sym.var("v", shape=(2, 3)) + x).infer_shape(x=(2, 4))
sym.zeros((2, 3)).infer_shape()
(sym.zeros((0, 3)) + x).infer_shape(x=(2, 3))
sym.Group([x + 1, y]).infer_shape(x=(2,), y=(3,))
sym.relu(x).infer_shape(x=(2, 0))
sym.relu(x).infer_shape_partial(x=(2, 0))
sym.relu(x).infer_shape(x=2)
sym.relu(x).infer_shape(x="ab")
(x + y).infer_type(x="float64")
(x + y).infer_type(x=np.float16)
(x + y).infer_type("int32")
(x + y).infer_type(x="float32", y="float64")
(x + y).infer_type()
(x + y).infer_type(q="float32")
sym.FullyConnected(x, num_hidden=4, name="fc").infer_type(x="float16")
sym.FullyConnected(x, num_hidden=4, name="fc").infer_type(fc_weight="float64")
sym.FullyConnected(x, num_hidden=4, name="fc").infer_type(x="int32")
sym.BatchNorm(x, name="bn").infer_type(x="float16")
sym.BatchNorm(x, name="bn").infer_type(x="float64")
sym.Embedding(x, input_dim=7, output_dim=4, name="e").infer_type(x="int32")
sym.cast(x, dtype="int32").infer_type(x="float64")
sym.cast(x, dtype="int32").infer_type()
sym.argmax(x, axis=0).infer_type(x="float64")
sym.one_hot(x, depth=2, dtype="uint8").infer_type(x="int32")
sym.topk(x, dtype="int32").infer_type(x="float64")
(x > y).infer_type(x="float64")
(x + 1).infer_type(x="int32")
(x + 1.5).infer_type(x="int32")
sym.zeros((2,), dtype="int8").infer_type()
sym.var("v", dtype="float16").infer_type()
(sym.var("v", dtype="float16") + x).infer_type()
(x + y).infer_type_partial()
(x + y).infer_type_partial(x="float64")
sym.shape_array(x).infer_type(x="float16")
sym.SoftmaxOutput(x, name="s").infer_type(x="float16")
sym.dot(x, y).infer_type(x="float64")
sym.where(x, y, sym.var("z")).infer_type(x="int32", y="float64")
"""

EXECUTION = r"""
(x + y).eval(x=nd.ones((2,)), y=nd.array([1, 2]))
(x + y).eval(ctx=mx.cpu(), x=nd.ones((2,)), y=nd.array([1, 2]))
sym.Group([x + 1, x * 2]).eval(x=nd.ones((2,)))
(x + y).eval(x=nd.ones((2,)))
(x + y).eval(x=nd.ones((2,)), y=nd.ones((3,)))
e = (x * y).bind(mx.cpu(), {"x": nd.array([1, 2]), "y": nd.array([3, 4])})\ne.forward()\ne.outputs
e = (x * y).bind(mx.cpu(), [nd.array([1, 2]), nd.array([3, 4])])\ne.forward()[0]
g = {"x": nd.zeros(2)}\ne = (x * y).bind(mx.cpu(), {"x": nd.array([1, 2]), "y": nd.array([3, 4])}, g)\ne.forward(is_train=True)\ne.backward(nd.ones(2))\ng["x"]
g = [nd.zeros(2), nd.zeros(2)]\ne = (x * y).bind(mx.cpu(), [nd.array([1, 2]), nd.array([3, 4])], g)\ne.forward(is_train=True)\ne.backward([nd.array([1, 10])])\ng
g = {"x": nd.ones(2)}\ne = (x * y).bind(mx.cpu(), {"x": nd.array([1, 2]), "y": nd.array([3, 4])}, g, "add")\ne.forward(is_train=True)\ne.backward(nd.ones(2))\ng["x"]
g = {"x": nd.ones(2)}\ne = (x * y).bind(mx.cpu(), {"x": nd.array([1, 2]), "y": nd.array([3, 4])}, g, {"x": "null", "y": "null"})\ne.forward(is_train=True)\ng["x"]
(x * y).bind(mx.cpu(), {"x": nd.ones(2)})
(x * y).bind(mx.cpu(), [nd.ones(2)])
(x * y).bind(mx.cpu(), {"x": nd.ones(2), "y": nd.ones(2)}, grad_req="nonsense")
e = (x * y).bind(mx.cpu(), {"x": nd.ones(2), "y": nd.ones(2)})\nsorted(e.arg_dict)
e = (x * y).bind(mx.cpu(), {"x": nd.ones(2), "y": nd.ones(2)})\ne.forward(x=nd.array([5, 6]))[0]
e = (x * y).bind(mx.cpu(), {"x": nd.ones(2), "y": nd.ones(2)})\ne.forward(q=nd.array([5, 6]))
e = (x * y).bind(mx.cpu(), {"x": nd.ones(2), "y": nd.ones(2)})\ne.forward(x=nd.ones(3))
e = sym.FullyConnected(x, num_hidden=2, name="fc").simple_bind(mx.cpu(), x=(3, 4))\n[e.arg_dict[n].shape for n in sorted(e.arg_dict)] + [sorted(e.grad_dict), e.aux_dict]
e = sym.FullyConnected(x, num_hidden=2, name="fc").simple_bind(mx.cpu(), grad_req="null", x=(3, 4))\n[g for g in e.grad_arrays]
e = sym.FullyConnected(x, num_hidden=2, name="fc").simple_bind(mx.cpu(), type_dict={"x": "float64"}, x=(3, 4))\n[e.arg_dict[n].dtype for n in sorted(e.arg_dict)]
e = sym.BatchNorm(x, name="bn").simple_bind(mx.cpu(), x=(3, 4))\n{n: a.shape for n, a in e.aux_dict.items()}
sym.FullyConnected(x, num_hidden=2, name="fc").simple_bind(mx.cpu())
sym.FullyConnected(x, num_hidden=2, name="fc").simple_bind(mx.cpu(), x=(3, 4), fc_weight=(2, 5))
e = sym.FullyConnected(x, num_hidden=2, name="fc").simple_bind(mx.cpu(), x=(3, 4))\ne.copy_params_from({"fc_weight": nd.ones((2, 4)), "fc_bias": nd.ones((2,))})\ne.forward(x=nd.ones((3, 4)))[0]
e = sym.FullyConnected(x, num_hidden=2, name="fc").simple_bind(mx.cpu(), x=(3, 4))\ne.copy_params_from({"nothing": nd.ones((2, 4))})
e = sym.FullyConnected(x, num_hidden=2, name="fc").simple_bind(mx.cpu(), x=(3, 4))\ne.copy_params_from({"nothing": nd.ones((2, 4))}, allow_extra_params=True)
e = sym.FullyConnected(x, num_hidden=2, name="fc").simple_bind(mx.cpu(), x=(3, 4))\ne.reshape(x=(5, 4)).arg_dict["x"].shape
e = sym.relu(x, name="r").simple_bind(mx.cpu(), x=(2,))\nsorted(e.output_dict)
"""

DIFFERENT = {}

#: What is different here, by reason.
DIFFERENCES: dict[str, dict[str, object]] = {
    "Composed and inferred by position; outputs from the end; deep copies with attributes; hashes": {
        'fc = sym.FullyConnected(sym.var("data"), num_hidden=2, name="fc")\nrelu = sym.relu(sym.var("in"), name="r")\nrelu(fc).list_arguments()': {
            "list": [{"text": "data"}, {"text": "fc_weight"}, {"text": "fc_bias"}]
        },
        'z = (x + y)\nz(sym.var("a"), sym.var("b")).list_arguments()': {
            "list": [{"text": "a"}, {"text": "b"}]
        },
        'z = (x + y)\nz(sym.var("a")).list_arguments()': {"list": [{"text": "a"}, {"text": "y"}]},
        'sym.split(x, num_outputs=3, name="s")[-1].list_outputs()': {"list": [{"text": "s_output2"}]},
        "(x + y).num_outputs": 1,
        'import copy\nz = sym.FullyConnected(x, num_hidden=2, name="fc")\nw = copy.deepcopy(z)\nw._set_attr(a="b")\n[z.attr("a"), w.attr("a"), w.list_arguments()]': {
            "list": [
                None,
                {"text": "b"},
                {"list": [{"text": "x"}, {"text": "fc_weight"}, {"text": "fc_bias"}]},
            ]
        },
        "hash(x) == hash(x)": True,
        "sym.fromjson((x + y).tojson()).list_arguments()": {"list": [{"text": "x"}, {"text": "y"}]},
        "(x + y).infer_shape((2, 3), (2, 3))": {
            "tuple": [
                {"list": [{"tuple": [2, 3]}, {"tuple": [2, 3]}]},
                {"list": [{"tuple": [2, 3]}]},
                {"list": []},
            ]
        },
        '(x + y).infer_type("int32")': {
            "tuple": [
                {"list": [{"type": "int32"}, {"type": "int32"}]},
                {"list": [{"type": "int32"}]},
                {"list": []},
            ]
        },
    },
    "An error, but of another class": {
        "sym.relu(3)": {"raises": ["MXNetError", "RuntimeError", "TypeError", "ValueError"]},
        "x.as_in_context(mx.cpu())": {"raises": ["MXNetError", "RuntimeError"]},
        'sym.load("does-not-exist.json")': {"raises": ["FileNotFoundError", "OSError"]},
        "(x + y).infer_shape((2, 3), (2, 3), (2, 3))": {"raises": ["ValueError"]},
    },
}
DIFFERENT = {program: answer for answers in DIFFERENCES.values() for program, answer in answers.items()}


def rows() -> list[str]:
    """All programs."""
    text = NAMES + ATTRIBUTES + COMPOSITION + JSON + INFERENCE + EXECUTION
    return [line.replace("\\n", "\n") for line in text.split("\n") if line]
