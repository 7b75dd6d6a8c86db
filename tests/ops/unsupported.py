"""Operators of MXNet 1.9.1 that are absent on purpose or not yet there, each with the date and the reason.

An operator that is registered must not be listed here, and one that is listed must not be registered:
``test_registry.py`` fails in both directions.
"""

from __future__ import annotations

_INSIDE = "2026-11-21: a part of MXNet's own machinery that no saved symbol can hold"
_GRAPH = "2026-11-21: samples sparse graphs in CSR arrays, which exist only as files here"
_QUANTIZED = "2026-11-21: int8 kernels that MXNet writes into a graph for its own CPU library"
_NVIDIA = "2026-11-21: MXNet has it on NVIDIA devices only, so that nothing here can say what is right"
_DECODE = "2026-11-21: reads files or encoded images; the image module does it in Python"

UNSUPPORTED: dict[str, str] = {
    **dict.fromkeys(
        [
            "_CachedOp", "_CachedOpThreadSafe", "_CrossDeviceCopy", "_CustomFunction", "_Native", "_NDArray",
            "_NoGradient", "_copyto", "_set_value", "_onehot_encode", "_imdecode", "_sg_mkldnn_conv",
            "_sg_mkldnn_fully_connected", "_sg_mkldnn_selfatt_qk", "_sg_mkldnn_selfatt_valatt", "_zeros_without_dtype",
        ],
        _INSIDE,
    ),
    **dict.fromkeys(
        [
            "_contrib_dgl_adjacency", "_contrib_dgl_csr_neighbor_non_uniform_sample", "_contrib_edge_id",
            "_contrib_dgl_csr_neighbor_uniform_sample", "_contrib_dgl_graph_compact", "_contrib_dgl_subgraph",
            "_contrib_getnnz",
        ],
        _GRAPH,
    ),
    **dict.fromkeys(
        [
            "_contrib_calibrate_entropy", "_contrib_quantized_act", "_contrib_quantized_batch_norm",
            "_contrib_quantized_concat", "_contrib_quantized_conv", "_contrib_quantized_elemwise_add",
            "_contrib_quantized_elemwise_mul", "_contrib_quantized_embedding", "_contrib_quantized_flatten",
            "_contrib_quantized_fully_connected", "_contrib_quantized_pooling", "_contrib_quantized_rnn",
        ],
        _QUANTIZED,
    ),
    **dict.fromkeys(["_contrib_count_sketch", "_contrib_fft", "_contrib_ifft"], _NVIDIA),
    **dict.fromkeys(["_cvcopyMakeBorder", "_cvimdecode", "_cvimread", "_cvimresize"], _DECODE),
}  # fmt: skip

_RANDOM = "2026-11-21: draws random numbers; test_random.py looks at their moments"

#: Registered operators without rows in the tables, and where they are tested instead.
WITHOUT_ROWS: dict[str, str] = dict.fromkeys(
    [
        "_random_exponential_like", "_random_gamma_like", "_random_generalized_negative_binomial_like",
        "_random_negative_binomial_like", "_random_normal_like", "_random_poisson_like", "_random_uniform_like",
        "random_exponential", "random_gamma", "random_generalized_negative_binomial", "random_negative_binomial",
        "normal", "random_poisson", "random_randint", "uniform", "sample_exponential", "sample_gamma",
        "sample_generalized_negative_binomial", "sample_multinomial", "sample_negative_binomial", "sample_normal",
        "sample_poisson", "sample_uniform", "shuffle", "_sample_unique_zipfian",
    ],
    _RANDOM,
)  # fmt: skip
WITHOUT_ROWS.update(
    dict.fromkeys(
        [
            "_image_random_brightness", "_image_random_color_jitter", "_image_random_contrast",
            "_image_random_flip_left_right", "_image_random_flip_top_bottom", "_image_random_hue",
            "_image_random_lighting", "_image_random_saturation",
        ],
        "2026-11-21: draws random numbers; test_image_random.py fixes their limits",
    )
)  # fmt: skip
_IN_PLACE = "2026-11-21: MXNet's writes to its inputs only; test_in_place.py looks at them"
WITHOUT_ROWS.update(dict.fromkeys(["_scatter_set_nd", "reset_arrays"], _IN_PLACE))
_BODIES = "2026-11-21: has symbols as its bodies; tests/gluon/test_control_flow.py"
WITHOUT_ROWS.update(dict.fromkeys(["_cond", "_foreach", "_while_loop"], _BODIES))
WITHOUT_ROWS["_square_sum"] = (
    "2026-11-21: MXNet's takes sparse arrays only; tests/graph/autodiff/test_reduction.py"
)
_SPARSE = "2026-11-21: MXNet has it for sparse gradients only; tests/optimizer compares it with that"
WITHOUT_ROWS.update(dict.fromkeys(["_contrib_group_adagrad_update", "_sparse_adagrad_update"], _SPARSE))

_PYTHON = "2026-11-21: runs Python code, which no file can hold"
_SPARSE_ONLY = "2026-11-21: converts to or from sparse storage, which exists only as files here"
UNSUPPORTED["Custom"] = _PYTHON
UNSUPPORTED.update(dict.fromkeys(["_sparse_retain", "cast_storage"], _SPARSE_ONLY))
