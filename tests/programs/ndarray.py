"""Programs on arrays: creation, arithmetic, conversion, views, printing, errors."""

from __future__ import annotations

START = ""  # what runs before every program

CREATION = r"""
nd.array([1, 2, 3])
nd.array([1, 2, 3]).dtype
nd.array([[1.5, 2], [3, 4]], dtype="int32")
nd.array(np.arange(3))
nd.array(np.arange(3, dtype=np.int64)).dtype
nd.array(np.arange(3, dtype=np.uint8)).dtype
nd.array(np.arange(3, dtype=np.float64)).dtype
nd.array(np.arange(3, dtype=np.float16)).dtype
nd.array(np.array([True, False])).dtype
nd.array(np.arange(3), dtype="float64")
nd.array(np.arange(3), dtype=np.float16)
nd.array([True, False], dtype="bool")
nd.array(nd.array([1, 2], dtype="int32"))
nd.array(nd.array([1, 2], dtype="int32"), dtype="uint8")
nd.array([nd.array([1, 2]), nd.array([3, 4])])
nd.array((1, 2))
nd.array(5)
nd.array(5.5, dtype="int64")
nd.array(np.float32(3))
nd.array(np.zeros((2, 0, 3)))
nd.array([])
nd.array(range(4))
nd.array([[1, 2], [3]])
nd.array("abc")
nd.array(None)
nd.array([1], dtype="complex64")
nd.array([1], dtype="nonsense")
nd.array([1, 2], ctx=mx.cpu()).context
nd.array([1, 2], ctx=mx.cpu(3)).context
nd.array([-1, 300], dtype="uint8")
nd.zeros((2, 3))
nd.zeros(3)
nd.zeros((2,), dtype="int32")
nd.zeros((2,), dtype=np.float64).dtype
nd.zeros((2,), dtype=None).dtype
nd.zeros((2,), mx.cpu(1), "float16").context
nd.zeros((2, 3), stype="default")
nd.zeros((2, -3))
nd.zeros("ab")
nd.zeros((1.5, 2))
nd.zeros((2,), dtype="nonsense")
nd.ones((2, 3))
nd.ones(2, dtype="uint8")
nd.ones((1, 2), mx.cpu(0), "int8")
nd.full((2, 2), 7)
nd.full((2, 2), 7.5, dtype="int32")
nd.full(3, -1, dtype=np.float64)
nd.full((2,), np.inf)
x = nd.zeros((2, 2))\nr = nd.full((2, 2), 3, out=x)\nx
nd.empty((2, 3)).shape
nd.empty(4).dtype
nd.empty((2,), dtype="int64").dtype
nd.arange(5)
nd.arange(2, 5)
nd.arange(2, 11, 3)
nd.arange(5, 0, -2)
nd.arange(0, 1, 0.3)
nd.arange(3, repeat=2)
nd.arange(0, 6, 2, 2, dtype="int32")
nd.arange(3, dtype="float64").dtype
nd.arange(3, ctx=mx.cpu(1)).context
nd.arange(0)
nd.arange(5, 2)
nd.linspace(0, 1, 5)
nd.linspace(0, 1, 5, endpoint=False)
nd.linspace(1, 10, 4, dtype="int32")
nd.linspace(1, 2, 1)
nd.eye(3)
nd.eye(2, 4)
nd.eye(3, k=1)
nd.eye(3, 4, -1, dtype="int32")
nd.eye(3, M=2, k=-1)
nd.zeros_like(nd.array([1, 2], dtype="int32"))
nd.ones_like(nd.array([[1, 2]], dtype="float64"))
nd.full_like(nd.array([[1, 2]]), 3)
nd.concatenate([nd.ones((1, 2)), nd.zeros((2, 2))])
nd.concatenate([nd.ones((2, 1)), nd.zeros((2, 2))], axis=1)
nd.concatenate([nd.ones((1, 2)), nd.zeros((2, 3))])
nd.concat(nd.ones((1, 2)), nd.zeros((2, 2)), dim=0)
nd.stack(nd.ones((2,)), nd.zeros((2,)), axis=1)
nd.moveaxis(nd.zeros((2, 3, 4)), 0, 2).shape
nd.moveaxis(nd.zeros((2, 3, 4)), [0, 1], [-1, -2]).shape
nd.moveaxis(nd.zeros((2, 3, 4)), [0, 1], [0])
nd.moveaxis(nd.zeros((2, 3, 4)), 3, 0)
nd.onehot_encode(nd.array([1, 0, 2]), nd.zeros((3, 3)))
nd.split_v2(nd.arange(6), 3)
nd.split_v2(nd.arange(6), (1, 4))
nd.split_v2(nd.arange(6).reshape((2, 3)), 2, axis=0, squeeze_axis=True)
nd.split_v2(nd.arange(6), 4)
nd.split_v2(nd.arange(6), "a")
nd.histogram(nd.array([1, 2, 2, 5]), bins=4, range=(1, 5))
nd.histogram(nd.array([1, 2, 2, 5]), bins=nd.array([0, 2, 4, 6]))
nd.from_numpy(np.arange(4, dtype=np.int64)).dtype
nd.from_numpy(np.arange(4, dtype=np.float64)).dtype
a = np.arange(4, dtype=np.float32)\nx = nd.from_numpy(a)\nx[1] = 7\nx.wait_to_read()\na
a = np.arange(4, dtype=np.float32)\nx = nd.from_numpy(a)\na.flags.writeable
a = np.arange(4, dtype=np.float32)\nx = nd.from_numpy(a, zero_copy=False)\nx[1] = 7\nx.wait_to_read()\na
nd.from_numpy(np.zeros((2, 3), np.float32).T)
nd.from_numpy([1, 2])
"""

ARITHMETIC = r"""
nd.array([1, 2]) + nd.array([3, 4])
nd.ones((2, 3)) + nd.ones((1, 3))
nd.ones((2, 3)) + nd.ones((2, 1))
nd.ones((2, 1)) + nd.ones((1, 3))
nd.ones((2, 3)) + nd.ones((3,))
nd.ones((3,)) + nd.ones((2, 3))
nd.ones((1,)) + nd.ones((2, 3))
nd.ones((2, 3)) + nd.ones((2, 4))
nd.ones((2, 3)) + nd.ones((2,))
nd.ones((2, 3)) * nd.ones((6,))
nd.ones((2,)) + nd.ones((2,), dtype="int32")
nd.ones((2,)) + nd.ones((2,), dtype="float64")
nd.ones((2,), dtype="int8") * nd.ones((2,), dtype="int32")
nd.ones((2,), dtype="int32") / nd.ones((2,), dtype="float32")
nd.ones((2,)) == nd.ones((2,), dtype="int32")
nd.array([1, 2, 3]) + 1
1 + nd.array([1, 2, 3])
nd.array([1, 2, 3], dtype="int32") + 1
nd.array([1, 2, 3], dtype="int32") + 1.6
nd.array([1, 2, 3], dtype="int32") * 1.6
nd.array([1, 2, 3], dtype="int32") > 1.5
nd.array([1, 2, 3], dtype="int32") >= 1.5
nd.array([1, 2, 3], dtype="int32") == 1.5
nd.array([1, 2, 3], dtype="int32") < 2.5
1.5 < nd.array([1, 2, 3], dtype="int32")
nd.array([1, 4, 9], dtype="int32") ** 0.5
2.5 ** nd.array([1, 2], dtype="int32")
2.5 / nd.array([1, 2], dtype="int32")
7.5 % nd.array([2, 3], dtype="int32")
nd.array([1, 4, 9], dtype="int32") / 2.5
nd.array([1, 4, 9], dtype="uint8") + 1.6
nd.array([1, 4, 9], dtype="int64") - 0.6
nd.array([1, 4, 9], dtype="bool") + 1
nd.array([1, 4, 9], dtype="bool") * 2.5
nd.add(nd.array([1, 2], dtype="int32"), 1.6)
nd.maximum(nd.array([1, 2], dtype="int32"), 1.6)
nd.minimum(nd.array([1, 2], dtype="int32"), 1.6)
nd.power(nd.array([1, 2], dtype="int32"), 0.5)
nd.greater(nd.array([1, 2], dtype="int32"), 1.5)
nd.clip(nd.array([1, 2, 3], dtype="int32"), 1.5, 2.5)
nd.array([1, 2], dtype="int32").mean()
nd.array([1, 2], dtype="int32").sum()
nd.array([1, 2], dtype="int8").sum()
nd.array([1, 2], dtype="int32").exp()
nd.array([1, 4], dtype="int32").sqrt()
nd.array([1, 4], dtype="int32").norm()
nd.array([1, 4], dtype="int64").dot(nd.array([1, 2], dtype="int64"))
nd.array([200, 100], dtype="uint8") * nd.array([2, 3], dtype="uint8")
nd.array([5, 3], dtype="uint8") - nd.array([7, 3], dtype="uint8")
nd.array([5, 3], dtype="int8") / nd.array([0, 3], dtype="int8")
nd.array([5, 3], dtype="int32") % nd.array([0, 2], dtype="int32")
nd.array([0.1, 0.7], dtype="float16") + nd.array([0.2, 0.3], dtype="float16")
nd.array([1e10]) * 1e30
nd.array([16777216.0]) + 1.0
nd.array([0.1], dtype="float64") + 0.2
nd.array([0.1]) + 0.2
nd.array([1, 2]) + 2**40
nd.array([1, 2], dtype="int64") + 2**40
nd.array([1, 2], dtype="int64") * (2**53 + 1)
nd.array([1, 2, 3], dtype="int32") - 0.5
0.5 - nd.array([1, 2, 3], dtype="int32")
nd.array([1, 2, 3], dtype="uint8") - 2
nd.array([250, 2, 3], dtype="uint8") + 10
nd.array([1, -2, 3], dtype="int64") * 2
nd.array([7, -7, 5], dtype="int32") / 2
nd.array([7, -7, 5], dtype="int32") / nd.array([2, 2, -2], dtype="int32")
nd.array([7, 9, 5], dtype="int64") / nd.array([2, 2, 2], dtype="int64")
nd.array([7, 9, 5], dtype="uint8") / nd.array([2, 2, 2], dtype="uint8")
nd.array([7, -7, 5]) / 2
7 / nd.array([2, 4], dtype="int32")
7 / nd.array([2, 4])
nd.array([7, -7, 7, -7]) % nd.array([3, 3, -3, -3])
nd.array([7, -7, 7, -7], dtype="int32") % nd.array([3, 3, -3, -3], dtype="int32")
nd.array([7, -7]) % 3
nd.array([7, -7]) % -3
nd.array([7, -7], dtype="int32") % 3
nd.array([7, -7], dtype="int32") % 2.5
7 % nd.array([3, -3])
-7 % nd.array([3, -3], dtype="int32")
nd.array([1.5, 2.5]) % 0
nd.array([1, 0, -1]) / 0
nd.array([2, 3]) ** 2
nd.array([2, 3], dtype="int32") ** 2
nd.array([2, 3]) ** nd.array([3, 2])
2 ** nd.array([2, 3])
nd.array([4, 9]) ** 0.5
nd.array([-8.0]) ** 0.5
-nd.array([1, -2])
-nd.array([1, -2], dtype="int32")
-nd.array([1, 2], dtype="uint8")
abs(nd.array([1, -2]))
abs(nd.array([1, -2], dtype="int64"))
nd.array([1, 2]) == nd.array([1, 3])
nd.array([1, 2]) != nd.array([1, 3])
nd.array([1, 2, 3]) > nd.array([2, 2, 2])
nd.array([1, 2, 3]) >= nd.array([2, 2, 2])
nd.array([1, 2, 3]) < nd.array([2, 2, 2])
nd.array([1, 2, 3]) <= nd.array([2, 2, 2])
nd.array([1, 2, 3], dtype="int32") > 2
nd.array([1, 2, 3], dtype="uint8") == 2
nd.array([1, 2, 3], dtype="float64") < 2
nd.array([1, 2, 3], dtype="float16") >= 2
2 < nd.array([1, 2, 3])
2 == nd.array([1, 2, 3])
nd.array([np.nan, 1]) == nd.array([np.nan, 1])
nd.array([np.nan, 1]) < 2
nd.array([1, 2]) == None
nd.array([1, 2]) != None
nd.array([1, 2]) == "a"
nd.array([1, 2]) > "a"
nd.array([1, 2]) + "a"
nd.array([1, 2]) + None
nd.array([1, 2]) + [1, 2]
nd.array([1, 2]) + np.array([1, 2])
np.array([1, 2]) + nd.array([1, 2])
nd.array([1, 2]) * np.float32(2)
np.float32(2) * nd.array([1, 2])
np.float64(2) - nd.array([1, 2])
np.int64(2) / nd.array([1, 2])
nd.array([1, 2], dtype="int32") + np.float64(1.5)
nd.array([1, 2]) + True
nd.array([[1, 2], [3, 4]]) @ nd.array([[1], [1]])
nd.array([1, 0]) // nd.array([1, 1])
nd.array([1, 0]) & nd.array([1, 1])
~nd.array([1, 0])
divmod(nd.array([1, 0]), 2)
nd.array([16777217, 5], dtype="int32") + 1
nd.array([9007199254740993], dtype="int64") + 1
nd.array([2147483647], dtype="int32") + 1
nd.array([1, 2], dtype="float16") + 1e-4
nd.array([65504], dtype="float16") * 2
nd.add(nd.ones((2, 1)), nd.ones((1, 2)))
nd.add(1, nd.ones((2,)))
nd.add(1, 2)
nd.subtract(1, nd.ones((2,)))
nd.multiply(nd.array([2]), 3)
nd.divide(6, nd.array([2, 3]))
nd.true_divide(nd.array([6]), nd.array([4]))
nd.modulo(7, nd.array([2, 3]))
nd.power(2, nd.array([2, 3]))
nd.power(nd.array([2, 3]), 3)
nd.maximum(nd.array([1, 5]), 3)
nd.maximum(3, nd.array([1, 5]))
nd.maximum(nd.array([[1], [5]]), nd.array([[3, 4]]))
nd.maximum(1, 2)
nd.minimum(nd.array([1, 5]), nd.array([3, 4]))
nd.equal(nd.array([1, 5]), 5)
nd.equal(1, 1)
nd.not_equal(nd.array([1, 5]), 5)
nd.greater(2, nd.array([1, 5]))
nd.greater_equal(nd.array([1, 5]), nd.array([1, 6]))
nd.lesser(2, nd.array([1, 5]))
nd.lesser_equal(nd.array([1, 5]), 1)
nd.logical_and(nd.array([0, 1, 2]), nd.array([1, 1, 0]))
nd.logical_or(nd.array([0, 1, 2]), 0)
nd.logical_xor(nd.array([0, 1, 2]), nd.array([1, 1, 0]))
nd.logical_not(nd.array([0, 1, 2]))
nd.add("a", nd.ones((2,)))
nd.add(nd.ones((2,)), None)
nd.elemwise_add(nd.ones((2, 3)), nd.ones((1, 3)))
nd.elemwise_add(nd.ones((2,)), nd.ones((2,)))
nd.add_n(nd.ones((2,)), nd.ones((2,)), nd.ones((2,)))
nd.dot(nd.ones((2, 3)), nd.ones((3, 4)))
nd.dot(nd.ones((2, 3)), nd.ones((2, 4)))
nd.dot(nd.ones((2, 3)), nd.ones((2, 4)), transpose_a=True).shape
nd.dot(nd.array([1, 2]), nd.array([3, 4]))
nd.dot(nd.ones((2, 3, 4)), nd.ones((4, 5))).shape
nd.array([1, 2]).__radd__(5)
nd.array([1, 2]).__div__(2)
nd.array([1, 2]).__rdiv__(2)
nd.array([1, 2]).__rmod__(2)
nd.array([1, 2]).__rpow__(2)
"""

IN_PLACE = r"""
x = nd.array([1, 2])\ny = x\nx += 1\ny
x = nd.array([1, 2])\ny = x\nx -= nd.array([1, 1])\ny
x = nd.array([1, 2])\ny = x\nx *= 3\ny
x = nd.array([1, 2])\ny = x\nx /= 2\ny
x = nd.array([5, -7])\ny = x\nx %= 3\ny
x = nd.array([5, -7])\nx **= 2\nx
x = nd.array([5, 7], dtype="int32")\nx += 1.7\nx
x = nd.array([5, 7], dtype="int32")\nx /= 2\nx
x = nd.array([5, 7], dtype="int32")\nx *= 0.5\nx
x = nd.array([5, 7], dtype="uint8")\nx -= 6\nx
x = nd.ones((2, 3))\nx += nd.ones((1, 3))\nx
x = nd.ones((1, 3))\nx += nd.ones((2, 3))\nx
x = nd.ones((2, 3))\nx += nd.ones((2, 4))\nx
x = nd.ones((2,))\nx += nd.ones((2,), dtype="int32")\nx
x = nd.ones((2,), dtype="int32")\nx += nd.ones((2,))\nx
x = nd.ones((2,))\nx += "a"\nx
x = nd.ones((2,))\nx += None\nx
x = nd.ones((2,))\nx += np.ones(2)\nx
x = nd.arange(6).reshape((2, 3))\nx[0] += 10\nx
x = nd.arange(6).reshape((2, 3))\nx[:, 1] *= 10\nx
x = nd.arange(6)\ny = x[2:4]\ny += 10\nx
x = nd.arange(6)\nx[1:3] = x[3:5]\nx
x = nd.arange(6)\nx[:] = 4\nx
x = nd.arange(4)\nx[:] = [1, 2, 3, 4]\nx
x = nd.arange(4)\nx[:] = np.arange(4)[::-1]\nx
x = nd.arange(4)\nx[:] = nd.ones((1,))\nx
x = nd.arange(4)\nx[:] = nd.ones((3,))\nx
x = nd.arange(4, dtype="int32")\nx[:] = 2.7\nx
x = nd.arange(4)\nx[1] = nd.array([5], dtype="int32")\nx
x = nd.arange(4)\nx[4] = 1\nx
x = nd.arange(4)\nx[1] = "a"\nx
x = nd.arange(4)\nx["a"] = 1\nx
x = nd.arange(4)\nx[1.5]
x = nd.arange(4)\nx[4]
x = nd.arange(4)\nx[-5]
x = nd.arange(4)\nx[-4]
x = nd.arange(6).reshape((2, 3))\nx[1, 3]
x = nd.arange(6).reshape((2, 3))\nx[0, 0, 0]
x = nd.arange(6).reshape((2, 3))\nx[nd.array([0, 5])]
x = nd.arange(6).reshape((2, 3))\nx[0, 0] = 9\nx
x = nd.ones((2,))\nnd.elemwise_add(x, x, out=x)\nx
x = nd.zeros((2,))\nnd.broadcast_add(nd.ones((2,)), nd.ones((1,)), out=x)\nx
x = nd.zeros((3,))\nnd.elemwise_add(nd.ones((2,)), nd.ones((2,)), out=x)\nx
x = nd.zeros((2,), dtype="int32")\nnd.elemwise_add(nd.ones((2,)), nd.ones((2,)), out=x)\nx
"""

VIEWS = r"""
x = nd.arange(6)\ny = x[1:4]\ny[:] = 0\nx
x = nd.arange(6)\ny = x[1:4]\nx[:] = 9\ny
x = nd.arange(6).reshape((2, 3))\ny = x[1]\ny[:] = 0\nx
x = nd.arange(6).reshape((2, 3))\ny = x[1]\ny[1] = 70\nx
x = nd.arange(6).reshape((2, 3))\ny = x[:, 1]\ny[:] = 0\nx
x = nd.arange(6).reshape((2, 3))\ny = x[0:1, 1:3]\ny[:] = 0\nx
x = nd.arange(6).reshape((2, 3))\ny = x[1, 0:2]\ny[:] = 0\nx
x = nd.arange(6)\ny = x[::2]\ny[:] = 0\nx
x = nd.arange(6)\ny = x[nd.array([1, 2])]\ny[:] = 0\nx
x = nd.arange(6)\ny = x.reshape((2, 3))\ny[0] = 9\nx
x = nd.arange(6)\ny = x.reshape((2, 3))\nx[0] = 9\ny
x = nd.arange(24).reshape((2, 3, 4))\ny = x[1].reshape((2, 6))\ny[0] = -1\nx
x = nd.arange(6).reshape((2, 3))\ny = x.T\ny[:] = 0\nx
x = nd.arange(6).reshape((2, 3))\ny = x.transpose()\ny[:] = 0\nx
x = nd.arange(6)\ny = x.expand_dims(0)\ny[:] = 0\nx
x = nd.arange(6)\ny = x.expand_dims(0, inplace=True)\ny[:] = 0\nx
x = nd.arange(6).reshape((1, 6))\ny = x.squeeze(inplace=True)\ny[:] = 0\nx
x = nd.arange(6).reshape((2, 3))\ny = x.flatten(inplace=True)\ny[:] = 0\nx
x = nd.arange(6).reshape((2, 3))\ny = x.flatten()\ny[:] = 0\nx
x = nd.arange(3)\ny = x.detach()\ny[:] = 0\nx
x = nd.arange(3)\ny = x.copy()\ny[:] = 0\nx
x = nd.arange(3)\ny = x.astype("float32")\ny[:] = 0\nx
x = nd.arange(3)\ny = x.astype("float32", copy=False)\ny[:] = 0\nx
x = nd.arange(3)\ny = x.as_in_context(mx.cpu(0))\ny[:] = 0\nx
x = nd.arange(3)\ny = x.as_in_context(mx.cpu(1))\ny[:] = 0\nx
x = nd.arange(3)\ny = x.asnumpy()\ny[:] = 0\nx
x = nd.arange(3)\ny = nd.array(x)\ny[:] = 0\nx
x = nd.arange(6).reshape((2, 3))\nfor row in x:\n    row[:] = 0\nx
x = nd.arange(6)\nx.slice(begin=(1,), end=(3,))[:] = 0\nx
x = nd.arange(6)\nx.slice_axis(axis=0, begin=1, end=3)[:] = 0\nx
x = nd.arange(6).reshape((2, 3))\nx[None].shape
x = nd.arange(6).reshape((2, 3))\nx[..., 1]
x = nd.arange(6).reshape((2, 3))\nx[1, 2]
x = nd.arange(6).reshape((2, 3))\nx[[0, 1], [1, 2]]
x = nd.arange(6)\nx[::-1]
x = nd.arange(6)\nx[4:1:-2]
x = nd.arange(6)\nx[2:2]
nd.arange(6).reshape(2, 3).shape
nd.arange(6).reshape((-1,)).shape
nd.arange(6).reshape(-1, 2).shape
nd.arange(24).reshape((2, 3, 4)).reshape((0, -1)).shape
nd.arange(24).reshape((2, 3, 4)).reshape((-2,)).shape
nd.arange(24).reshape((2, 3, 4)).reshape((-3, 0)).shape
nd.arange(24).reshape((2, 3, 4)).reshape((-4, 1, 2, -2)).shape
nd.arange(24).reshape((2, 3, 4)).reshape((-1, 0), reverse=True).shape
nd.arange(24).reshape((2, 3, 4)).reshape((-1, 0), reverse=False).shape
nd.arange(6).reshape(shape=(3, 2)).shape
nd.arange(6).reshape((4, 2))
nd.arange(6).reshape((-1, -1))
nd.arange(6).reshape((-1, 4))
nd.arange(6).reshape()
nd.arange(6).reshape((2, 3), order="C")
nd.arange(6).reshape((2, 3)).reshape_like(nd.zeros((3, 2))).shape
nd.arange(6).reshape((2, 3)).T
nd.arange(6).T.shape
nd.zeros((2, 3, 4)).T.shape
nd.zeros((2, 3, 4)).transpose((1, 0, 2)).shape
nd.zeros((2, 3, 4)).transpose(1, 0, 2).shape
nd.zeros((2, 3, 4)).transpose(axes=(2, 0, 1)).shape
nd.zeros((2, 3, 4)).transpose((1, 0))
nd.zeros((2, 3, 4)).swapaxes(0, 2).shape
nd.zeros((2, 3, 4)).flatten().shape
nd.zeros((2, 1, 4, 1)).squeeze().shape
nd.zeros((2, 1, 4, 1)).squeeze(axis=1).shape
nd.zeros((2, 1, 4, 1)).squeeze((1, 3)).shape
nd.zeros((2, 1)).squeeze(axis=0)
nd.zeros((1, 1)).squeeze().shape
nd.zeros((2, 3)).expand_dims(-1).shape
nd.zeros((2, 3)).expand_dims(4)
nd.zeros((2, 3)).broadcast_to((2, 3)).shape
nd.zeros((1, 3)).broadcast_to((2, 3)).shape
nd.zeros((1, 3)).broadcast_to((0, 0)).shape
nd.zeros((2, 3)).broadcast_to((4, 3))
nd.zeros((3,)).broadcast_to((2, 3)).shape
nd.zeros((1, 3)).broadcast_like(nd.ones((4, 3))).shape
nd.zeros((2, 3)).tile((2, 2)).shape
nd.zeros((2, 3)).repeat(2, axis=0).shape
nd.zeros((2, 3)).pad(mode="constant", pad_width=(0, 0, 1, 1))
nd.arange(6).split(3)
nd.arange(6).reshape((2, 3)).split(2, axis=0, squeeze_axis=True)
nd.arange(6).split(4)
nd.arange(6).split_v2((1, 2))
nd.arange(6).reshape((2, 3)).diag()
nd.arange(6).one_hot(3)
x = nd.zeros((3, 3))\ny = x.slice_assign(nd.ones((2, 2)), (0, 1), (2, 3), (1, 1))\n[x, y is x]
x = nd.zeros((3, 3))\ny = x.slice_assign_scalar(7, (0, 1), (2, 3), (1, 1))\n[x, y is x]
nd.power(base=nd.array([2, 3]), exp=2)
nd.array(source_array=[1, 2])
nd.arange(3).take(nd.array([2, 0]))
nd.arange(6).reshape((2, 3)).pick(nd.array([0, 2]))
"""

CONVERSION = r"""
nd.array([1, 2]).asnumpy()
nd.array([[1, 2]], dtype="int32").asnumpy()
nd.array([3]).asscalar()
nd.array([[3]], dtype="int64").asscalar()
nd.array([3], dtype="float16").asscalar()
nd.array([1, 2]).asscalar()
nd.zeros((0,)).asscalar()
nd.array([3]).item()
nd.array([3], dtype="int32").item()
nd.array([1, 2]).item()
nd.array([[1, 2], [3, 4]]).tolist()
nd.array([1.7, -1.7]).astype("int32")
nd.array([1.7, 2.2]).astype(np.uint8)
nd.array([1.7, 2.2]).astype("float64").dtype
nd.array([1, 0]).astype("bool")
nd.array([1, 0]).astype(bool).dtype
nd.array([1, 0]).astype(int).dtype
nd.array([1, 0]).astype(float).dtype
nd.array([1, 0]).astype("nonsense")
nd.array([1, 0]).astype("complex64")
nd.array([1, 0]).astype("uint16")
nd.array([1, 0]).astype(None).dtype
x = nd.array([1])\nx.astype("float32", copy=False) is x
x = nd.array([1])\nx.astype("float64", copy=False) is x
x = nd.array([1])\nx.as_in_context(mx.cpu(0)) is x
x = nd.array([1])\nx.as_in_ctx(mx.cpu(0)) is x
nd.array([1]).as_in_context(mx.cpu(1)).context
nd.array([1]).copyto(mx.cpu(1)).context
y = nd.zeros((2,))\nr = nd.array([1, 2]).copyto(y)\n(y, r is y)
y = nd.zeros((2,), dtype="int32")\nnd.array([1.7, 2]).copyto(y)
nd.array([1, 2]).copyto(nd.zeros((3,)))
nd.array([1, 2]).copyto(nd.zeros((1, 2)))
nd.array([1, 2]).copyto("cpu")
x = nd.array([1, 2])\nx.copyto(x)
nd.array([1, 2]).copy()
nd.array([1, 2]).copy().context
bool(nd.array([1]))
bool(nd.array([0]))
bool(nd.array([[0.5]]))
bool(nd.array([1, 2]))
bool(nd.zeros((0,)))
float(nd.array([1.5]))
int(nd.array([1.5]))
float(nd.array([1, 2]))
int(nd.array([1, 2]))
len(nd.zeros((3, 2)))
len(nd.zeros((0, 2)))
[x.asscalar() for x in nd.arange(3)]
[x.shape for x in nd.zeros((2, 3))]
list(range(5))[nd.array([2], dtype="int32")]
list(range(5))[nd.array([2])]
range(nd.array([3], dtype="int64"))
complex(nd.array([1]))
nd.array([1, 2]) in [nd.array([1, 2])]
nd.zeros((2, 3)).shape
nd.zeros((2, 3)).size
nd.zeros((2, 3)).ndim
nd.zeros((0, 3)).size
nd.zeros((2, 3)).stype
nd.zeros((2, 3)).context
nd.zeros((2, 3)).ctx
nd.zeros((2, 3)).grad
nd.zeros((2, 3)).dtype == np.float32
nd.zeros((2,), dtype="int8").dtype
x = nd.zeros((2,))\nx.attach_grad()\nx.grad
x = nd.zeros((2,), dtype="float64")\nx.attach_grad()\nx.grad.dtype
x = nd.zeros((2,))\nx.attach_grad("nonsense")
x = nd.ones(2)\nx.attach_grad("add")\nfor _ in "ab":\n  with autograd.record():\n    y = x * 3\n  y.backward()\nx.grad
x = nd.ones((2,))\nx.attach_grad("null")\nwith autograd.record():\n    y = x * 3\nx.grad
x = nd.ones((2,))\nx.attach_grad()\nwith autograd.record():\n    y = (x * 3).detach() * x\ny.backward()\nx.grad
x = nd.ones((2,))\nx.attach_grad()\nx.detach().grad
x = nd.array([1, 2])\nx.wait_to_read()
x = nd.array([1, 2])\nnd.waitall()
np.array(nd.array([1, 2]))
np.asarray(nd.array([1, 2], dtype="int32"))
np.array(nd.array([1, 2]), dtype=np.float64)
np.sum(nd.array([1, 2]))
np.sqrt(nd.array([1, 4]))
np.mean(nd.array([1, 4]))
np.allclose(nd.array([1, 4]), np.array([1, 4]))
nd.array([1, 2]).as_nd_ndarray()
nd.array([1, 2]).tostype("default")
nd.array([1, 2]).shape_array()
nd.array([1, 2]).size_array()
import copy\nx = nd.array([1, 2])\ny = copy.deepcopy(x)\ny[:] = 0\nx
import copy\nx = nd.array([1, 2])\ny = copy.copy(x)\ny[:] = 0\nx
import pickle\npickle.loads(pickle.dumps(nd.array([1, 2], dtype="int32")))
nd.array([1, 2]).nonsense
nd.nonsense
nd.zeros((2,)).sum()
nd.zeros((2, 3)).sum(axis=5)
nd.zeros((2, 3)).sum(axis=0, keepdims=True).shape
nd.zeros((2, 3)).sum(axis=(0, 1)).shape
nd.zeros((2, 3)).mean(axis=1, exclude=True).shape
nd.zeros((2, 3)).sum(1).shape
nd.zeros((2, 3)).norm().shape
nd.array([3, 4]).norm()
nd.array([3, 4]).norm(ord=1)
nd.array([3, 1, 2]).argmax(axis=0)
nd.array([3, 1, 2]).argsort()
nd.array([3, 1, 2]).topk(k=2)
nd.array([3, 1, 2]).sort(is_ascend=False)
nd.array([3, 1, 2]).clip(1.5, 2.5)
nd.array([0, 1]).softmax()
nd.relu(nd.array([0, 1]), foo=1)
nd.FullyConnected(nd.ones((2, 3)), nd.ones((4, 3)), num_hidden=4)
nd.relu(nd.ones(2), nd.ones(2))
nd.FullyConnected(nd.ones((2, 3)), nd.ones((4, 3)), nd.ones(4), nd.ones(4), num_hidden=4)
nd.FullyConnected(nd.ones((2, 3)), nd.ones((4, 3)), nd.ones(4), num_hidden=4, no_bias=True)
nd.load("does-not-exist")
nd.Convolution(nd.ones((1, 3, 4, 4)), nd.ones((4, 1, 3, 3)), kernel=(3, 3), num_filter=4, num_group=3, no_bias=True)
nd.FullyConnected(nd.ones((2, 3)), nd.ones((4, 3)), nd.ones((4,)))
nd.FullyConnected(nd.ones((2, 3)), nd.ones((4, 5)), nd.ones((4,)), num_hidden=4)
nd.FullyConnected(nd.ones((2, 3)), nd.ones((4, 3)), nd.ones((4,)), num_hidden="a")
nd.Activation(nd.ones((2, 3)), act_type="nonsense")
nd.Convolution(nd.ones((1, 3, 4, 4)), nd.ones((2, 4, 3, 3)), nd.ones((2,)), kernel=(3, 3), num_filter=2)
nd.Pooling(nd.ones((1, 1, 4, 4)), kernel=(5, 5))
nd.Pooling(nd.ones((1, 1, 4, 4)), kernel=(2, 2), pool_type="max", stride=(2, 2)).shape
nd.Embedding(nd.array([0, 1]), nd.ones((3, 2)), input_dim=3, output_dim=2)
nd.batch_dot(nd.ones((2, 3, 4)), nd.ones((3, 4, 5)))
nd.concat(nd.ones((2, 3)), nd.ones((2, 4)), dim=0)
nd.take(nd.arange(3), nd.array([5]))
nd.take(nd.arange(3), nd.array([5]), mode="wrap")
nd.where(nd.array([1, 0]), nd.ones((2,)), nd.zeros((3,)))
nd.reshape(nd.ones((2, 3)), shape=(4,))
nd.SliceChannel(nd.ones((2, 3)), num_outputs=2)
nd.transpose(nd.ones((2, 3)), axes=(0, 0))
nd.one_hot(nd.array([0, 2]), 3, on_value=5, off_value=1, dtype="int32")
nd.random.uniform(shape=(2,)).shape
nd.linalg.gemm2(nd.ones((2, 3)), nd.ones((4, 5)))
"""

PRINTING = r"""
str(nd.array([1, 2, 3]))
repr(nd.array([[1, 2], [3, 4]]))
repr(nd.array([[1.5, -2.25], [3, 4]]))
repr(nd.array([1e-8, 1, 1e8]))
repr(nd.array([np.nan, np.inf, -np.inf]))
repr(nd.array([1, 2], dtype="int32"))
repr(nd.array([1, 2], dtype="uint8"))
repr(nd.array([1, 2], dtype="float64"))
repr(nd.array([0.1, 1 / 3], dtype="float64"))
repr(nd.array([0.1, 1 / 3], dtype="float16"))
repr(nd.array([True, False], dtype="bool"))
repr(nd.array([5]))
repr(nd.arange(2000))
repr(nd.zeros((2, 3, 4)))
repr(nd.zeros((0, 3)))
repr(nd.ones((2,), ctx=mx.cpu(3)))
repr(nd.ones((50, 50)))
str(mx.cpu(1))
repr(mx.gpu(2))
repr(mx.cpu_pinned())
str(nd.arange(6).reshape((2, 3))[1])
"""

#: What is different here, by reason.
DIFFERENCES: dict[str, dict[str, object]] = {
    "A list of arrays is stacked": {
        "nd.array([nd.array([1, 2]), nd.array([3, 4])])": {
            "NDArray": "float32",
            "shape": [2, 2],
            "values": [1.0, 2.0, 3.0, 4.0],
        },
    },
    "An error, but of another class": {
        'nd.array([1], dtype="complex64")': {"raises": ["TypeError"]},
        "nd.concatenate([nd.ones((1, 2)), nd.zeros((2, 3))])": {
            "raises": ["MXNetError", "RuntimeError", "ValueError"]
        },
        'nd.add("a", nd.ones((2,)))': {"raises": ["TypeError"]},
        "nd.arange(6).reshape()": {"raises": ["TypeError"]},
        'nd.array([1, 0]).astype("complex64")': {"raises": ["TypeError"]},
        'x = nd.zeros((2,))\nx.attach_grad("nonsense")': {"raises": ["MXNetError", "RuntimeError"]},
        'nd.load("does-not-exist")': {"raises": ["FileNotFoundError", "OSError"]},
    },
    "Arrays without elements can be made and printed": {
        "nd.arange(0)": {"NDArray": "float32", "shape": [0], "values": []},
        "nd.arange(5, 2)": {"NDArray": "float32", "shape": [0], "values": []},
        "nd.zeros((0,)).asscalar()": {"raises": ["ValueError"]},
        "len(nd.zeros((0, 2)))": 0,
        "nd.zeros((0, 3)).size": 0,
        "repr(nd.zeros((0, 3)))": {"text": "\n[]\n<NDArray 0x3 @cpu(0)>"},
    },
    "MXNet divides by zero and dies": {
        'nd.array([5, 3], dtype="int8") / nd.array([0, 3], dtype="int8")': {
            "raises": ["MXNetError", "RuntimeError"]
        },
    },
    "Comparing with what is no number answers as Python's objects do": {
        "nd.array([1, 2]) == None": False,
        "nd.array([1, 2]) != None": True,
        'nd.array([1, 2]) == "a"': False,
    },
    "MXNet's own arrays have no such method or conversion": {
        "nd.array([1, 2]) + np.array([1, 2])": {"NDArray": "float32", "shape": [2], "values": [2.0, 4.0]},
        "np.array([1, 2]) + nd.array([1, 2])": {"NDArray": "float32", "shape": [2], "values": [2.0, 4.0]},
        "nd.array([[1, 2], [3, 4]]) @ nd.array([[1], [1]])": {
            "NDArray": "float32",
            "shape": [2, 1],
            "values": [3.0, 7.0],
        },
        "x = nd.ones((2,))\nx += np.ones(2)\nx": {"NDArray": "float32", "shape": [2], "values": [2.0, 2.0]},
        "nd.array([3]).item()": 3.0,
        'nd.array([3], dtype="int32").item()': 3,
        "nd.array([1, 2]).item()": {"raises": ["ValueError"]},
        "nd.array([[1, 2], [3, 4]]).tolist()": {"list": [{"list": [1.0, 2.0]}, {"list": [3.0, 4.0]}]},
        "x = nd.array([1])\nx.as_in_ctx(mx.cpu(0)) is x": True,
        "bool(nd.zeros((0,)))": False,
        "float(nd.array([1.5]))": 1.5,
        "int(nd.array([1.5]))": 1,
        "float(nd.array([1, 2]))": {"raises": ["ValueError"]},
        "int(nd.array([1, 2]))": {"raises": ["ValueError"]},
        'list(range(5))[nd.array([2], dtype="int32")]': 2,
        'range(nd.array([3], dtype="int64"))': {"repr": "range(0, 3)"},
        "complex(nd.array([1]))": {"repr": "(1+0j)"},
        "np.array(nd.array([1, 2]))": {"numpy": "float32", "shape": [2], "values": [1.0, 2.0]},
        'np.asarray(nd.array([1, 2], dtype="int32"))': {"numpy": "int32", "shape": [2], "values": [1, 2]},
        "np.array(nd.array([1, 2]), dtype=np.float64)": {
            "numpy": "float64",
            "shape": [2],
            "values": [1.0, 2.0],
        },
        "np.sqrt(nd.array([1, 4]))": {"numpy": "float32", "shape": [2], "values": [1.0, 2.0]},
        "np.allclose(nd.array([1, 4]), np.array([1, 4]))": True,
    },
    "Padding works for any number of axes, permuting and broadcasting in more ways": {
        "nd.zeros((2, 3, 4)).transpose(1, 0, 2).shape": {"tuple": [3, 2, 4]},
        "nd.zeros((1, 3)).broadcast_to((0, 0)).shape": {"tuple": [1, 3]},
        'nd.zeros((2, 3)).pad(mode="constant", pad_width=(0, 0, 1, 1))': {
            "NDArray": "float32",
            "shape": [2, 5],
            "values": [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        },
    },
    "MXNet drops or leaves out elements, or takes another type for the result": {
        'nd.array([[3]], dtype="int64").asscalar()': {"scalar": "int64", "values": 3},
        "nd.reshape(nd.ones((2, 3)), shape=(4,))": {"raises": ["MXNetError", "RuntimeError", "ValueError"]},
    },
    "Types that MXNet does not have": {
        'nd.array([1, 0]).astype("uint16")': {"NDArray": "uint16", "shape": [2], "values": [1, 0]},
    },
    "MXNet ignores a surplus array": {
        "nd.relu(nd.ones(2), nd.ones(2))": {
            "raises": ["MXNetError", "RuntimeError", "TypeError", "ValueError"]
        },
    },
}
DIFFERENT = {program: answer for answers in DIFFERENCES.values() for program, answer in answers.items()}


def rows() -> list[str]:
    """All programs."""
    text = CREATION + ARITHMETIC + IN_PLACE + VIEWS + CONVERSION + PRINTING
    return [line.replace("\\n", "\n") for line in text.split("\n") if line]
