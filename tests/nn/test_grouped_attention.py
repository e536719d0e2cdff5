"""Grouped-query attention against its formula in PyTorch, and against models that have it."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

import asg
from asg import nn
from asg.core.errors import AsgError, OperandError, ShapeError
from tests.nn.oracle import assert_like_pytorch

X = np.random.default_rng(0).normal(size=(2, 6, 8))


def formula(
    torch: Any, heads: int, shared: int, bias: bool, norms: bool, causal: bool, window: int | None,
    turned: int, mask: Any = None,
) -> Any:  # fmt: skip
    """The same attention with keys repeated, scores masked one by one, rotations as matrices."""

    def rotated(x: Any) -> Any:
        out = x.clone()
        for place, pair in product(range(x.shape[-2]), range(turned // 2)):
            angle = torch.tensor(place * 10000.0 ** (-2 * pair / turned), dtype=torch.float64)
            a, b = x[..., place, pair], x[..., place, pair + turned // 2]
            out[..., place, pair] = a * angle.cos() - b * angle.sin()
            out[..., place, pair + turned // 2] = b * angle.cos() + a * angle.sin()
        return out

    class Formula(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            for name, rows in (("q", heads), ("k", shared), ("v", shared)):
                setattr(self, f"{name}_proj", torch.nn.Linear(8, 4 * rows, bias))
            self.o_proj = torch.nn.Linear(4 * heads, 8, bias)
            if norms:
                self.q_norm, self.k_norm = torch.nn.RMSNorm(4, 1e-6), torch.nn.RMSNorm(4, 1e-6)

        def forward(self, x: Any) -> Any:
            q, k, v = (
                project(x).unflatten(-1, (-1, 4)).transpose(-3, -2)
                for project in (self.q_proj, self.k_proj, self.v_proj)
            )
            if norms:
                q, k = self.q_norm(q), self.k_norm(k)
            if turned:
                q, k = rotated(q), rotated(k)
            k, v = (each.repeat_interleave(heads // shared, -3) for each in (k, v))
            ahead = torch.arange(x.shape[-2]) - torch.arange(x.shape[-2])[:, None]
            hidden = (ahead > 0) if causal else torch.zeros_like(ahead, dtype=torch.bool)
            if window is not None:
                hidden = hidden | (ahead.abs() >= window)
            scores = q @ k.mT / 2.0 + (0.0 if mask is None else mask)
            weights = scores.masked_fill(hidden, float("-inf")).softmax(-1)
            return self.o_proj((weights @ v).transpose(-3, -2).flatten(-2))

    return Formula()


SEEN = [(True, None), (True, 3), (False, 2), (False, None)]
CASES = product([(2, 2), (4, 2), (4, 1)], [False, True], [False, True], SEEN, [0, 2, 4])
GRID = [  # each value of each argument is among the quick ones
    pytest.param(*case, marks=[pytest.mark.slow] if number % 11 else [])
    for number, case in enumerate(CASES)
]


@pytest.mark.parametrize(("heads", "bias", "norms", "seen", "turned"), GRID)
def test_over_the_grid_of_arguments(
    heads: tuple[int, int], bias: bool, norms: bool, seen: tuple[bool, int | None], turned: int
) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    rope = nn.RotaryPositions(turned) if turned else None
    ours = nn.GroupedQueryAttention(
        8, *heads, 4, bias, is_causal=seen[0], rope=rope, window=seen[1], qk_norm=norms,
        dtype="float64",
    )  # fmt: skip
    assert_like_pytorch(ours, formula(torch, *heads, bias, norms, *seen, turned), [X])


def test_symbolic_sizes_and_no_batch() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    rope = nn.RotaryPositions(4)
    ours = nn.GroupedQueryAttention(8, 4, 2, 4, rope=rope, window=3, dtype="float64")
    for x, sizes, backend in (
        (X, ("batch", "time", 8), "numpy"), (X[0], ("time", 8), "numpy"), (X[0], (6, 8), "numpy"),
        (X, ("batch", "time", 8), "jax"),
    ):  # fmt: skip
        theirs = formula(torch, 4, 2, False, False, True, 3, 4)
        assert_like_pytorch(ours, theirs, [x], symbolic_batch=[sizes], backend=backend)


def test_masks_join_what_position_allows() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    ours = nn.GroupedQueryAttention(8, 4, 2, 4, dtype="float64")
    bias = np.random.default_rng(1).normal(size=(4, 6, 6))
    theirs = formula(torch, 4, 2, False, False, True, None, 0, torch.tensor(bias))
    assert_like_pytorch(ours, theirs, [X], our_call=lambda m, x: m(x, asg.constant(bias)))
    keys = np.array([[True] * 6, [True] * 4 + [False] * 2])[:, None, None]
    added = torch.tensor(np.where(keys, 0.0, -np.inf))
    theirs = formula(torch, 4, 2, False, False, True, None, 0, added)
    assert_like_pytorch(ours, theirs, [X], our_call=lambda m, x: m(x, asg.constant(keys)))


def test_positions_of_each_example() -> None:
    layer = nn.GroupedQueryAttention(8, 2, rope=nn.RotaryPositions(4), dtype="float64")
    x = asg.constant(X)
    whole, later = layer(x), layer(x, offset=7)
    named = layer(x, positions=np.arange(6) + np.array([[3], [40]]))
    other = layer(x, positions=np.arange(6) * 2)
    with asg.StateTrace() as trace:
        graph = trace.close({"a": whole, "b": later, "c": named, "d": other})
    found = asg.compile(graph).start()()
    np.testing.assert_allclose(found["b"], found["a"], rtol=1e-10)  # distance alone counts
    np.testing.assert_allclose(found["c"], found["a"], rtol=1e-10)
    assert abs(found["d"] - found["a"]).max() > 1e-3


def test_later_tokens_do_not_change_earlier_results() -> None:
    layer = nn.GroupedQueryAttention(8, 4, 2, rope=nn.RotaryPositions(2), window=3, dtype="float64")
    graph = asg.Graph(y=layer(asg.input("x", ("batch", "time", 8), "float64")))
    session = asg.compile(graph).start()
    changed = X.copy()
    changed[:, 4] += 1.0
    before, after = session(x=X)["y"], session(x=changed)["y"]
    np.testing.assert_array_equal(before[:, :4], after[:, :4])
    assert (before[:, 4:] != after[:, 4:]).all()
    changed = X.copy()
    changed[:, 0] += 1.0  # out of the window of tokens from 3 on
    np.testing.assert_allclose(session(x=changed)["y"][:, 3:], before[:, 3:], rtol=1e-12)


def test_dropout_is_of_training_alone() -> None:
    layer = nn.GroupedQueryAttention(8, 2, dropout=0.5, dtype="float64")
    results = {}
    for training in (True, False):
        with asg.StateTrace(training=training) as trace:
            graph = trace.close({"y": layer(asg.constant(X))})
        session = asg.compile(graph).start()
        results[training] = [session()["y"] for _ in range(2)]
    assert (results[True][0] != results[True][1]).any()
    np.testing.assert_array_equal(*results[False])


@pytest.mark.slow  # to import their library
@pytest.mark.parametrize("kind", ["llama", "qwen3"])
def test_the_attention_of_known_models(kind: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    transformers = pytest.importorskip("transformers", reason="an optional oracle")
    name = {"llama": "Llama", "qwen3": "Qwen3"}[kind]
    config = getattr(transformers, f"{name}Config")(
        hidden_size=8, num_attention_heads=4, num_key_value_heads=2, head_dim=4,
        attn_implementation="eager", num_hidden_layers=1,
    )  # fmt: skip
    package = getattr(transformers.models, kind)
    module = getattr(package, f"modeling_{kind}")
    theirs = getattr(module, f"{name}Attention")(config, 0)
    turns = getattr(module, f"{name}RotaryEmbedding")(config).double()
    hidden = torch.full((6, 6), -1e300, dtype=torch.float64).triu(1)[None, None]
    ours = nn.GroupedQueryAttention(
        8, 4, 2, 4, rope=nn.RotaryPositions(4), qk_norm=kind == "qwen3", dtype="float64"
    )
    places = torch.arange(6)[None]
    assert_like_pytorch(
        ours, theirs, [X], tolerance=1e-4,  # theirs has cosines and the norm in float32
        their_call=lambda m, x: m(x, turns(x, places), hidden)[0],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"embed_dim": 0}, "embed_dim=0"),
        ({"num_heads": 3}, "embed_dim=8 is not a multiple of num_heads=3"),
        ({"num_kv_heads": 3}, "num_heads=4 is not a multiple of num_kv_heads=3"),
        ({"head_dim": 0}, "head_dim=0"),
        ({"bias": 1}, "bias=1"),
        ({"dropout": 2.0}, "dropout=2.0"),
        ({"window": 0}, "window=0"),
        ({"rope": True}, "rope=True"),
        ({"rope": nn.RotaryPositions(4)}, "turns 4 features, a head has head_dim=2"),
    ],
)
def test_refused_arguments(options: dict[str, Any], told: str) -> None:
    with pytest.raises(OperandError) as caught:
        nn.GroupedQueryAttention(**{"embed_dim": 8, "num_heads": 4, **options})
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (lambda layer: layer(asg.zeros((8,))), ShapeError),
        (lambda layer: layer(asg.zeros((3, 7))), ShapeError),
        (lambda layer: layer(asg.zeros((3, 8)), offset=2), OperandError),
        (lambda layer: layer(asg.zeros((3, 8)), positions=[0, 1, 2]), OperandError),
    ],
)
def test_refused_calls(call: Any, kind: type[AsgError]) -> None:
    with pytest.raises(kind):
        call(nn.GroupedQueryAttention(8, 4))


def test_how_it_prints() -> None:
    layer = nn.GroupedQueryAttention(8, 4, 2, window=9, qk_norm=True, out_bias=True)
    assert repr(layer).splitlines() == [
        "GroupedQueryAttention(8, 4, num_kv_heads=2, window=9)",
        "  q_proj: Linear(8, 8, bias=False)",
        "  k_proj: Linear(8, 4, bias=False)",
        "  v_proj: Linear(8, 4, bias=False)",
        "  o_proj: Linear(8, 8, bias=True)",
        "  q_norm: RMSNorm((2,), eps=1e-06, elementwise_affine=True)",
        "  k_norm: RMSNorm((2,), eps=1e-06, elementwise_affine=True)",
    ]
