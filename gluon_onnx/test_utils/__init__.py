"""`mx.test_utils`: what tests of models and operators need.

Programs write ``from mxnet.test_utils import *`` and then use ``mx``, ``np`` and some others that come with
it, so these names are here too.
"""

from __future__ import annotations

import logging
import os
import sys

import numpy as np
import numpy.random as rnd
import numpy.testing as npt

import gluon_onnx as mx

from ..context import Context, current_context
from ..ndarray import array
from ..util import get_cuda_compute_capability, getenv, setenv, use_np
from .arrays import (
    assign_each,
    assign_each2,
    collapse_sum_like,
    create_2d_tensor,
    create_sparse_array,
    create_sparse_array_zd,
    create_vector,
    get_identity_mat,
    get_identity_mat_batch,
    new_matrix_with_real_eigvals_2d,
    new_matrix_with_real_eigvals_nd,
    new_orthonormal_matrix_2d,
    new_sym_matrix_with_real_eigvals_2d,
    new_sym_matrix_with_real_eigvals_nd,
    np_reduce,
    rand_coord_2d,
    rand_ndarray,
    rand_shape_2d,
    rand_shape_3d,
    rand_shape_nd,
    rand_sparse_ndarray,
    random_arrays,
    random_sample,
    random_uniform_arrays,
    shuffle_csr_column_indices,
)
from .compare import (
    almost_equal,
    assert_allclose,
    assert_almost_equal,
    assert_almost_equal_ignore_nan,
    assert_almost_equal_with_err,
    assert_exception,
    checkShapes,
    compare_ndarray_tuple,
    find_max_violation,
    locationError,
    same,
    same_array,
    same_symbol_structure,
)
from .consistency import check_consistency, check_gluon_hybridize_consistency, compare_optimizer
from .data import (
    download,
    get_bz2_data,
    get_cifar10,
    get_mnist,
    get_mnist_iterator,
    get_mnist_ubyte,
    get_zip_data,
)
from .statistics import chi_square_check, gen_buckets_probs_with_ppf, mean_check, var_check, verify_generator
from .surroundings import (
    DummyIter,
    EnvManager,
    default_context,
    discard_stderr,
    environment,
    has_tvm_ops,
    is_aarch64_run,
    is_cd_run,
    is_op_runnable,
    list_gpus,
    retry,
    set_default_context,
    set_env_var,
)
from .symbols import (
    check_numeric_gradient,
    check_speed,
    check_symbolic_backward,
    check_symbolic_forward,
    numeric_grad,
    simple_forward,
)
from .tolerance import (
    default_atols,
    default_dtype,
    default_numeric_eps,
    default_rtols,
    effective_dtype,
    get_atol,
    get_etol,
    get_rtol,
    get_tolerance,
    get_tols,
)

__all__ = [
    "almost_equal", "array", "assert_allclose", "assert_almost_equal", "assert_almost_equal_ignore_nan",
    "assert_almost_equal_with_err", "assert_exception", "assign_each", "assign_each2",
    "check_consistency", "check_gluon_hybridize_consistency", "check_numeric_gradient", "check_speed",
    "check_symbolic_backward", "check_symbolic_forward", "checkShapes", "chi_square_check",
    "collapse_sum_like", "compare_ndarray_tuple", "compare_optimizer", "Context", "create_2d_tensor",
    "create_sparse_array", "create_sparse_array_zd", "create_vector", "current_context", "default_atols",
    "default_context", "default_dtype", "default_numeric_eps", "default_rtols", "discard_stderr",
    "download", "DummyIter", "effective_dtype", "environment", "EnvManager", "find_max_violation",
    "gen_buckets_probs_with_ppf", "get_atol", "get_bz2_data", "get_cifar10",
    "get_cuda_compute_capability", "get_etol", "get_identity_mat", "get_identity_mat_batch", "get_mnist",
    "get_mnist_iterator", "get_mnist_ubyte", "get_rtol", "get_tolerance", "get_tols", "get_zip_data",
    "getenv", "has_tvm_ops", "is_aarch64_run", "is_cd_run", "is_op_runnable", "list_gpus",
    "locationError", "logging", "mean_check", "mx", "new_matrix_with_real_eigvals_2d",
    "new_matrix_with_real_eigvals_nd", "new_orthonormal_matrix_2d", "new_sym_matrix_with_real_eigvals_2d",
    "new_sym_matrix_with_real_eigvals_nd", "np", "np_reduce", "npt", "numeric_grad", "os",
    "rand_coord_2d", "rand_ndarray", "rand_shape_2d", "rand_shape_3d", "rand_shape_nd",
    "rand_sparse_ndarray", "random_arrays", "random_sample", "random_uniform_arrays", "retry", "rnd",
    "same", "same_array", "same_symbol_structure", "set_default_context", "set_env_var", "setenv",
    "shuffle_csr_column_indices", "simple_forward", "sys", "use_np", "var_check", "verify_generator",
]  # fmt: skip
