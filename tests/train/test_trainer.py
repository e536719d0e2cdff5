"""Training: it learns, it repeats itself, the backends agree, and averages are right."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import asg
from asg import optim
from asg.core.errors import ConfigError, Diverged
from asg.train.callback import Callback
from asg.train.callbacks import SaveCheckpoints
from asg.train.config import TrainConfig
from asg.train.config import configured as configured_values
from asg.train.epoch import Epoch
from asg.train.loop import Fit
from asg.train.networks import (
    COLOUR,
    FLAT,
    IMAGE,
    MODEL,
    NETWORKS,
    SEQUENCE,
    TEXT,
    Example,
    network,
)
from asg.train.schedules import SCHEDULES, Span
from asg.train.summary import op_counts, parameter_count, step_memory
from asg.train.trainer import Training, train_classifier


def configured(**values: Any) -> TrainConfig:
    return configured_values(values)


def numbers(epoch: Epoch) -> tuple[float, ...]:
    return (*epoch.train.values(), *epoch.test.values())


@pytest.fixture(scope="module")
def trained() -> Training:
    return train_classifier(configured())


def test_the_defaults_learn_the_digits(trained: Training) -> None:
    assert trained.history[-1].test["accuracy"] >= 0.975
    assert trained.history[-1].train["accuracy"] >= 0.99
    assert len(trained.history) == 30


def test_a_second_run_gives_the_very_same_numbers(trained: Training) -> None:
    again = train_classifier(configured(epochs=5))
    assert [numbers(e) for e in again.history] == [numbers(e) for e in trained.history[:5]]


def test_another_seed_gives_other_numbers(trained: Training) -> None:
    other = train_classifier(configured(epochs=1, seed=1))
    assert numbers(other.history[0]) != numbers(trained.history[0])


def test_the_test_accuracy_is_that_of_the_parameters(trained: Training) -> None:
    """The network written down in NumPy, in float64, over all test examples at once."""
    data, weights = trained.task.test.arrays, trained.parameters()
    hidden = np.maximum(data["images"] @ weights["fc1.weight"].T + weights["fc1.bias"], 0)
    logits = (hidden @ weights["fc2.weight"].T + weights["fc2.bias"]).astype(np.float64)
    chosen = logits[np.arange(len(logits)), data["labels"]]
    loss = (np.log(np.exp(logits).sum(1)) - chosen).mean()
    assert trained.history[-1].test["accuracy"] == pytest.approx(
        (logits.argmax(1) == data["labels"]).mean(), abs=1e-6
    )
    assert trained.history[-1].test["loss"] == pytest.approx(loss, rel=1e-5)


def test_parameters_are_named_and_laid_out_as_in_pytorch(trained: Training) -> None:
    torch = pytest.importorskip("torch")
    network = torch.nn.Sequential()
    network.add_module("fc1", torch.nn.Linear(64, 64))
    network.add_module("act1", torch.nn.ReLU())
    network.add_module("fc2", torch.nn.Linear(64, 10))
    weights = {name: torch.from_numpy(array) for name, array in trained.parameters().items()}
    network.load_state_dict(weights)
    data = trained.task.test.arrays
    found = network(torch.from_numpy(data["images"])).argmax(1).numpy()
    accuracy = (found == data["labels"]).mean()
    assert accuracy == pytest.approx(trained.history[-1].test["accuracy"], abs=1e-6)


def test_both_backends_train_alike() -> None:
    pytest.importorskip("jax")
    on_numpy, on_jax = (
        train_classifier(configured(epochs=6, backend=backend)) for backend in ("numpy", "jax")
    )
    for left, right in zip(on_numpy.history, on_jax.history, strict=True):
        assert left.train["loss"] == pytest.approx(right.train["loss"], rel=1e-4)
        assert left.test["loss"] == pytest.approx(right.test["loss"], rel=1e-4)
    assert on_numpy.history[-1].test["accuracy"] == pytest.approx(
        on_jax.history[-1].test["accuracy"], abs=1 / 360 + 1e-9
    )


def test_the_loss_of_an_epoch_weighs_every_example_the_same() -> None:
    """With a rate of nearly nothing the loss of the epoch is that of the first parameters."""
    values = {"lr": 1e-12, "name": "sgd"}
    small, whole = (
        train_classifier(configured(epochs=1, batch_size=size, optimizer=values)).history[0]
        for size in (1000, 1437)  # 1437 = 1000 + 437
    )
    assert small.train["loss"] == pytest.approx(whole.train["loss"], rel=1e-6)
    assert small.train["accuracy"] == pytest.approx(whole.train["accuracy"], abs=1e-6)


@pytest.mark.parametrize(
    ("optimizer", "rate"),
    [("adam", 3e-3), ("adamw", 3e-3), ("sgd", 0.3)],
)
def test_every_optimizer_learns(optimizer: str, rate: float) -> None:
    config = configured(epochs=5, optimizer={"name": optimizer, "lr": rate})
    history = train_classifier(config).history
    assert history[-1].test["accuracy"] > 0.88
    assert history[-1].train["loss"] < history[0].train["loss"] / 3


def test_momentum_and_weight_decay_reach_the_update() -> None:
    def loss(**optimizer: Any) -> float:
        config = configured(epochs=1, optimizer={"name": "sgd", "lr": 0.05} | optimizer)
        return train_classifier(config).history[0].train["loss"]

    assert loss(momentum=0.9) < loss() - 0.1
    assert loss(weight_decay=0.5) > loss()


@pytest.mark.parametrize(("hidden", "count"), [((), 650), ((64,), 4810), ((32, 16), 2778)])
def test_layers_are_as_wide_as_asked(hidden: tuple[int, ...], count: int) -> None:
    training = Training(configured(hidden=hidden, epochs=1))
    assert parameter_count(training) == count
    widths = [64, *hidden, 10]
    shapes = {name: array.shape for name, array in training.parameters().items()}
    for number, width in enumerate(widths[1:], start=1):
        assert shapes[f"fc{number}.weight"] == (width, widths[number - 1])
        assert shapes[f"fc{number}.bias"] == (width,)
    training.run()
    assert training.history[0].train["loss"] < 3


@pytest.mark.parametrize("batch_size", [1437, 5000, 479])
def test_batches_of_any_size_work(batch_size: int) -> None:
    training = Training(configured(batch_size=batch_size, epochs=1))
    training.run()
    assert [epoch.epoch for epoch in training.history] == [1]
    assert len(training.batches) == -(-1437 // batch_size)


def test_every_program_is_compiled_before_the_first_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    training = Training(configured(epochs=1))
    training.compile()

    def compile_now(*_: Any) -> None:
        pytest.fail("compiled during an epoch")

    for kind in ("training", "evaluation"):
        monkeypatch.setattr(training.model.session(kind).executable, "build", compile_now)
    training.run()
    assert len(training.history) == 1


def test_a_diverging_run_stops() -> None:
    training = Training(configured(optimizer={"name": "sgd", "lr": 1e30}, epochs=3))
    with pytest.raises(Diverged, match="the mean loss of epoch 1 is nan"):
        training.run()
    assert not training.history


class After(Callback):
    """Stops after a number of steps, as Ctrl-C does."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def on_step_end(self, fit: Fit, results: Mapping[str, Any]) -> None:
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


def test_what_a_callback_raises_ends_the_training_between_steps() -> None:
    training = Training(configured(epochs=3))
    with pytest.raises(KeyboardInterrupt):
        training.run(callbacks=[After(30)])
    assert len(training.history) == 1
    assert all(np.isfinite(array).all() for array in training.parameters().values())


@pytest.mark.parametrize("steps", [46, 60])
def test_a_run_goes_on_from_its_checkpoint_to_the_same_bits(steps: int, tmp_path: Path) -> None:
    """Interrupted between epochs and inside of one, with momentum, dropout and a schedule."""
    values = {
        "epochs": 4,
        "model": {"hidden": [16], "dropout": 0.2},
        "optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.9},
        "lr_schedule": {"name": "cosine", "warmup_epochs": 1},
        "early_stopping": 2,
    }
    whole = train_classifier(configured(**values))
    first = Training(configured(**values))
    saver = SaveCheckpoints(tmp_path, every_epochs=None, every_steps=10)
    with pytest.raises(KeyboardInterrupt):
        first.run(callbacks=[saver, After(steps)])
    second = Training(configured(**values))
    second.run(resume=tmp_path, history=first.history)
    assert [numbers(e) for e in second.history] == [numbers(e) for e in whole.history]
    expected = whole.parameters()
    for name, array in second.parameters().items():
        assert array.tobytes() == expected[name].tobytes(), name


def test_early_stopping_ends_a_run_and_says_why() -> None:
    values = {"name": "sgd", "lr": 1e-12}
    training = Training(configured(epochs=30, early_stopping=2, optimizer=values))
    training.run()
    assert len(training.history) < 30
    assert training.stop_reason.startswith("val_loss has not improved for 2 epochs")


def test_clipping_and_accumulation_reach_the_update() -> None:
    def weights(**plan: Any) -> dict[str, Any]:
        values = {"epochs": 1, "optimizer": {"name": "sgd", "lr": 0.5}, "training": plan}
        return train_classifier(configured(**values)).parameters()

    first = Training(configured(epochs=1)).parameters()["fc1.weight"]
    free, bound = weights(), weights(clip_norm=1e-3)
    assert np.abs(bound["fc1.weight"] - first).max() < 0.5 * 23 * 1e-3
    assert np.abs(free["fc1.weight"] - first).max() > 0.5 * 23 * 1e-3
    assert not np.array_equal(weights(accumulate=4)["fc1.weight"], free["fc1.weight"])


@pytest.mark.parametrize(
    "model",
    [
        {"kind": "cnn", "conv_filters": [4, 8, 8], "fc_units": [16]},
        {"kind": "cnn", "conv_filters": [], "fc_units": []},
        {"kind": "vit", "num_layers": 1, "hidden_dim": 8, "num_heads": 2, "mlp_dim": 16},
    ],
    ids=["cnn", "cnn without layers", "vit"],
)
def test_networks_for_images_learn(model: dict[str, Any]) -> None:
    training = train_classifier(configured(epochs=2, model=model, optimizer={"lr": 1e-2}))
    assert training.history[-1].train["loss"] < training.history[0].train["loss"]
    assert training.task.train.arrays["images"].shape[1:] == training.task.example.shape


@pytest.mark.parametrize("kind", sorted(NETWORKS))
def test_every_network_maps_its_examples_to_classes(kind: str) -> None:
    shapes = {FLAT: (12,), IMAGE: (1, 32, 32), COLOUR: (3, 32, 32), TEXT: (16,), SEQUENCE: (16,)}
    layout = NETWORKS[kind].takes
    net = network(MODEL.section(kind)(), Example(shapes[layout], 7))
    dtype = "int32" if layout in (TEXT, SEQUENCE) else "float32"
    names = ("x", "written") if layout == SEQUENCE else ("x",)
    with asg.training_mode(False):
        found = net(*(asg.input(name, ("batch", *shapes[layout]), dtype) for name in names))
    expected = {TEXT: (16, 7), SEQUENCE: (16, 8)}  # one more for the start
    assert found.shape[1:] == expected.get(layout, (7,))


REFUSED_NETWORKS = [
    ({"dataset": "diabetes", "model": {"kind": "cnn"}}, "model.kind: cnn takes images, and diabet"),
    ({"dataset": "reverse"}, "model.kind: mlp takes features, and reverse has sequences; choose"),
    ({"loss": "huber"}, "training.loss: huber is for numbers, and this data set has classes; "),
    ({"loss": "hubr"}, "loss: unknown loss 'hubr', did you mean 'huber'? There are: auto, mse, ma"),
    ({"training": {"drop_last": True, "batch_size": 5000}}, "training.drop_last: 1437 examples gi"),
    ({"augmentation": {"cutout": 2}}, "augmentation: is for networks that take images; choose m"),
    ({"dataset": "iris", "model": {"kind": "cnn"}}, "model.kind: cnn takes images, and iris"),
    ({"dataset": "xor", "model": {"kind": "cnn"}}, "model.kind: cnn takes images, and xor "),
    ({"model": {"kind": "gpt"}}, "model.kind: gpt takes text, and digits has images; choose mlp"),
    ({"dataset": {"name": "text", "file": "t"}}, "model.kind: mlp takes features, and text has"),
    ({"model": {"kind": "lenet"}}, "model.kind: lenet is for images of 28 x 28 or 32 x 32, the"),
    ({"model": {"kind": "cnn", "conv_filters": [1] * 4}}, "model.conv_filters: 4 blocks halve ima"),
    ({"model": {"kind": "vit", "patch_size": 3}}, "model: image_size=8 is not a multiple of patc"),
    ({"lr_schedule": {"name": "multistep"}}, "lr_schedule.milestones: multistep needs the epochs"),
    ({"lr_schedule": {"name": "cosine", "warmup_epochs": 30}}, "lr_schedule.warmup_epochs: 30 of"),
    ({"lr_schedule": {"warmup_epochs": -1}}, "lr_schedule.warmup_epochs: should be at least 0"),
    ({"lr_schedule": {"name": "step", "every_epochs": 0}}, "lr_schedule.every_epochs: should be a"),
    ({"lr_schedule": {"name": "one_cycle", "anneal_strategy": "sine"}}, "lr_schedule: "),
    ({"optimizer": {"name": "rprop"}, "lr_schedule": {"name": "cosine"}}, "lr_schedule: rprop has"),
    ({"optimizer": {"betas": [2, 0.9]}}, "optimizer: "),
]  # fmt: skip


@pytest.mark.parametrize(("values", "message"), REFUSED_NETWORKS)
def test_what_cannot_be_built_is_told_with_its_section(
    values: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        Training(configured(**values))
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", sorted(SCHEDULES))
def test_schedules_count_epochs(name: str) -> None:
    """The rates of ten epochs of five updates, against formulas."""
    options: dict[str, Any] = {"milestones": [2, 4]} if name == "multistep" else {}
    options |= {"every_epochs": 5} if name == "step" else {}
    made = SCHEDULES[name](Span(0.5, 10, 5), **options)
    rates = [made] * 50 if isinstance(made, float) else optim.rates(made, 50)
    half = np.arange(50) / 50
    expected = {
        "constant": 0.5 + 0 * half,
        "step": np.where(half < 0.5, 0.5, 0.05),
        "multistep": 0.5 * 0.1 ** ((half >= 0.2) + (half >= 0.4).astype(float)),
        "exponential": 0.5 * 0.95 ** (10 * half),
        "linear": 0.5 * (1 - half),
        "polynomial": 0.5 * (1 - half) ** 2,
        "cosine": 0.25 * (1 + np.cos(np.pi * half)),
        "cosine_restarts": 0.25 * (1 + np.cos(np.pi * half)),
    }
    if name == "one_cycle":
        assert rates[0] == pytest.approx(0.02) and max(rates) == pytest.approx(0.5, rel=1e-2)
        assert rates[-1] < 1e-4
    else:
        np.testing.assert_allclose(rates, expected[name], rtol=1e-5, atol=1e-6)  # six digits


def test_a_warmup_comes_before_the_schedule() -> None:
    made = SCHEDULES["linear"](Span(1.0, 4, 5), warmup_epochs=1)
    assert callable(made)
    rates = optim.rates(made, 20)
    np.testing.assert_allclose(rates[:5], [0.2, 0.4, 0.6, 0.8, 1.0], rtol=1e-6)
    np.testing.assert_allclose(rates[5:], 1 - np.arange(15) / 15, atol=1e-6)


@pytest.mark.parametrize("fraction", [1e-15, 0.9999])
def test_a_fraction_that_leaves_nothing_is_refused(fraction: float) -> None:
    with pytest.raises(ConfigError, match=r"^dataset\.test_fraction: .* of 1797 examples"):
        Training(configured(test_fraction=fraction))


def test_counts_and_memory_of_the_step() -> None:
    training = Training(configured(epochs=1))
    training.compile()
    counts = op_counts(training.graph, training.model.training.executable.optimized)
    assert 8 <= counts.forward < counts.gradient < counts.step
    assert counts.optimised < counts.step
    memory = step_memory(training.program)
    assert memory is not None and memory.separate is not None
    assert 64 * 64 * 4 < memory.planned < memory.separate
    assert step_memory(object()) is None
