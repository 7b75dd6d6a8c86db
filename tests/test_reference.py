"""The examples of the Gluon API's documents run as printed, and what these documents name is there."""

from __future__ import annotations

import importlib
import inspect
import textwrap
from typing import Any

import pytest

import gluon_onnx as mx

PROGRAMS = {
    "a block": """
        import gluon_onnx as gluon
        from gluon_onnx import Block, nn
        from gluon_onnx import ndarray as F

        class Model(Block):
            def __init__(self, **kwargs):
                super(Model, self).__init__(**kwargs)
                # use name_scope to give child Blocks appropriate names.
                # It also allows sharing Parameters between Blocks recursively.
                with self.name_scope():
                    self.dense0 = nn.Dense(20)
                    self.dense1 = nn.Dense(20)

            def forward(self, x):
                x = F.relu(self.dense0(x))
                return F.relu(self.dense1(x))

        model = Model()
        model.initialize(ctx=gluon.cpu(0))
        result = model(F.zeros((10, 10), ctx=gluon.cpu(0)))
        assert result.shape == (10, 20)
        assert not result.asnumpy().any()
    """,
    "shared weights": """
        from gluon_onnx import nn

        dense0 = nn.Dense(20)
        dense1 = nn.Dense(20, params=dense0.collect_params())
        assert dense1.weight is dense0.weight
    """,
    "a child": """
        from gluon_onnx import Block, nn

        class Model(Block):
            def __init__(self):
                super().__init__(prefix="model_")
                with self.name_scope():
                    self.dense = nn.Dense(20)

        assert list(Model().collect_params().keys()) == ["model_dense0_weight", "model_dense0_bias"]
    """,
    "parameters of a layer": """
        import gluon_onnx as gluon

        ctx = gluon.cpu(0)
        x = gluon.nd.zeros((16, 100), ctx=ctx)
        w = gluon.Parameter('fc_weight', shape=(64, 100), init=gluon.init.Xavier())
        b = gluon.Parameter('fc_bias', shape=(64,), init=gluon.init.Zero())
        w.initialize(ctx=ctx)
        b.initialize(ctx=ctx)
        out = gluon.nd.FullyConnected(x, w.data(ctx), b.data(ctx), num_hidden=64)
        assert out.shape == (16, 64)
    """,
    "a parameter on one device": """
        import gluon_onnx as gluon

        weight = gluon.Parameter('weight', shape=(2, 2))
        weight.initialize(ctx=gluon.cpu(0))
        assert repr(weight.data()).endswith("<NDArray 2x2 @cpu(0)>")
        assert repr(weight.grad()) == "\\n[[0. 0.]\\n [0. 0.]]\\n<NDArray 2x2 @cpu(0)>"
    """,
    "a parameter on two devices": """
        import gluon_onnx as gluon

        weight = gluon.Parameter('weight', shape=(2, 2))
        weight.initialize(ctx=[gluon.cpu(0), gluon.cpu(1)])
        first, second = weight.data(gluon.cpu(0)), weight.data(gluon.cpu(1))
        assert repr(second).endswith("<NDArray 2x2 @cpu(1)>")
        assert (first.asnumpy() == second.asnumpy()).all()
    """,
    "attributes of all parameters": """
        import gluon_onnx as gluon

        model = gluon.nn.Dense(2, in_units=3)
        model.collect_params().setattr('grad_req', 'null')
        model.collect_params().setattr('lr_mult', 0.5)
        assert [(p.grad_req, p.lr_mult) for p in model.collect_params().values()] == [('null', 0.5)] * 2
    """,
    "inner features": """
        import gluon_onnx as gluon

        alexnet = gluon.model_zoo.vision.alexnet(pretrained=False, ctx=gluon.cpu(), prefix='model_')
        alexnet.initialize()
        inputs = gluon.sym.var('data')
        out = alexnet(inputs)
        internals = out.get_internals()
        names = internals.list_outputs()
        assert names[0] == 'data'
        assert {'model_dense0_relu_fwd_output', 'model_dense1_relu_fwd_output'} <= set(names)
        outputs = [internals['model_dense0_relu_fwd_output'],
                   internals['model_dense1_relu_fwd_output']]
        # Create SymbolBlock that shares parameters with alexnet
        feat_model = gluon.SymbolBlock(outputs, inputs, params=alexnet.collect_params())
        x = gluon.nd.random.normal(shape=(1, 3, 224, 224))
        assert [y.shape for y in feat_model(x)] == [(1, 4096), (1, 4096)]
    """,
    "a stack": """
        from gluon_onnx import nn

        net = nn.Sequential()
        # use net's name_scope to give child Blocks appropriate names.
        with net.name_scope():
            net.add(nn.Dense(10, activation='relu'))
            net.add(nn.Dense(20))
        assert len(net) == 2
    """,
    "a model of the tutorial": """
        import gluon_onnx as mx
        from gluon_onnx.gluon import Block, nn

        class Model(Block):
           def __init__(self, **kwargs):
              super(Model, self).__init__(**kwargs)
              with self.name_scope():
                 self.dense0 = nn.Dense(20)
                 self.dense1 = nn.Dense(20)
           def forward(self, x):
              x = mx.nd.relu(self.dense0(x))
              return mx.nd.relu(self.dense1(x))

        model = Model()
        model.initialize(ctx=mx.cpu(0))
        result = model(mx.nd.zeros((5, 5), ctx=mx.cpu(0)))
        row = "[" + " ".join(["0."] * 20) + "]"
        assert repr(result) == "\\n[" + "\\n ".join([row] * 5) + "]\\n<NDArray 5x20 @cpu(0)>"
    """,
    "a hybrid block with a forward of its own": """
        import gluon_onnx as mx
        from gluon_onnx import nd
        from gluon_onnx.gluon import HybridBlock, nn

        class Model(HybridBlock):
           def __init__(self, **kwargs):
              super(Model, self).__init__(**kwargs)
              with self.name_scope():
                 self.dense0 = nn.Dense(20)
                 self.dense1 = nn.Dense(20)

           def forward(self, x):
              x = nd.relu(self.dense0(x))
              return nd.relu(self.dense1(x))

        model = Model()
        model.initialize(ctx=mx.cpu(0))
        model.hybridize()
        assert model(mx.nd.zeros((5, 5), ctx=mx.cpu(0))).shape == (5, 20)
    """,
    "a recurrent layer": """
        import gluon_onnx as mx

        layer = mx.gluon.rnn.GRU(100, 3)
        layer.initialize()
        input_seq = mx.nd.random.uniform(shape=(5, 3, 10))
        out_seq = layer(input_seq)
        h0 = mx.nd.random.uniform(shape=(3, 3, 100))
        out_seq, hn = layer(input_seq, h0)
        assert out_seq.shape == (5, 3, 100)
        assert hn[0].shape == (3, 3, 100)
    """,
    "batches": """
        import gluon_onnx as mx
        from gluon_onnx.gluon import data

        sampler = mx.gluon.data.SequentialSampler(15)
        batch_sampler = mx.gluon.data.BatchSampler(sampler, 4, 'keep')
        assert list(batch_sampler) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11], [12, 13, 14]]
    """,
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_program(name: str) -> None:
    """The programs, with CPUs in place of GPUs, and what they print as assertions."""
    exec(compile(textwrap.dedent(PROGRAMS[name]), name, "exec"), {"__name__": "program"})


#: What the documents name: arguments in order, with those that have defaults after a bar.
NAMES = """
gluon.Block | prefix params
gluon.Block.__call__ *args
gluon.Block.__setattr__ name value
gluon.Block.collect_params | select
gluon.Block.forward *args
gluon.Block.hybridize | active
gluon.Block.initialize | init ctx verbose
gluon.Block.load_params filename | ctx allow_missing ignore_extra
gluon.Block.load_parameters filename | ctx allow_missing ignore_extra
gluon.Block.name
gluon.Block.name_scope
gluon.Block.params
gluon.Block.prefix
gluon.Block.register_child block
gluon.Block.save_params filename
gluon.Block.save_parameters filename
gluon.DeferredInitializationError
gluon.HybridBlock | prefix params
gluon.HybridBlock.forward x *args
gluon.HybridBlock.hybrid_forward F x *args **kwargs
gluon.HybridBlock.infer_shape *args
gluon.Parameter name | grad_req shape dtype lr_mult wd_mult init allow_deferred_init differentiable
gluon.Parameter.grad_req
gluon.Parameter.cast dtype
gluon.Parameter.data | ctx
gluon.Parameter.grad | ctx
gluon.Parameter.initialize | init ctx default_init force_reinit
gluon.Parameter.list_ctx
gluon.Parameter.list_data
gluon.Parameter.list_grad
gluon.Parameter.list_row_sparse_data row_id
gluon.Parameter.reset_ctx ctx
gluon.Parameter.row_sparse_data row_id
gluon.Parameter.set_data data
gluon.Parameter.var
gluon.Parameter.zero_grad
gluon.ParameterDict | prefix shared
gluon.ParameterDict.get name **kwargs
gluon.ParameterDict.initialize | init ctx verbose force_reinit
gluon.ParameterDict.load filename | ctx allow_missing ignore_extra restore_prefix
gluon.ParameterDict.prefix
gluon.ParameterDict.reset_ctx ctx
gluon.ParameterDict.save filename | strip_prefix
gluon.ParameterDict.setattr name value
gluon.ParameterDict.update other
gluon.ParameterDict.zero_grad
gluon.SymbolBlock outputs inputs | params
gluon.Trainer params optimizer | optimizer_params kvstore
gluon.Trainer.learning_rate
gluon.Trainer.allreduce_grads
gluon.Trainer.load_states fname
gluon.Trainer.save_states fname
gluon.Trainer.set_learning_rate lr
gluon.Trainer.step batch_size | ignore_stale_grad
gluon.Trainer.update batch_size | ignore_stale_grad
gluon.nn.Sequential | prefix params
gluon.nn.Sequential.add *blocks
gluon.nn.Sequential.hybridize | active
gluon.nn.HybridSequential | prefix params
gluon.nn.HybridSequential.add *blocks
gluon.nn.Activation activation **kwargs
gluon.nn.AvgPool1D | pool_size strides padding
gluon.nn.AvgPool2D | pool_size strides padding
gluon.nn.AvgPool3D | pool_size strides padding
gluon.nn.BatchNorm | axis momentum epsilon center
gluon.nn.BatchNormReLU | axis momentum epsilon
gluon.nn.Block | prefix params
gluon.nn.Conv1D channels kernel_size | strides
gluon.nn.Conv1DTranspose channels kernel_size | strides
gluon.nn.Conv2D channels kernel_size | strides
gluon.nn.Conv2DTranspose channels kernel_size | strides
gluon.nn.Conv3D channels kernel_size | strides
gluon.nn.Conv3DTranspose channels kernel_size | strides
gluon.nn.Dense units | activation use_bias
gluon.nn.Dropout rate | axes
gluon.nn.ELU | alpha
gluon.nn.Embedding input_dim output_dim | dtype
gluon.nn.Flatten **kwargs
gluon.nn.GELU **kwargs
gluon.nn.GlobalAvgPool1D | layout
gluon.nn.GlobalAvgPool2D | layout
gluon.nn.GlobalAvgPool3D | layout
gluon.nn.GlobalMaxPool1D | layout
gluon.nn.GlobalMaxPool2D | layout
gluon.nn.GlobalMaxPool3D | layout
gluon.nn.GroupNorm | num_groups epsilon center
gluon.nn.HybridBlock | prefix params
gluon.nn.HybridLambda function | prefix
gluon.nn.InstanceNorm | axis epsilon center scale
gluon.rnn.BidirectionalCell l_cell r_cell
gluon.rnn.DropoutCell rate | axes prefix params
gluon.rnn.GRU hidden_size | num_layers layout
gluon.rnn.GRUCell hidden_size
gluon.rnn.HybridRecurrentCell | prefix params
gluon.rnn.HybridSequentialRNNCell | prefix params
gluon.rnn.LSTM hidden_size | num_layers layout
gluon.rnn.LSTMCell hidden_size
gluon.rnn.ModifierCell base_cell
gluon.rnn.RNN hidden_size | num_layers activation
gluon.rnn.RNNCell hidden_size | activation
gluon.rnn.RecurrentCell | prefix params
gluon.rnn.SequentialRNNCell | prefix params
gluon.rnn.ZoneoutCell base_cell | zoneout_outputs
gluon.loss.Loss weight batch_axis **kwargs
gluon.loss.L2Loss | weight batch_axis
gluon.loss.L1Loss | weight batch_axis
gluon.loss.SigmoidBinaryCrossEntropyLoss
gluon.loss.SigmoidBCELoss
gluon.loss.SoftmaxCrossEntropyLoss | axis
gluon.loss.SoftmaxCELoss | axis
gluon.loss.KLDivLoss | from_logits axis weight
gluon.loss.CTCLoss | layout label_layout weight
gluon.loss.HuberLoss | rho weight batch_axis
gluon.loss.HingeLoss | margin weight batch_axis
gluon.loss.SquaredHingeLoss | margin weight batch_axis
gluon.loss.LogisticLoss | weight batch_axis label_format
gluon.loss.TripletLoss | margin weight batch_axis
gluon.loss.PoissonNLLLoss | weight from_logits
gluon.loss.CosineEmbeddingLoss | weight batch_axis margin
gluon.loss.SDMLLoss | smoothing_parameter weight
gluon.data.ArrayDataset *args
gluon.data.BatchSampler sampler batch_size | last_batch
gluon.data.DataLoader dataset | batch_size shuffle
gluon.data.Dataset
gluon.data.FilterSampler fn dataset
gluon.data.RandomSampler length
gluon.data.RecordFileDataset filename
gluon.data.Sampler
gluon.data.SequentialSampler length | start
gluon.data.vision.MNIST | root train transform
gluon.data.vision.FashionMNIST | root train transform
gluon.data.vision.CIFAR10 | root train transform
gluon.data.vision.CIFAR100 | root fine_label train transform
gluon.data.vision.ImageRecordDataset filename | flag transform
gluon.data.vision.ImageFolderDataset root | flag transform
gluon.data.vision.ImageListDataset | root imglist flag
gluon.utils.split_data data num_slice | batch_axis even_split
gluon.utils.split_and_load data ctx_list | batch_axis even_split
gluon.utils.clip_global_norm arrays max_norm | check_isfinite
gluon.utils.check_sha1 filename sha1_hash
gluon.utils.download url | path overwrite sha1_hash retries verify_ssl
gluon.utils.replace_file src dst
"""


def _found(path: str) -> Any:
    value: Any = mx
    for part in path.split("."):
        value = getattr(value, part)
    return value


@pytest.mark.parametrize("row", [line for line in NAMES.split("\n") if line])
def test_names(row: str) -> None:
    """Spelling, order of the arguments, and which of them have defaults."""
    path, *arguments = row.split()
    value = _found(path)
    if not arguments:
        return
    given = inspect.signature(value).parameters
    inside_a_class = inspect.isclass(_found(path.rpartition(".")[0]))
    names = [
        f"{'*' * (p.kind == p.VAR_POSITIONAL)}{'**' * (p.kind == p.VAR_KEYWORD)}{n}" for n, p in given.items()
    ]
    names = names[1:] if inside_a_class else names
    bar = arguments.index("|") if "|" in arguments else len(arguments)
    required, optional = arguments[:bar], arguments[bar + 1 :]
    plain = [n for n in required if not n.startswith("*")] + optional
    assert names[: len(plain)] == plain
    if "prefix" not in names:  # which further arguments are for
        assert {n for n in required if n.startswith("*")} <= set(names)
    assert all(given[n].default is inspect.Parameter.empty for n in required if not n.startswith("*"))
    assert all(given[n].default is not inspect.Parameter.empty for n in optional)


@pytest.mark.parametrize(
    "name", ["Block", "HybridBlock", "SymbolBlock", "Parameter", "Constant", "ParameterDict", "Trainer"]
)
def test_names_on_both_levels(name: str) -> None:
    """`import gluon_onnx as gluon` has what `gluon_onnx.gluon` has."""
    assert getattr(mx, name) is getattr(mx.gluon, name)


@pytest.mark.parametrize("name", ["nn", "loss", "utils", "data", "model_zoo"])
def test_modules_on_both_levels(name: str) -> None:
    """The modules, too, by attribute and by import; only `mx.rnn` is MXNet's older module of that name."""
    assert getattr(mx, name) is getattr(mx.gluon, name)
    assert importlib.import_module(f"gluon_onnx.gluon.{name}") is getattr(mx, name)
