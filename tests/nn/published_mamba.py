"""Mamba as the paper describes it, step by step in PyTorch."""

from __future__ import annotations

from typing import Any


def published(torch: Any, d_model: int, **options: Any) -> Any:
    """The layer as the paper describes it, with the authors' names, step by step in PyTorch."""
    inner = int(options.get("expand", 2) * d_model)
    states, width = options.get("d_state", 16), options.get("d_conv", 4)
    rank = options.get("dt_rank", "auto")
    rank = -(-d_model // 16) if rank == "auto" else rank

    class Published(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            layers, bias = torch.nn, options.get("bias", False)
            self.A_log = layers.Parameter(torch.rand(inner, states))
            self.D = layers.Parameter(torch.rand(inner))
            self.in_proj = layers.Linear(d_model, 2 * inner, bias=bias)
            self.conv1d = layers.Conv1d(
                inner, inner, width, groups=inner, padding=width - 1,
                bias=options.get("conv_bias", True),
            )  # fmt: skip
            self.x_proj = layers.Linear(inner, rank + 2 * states, bias=False)
            self.dt_proj = layers.Linear(rank, inner)
            self.out_proj = layers.Linear(inner, d_model, bias=bias)

        def forward(self, x: Any) -> Any:
            functional, time = torch.nn.functional, x.shape[1]
            u, z = self.in_proj(x).split(inner, dim=-1)
            u = functional.silu(self.conv1d(u.transpose(1, 2))[..., :time]).transpose(1, 2)
            delta, b, c = self.x_proj(u).split([rank, states, states], dim=-1)
            delta = functional.softplus(self.dt_proj(delta))
            h, outputs = torch.zeros(x.shape[0], inner, states, dtype=x.dtype), []
            for t in range(time):
                decay = torch.exp(delta[:, t, :, None] * -torch.exp(self.A_log))
                h = decay * h + (delta * u)[:, t, :, None] * b[:, t, None, :]
                outputs.append((h * c[:, t, None, :]).sum(-1) + self.D * u[:, t])
            return self.out_proj(torch.stack(outputs, 1) * functional.silu(z))

    return Published()
