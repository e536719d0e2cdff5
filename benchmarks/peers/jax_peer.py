"""The workloads in plain JAX, as written by hand: one jitted function, its state donated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks import networks as described
from benchmarks.networks import Network
from benchmarks.workload import RESIDENT, Optimizer, Step, Weights, Workload

Tree = dict[str, Any]
State = dict[str, Any]

# -- stacks of layers, images with channels last --------------------------------------------------


def dense(layer: described.Dense, name: str, p: Tree, x: Any, state: State) -> Any:
    return x @ p[f"{name}.weight"] + p[f"{name}.bias"]


def convolution(layer: described.Convolution, name: str, p: Tree, x: Any, state: State) -> Any:
    padding = [(layer.padding, layer.padding)] * 2
    y = lax.conv_general_dilated(
        x, p[f"{name}.weight"], (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    return y + p[f"{name}.bias"]


def batch_norm(layer: described.BatchNorm, name: str, p: Tree, x: Any, state: State) -> Any:
    """By the batch's own statistics; in evaluation, by the running ones."""
    mean, variance = state[f"{name}.mean"], state[f"{name}.variance"]
    if state["training"]:
        count = x.size // x.shape[-1]
        new_mean, new_variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
        state[f"{name}.mean"] = 0.9 * mean + 0.1 * new_mean
        state[f"{name}.variance"] = 0.9 * variance + 0.1 * new_variance * count / (count - 1)
        mean, variance = new_mean, new_variance
    scale = p[f"{name}.weight"] * lax.rsqrt(variance + 1e-5)
    return (x - mean) * scale + p[f"{name}.bias"]


def relu(layer: described.Relu, name: str, p: Tree, x: Any, state: State) -> Any:
    return jax.nn.relu(x)


def max_pool(layer: described.MaxPool, name: str, p: Tree, x: Any, state: State) -> Any:
    """By slices, the fastest form in XLA on a CPU."""
    height, width = x.shape[1] // 2 * 2, x.shape[2] // 2 * 2
    corners = [x[:, i:height:2, j:width:2] for i in (0, 1) for j in (0, 1)]
    upper, lower = jnp.maximum(*corners[:2]), jnp.maximum(*corners[2:])
    return jnp.maximum(upper, lower)


def mean_pool(layer: described.MeanPool, name: str, p: Tree, x: Any, state: State) -> Any:
    return x.mean((1, 2))


def flatten(layer: described.Flatten, name: str, p: Tree, x: Any, state: State) -> Any:
    return x.reshape(len(x), -1)


def residual(layer: described.Residual, name: str, p: Tree, x: Any, state: State) -> Any:
    return jax.nn.relu(stack(layer.branch, f"{name}.module.", p, x, state) + x)


LAYERS: Mapping[type, Callable[..., Any]] = {
    described.Dense: dense,
    described.Convolution: convolution,
    described.BatchNorm: batch_norm,
    described.Relu: relu,
    described.MaxPool: max_pool,
    described.MeanPool: mean_pool,
    described.Flatten: flatten,
    described.Residual: residual,
}


def stack(layers: tuple[described.Layer, ...], prefix: str, p: Tree, x: Any, state: State) -> Any:
    """Layers one after the other; batch norms write their running statistics to ``state``."""
    for position, layer in enumerate(layers):
        x = LAYERS[type(layer)](layer, f"{prefix}{position}", p, x, state)
    return x


# -- sequences and others -------------------------------------------------------------------------


def layer_norm(name: str, p: Tree, x: Any) -> Any:
    mean = x.mean(-1, keepdims=True)
    variance = x.var(-1, keepdims=True)
    return (x - mean) * lax.rsqrt(variance + 1e-5) * p[f"{name}.weight"] + p[f"{name}.bias"]


def attention(
    network: described.Transformer, name: str, p: Tree, x: Any, drop: Callable[[Any], Any]
) -> Any:
    batch, time, width = x.shape
    joined = x @ p[f"{name}.c_attn.weight"] + p[f"{name}.c_attn.bias"]
    shape = (batch, time, network.heads, width // network.heads)
    q, k, v = (part.reshape(shape) for part in jnp.split(joined, 3, -1))
    scores = jnp.einsum("bqhd,bkhd->bhqk", q, k) * (width // network.heads) ** -0.5
    visible = jnp.tril(jnp.ones((time, time), bool))
    shares = drop(jax.nn.softmax(jnp.where(visible, scores, -jnp.inf)))
    merged = jnp.einsum("bhqk,bkhd->bqhd", shares, v).reshape(x.shape)
    return drop(merged @ p[f"{name}.c_proj.weight"] + p[f"{name}.c_proj.bias"])


def transformer(network: described.Transformer, p: Tree, tokens: Any, state: State) -> Any:
    drop = _dropout(network.dropout, state)
    x = drop(p["transformer.wte.weight"][tokens] + p["transformer.wpe.weight"])
    for number in range(network.layers):
        name = f"transformer.h.{number}"
        x = x + attention(network, f"{name}.attn", p, layer_norm(f"{name}.ln_1", p, x), drop)
        h = layer_norm(f"{name}.ln_2", p, x) @ p[f"{name}.mlp.c_fc.weight"]
        h = jax.nn.gelu(h + p[f"{name}.mlp.c_fc.bias"], approximate=True)
        x = x + drop(h @ p[f"{name}.mlp.c_proj.weight"] + p[f"{name}.mlp.c_proj.bias"])
    return layer_norm("transformer.ln_f", p, x) @ p["lm_head.weight"]


def _dropout(rate: float, state: State) -> Callable[[Any], Any]:
    if not rate or not state["training"]:
        return lambda x: x

    def drop(x: Any) -> Any:
        state["key"], key = jax.random.split(state["key"])
        return jnp.where(jax.random.bernoulli(key, 1 - rate, x.shape), x / (1 - rate), 0)

    return drop


def lstm_cell(p: Tree, carry: Any, given: Any) -> Any:
    h, c = carry
    i, f, g, o = jnp.split(given + h @ p["rnn.weight_hh_l0"], 4, -1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    h = jax.nn.sigmoid(o) * jnp.tanh(c)
    return (h, c), h


def gru_cell(p: Tree, carry: Any, given: Any) -> Any:
    (h,) = carry
    xr, xz, xn = jnp.split(given, 3, -1)
    hr, hz, hn = jnp.split(h @ p["rnn.weight_hh_l0"] + p["rnn.bias_hh_l0"], 3, -1)
    r, z = jax.nn.sigmoid(xr + hr), jax.nn.sigmoid(xz + hz)
    h = (1 - z) * jnp.tanh(xn + r * hn) + z * h
    return (h,), h


def recurrent(network: described.Recurrent, p: Tree, tokens: Any, state: State) -> Any:
    x = p["embedding.weight"][tokens.T]
    given = x @ p["rnn.weight_ih_l0"] + p["rnn.bias_ih_l0"]
    if network.cell == "lstm":
        given = given + p["rnn.bias_hh_l0"]
    cell, states = {"lstm": (lstm_cell, 2), "gru": (gru_cell, 1)}[network.cell]
    zeros = jnp.zeros((tokens.shape[0], network.hidden))
    _, outputs = lax.scan(partial(cell, p), (zeros,) * states, given)
    return outputs.swapaxes(0, 1) @ p["head.weight"] + p["head.bias"]


def deep(network: described.Deep, p: Tree, h: Any, state: State) -> Any:
    for number in range(network.layers):
        name = f"layers.{number}"
        h = h + 0.1 * jnp.tanh(h @ p[f"{name}.weight"] + p[f"{name}.bias"])
    return h


def elementwise(p: Tree) -> Any:
    x = p["x"]
    waves = jnp.tanh(1.25 * x + 0.1) * jax.nn.sigmoid(-0.7 * x)
    return jnp.mean(waves + 0.5 * x * jnp.exp(-(x * x)))


def cross_entropy(logits: Any, labels: Any) -> Any:
    chosen = jnp.take_along_axis(jax.nn.log_softmax(logits), labels[..., None], -1)
    return -chosen.mean()


def outputs_of(network: Network, p: Tree, inputs: Any, state: State) -> Any:
    """The network's outputs."""
    if isinstance(network, described.Stack):
        return stack(network.layers, "", p, inputs, state)
    functions: Mapping[type, Callable[..., Any]] = {
        described.Transformer: transformer, described.Recurrent: recurrent, described.Deep: deep,
    }  # fmt: skip
    return functions[type(network)](network, p, inputs, state)


def loss_of(network: Network, p: Tree, batch: Tree, state: State) -> Any:
    """The loss, and the state that the network changed."""
    if isinstance(network, described.Elementwise):
        return elementwise(p), {}
    state = {**state, "training": True}
    outputs = outputs_of(network, p, batch["inputs"], state)
    del state["training"]
    if isinstance(network, described.Deep):
        return jnp.mean((outputs - batch["labels"]) ** 2), state
    return cross_entropy(outputs, batch["labels"]), state


# -- layouts, optimizers, the step ----------------------------------------------------------------


def own_layout(network: Network, weights: Weights) -> Tree:
    """Weights input-major, images and their kernels with channels last."""
    if isinstance(network, described.Stack):
        return _stack_layout(network.layers, "", weights)
    turned = (".weight", "rnn.weight_ih_l0", "rnn.weight_hh_l0")
    kept = ("wte.weight", "wpe.weight", "embedding.weight")
    found = {}
    for name, value in weights.items():
        is_table = name.endswith((*kept, "c_attn.weight", "c_proj.weight", "c_fc.weight"))
        turn = value.ndim == 2 and name.endswith(turned) and not is_table
        found[name] = jnp.array(value.T if turn else value)
    return found


def _stack_layout(layers: tuple[described.Layer, ...], prefix: str, weights: Weights) -> Tree:
    found: Tree = {}
    for position, layer in enumerate(layers):
        name = f"{prefix}{position}"
        own = {key: weights[key] for key in layer.variables(name)}
        if isinstance(layer, described.Residual):
            own = _stack_layout(layer.branch, f"{name}.module.", weights)
        elif isinstance(layer, described.Convolution):
            own[f"{name}.weight"] = own[f"{name}.weight"].transpose(2, 3, 1, 0)
        elif isinstance(layer, described.Dense):
            own[f"{name}.weight"] = _dense_layout(layer, own[f"{name}.weight"])
        found |= {key: jnp.array(value) for key, value in own.items()}
    return found


def _dense_layout(layer: described.Dense, weight: Any) -> Any:
    if layer.image is None:
        return weight.T
    return weight.reshape(-1, *layer.image).transpose(2, 3, 1, 0).reshape(layer.inputs, -1)


def first_state(network: Network) -> State:
    """Running statistics of batch norms, the key of dropout."""
    state: State = {}
    if isinstance(network, described.Transformer) and network.dropout:
        state["key"] = jax.random.key(0)
    if isinstance(network, described.Stack):
        for name in _norms(network.layers, ""):
            width = network.variables()[f"{name}.weight"].shape
            state |= {f"{name}.mean": jnp.zeros(width), f"{name}.variance": jnp.ones(width)}
    return state


def _norms(layers: tuple[described.Layer, ...], prefix: str) -> list[str]:
    found: list[str] = []
    for position, layer in enumerate(layers):
        if isinstance(layer, described.Residual):
            found += _norms(layer.branch, f"{prefix}{position}.module.")
        elif isinstance(layer, described.BatchNorm):
            found.append(f"{prefix}{position}")
    return found


def clipped(gradients: Tree, most: float) -> Tree:
    norm = jnp.sqrt(sum(jnp.sum(g * g) for g in jax.tree.leaves(gradients)))
    factor = jnp.minimum(1.0, most / (norm + 1e-6))
    return {name: g * factor for name, g in gradients.items()}


def sgd(rule: Optimizer, p: Tree, gradients: Tree, moments: Tree) -> tuple[Tree, Tree]:
    if rule.momentum:
        moments = jax.tree.map(lambda m, g: rule.momentum * m + g, moments, gradients)
        gradients = moments
    return jax.tree.map(lambda w, g: w - rule.rate * g, p, gradients), moments


def adam(rule: Optimizer, p: Tree, gradients: Tree, moments: Tree) -> tuple[Tree, Tree]:
    count = moments["count"] + 1
    m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, moments["m"], gradients)
    v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, moments["v"], gradients)
    scale1, scale2 = 1 - 0.9**count, 1 - 0.999**count

    def moved(w: Any, m: Any, v: Any) -> Any:
        direction = (m / scale1) / (jnp.sqrt(v / scale2) + 1e-8)
        return w - rule.rate * (direction + rule.decay * w)

    return jax.tree.map(moved, p, m, v), {"count": count, "m": m, "v": v}


def first_moments(rule: Optimizer, p: Tree) -> Tree:
    zeros = partial(jax.tree.map, jnp.zeros_like)
    if rule.name == "sgd":
        return zeros(p) if rule.momentum else {}
    return {"count": jnp.float32(0), "m": zeros(p), "v": zeros(p)}


def train(network: Network, rule: Optimizer, held: Any, batch: Tree) -> Any:
    """One step: what is held between steps, and the loss."""
    p, moments, state = held
    differentiate = jax.value_and_grad(partial(loss_of, network), has_aux=True)
    (loss, state), gradients = differentiate(p, batch, state)
    if rule.clip is not None:
        gradients = clipped(gradients, rule.clip)
    p, moments = (sgd if rule.name == "sgd" else adam)(rule, p, gradients, moments)
    return (p, moments, state), loss


def resident(workload: Workload) -> list[Tree]:
    """The batches on the device, images with channels last."""
    found = []
    for batch in workload.batches():
        arrays = dict(batch)
        if isinstance(workload.network, described.Stack) and workload.network.convolves:
            arrays["inputs"] = arrays["inputs"].transpose(0, 2, 3, 1)
        found.append({name: jnp.array(array) for name, array in arrays.items()})
    return found


def make(workload: Workload) -> Step:
    """The jitted step."""
    network, rule = workload.network, workload.optimizer
    p, state, batches = own_layout(network, workload.weights()), first_state(network), []
    batches = resident(workload)
    if rule is None:
        return forward_step(network, p, state, batches)
    step = jax.jit(partial(train, network, rule), donate_argnums=0)
    held = (p, first_moments(rule, p), state)

    def run(position: int) -> float:
        nonlocal held
        held, loss = step(held, batches[position % RESIDENT])
        return float(loss)

    return run


def forward_step(network: Network, p: Tree, state: State, batches: list[Tree]) -> Step:
    """The outputs alone."""
    evaluate = jax.jit(lambda p, state, x: outputs_of(network, p, x, {**state, "training": False}))

    def run(position: int) -> float:
        outputs = evaluate(p, state, batches[position % RESIDENT]["inputs"])
        return float(np.asarray(outputs).max())

    return run
