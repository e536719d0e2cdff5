"""Wrong calls, one a row: what is called, how, the class of the error, and facts it must state.

Facts are the sizes, dtypes or values in conflict. `test_wrong_uses` looks for the name of the
function, the line of the call in this file, the facts and an advice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import asg as checked
from asg.core.errors import DimError, DtypeError, OperandError, ShapeError

Error = type[checked.AsgError]
asg: Any = checked  # a type checker would find some of these mistakes first


class Row(NamedTuple):
    """A wrong call; ``name`` is what the message must call it."""

    name: str
    call: Callable[[], Any]
    error: Error
    facts: tuple[str, ...]


def row(name: str, call: Callable[[], Any], error: Error, *facts: str) -> Row:
    return Row(name, call, error, facts)


X = asg.input("x", (2, 3))
Y = asg.input("y", (4, 3))
V = asg.input("v", (3,))
SCALAR = asg.input("scalar", ())
I = asg.input("i", (2, 3), "int32")  # noqa: E741 - the integers
U = asg.input("u", (2, 3), "uint64")
B = asg.input("b", (2, 3), "bool")
N = asg.input("n", ("n", 3))
LINE = asg.input("line", (1, 4, 9))
IMAGE = asg.input("image", (1, 4, 8, 8))
SQUARE = asg.input("square", (3, 3))
Q = asg.input("q", (1, 2, 5, 4))
KEY = asg.random_key(0)

ELEMENTWISE = [
    row("add", lambda: X + Y, ShapeError, "f32[2, 3]", "f32[4, 3]", "2 against 4"),
    row("multiply", lambda: X * asg.zeros((2,)), ShapeError, "3 against 2"),
    row("add", lambda: I + U, DtypeError, "int32", "uint64"),
    row("subtract", lambda: B - B, DtypeError, "bool"),
    row("exp", lambda: asg.exp(I), DtypeError, "int32"),
    row("divide", lambda: asg.divide(B, B), DtypeError, "bool"),
    row("add", lambda: I + 2**40, DtypeError, "1099511627776", "int32"),
    row("where", lambda: asg.where(X, X, X), DtypeError, "float32"),
    row("where", lambda: asg.where(B, X, Y), ShapeError, "2 against 4"),
    row("logical_and", lambda: asg.logical_and(X, B), DtypeError, "float32"),
    row("bitwise_and", lambda: X & I, DtypeError, "float32"),
    row("bitwise_left_shift", lambda: X << 1, DtypeError, "float32"),
    row("atan2", lambda: asg.atan2(X, Y), ShapeError, "2 against 4"),
    row("polygamma", lambda: asg.polygamma(-1, X), OperandError, "-1"),
    row("lgamma", lambda: asg.lgamma(B), DtypeError, "bool"),
    row("add", lambda: X + "1", OperandError, "str"),
    row("add", lambda: asg.add(X, object()), OperandError, "object"),
]
REDUCTIONS = [
    row("sum", lambda: X.sum(2), ShapeError, "axis 2", "-2 to 1"),
    row("sum", lambda: X.sum((0, -2)), ShapeError, "(0, -2)"),
    row("sum", lambda: X.sum(0.5), OperandError, "0.5"),
    row("max", lambda: asg.max(asg.zeros((0, 3)), axis=0), ShapeError, "f32[0, 3]"),
    row("max", lambda: asg.max(B), DtypeError, "bool"),
    row("mean", lambda: X.mean(-3), ShapeError, "axis -3"),
    row("argmax", lambda: asg.argmax(X, axis=3), ShapeError, "axis 3"),
    row("var", lambda: asg.var(X, axis=(1, 1)), ShapeError, "(1, 1)"),
    row("logsumexp", lambda: asg.logsumexp(I), DtypeError, "int32"),
    row("quantile", lambda: asg.quantile(X, 1.5), OperandError, "1.5"),
    row("cumsum", lambda: asg.cumsum(X, axis=5), ShapeError, "axis 5"),
    row("linear_recurrence", lambda: asg.linear_recurrence(X, Y), ShapeError, "2", "4"),
    row("top_k", lambda: asg.top_k(X, 4), ShapeError, "4", "3"),
    row("sort", lambda: asg.sort(SCALAR), ShapeError, "no axes"),
    row("searchsorted", lambda: asg.searchsorted(X, V), ShapeError, "2 axes"),
    row("bincount", lambda: asg.bincount(X, length=4), DtypeError, "float32"),
]
SHAPES = [
    row("reshape", lambda: X.reshape(4, 2), ShapeError, "f32[2, 3]", "[4, 2]"),
    row("reshape", lambda: X.reshape(-1, -1), ShapeError, "-1"),
    row("reshape", lambda: X.reshape(-1, 4), ShapeError, "f32[2, 3]", "4"),
    row("broadcast_to", lambda: asg.broadcast_to(X, (2, 4)), ShapeError, "3", "4"),
    row("permute_dims", lambda: asg.permute_dims(X, (0, 0)), ShapeError, "(0, 0)"),
    row("transpose", lambda: X.transpose(0, 2), ShapeError, "axis 2"),
    row("squeeze", lambda: asg.squeeze(X, 0), ShapeError, "2"),
    row("expand_dims", lambda: asg.expand_dims(X, 5), ShapeError, "axis 5"),
    row("flatten", lambda: asg.flatten(X, 1, 0), ShapeError, "1", "0"),
    row("concat", lambda: asg.concat([X, V]), ShapeError, "f32[2, 3]", "f32[3]"),
    row("concat", lambda: asg.concat([X, asg.zeros((2, 4))]), ShapeError, "3 against 4"),
    row("concat", lambda: asg.concat([]), OperandError, "no "),
    row("stack", lambda: asg.stack([X, Y]), ShapeError, "2 against 4"),
    row("split", lambda: asg.split(X, 2, axis=1), ShapeError, "3", "2"),
    row("pad", lambda: asg.pad(X, ((1, 1),)), OperandError, "1", "2"),
    row("pad", lambda: asg.pad(X, 4, mode="reflect"), ShapeError, "4"),
    row("pad", lambda: asg.pad(X, 1, mode="mirror"), OperandError, "'mirror'"),
    row("tile", lambda: asg.tile(X, (-1, 2)), OperandError, "-1"),
    row("repeat", lambda: asg.repeat(X, -2, axis=0), OperandError, "-2"),
    row("roll", lambda: asg.roll(X, 1, axis=2), ShapeError, "axis 2"),
    row("unflatten", lambda: asg.unflatten(X, 1, (2, 2)), ShapeError, "3", "(2, 2)"),
    row("pixel_shuffle", lambda: asg.pixel_shuffle(IMAGE, 3), ShapeError, "4", "9"),
    row("swapaxes", lambda: asg.swapaxes(X, 0, 2), ShapeError, "axis 2"),
    row("meshgrid", lambda: asg.meshgrid(X, V), ShapeError, "f32[2, 3]"),
    row("iota", lambda: asg.iota((-1,)), ShapeError, "-1"),
    row("full", lambda: asg.full((2,), V), OperandError, "Tensor"),
    row("input", lambda: asg.input("z", (2,), "float24"), DtypeError, "float24"),
]
INDEXING = [
    row("getitem", lambda: X[2], ShapeError, "size 2", "index 2"),
    row("getitem", lambda: X[0, 0, 0], ShapeError, "3 indices for 2 axes"),
    row("getitem", lambda: X[[0, 5]], ShapeError, "5", "size 2"),
    row("getitem", lambda: X[0.5], DtypeError, "f32[]"),
    row("getitem", lambda: X[X > 0], DtypeError, "bool[2, 3]"),
    row("getitem", lambda: X[::0], OperandError, "step", "0"),
    row("getitem", lambda: X[..., ...], OperandError, "'...'"),
    row("getitem", lambda: X[: asg.sum(I)], OperandError, "stop of a slice"),
    row("getitem", lambda: N[N.shape[0] - 3 :], DimError, "n - 3"),
    row("setitem", lambda: X.at[0, 3].set(1.0), ShapeError, "size 3", "index 3"),
    row("setitem", lambda: X.at[0].add(asg.zeros((2,))), ShapeError, "3", "2"),
    row("take", lambda: asg.take(X, [0, 3], axis=1), ShapeError, "3", "-3 to 2"),
    row("take", lambda: asg.take(X, [0]), ShapeError, "2 axes"),
    row(
        "take_along_axis",
        lambda: asg.take_along_axis(X, V.astype("int32"), 0),
        ShapeError,
        "1",
        "2",
    ),
    row("scatter", lambda: asg.scatter(X, [0], 1.0, mode="sum"), OperandError, "'sum'", "add"),
    row("scatter_add", lambda: asg.scatter_add(X, [0, 1], Y), ShapeError, "4", "2"),
    row("gather_nd", lambda: asg.gather_nd(X, [[0, 0, 0]]), ShapeError, "f32[2, 3]"),
    row("one_hot", lambda: asg.one_hot(X, 3), DtypeError, "float32"),
    row("dynamic_slice", lambda: asg.dynamic_slice(X, [0, 0], [3, 1]), ShapeError, "3", "2"),
    row("embedding", lambda: asg.embedding(X, Y), DtypeError, "float32"),
]
LINEAR = [
    row("matmul", lambda: X @ Y, ShapeError, "3 against 4"),
    row("matmul", lambda: X @ SCALAR, ShapeError, "f32[]"),
    row("einsum", lambda: asg.einsum("ij,jk->ik", X, Y), ShapeError, "j", "3", "4"),
    row("einsum", lambda: asg.einsum("ijk->i", X), OperandError, "ijk", "2"),
    row("einsum", lambda: asg.einsum("ij->z", X), OperandError, "z"),
    row("einsum", lambda: asg.einsum("ij,ij->ij", X), OperandError, "2", "1"),
    row("tensordot", lambda: asg.tensordot(X, Y, axes=([0], [1])), ShapeError, "2", "3"),
    row("dot", lambda: asg.dot(X, asg.zeros((2,))), ShapeError, "3", "2"),
    row("kron", lambda: asg.kron(B, B), DtypeError, "bool"),
    row("cross", lambda: asg.cross(asg.zeros((4,)), asg.zeros((4,))), ShapeError, "4"),
    row("inv", lambda: asg.inv(X), ShapeError, "2", "3"),
    row("solve", lambda: asg.solve(SQUARE, X), ShapeError, "3", "2"),
    row("cholesky", lambda: asg.cholesky(V), ShapeError, "f32[3]"),
    row("det", lambda: asg.det(I), DtypeError, "int32"),
    row("eigh", lambda: asg.eigh(X), ShapeError, "2", "3"),
    row("matrix_power", lambda: asg.matrix_power(SQUARE, 0.5), OperandError, "0.5"),
    row("trace", lambda: asg.trace(V), ShapeError, "1"),
    row("matrix_norm", lambda: asg.matrix_norm(X, ord="l2"), OperandError, "'l2'"),
    row("vecdot", lambda: asg.vecdot(X, Y), ShapeError, "2", "4"),
]
WINDOWS = [
    row("conv2d", lambda: asg.conv2d(IMAGE, asg.zeros((6, 3, 3, 3))), ShapeError, "4", "3"),
    row("conv2d", lambda: asg.conv2d(IMAGE, asg.zeros((6, 4, 9, 9))), ShapeError, "9", "8"),
    row("conv2d", lambda: asg.conv2d(IMAGE, asg.zeros((6, 2, 3, 3)), groups=3), ShapeError, "3"),
    row("conv2d", lambda: asg.conv2d(LINE, asg.zeros((6, 4, 3, 3))), ShapeError, "f32[1, 4, 9]"),
    row("conv1d", lambda: asg.conv1d(LINE, asg.zeros((6, 4, 3)), stride=0), OperandError, "0"),
    row(
        "conv1d",
        lambda: asg.conv1d(LINE, asg.zeros((6, 4, 3)), padding="all"),
        OperandError,
        "'all'",
    ),
    row(
        "conv1d",
        lambda: asg.conv1d(LINE, asg.zeros((6, 4, 3)), dilation=(1, 2)),
        OperandError,
        "(1, 2)",
    ),
    row(
        "conv_transpose1d",
        lambda: asg.conv_transpose1d(LINE, asg.zeros((3, 2, 3))),
        ShapeError,
        "4",
        "3",
    ),
    row("max_pool2d", lambda: asg.max_pool2d(IMAGE, 9), ShapeError, "9", "8"),
    row("avg_pool2d", lambda: asg.avg_pool2d(IMAGE, 2, padding=2), OperandError, "2"),
    row("max_pool1d", lambda: asg.max_pool1d(IMAGE, 2), ShapeError, "f32[1, 4, 8, 8]"),
    row("adaptive_avg_pool2d", lambda: asg.adaptive_avg_pool2d(IMAGE, 0), OperandError, "0"),
    row("unfold", lambda: asg.unfold(IMAGE, 9), ShapeError, "9", "8"),
    row("resize", lambda: asg.resize(IMAGE, (0, 4)), ShapeError, "(0, 4)"),
    row("resize", lambda: asg.resize(IMAGE, 4, mode="area"), OperandError, "'area'"),
    row(
        "grid_sample", lambda: asg.grid_sample(IMAGE, asg.zeros((1, 2, 2, 3))), ShapeError, "3", "2"
    ),
]
LEARNING = [
    row("softmax", lambda: asg.softmax(I), DtypeError, "int32"),
    row("softmax", lambda: asg.softmax(X, axis=2), ShapeError, "axis 2"),
    row("glu", lambda: asg.glu(X), ShapeError, "3"),
    row("prelu", lambda: asg.prelu(IMAGE, V), ShapeError, "4", "3"),
    row("layer_norm", lambda: asg.layer_norm(X, 4), ShapeError, "3", "4"),
    row("group_norm", lambda: asg.group_norm(IMAGE, 3), ShapeError, "4", "3"),
    row("batch_norm", lambda: asg.batch_norm(IMAGE, V, V), ShapeError, "4", "3"),
    row(
        "scaled_dot_product_attention",
        lambda: asg.scaled_dot_product_attention(Q, Q[..., :3], Q),
        ShapeError,
        "4",
        "3",
    ),
    row(
        "scaled_dot_product_attention",
        lambda: asg.scaled_dot_product_attention(Q, Q, Q, attn_mask=asg.zeros((7, 5), "bool")),
        ShapeError,
        "7",
        "5",
    ),
    row("masked_softmax", lambda: asg.masked_softmax(X, X), DtypeError, "float32"),
    row("rope", lambda: asg.rope(asg.zeros((2, 5, 3))), ShapeError, "3"),
    row("dropout", lambda: asg.dropout(X, 1.5, KEY), OperandError, "1.5"),
    row("mse_loss", lambda: asg.mse_loss(X, Y), ShapeError, "2", "4"),
    row("mse_loss", lambda: asg.mse_loss(X, X, reduction="avg"), OperandError, "'avg'"),
    row(
        "cross_entropy",
        lambda: asg.cross_entropy(X, asg.zeros((3,), "int32")),
        ShapeError,
        "2",
        "3",
    ),
    row(
        "cross_entropy",
        lambda: asg.cross_entropy(X, asg.zeros((2,), "int32"), weight=asg.zeros((4,))),
        ShapeError,
        "3",
        "4",
    ),
    row(
        "cross_entropy",
        lambda: asg.cross_entropy(X, asg.zeros((2,), "int32"), label_smoothing=2.0),
        OperandError,
        "2.0",
    ),
    row("nll_loss", lambda: asg.nll_loss(X, asg.zeros((2,))), DtypeError, "float32"),
    row("huber_loss", lambda: asg.huber_loss(X, X, delta=-1.0), OperandError, "-1.0"),
    row("ctc_loss", lambda: asg.ctc_loss(X, V.astype("int32"), I, 2), ShapeError, "i32[2, 3]"),
    row("triplet_margin_loss", lambda: asg.triplet_margin_loss(X, X, Y), ShapeError, "2", "4"),
]
CONTROL = [
    row("scan", lambda: asg.scan(lambda c, x: (c.sum(), x), V, X), ShapeError, "f32[3]", "f32[]"),
    row("scan", lambda: asg.scan(lambda c, x: (c, x), 0.0), OperandError, "length"),
    row("scan", lambda: asg.scan(lambda c, x: c, V, X), OperandError, "carry"),
    row("scan", lambda: asg.scan(lambda c, x: (c, x), V, [X, Y]), ShapeError, "2", "4"),
    row("cond", lambda: asg.cond(B, lambda: V, lambda: V), ShapeError, "bool[2, 3]"),
    row(
        "cond",
        lambda: asg.cond(SCALAR > 0, lambda: V, lambda: X),
        ShapeError,
        "f32[3]",
        "f32[2, 3]",
    ),
    row(
        "switch",
        lambda: asg.switch(SCALAR, [lambda: V, lambda: V, lambda: V]),
        DtypeError,
        "float32",
    ),
    row(
        "while_loop", lambda: asg.while_loop(lambda c: c, lambda c: c, SCALAR), DtypeError, "f32[]"
    ),
    row("fori_loop", lambda: asg.fori_loop(0, 3, lambda i, c: c.sum(), V), ShapeError, "f32[3]"),
    row("map", lambda: asg.map(lambda x: x, SCALAR), ShapeError, "f32[]"),
]
RANDOM = [
    row("normal", lambda: asg.normal(X, (2,)), DtypeError, "f32[2, 3]", "u32[2]"),
    row("normal", lambda: asg.normal(asg.zeros((3,), "uint32"), (2,)), ShapeError, "u32[3]"),
    row("uniform", lambda: asg.uniform(KEY, (2,), dtype="int32"), DtypeError, "int32"),
    row("randint", lambda: asg.randint(KEY, (2,), 5, 5), OperandError, "5"),
    row("categorical", lambda: asg.categorical(KEY, I), DtypeError, "int32"),
    row("bernoulli", lambda: asg.bernoulli(KEY, 1.5, (2,)), OperandError, "1.5"),
    row("split_key", lambda: asg.split_key(KEY, 0), OperandError, "0"),
    row("random_key", lambda: asg.random_key(0.5), OperandError, "0.5"),
]

WRONG_USES = [
    *ELEMENTWISE, *REDUCTIONS, *SHAPES, *INDEXING, *LINEAR, *WINDOWS, *LEARNING, *CONTROL, *RANDOM,
]  # fmt: skip
