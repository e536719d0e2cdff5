"""A module of PyTorch with given names whose forward is a formula: an oracle for whole models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from asg import nn


def with_formula(
    torch: Any, ours: nn.Module, compute: Callable[..., Any], tied: Mapping[str, str] | None = None
) -> Any:
    """Parameters of the names and shapes of ``ours``; ``compute(parameters, *inputs)``.

    Args:
        torch: the library.
        ours: whose state dict gives names and shapes.
        compute: from a dict of parameters by name, and inputs, to the outputs.
        tied: from a name to the one whose parameter it shares.
    """

    class Formula(torch.nn.Module):  # type: ignore[misc]
        def forward(self, *inputs: Any) -> Any:
            parameters = dict(self.named_parameters(remove_duplicate=False))
            return compute(parameters, *inputs)

    root, made = Formula(), {}
    for name, array in ours.state_dict().items():
        first = (tied or {}).get(name, name)
        if first not in made:
            made[first] = torch.nn.Parameter(0.4 * torch.randn(array.shape, dtype=torch.float64))
        *path, last = name.split(".")
        holder = root
        for part in path:
            if part not in dict(holder.named_children()):
                holder.add_module(part, torch.nn.Module())
            holder = holder.get_submodule(part)
        holder.register_parameter(last, made[first])
    return root


def norm(torch: Any, p: Mapping[str, Any], name: str, x: Any, epsilon: float) -> Any:
    """Layer norm; its bias may be missing."""
    weight, bias = p[f"{name}.weight"], p.get(f"{name}.bias")
    return torch.nn.functional.layer_norm(x, x.shape[-1:], weight, bias, epsilon)


def dense(p: Mapping[str, Any], name: str, x: Any, input_major: bool = False) -> Any:
    """A dense layer; its bias may be missing."""
    weight = p[f"{name}.weight"]
    y = x @ (weight if input_major else weight.T)
    return y + p[f"{name}.bias"] if f"{name}.bias" in p else y


def attended(torch: Any, qkv: Sequence[Any], heads: int, hidden: Any = None) -> Any:
    """Heads one after the other; ``hidden`` ``[..., queries, keys]`` is True where none looks."""
    parts = []
    for one, two, three in zip(*(each.chunk(heads, -1) for each in qkv), strict=True):
        scores = one @ two.mT / one.shape[-1] ** 0.5
        if hidden is not None:
            scores = scores.masked_fill(hidden, float("-inf"))
        parts.append(scores.softmax(-1) @ three)
    return torch.cat(parts, -1)
