"""Public names of MXNet 1.9.1 that are not here, and functions whose arguments differ. tests/test_api.py holds it true.

A name stands for itself and for everything inside it. What is added to the package is deleted here.
"""

from __future__ import annotations

NOT_YET = "2026-11-21: not there yet"
SPARSE = "2026-11-21: arrays are dense"
NUMPY = "2026-11-21: MXNet 1.x's second, NumPy-like interface; arrays are those of mx.nd"
NATIVE = "2026-11-21: belongs to MXNet's native library"
LEGACY = "2026-11-21: superseded in MXNet 1.x itself"
DOWNLOADS = "2026-11-21: fetches from servers that are gone"

#: Names that are not there, by reason.
ABSENT: dict[str, str] = {
    # extensions
    "contrib.amp": NOT_YET,
    "contrib.autograd": LEGACY,
    "contrib.io.DataLoaderIter": NOT_YET,
    "contrib.onnx.export_model": NOT_YET,
    "contrib.quantization": NOT_YET,
    "contrib.tensorboard": NOT_YET,
    "contrib.text": NOT_YET,
    "gluon.contrib.estimator": NOT_YET,
    "gluon.contrib.rnn.Conv1DGRUCell": NOT_YET,
    "gluon.contrib.rnn.Conv1DLSTMCell": NOT_YET,
    "gluon.contrib.rnn.Conv1DRNNCell": NOT_YET,
    "gluon.contrib.rnn.Conv2DGRUCell": NOT_YET,
    "gluon.contrib.rnn.Conv2DLSTMCell": NOT_YET,
    "gluon.contrib.rnn.Conv2DRNNCell": NOT_YET,
    "gluon.contrib.rnn.Conv3DGRUCell": NOT_YET,
    "gluon.contrib.rnn.Conv3DLSTMCell": NOT_YET,
    "gluon.contrib.rnn.Conv3DRNNCell": NOT_YET,
    "symbol.contrib.adamw_update": NOT_YET,
    "symbol.contrib.mp_adamw_update": NOT_YET,
    # images and record files
    "image.CreateDetAugmenter": NOT_YET,
    "image.CreateMultiRandCropAugmenter": NOT_YET,
    "image.DetAugmenter": NOT_YET,
    "image.DetBorrowAug": NOT_YET,
    "image.DetHorizontalFlipAug": NOT_YET,
    "image.DetRandomCropAug": NOT_YET,
    "image.DetRandomPadAug": NOT_YET,
    "image.DetRandomSelectAug": NOT_YET,
    "image.ImageDetIter": NOT_YET,
    "io.ImageDetRecordIter": NOT_YET,
    "io.ImageRecordInt8Iter": NOT_YET,
    "io.ImageRecordIter": NOT_YET,
    "io.ImageRecordIter_v1": NOT_YET,
    "io.ImageRecordUInt8Iter": NOT_YET,
    "io.ImageRecordUInt8Iter_v1": NOT_YET,
    # sparse arrays
    "io.LibSVMIter": SPARSE,
    "ndarray.sparse.BaseSparseNDArray.check_format": SPARSE,
    "ndarray.sparse.CSRNDArray.asscipy": SPARSE,
    "ndarray.sparse.CSRNDArray.data": SPARSE,
    "ndarray.sparse.CSRNDArray.indices": SPARSE,
    "ndarray.sparse.CSRNDArray.indptr": SPARSE,
    "ndarray.sparse.RowSparseNDArray.data": SPARSE,
    "ndarray.sparse.RowSparseNDArray.indices": SPARSE,
    "ndarray.sparse.RowSparseNDArray.retain": SPARSE,
    "ndarray.sparse.add": SPARSE,
    "ndarray.sparse.divide": SPARSE,
    "ndarray.sparse.multiply": SPARSE,
    "ndarray.sparse.subtract": SPARSE,
    "operator.CustomOpProp.infer_storage_type": SPARSE,
    "operator.CustomOpProp.infer_storage_type_backward": SPARSE,
    # the other interface
    "ndarray.NDArray.as_np_ndarray": NUMPY,
    "symbol.Symbol.as_np_ndarray": NUMPY,
    "util.np_ufunc_legal_option": NUMPY,
    "util.wrap_np_binary_func": NUMPY,
    "util.wrap_np_unary_func": NUMPY,
    # the native library
    "base.data_dir_default": NATIVE,
    "base.register_error": NATIVE,
    "error.register": NATIVE,
    "kvstore.KVStoreServer": NATIVE,
    "libinfo.find_conf_path": NATIVE,
    "ndarray.CachedOp": NATIVE,
    "ndarray.get_indexing_dispatch_code": NATIVE,
    "ndarray.get_oshape_of_gather_nd_op": NATIVE,
    "ndarray.indexing_key_expand_implicit_axes": NATIVE,
    "rtc.CudaKernel": NATIVE,
    "rtc.CudaModule": NATIVE,
    "symbol.Symbol.get_backend_symbol": NATIVE,
    "symbol.Symbol.optimize_for": NATIVE,
    # what MXNet 1.x itself replaced
    "executor_manager.DataParallelExecutorGroup": LEGACY,
    "executor_manager.DataParallelExecutorManager": LEGACY,
    "model.FeedForward": LEGACY,
    "ndarray.imdecode": LEGACY,
    "operator.NDArrayOp": LEGACY,
    "operator.NumpyOp": LEGACY,
    "operator.PythonOp": LEGACY,
    "rnn.BaseConvRNNCell": NOT_YET,
    "rnn.ConvGRUCell": NOT_YET,
    "rnn.ConvLSTMCell": NOT_YET,
    "rnn.ConvRNNCell": NOT_YET,
    # others
    "gluon.rnn.SequentialRNNCell.hybrid_forward": "2026-11-21: the class is a Block; HybridSequentialRNNCell has it",
    "kvstore.KVStoreBase.load_optimizer_states": "2026-11-21: a store of one's own defines what it can",
    "kvstore.KVStoreBase.num_workers": "2026-11-21: a store of one's own defines what it can",
    "kvstore.KVStoreBase.rank": "2026-11-21: a store of one's own defines what it can",
    "kvstore.KVStoreBase.save_optimizer_states": "2026-11-21: a store of one's own defines what it can",
    "kvstore.KVStoreBase.set_optimizer": "2026-11-21: a store of one's own defines what it can",
    "kvstore.KVStoreBase.type": "2026-11-21: a store of one's own defines what it can",
    "test_utils.download_model": DOWNLOADS,
    "test_utils.get_im2rec_path": "2026-11-21: belongs to MXNet's source tree",
    "test_utils.get_mnist_pkl": DOWNLOADS,
}

#: Classes and functions whose arguments differ.
OTHERWISE: dict[str, str] = {
    "executor.Executor": "2026-11-21: made by Symbol.bind; there are no handles",
    "gluon.contrib.cnn.DeformableConvolution": "2026-11-21: op_name and adj have one value each",
    "gluon.contrib.cnn.ModulatedDeformableConvolution": "2026-11-21: op_name and adj have one value each",
    "io.MXDataIter": "2026-11-21: made of arrays; there are no handles",
    "kvstore.KVStore": "2026-11-21: made by kvstore.create; there are no handles",
    "metric.Loss.update": "2026-11-21: the argument that is not used is called labels, as in other metrics",
    "ndarray.NDArray": "2026-11-21: made by nd.array; there are no handles",
    "symbol.Symbol": "2026-11-21: made by sym.var and operators; there are no handles",
}
