"""Losses as modules: PyTorch's arguments, buffers, values and derivatives; edges; refusals."""

from __future__ import annotations

import inspect
import warnings
from typing import Any

import numpy as np
import pytest

import asg
from asg import nn, optim
from asg.core.errors import OperandError, ShapeError
from tests.nn.oracle import assert_like_pytorch
from tests.ops.pytorch import assert_as_pytorch

X = np.sin(np.arange(24.0) * 1.3 + 0.2).reshape(6, 4) * 3.0
Y = np.cos(np.arange(24.0) * 0.7 + 0.3).reshape(6, 4) * 2.0
Z = np.sin(np.arange(24.0) * 2.1 + 1.1).reshape(6, 4) * 2.0
P, Q = 1.0 / (1.0 + np.exp(-X)), 1.0 / (1.0 + np.exp(-Y))
LOG = X - np.log(np.exp(X).sum(1, keepdims=True))
SOFT = np.exp(Y) / np.exp(Y).sum(1, keepdims=True)
SIDES = np.where(np.arange(24) % 3 == 0, 1, -1).reshape(6, 4)
LABELS = np.array([2, 0, 3, 1, 1, -100])
GOOD = np.array([2, 0, 3, 1, 1, 0])
SEVERAL = np.array(
    [[3, 0, -1, 1], [-1, 2, 0, 1], [1, 2, -1, -1], [0, 1, 2, 3], [2, -1, 0, -1], [1, 3, -1, 0]]
)
WEIGHT = np.array([0.5, 0.0, 2.0, 1.1])
IMAGES = np.sin(np.arange(48.0) * 0.9).reshape(2, 4, 3, 2) * 2.0
PIXELS = np.arange(12).reshape(2, 3, 2) % 4

SMOOTH: list[tuple[str, dict[str, Any], list[Any]]] = [
    ("MSELoss", {}, [X, Y]),
    ("L1Loss", {}, [X, Y]),
    ("SmoothL1Loss", {"beta": 0.7}, [X, Y]),
    ("SmoothL1Loss", {"beta": 0.0}, [X, Y]),
    ("HuberLoss", {"delta": 1.3}, [X, Y]),
    ("CrossEntropyLoss", {}, [X, LABELS]),
    ("CrossEntropyLoss", {"label_smoothing": 0.1}, [X, LABELS]),
    ("CrossEntropyLoss", {"label_smoothing": 1.0, "ignore_index": 1}, [X, GOOD]),
    ("CrossEntropyLoss", {}, [X, SOFT]),
    ("CrossEntropyLoss", {"label_smoothing": 0.3}, [X, SOFT]),
    ("CrossEntropyLoss", {}, [IMAGES, PIXELS]),
    ("CrossEntropyLoss", {}, [X[0], np.array(2)]),
    ("NLLLoss", {}, [LOG, LABELS]),
    ("NLLLoss", {"ignore_index": 3}, [LOG, GOOD]),
    ("BCELoss", {}, [P, Q]),
    ("BCEWithLogitsLoss", {}, [X, Q]),
    ("KLDivLoss", {}, [LOG, SOFT]),
    ("KLDivLoss", {"log_target": True}, [LOG, np.log(SOFT)]),
    ("PoissonNLLLoss", {}, [X, Y**2]),
    ("PoissonNLLLoss", {"log_input": False, "full": True, "eps": 1e-4}, [X**2, Y**2 + 0.9]),
    ("GaussianNLLLoss", {}, [X, Y, Z**2]),
    ("GaussianNLLLoss", {"full": True, "eps": 0.5}, [X, Y, Z[:, 0] ** 2]),
    ("GaussianNLLLoss", {}, [X, Y, Z[:, :1] ** 2]),
    ("SoftMarginLoss", {}, [X, SIDES]),
    ("HingeEmbeddingLoss", {"margin": 0.7}, [X, SIDES]),
    ("MarginRankingLoss", {"margin": 0.3}, [X, Y, SIDES]),
    ("CosineEmbeddingLoss", {"margin": 0.1}, [X, Y, SIDES[:, 0].copy()]),
    ("TripletMarginLoss", {"margin": 2.0}, [X, Y, Z]),
    ("TripletMarginLoss", {"p": 3.0, "swap": True, "eps": 1e-4}, [X, Y, Z]),
    ("TripletMarginWithDistanceLoss", {"margin": 0.5, "swap": True}, [X, Y, Z]),
    ("MultiLabelSoftMarginLoss", {}, [X, SIDES.clip(0)]),
]
FIRST_ORDER: list[tuple[str, dict[str, Any], list[Any]]] = [  # all that PyTorch has
    ("MultiMarginLoss", {"margin": 0.7}, [X, GOOD]),
    ("MultiMarginLoss", {"p": 2}, [X, GOOD]),
    ("MultiMarginLoss", {}, [X[0], np.array(2)]),
    ("MultiLabelMarginLoss", {}, [X, SEVERAL]),
]
WEIGHTED: list[tuple[str, dict[str, Any], list[Any]]] = [
    ("CrossEntropyLoss", {"weight": WEIGHT}, [X, LABELS]),
    ("CrossEntropyLoss", {"weight": WEIGHT, "label_smoothing": 0.1}, [X, LABELS]),
    ("CrossEntropyLoss", {"weight": WEIGHT, "label_smoothing": 0.2}, [X, SOFT]),
    ("CrossEntropyLoss", {"weight": WEIGHT, "ignore_index": 1}, [IMAGES, PIXELS]),
    ("NLLLoss", {"weight": WEIGHT}, [LOG, LABELS]),
    ("BCELoss", {"weight": WEIGHT}, [P, Q]),
    ("BCEWithLogitsLoss", {"weight": WEIGHT}, [X, Q]),
    ("BCEWithLogitsLoss", {"pos_weight": WEIGHT}, [X, Q]),
    ("BCEWithLogitsLoss", {"weight": Z[:, :1] ** 2, "pos_weight": WEIGHT}, [X, Q]),
    ("MultiMarginLoss", {"weight": WEIGHT}, [X, GOOD]),
    ("MultiLabelSoftMarginLoss", {"weight": WEIGHT}, [X, SIDES.clip(0)]),
]


def pair(name: str, options: dict[str, Any]) -> tuple[nn.Module, Any]:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    ours = {**options, "dtype": "float64"} if {"weight", "pos_weight"} & set(options) else options
    theirs = {
        key: torch.tensor(value) if isinstance(value, np.ndarray) else value
        for key, value in options.items()
    }
    return getattr(nn, name)(**ours), getattr(torch.nn, name)(**theirs)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize(("name", "options", "arrays"), [*SMOOTH, *FIRST_ORDER])
def test_as_pytorch(name: str, options: Any, arrays: list[Any], reduction: str) -> None:
    order = 1 if name in ("MultiMarginLoss", "MultiLabelMarginLoss") else 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch: what "mean" divides by will change
        ours, theirs = pair(name, {**options, "reduction": reduction})
        assert_as_pytorch(ours, theirs, arrays, order=order)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize(("name", "options", "arrays"), WEIGHTED)
def test_weights_are_pytorchs_buffers(
    name: str, options: Any, arrays: list[Any], reduction: str
) -> None:
    ours, theirs = pair(name, {**options, "reduction": reduction})
    assert list(ours.buffers()) == [key for key in options if key.endswith("weight")]
    assert not ours.parameters()
    assert_like_pytorch(ours, theirs, arrays)


@pytest.mark.parametrize(
    ("name", "options", "arrays"),
    [*WEIGHTED[1:4], *(case for case in SMOOTH if case[0] in ("NLLLoss", "TripletMarginLoss"))],
)
def test_symbolic_batches_and_xla(name: str, options: Any, arrays: list[Any]) -> None:
    assert_like_pytorch(*pair(name, options), arrays, symbolic_batch=True)
    if name != "TripletMarginLoss":
        assert_like_pytorch(*pair(name, options), arrays, backend="jax")


def test_a_far_wrong_side_costs_its_distance() -> None:
    found = asg.run(nn.SoftMarginLoss(reduction="none")(asg.constant(FAR), SIDES[:2]))
    np.testing.assert_allclose(found, np.logaddexp(0.0, -SIDES[:2] * FAR), rtol=1e-14)


def test_the_divergence_is_over_the_batch() -> None:
    assert_as_pytorch(*pair("KLDivLoss", {"reduction": "batchmean"}), [LOG, SOFT])


FAR = np.array([[1e4, -1e4, 0.0, 3.0], [-1e4, 1e4, 1e4, -1e4]])
ONES, ZEROS = np.ones((2, 4)), np.zeros((2, 4))
CERTAIN = np.array([[0.0, 1.0, 0.0, 1.0], [1.0, 0.0, 1.0, 0.0]])
EDGES: list[tuple[str, dict[str, Any], list[Any]]] = [
    ("CrossEntropyLoss", {}, [FAR, np.array([1, 3])]),
    ("CrossEntropyLoss", {"label_smoothing": 0.1}, [FAR, np.array([1, 3])]),
    ("CrossEntropyLoss", {}, [FAR, CERTAIN]),
    ("BCEWithLogitsLoss", {}, [FAR, CERTAIN]),
    ("BCELoss", {}, [np.array([[0.0, 1.0, 0.0, 1.0], [1.0, 0.0, 0.0, 1.0]]), CERTAIN]),
    ("KLDivLoss", {}, [-abs(FAR), CERTAIN]),
    ("SoftMarginLoss", {}, [FAR / 20.0, SIDES[:2]]),  # PyTorch's is infinite at 1e4
    ("MultiLabelSoftMarginLoss", {}, [FAR, SIDES[:2].clip(0)]),
    ("MultiMarginLoss", {}, [FAR, np.array([1, 3])]),
    ("HingeEmbeddingLoss", {}, [FAR, SIDES[:2]]),
    ("HingeEmbeddingLoss", {}, [ONES, SIDES[:2]]),
    ("L1Loss", {}, [FAR, FAR]),
    ("SmoothL1Loss", {}, [ONES, ZEROS]),
    ("HuberLoss", {}, [ONES, ZEROS]),
    ("MarginRankingLoss", {"margin": 1.0}, [ONES, ZEROS, np.ones((2, 4), np.int64)]),
    ("TripletMarginLoss", {}, [FAR, FAR, FAR]),
    ("GaussianNLLLoss", {}, [FAR, ZEROS, ONES * 1e-9]),
    ("PoissonNLLLoss", {"log_input": False}, [ZEROS, CERTAIN]),
    ("MultiLabelMarginLoss", {}, [FAR, SEVERAL[:2]]),
]


@pytest.mark.parametrize(("name", "options", "arrays"), EDGES)
def test_edges_are_finite_and_as_pytorch(name: str, options: Any, arrays: list[Any]) -> None:
    wrt = [i for i, array in enumerate(arrays) if array.dtype == np.float64][:1]
    inputs = [asg.input(f"x{i}", a.shape, a.dtype.name) for i, a in enumerate(arrays)]
    losses = getattr(nn, name)(**options, reduction="none")(*inputs)
    feeds = dict(zip(inputs, arrays, strict=True))
    found = asg.run([losses, *asg.grad(losses.sum(), [inputs[i] for i in wrt])], feeds)
    assert all(np.isfinite(each).all() for each in found)
    ours, theirs = pair(name, {**options, "reduction": "none"})
    rest = [asg.constant(array) for array in arrays[1:]]
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    fixed = [torch.tensor(array) for array in arrays[1:]]
    assert_as_pytorch(
        lambda x: ours(x, *rest), lambda x: theirs(x, *fixed), arrays[:1], order=1, tolerance=1e-8
    )


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("name", ["CrossEntropyLoss", "NLLLoss"])
@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_all_ignored_and_no_rows(name: str, reduction: str, weight: Any) -> None:
    options: dict[str, Any] = {} if weight is None else {"weight": weight}
    for x, target in ((LOG, np.full(6, -100)), (LOG[:0], GOOD[:0]), (LOG[:1], GOOD[:1])):
        assert_like_pytorch(*pair(name, {**options, "reduction": reduction}), [x, target])


@pytest.mark.parametrize("name", ["MSELoss", "L1Loss", "BCEWithLogitsLoss", "SoftMarginLoss"])
def test_no_rows_elsewhere(name: str) -> None:
    for reduction in ("none", "mean", "sum"):
        arrays = [X[:0], SIDES[:0]] if name == "SoftMarginLoss" else [X[:0], Q[:0]]
        assert_as_pytorch(*pair(name, {"reduction": reduction}), arrays, order=1)


def test_unsigned_labels_need_no_ignored_one() -> None:
    x, target = asg.constant(X), asg.constant(GOOD.astype(np.uint8))
    found = asg.run([nn.CrossEntropyLoss()(x, target), asg.cross_entropy(x, GOOD)])
    assert found[0] == found[1]
    with pytest.raises(OperandError, match="ignore_index needs class indices"):
        nn.CrossEntropyLoss(ignore_index=2)(x, asg.constant(SOFT))


CTC_STEPS, CTC_LENGTHS = np.array([7, 6, 7]), np.array([3, 2, 0])


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("form", ["rows", "joined", "single", "impossible"])
def test_ctc(form: str, reduction: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    logits = np.sin(np.arange(84.0) * 1.7).reshape(7, 3, 4)
    labels, steps, lengths = np.array([[1, 2, 2], [3, 1, 1], [1, 1, 1]]), CTC_STEPS, CTC_LENGTHS
    if form == "joined":
        labels = np.array([1, 2, 2, 3, 1])
    if form == "single":
        logits, labels, steps, lengths = logits[:, 0], labels[0], steps[0], lengths[0]
    if form == "impossible":
        steps = np.array([7, 1, 7])
    options: dict[str, Any] = {"reduction": reduction, "zero_infinity": form == "impossible"}
    ours, theirs = pair("CTCLoss", options)
    rest = [asg.constant(each) for each in (labels, steps, lengths)]
    fixed = [torch.tensor(each) for each in (labels, steps, lengths)]
    assert_as_pytorch(
        lambda x: ours(asg.log_softmax(x, -1), *rest),
        lambda x: theirs(torch.log_softmax(x, -1), *fixed),
        [logits],
        order=1,
    )


def test_losses_pytorch_lacks() -> None:
    pytest.importorskip("torch", reason="PyTorch is an optional oracle")

    def focal(x: Any, t: Any) -> Any:
        right = t * x.sigmoid() + (1 - t) * (-x).sigmoid()
        side = 0.25 * t + 0.75 * (1 - t)
        return -(side * (1 - right) ** 2 * right.log()).sum()

    for ours, theirs, arrays in (
        (nn.HingeLoss(), lambda x, t: (1 - t * x).clamp(min=0).mean(), [X, SIDES]),
        (nn.SquaredHingeLoss("sum"), lambda x, t: (1 - t * x).clamp(min=0).square().sum(),
         [X, SIDES]),
        (nn.FocalLoss(reduction="sum"), focal, [X, SIDES.clip(0)]),
        (nn.DiceLoss(0.5),
         lambda x, t: (1 - (2 * (x * t).sum(1) + 0.5) / (x.sum(1) + t.sum(1) + 0.5)).mean(),
         [P, Q]),
    ):  # fmt: skip
        assert_as_pytorch(ours, theirs, arrays)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_distances(axis: int) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    assert_as_pytorch(nn.CosineSimilarity(axis), torch.nn.CosineSimilarity(axis), [X, Y])
    norm = {0: 1.0, 1: 3.0, -1: 2.0}[axis]
    for keep in (False, True):
        pair_ = nn.PairwiseDistance(norm, 1e-3, keep), torch.nn.PairwiseDistance(norm, 1e-3, keep)
        assert_as_pytorch(*pair_, [X, Y])
    zero = asg.input("x", (2, 3))
    slope = asg.grad(asg.cosine_similarity(zero, asg.ones((2, 3))).sum(), zero)
    assert np.isfinite(asg.run(slope, {zero: np.zeros((2, 3), np.float32)})).all()


def test_a_distance_of_ones_own() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    ours = nn.TripletMarginWithDistanceLoss(
        distance_function=lambda a, b: 1.0 - asg.cosine_similarity(a, b), margin=0.4
    )
    theirs = torch.nn.TripletMarginWithDistanceLoss(
        distance_function=lambda a, b: 1.0 - torch.cosine_similarity(a, b), margin=0.4
    )
    assert_as_pytorch(ours, theirs, [X, Y, Z])


def test_a_weighted_loss_in_a_step() -> None:
    """Its buffer is saved, not trained, and does not clash with the weight of a lone layer."""
    model, loss = nn.Linear(3, 2), nn.CrossEntropyLoss(weight=[1.0, 3.0])
    step = asg.train_step(model, loss=loss, optimizer=optim.sgd(0.1))(
        x=("n", 3), y=(("n",), "int32")
    )
    session = asg.compile(step).start(0)
    session(x=np.ones((4, 3), np.float32), y=np.array([0, 1, 1, 0], np.int32))
    assert list(session.state_dict("statistic")) == ["loss.weight"]
    assert session.state_dict()["loss.weight"].tolist() == [1.0, 3.0]
    assert list(loss.state_dict()) == ["weight"]
    nested = nn.Sequential(body=nn.Linear(3, 2), criterion=nn.CrossEntropyLoss(weight=[1.0, 3.0]))
    assert [v.name for v in nested.buffers().values()] == ["criterion.weight"]


word: Any = "a"
average: Any = "average"
batchmean: Any = "batchmean"
REFUSED: list[tuple[Any, str]] = [
    (lambda: nn.MSELoss(average), "MSELoss: reduction='average' must be one of 'none'"),
    (lambda: nn.SmoothL1Loss(beta=-1), "beta=-1 must be a number of at least 0"),
    (lambda: nn.HuberLoss(delta=0), "delta=0 must be a positive number"),
    (lambda: nn.CrossEntropyLoss(label_smoothing=1.5), r"label_smoothing=1\.5 must be in"),
    (lambda: nn.CrossEntropyLoss(ignore_index=word), "ignore_index='a' must be an int"),
    (lambda: nn.CrossEntropyLoss(weight=["a"]), r"weight=\['a'\] must be an array of numbers"),
    (lambda: nn.NLLLoss(reduction=batchmean), "reduction='batchmean'"),
    (lambda: nn.KLDivLoss(log_target=word), "log_target='a' must be True or False"),
    (lambda: nn.PoissonNLLLoss(eps=word), "eps='a' must be a number"),
    (lambda: nn.GaussianNLLLoss(eps=0.0), r"eps=0\.0 must be a positive number"),
    (lambda: nn.FocalLoss(alpha=2.0), r"alpha=2\.0 must be in \[0, 1\], or None"),
    (lambda: nn.FocalLoss(gamma=-1.0), r"gamma=-1\.0"),
    (lambda: nn.DiceLoss(smooth=-1.0), r"smooth=-1\.0"),
    (lambda: nn.CTCLoss(blank=-1), "blank=-1 must be an int of at least 0"),
    (lambda: nn.TripletMarginLoss(margin=0.0), r"margin=0\.0 must be a positive number"),
    (lambda: nn.TripletMarginLoss(p=0.5), r"p=0\.5 must be a norm"),
    (lambda: nn.TripletMarginWithDistanceLoss(distance_function=word), "must be a function"),
    (lambda: nn.MultiMarginLoss(p=3), "p=3 must be 1 or 2"),
    (lambda: nn.MarginRankingLoss(margin=word), "margin='a' must be a number"),
]


@pytest.mark.parametrize(("make", "message"), REFUSED)
def test_wrong_options_are_refused_when_made(make: Any, message: str) -> None:
    with pytest.raises(OperandError, match=message):
        make()


def test_wrong_operands_are_refused() -> None:
    x = asg.input("x", ("n", 4))
    calls: list[Any] = [
        lambda: nn.MSELoss()(x, x[:, :1]),
        lambda: nn.CrossEntropyLoss(weight=[1.0])(x, asg.input("t", ("n",), "int32")),
        lambda: nn.MultiLabelSoftMarginLoss(weight=[1.0])(x, x),
        lambda: nn.TripletMarginWithDistanceLoss()(x, x, x[0]),
    ]
    for call in calls:
        with pytest.raises(ShapeError):
            call()


def test_constructors_are_pytorchs() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    names = {name for name, _, _ in (*SMOOTH, *FIRST_ORDER, *WEIGHTED)} | {"CTCLoss"}
    names |= {"CosineSimilarity", "PairwiseDistance"}
    for name in names:
        wanted = dict(inspect.signature(getattr(torch.nn, name)).parameters)
        found = dict(inspect.signature(getattr(nn, name)).parameters)
        ours = {n: p.default for n, p in found.items() if n != "dtype"}
        left_out = ("size_average", "reduce")
        assert list(ours.items()) == [
            (n, p.default) for n, p in wanted.items() if n not in left_out
        ], name


def test_short_names() -> None:
    assert nn.cross_entropy is asg.cross_entropy
    assert nn.functional.logsigmoid is asg.log_sigmoid
    assert nn.functional.max_pool2d is asg.max_pool2d
