"""The op library: importing this package registers every op; its functions are the API.

The names are those of the Array API where it has one.
"""

from asg.ops import fused as fused  # registers the op
from asg.ops import indexing as indexing  # registers x[key]
from asg.ops import rows as rows  # registers the ops
from asg.ops import updates as updates  # registers x.at[key]
from asg.ops.activation import elu, gelu, leaky_relu, log_softmax, relu, silu, softmax, softplus
from asg.ops.adaptive import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    adaptive_max_pool1d,
    adaptive_max_pool1d_with_indices,
    adaptive_max_pool2d,
    adaptive_max_pool2d_with_indices,
    adaptive_max_pool3d,
    adaptive_max_pool3d_with_indices,
)
from asg.ops.associative_scans import associative_scan
from asg.ops.attention import masked_softmax, scaled_dot_product_attention
from asg.ops.blocks import (
    channel_shuffle,
    fold,
    pixel_shuffle,
    pixel_unshuffle,
    unflatten,
    unfold,
)
from asg.ops.branches import cond, switch
from asg.ops.cast import astype, stop_gradient
from asg.ops.compare import (
    bitwise_and,
    bitwise_invert,
    bitwise_left_shift,
    bitwise_or,
    bitwise_right_shift,
    bitwise_xor,
    equal,
    greater,
    greater_equal,
    isfinite,
    isinf,
    isnan,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    not_equal,
)
from asg.ops.contraction import dot, einsum, tensordot
from asg.ops.convolution import (
    conv1d,
    conv2d,
    conv3d,
    conv_transpose1d,
    conv_transpose2d,
    conv_transpose3d,
)
from asg.ops.creation import arange, eye, linspace
from asg.ops.curves import celu, mish, selu, softmin, softsign, tanhshrink
from asg.ops.decompositions import cholesky, qr
from asg.ops.determinants import det, slogdet
from asg.ops.diagonal_matrices import diag, diag_embed
from asg.ops.diagonals import diagonal, trace, tril, triu
from asg.ops.distances import (
    cosine_similarity,
    pairwise_distance,
    triplet_margin_with_distance_loss,
)
from asg.ops.distributions import bernoulli, dropout, normal, randint, uniform
from asg.ops.dynamic_slices import (
    dynamic_slice,
    dynamic_update_slice,
    embedding,
    gather_nd,
)
from asg.ops.elementwise import (
    add,
    clip,
    divide,
    floor_divide,
    logaddexp,
    maximum,
    minimum,
    multiply,
    pow,
    remainder,
    subtract,
    where,
)
from asg.ops.elementwise_unary import (
    abs,
    ceil,
    cos,
    erf,
    exp,
    expm1,
    floor,
    log,
    log1p,
    log2,
    negative,
    positive,
    reciprocal,
    round,
    rsqrt,
    sigmoid,
    sign,
    sin,
    sqrt,
    square,
    tanh,
    trunc,
)
from asg.ops.floats import (
    cbrt,
    copysign,
    exp2,
    heaviside,
    lerp,
    log10,
    log_sigmoid,
    nan_to_num,
    nextafter,
    signbit,
    xlogy,
)
from asg.ops.gammas import beta, gamma
from asg.ops.gates import geglu, glu, swiglu
from asg.ops.grids import affine_grid, meshgrid
from asg.ops.index import one_hot, scatter_add, scatter_add_along_axis, take, take_along_axis
from asg.ops.join import (
    concat,
    concatenate,
    flip,
    pad,
    repeat,
    roll,
    split,
    stack,
    tile,
    unstack,
)
from asg.ops.leaf import (
    constant,
    dim_size,
    full,
    full_like,
    input,
    iota,
    ones,
    ones_like,
    zeros,
    zeros_like,
)
from asg.ops.likelihoods import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    focal_loss,
    gaussian_nll_loss,
    kl_div,
    nll_loss,
    poisson_nll_loss,
)
from asg.ops.linalg import matmul, outer, vdot, vecdot
from asg.ops.loops import scan
from asg.ops.loss import cross_entropy, huber_loss, l1_loss, mse_loss, smooth_l1_loss
from asg.ops.margins import (
    cosine_embedding_loss,
    dice_loss,
    hinge_embedding_loss,
    hinge_loss,
    margin_ranking_loss,
    multi_margin_loss,
    multilabel_margin_loss,
    squared_hinge_loss,
    triplet_margin_loss,
)
from asg.ops.matrix_norms import matrix_norm, vector_norm
from asg.ops.matrix_products import cross, kron
from asg.ops.norm import layer_norm, rms_norm
from asg.ops.normalisation import (
    batch_norm,
    batch_norm_training,
    group_norm,
    instance_norm,
    l2_normalize,
    local_response_norm,
)
from asg.ops.order_statistics import count_nonzero, median, quantile
from asg.ops.piecewise import (
    hardshrink,
    hardsigmoid,
    hardswish,
    hardtanh,
    prelu,
    relu6,
    rrelu,
    softshrink,
    threshold,
)
from asg.ops.pooling import (
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
    lp_pool1d,
    lp_pool2d,
    lp_pool3d,
    max_pool1d,
    max_pool1d_with_indices,
    max_pool2d,
    max_pool2d_with_indices,
    max_pool3d,
    max_pool3d_with_indices,
)
from asg.ops.positions import alibi_bias, rope, sinusoidal_positions
from asg.ops.pseudoinverses import lstsq, pinv
from asg.ops.random import fold_in, random_bits, random_key, split_key
from asg.ops.reduce import all, any, argmax, argmin, max, min, prod, sum
from asg.ops.resampling import grid_sample, resize
from asg.ops.scans import (
    cummax,
    cummin,
    cumprod,
    cumsum,
    cumulative_prod,
    cumulative_sum,
    diff,
    linear_recurrence,
    logcumsumexp,
)
from asg.ops.scatters import put_along_axis, scatter
from asg.ops.sequences import ctc_loss
from asg.ops.shape import (
    assume_shape,
    broadcast_arrays,
    broadcast_to,
    expand_dims,
    flatten,
    matrix_transpose,
    moveaxis,
    permute_dims,
    reshape,
    squeeze,
    swapaxes,
    transpose,
)
from asg.ops.soft_margins import multilabel_soft_margin_loss, soft_margin_loss
from asg.ops.solvers import inv, matrix_power, solve, solve_triangular
from asg.ops.sorting import argsort, bincount, nonzero, searchsorted, sort, top_k, unique
from asg.ops.special import digamma, erfc, erfinv, lgamma, polygamma
from asg.ops.spectra import eigh, eigvalsh, svd, svdvals
from asg.ops.statistics import logsumexp, mean, std, var
from asg.ops.trigonometry import (
    acos,
    acosh,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    cosh,
    hypot,
    sinh,
    tan,
)
from asg.ops.unpooling import max_unpool1d, max_unpool2d, max_unpool3d
from asg.ops.variates import (
    categorical,
    exponential,
    gumbel,
    laplace,
    permutation,
    truncated_normal,
)
from asg.ops.while_loops import fori_loop, map, while_loop
from asg.ops.wrapped import checkpoint, custom_vjp

__all__ = [
    "abs", "acos", "acosh", "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d",
    "adaptive_max_pool1d", "adaptive_max_pool1d_with_indices", "adaptive_max_pool2d",
    "adaptive_max_pool2d_with_indices", "adaptive_max_pool3d", "adaptive_max_pool3d_with_indices",
    "add", "affine_grid", "alibi_bias", "all", "any", "arange", "argmax", "argmin", "argsort",
    "asin", "asinh", "associative_scan", "assume_shape", "astype", "atan", "atan2", "atanh",
    "avg_pool1d", "avg_pool2d", "avg_pool3d", "batch_norm", "batch_norm_training", "bernoulli",
    "beta", "binary_cross_entropy", "binary_cross_entropy_with_logits", "bincount", "bitwise_and",
    "bitwise_invert", "bitwise_left_shift", "bitwise_or", "bitwise_right_shift", "bitwise_xor",
    "broadcast_arrays", "broadcast_to", "categorical", "cbrt", "ceil", "celu", "channel_shuffle",
    "checkpoint", "cholesky", "clip", "concat", "concatenate", "cond", "constant", "conv1d",
    "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "copysign",
    "cos", "cosh", "cosine_embedding_loss", "cosine_similarity", "count_nonzero", "cross",
    "cross_entropy", "ctc_loss", "cummax", "cummin", "cumprod", "cumsum", "cumulative_prod",
    "cumulative_sum", "custom_vjp", "det", "diag", "diag_embed", "diagonal", "dice_loss", "diff",
    "digamma", "dim_size", "divide", "dot", "dropout", "dynamic_slice", "dynamic_update_slice",
    "eigh", "eigvalsh", "einsum", "elu", "embedding", "equal", "erf", "erfc", "erfinv", "exp",
    "exp2", "expand_dims", "expm1", "exponential", "eye", "flatten", "flip", "floor",
    "floor_divide", "focal_loss", "fold", "fold_in", "fori_loop", "full", "full_like", "gamma",
    "gather_nd", "gaussian_nll_loss", "geglu", "gelu", "glu", "greater", "greater_equal",
    "grid_sample", "group_norm", "gumbel", "hardshrink", "hardsigmoid", "hardswish", "hardtanh",
    "heaviside", "hinge_embedding_loss", "hinge_loss", "huber_loss", "hypot", "input",
    "instance_norm", "inv", "iota", "isfinite", "isinf", "isnan", "kl_div", "kron", "l1_loss",
    "l2_normalize", "laplace", "layer_norm", "leaky_relu", "lerp", "less", "less_equal", "lgamma",
    "linear_recurrence", "linspace", "local_response_norm", "log", "log1p", "log2", "log10",
    "log_sigmoid", "log_softmax", "logaddexp", "logcumsumexp", "logical_and", "logical_not",
    "logical_or", "logical_xor", "logsumexp", "lp_pool1d", "lp_pool2d", "lp_pool3d", "lstsq", "map",
    "margin_ranking_loss", "masked_softmax", "matmul", "matrix_norm", "matrix_power",
    "matrix_transpose", "max", "max_pool1d", "max_pool1d_with_indices", "max_pool2d",
    "max_pool2d_with_indices", "max_pool3d", "max_pool3d_with_indices", "max_unpool1d",
    "max_unpool2d", "max_unpool3d", "maximum", "mean", "median", "meshgrid", "min", "minimum",
    "mish", "moveaxis", "mse_loss", "multi_margin_loss", "multilabel_margin_loss",
    "multilabel_soft_margin_loss", "multiply", "nan_to_num", "negative", "nextafter", "nll_loss",
    "nonzero", "normal", "not_equal", "one_hot", "ones", "ones_like", "outer", "pad",
    "pairwise_distance", "permutation", "permute_dims", "pinv", "pixel_shuffle", "pixel_unshuffle",
    "poisson_nll_loss", "polygamma", "positive", "pow", "prelu", "prod", "put_along_axis", "qr",
    "quantile", "randint", "random_bits", "random_key", "reciprocal", "relu", "relu6", "remainder",
    "repeat", "reshape", "resize", "rms_norm", "roll", "rope", "round", "rrelu", "rsqrt",
    "scaled_dot_product_attention", "scan", "scatter", "scatter_add", "scatter_add_along_axis",
    "searchsorted", "selu", "sigmoid", "sign", "signbit", "silu", "sin", "sinh",
    "sinusoidal_positions", "slogdet", "smooth_l1_loss", "soft_margin_loss", "softmax", "softmin",
    "softplus", "softshrink", "softsign", "solve", "solve_triangular", "sort", "split", "split_key",
    "sqrt", "square", "squared_hinge_loss", "squeeze", "stack", "std", "stop_gradient", "subtract",
    "sum", "svd", "svdvals", "swapaxes", "swiglu", "switch", "take", "take_along_axis", "tan",
    "tanh", "tanhshrink", "tensordot", "threshold", "tile", "top_k", "trace", "transpose", "tril",
    "triplet_margin_loss", "triplet_margin_with_distance_loss", "triu", "trunc", "truncated_normal",
    "unflatten", "unfold", "uniform", "unique", "unstack", "var", "vdot", "vecdot", "vector_norm",
    "where", "while_loop", "xlogy", "zeros", "zeros_like",
]  # fmt: skip
