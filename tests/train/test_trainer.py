"""Training: it learns, it repeats itself, the backends agree, and averages are right."""

from typing import Any

import numpy as np
import pytest

from asg.core.errors import ConfigError, Diverged
from asg.train.config import TrainConfig, validated
from asg.train.summary import op_counts, parameter_count, step_memory
from asg.train.trainer import Epoch, Training, train_classifier


def configured(**values: Any) -> TrainConfig:
    return validated(values)


def numbers(epoch: Epoch) -> tuple[float, ...]:
    return (epoch.loss, epoch.accuracy, epoch.test_loss, epoch.test_accuracy)


@pytest.fixture(scope="module")
def trained() -> Training:
    return train_classifier(TrainConfig())


def test_the_defaults_learn_the_digits(trained: Training) -> None:
    assert trained.history[-1].test_accuracy >= 0.975
    assert trained.history[-1].accuracy >= 0.99
    assert len(trained.history) == TrainConfig().epochs


def test_a_second_run_gives_the_very_same_numbers(trained: Training) -> None:
    again = train_classifier(configured(epochs=5))
    assert [numbers(e) for e in again.history] == [numbers(e) for e in trained.history[:5]]


def test_another_seed_gives_other_numbers(trained: Training) -> None:
    other = train_classifier(configured(epochs=1, seed=1))
    assert numbers(other.history[0]) != numbers(trained.history[0])


def test_the_test_accuracy_is_that_of_the_parameters(trained: Training) -> None:
    """The network written down in NumPy, in float64, over all test examples at once."""
    data, weights = trained.test_batches.dataset.arrays, trained.parameters()
    hidden = np.maximum(data["images"] @ weights["fc1.weight"].T + weights["fc1.bias"], 0)
    logits = (hidden @ weights["fc2.weight"].T + weights["fc2.bias"]).astype(np.float64)
    chosen = logits[np.arange(len(logits)), data["labels"]]
    loss = (np.log(np.exp(logits).sum(1)) - chosen).mean()
    assert trained.history[-1].test_accuracy == pytest.approx(
        (logits.argmax(1) == data["labels"]).mean(), abs=1e-6
    )
    assert trained.history[-1].test_loss == pytest.approx(loss, rel=1e-5)


def test_parameters_are_named_and_laid_out_as_in_pytorch(trained: Training) -> None:
    torch = pytest.importorskip("torch")
    network = torch.nn.Sequential()
    network.add_module("fc1", torch.nn.Linear(64, 64))
    network.add_module("act1", torch.nn.ReLU())
    network.add_module("fc2", torch.nn.Linear(64, 10))
    weights = {name: torch.from_numpy(array) for name, array in trained.parameters().items()}
    network.load_state_dict(weights)
    data = trained.test_batches.dataset.arrays
    found = network(torch.from_numpy(data["images"])).argmax(1).numpy()
    accuracy = (found == data["labels"]).mean()
    assert accuracy == pytest.approx(trained.history[-1].test_accuracy, abs=1e-6)


def test_both_backends_train_alike() -> None:
    pytest.importorskip("jax")
    on_numpy, on_jax = (
        train_classifier(configured(epochs=6, backend=backend)) for backend in ("numpy", "jax")
    )
    for left, right in zip(on_numpy.history, on_jax.history, strict=True):
        assert left.loss == pytest.approx(right.loss, rel=1e-4)
        assert left.test_loss == pytest.approx(right.test_loss, rel=1e-4)
    assert on_numpy.history[-1].test_accuracy == pytest.approx(
        on_jax.history[-1].test_accuracy, abs=1 / 360 + 1e-9
    )


def test_the_loss_of_an_epoch_weighs_every_example_the_same() -> None:
    """With a rate of nearly nothing the loss of the epoch is that of the first parameters."""
    values = {"lr": 1e-12, "name": "sgd"}
    small, whole = (
        train_classifier(configured(epochs=1, batch_size=size, optimizer=values)).history[0]
        for size in (1000, 1437)  # 1437 = 1000 + 437
    )
    assert small.loss == pytest.approx(whole.loss, rel=1e-6)
    assert small.accuracy == pytest.approx(whole.accuracy, abs=1e-6)


@pytest.mark.parametrize(
    ("optimizer", "rate"),
    [("adam", 3e-3), ("adamw", 3e-3), ("sgd", 0.3)],
)
def test_every_optimizer_learns(optimizer: str, rate: float) -> None:
    config = configured(epochs=5, optimizer={"name": optimizer, "lr": rate})
    history = train_classifier(config).history
    assert history[-1].test_accuracy > 0.88
    assert history[-1].loss < history[0].loss / 3


def test_momentum_and_weight_decay_reach_the_update() -> None:
    def loss(**optimizer: Any) -> float:
        config = configured(epochs=1, optimizer={"name": "sgd", "lr": 0.05} | optimizer)
        return train_classifier(config).history[0].loss

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
    assert next(training.epochs()).loss < 3


@pytest.mark.parametrize("batch_size", [1437, 5000, 479])
def test_batches_of_any_size_work(batch_size: int) -> None:
    training = Training(configured(batch_size=batch_size, epochs=1))
    assert [epoch.epoch for epoch in training.epochs()] == [1]
    assert len(training.batches) == -(-1437 // batch_size)


def test_every_program_is_compiled_before_the_first_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    training = Training(configured(epochs=1))

    def compile_now(*_: Any) -> None:
        pytest.fail("compiled during an epoch")

    for session in (training.session, training.evaluation):
        monkeypatch.setattr(session.executable, "build", compile_now)
    assert len(list(training.epochs())) == 1


def test_a_diverging_run_stops_with_advice() -> None:
    training = Training(configured(optimizer={"name": "sgd", "lr": 1e9}, epochs=3))
    with pytest.raises(Diverged, match=r"epoch 1, step \d+; train with an optimizer.lr smaller"):
        list(training.epochs())
    assert training.diverged and not training.history


def test_what_the_callback_raises_ends_the_training_between_steps() -> None:
    training = Training(configured(epochs=3))
    steps: list[int] = []

    def stop(number: int) -> None:
        steps.append(number)
        if len(steps) == 30:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(training.epochs(stop))
    assert steps == [*range(1, 24), *range(1, 8)]
    assert len(training.history) == 1
    assert all(np.isfinite(array).all() for array in training.parameters().values())


@pytest.mark.parametrize("fraction", [1e-15, 0.9999])
def test_a_fraction_that_leaves_nothing_is_refused(fraction: float) -> None:
    with pytest.raises(ConfigError, match=r"test_fraction: .* of 1797 examples"):
        Training(configured(test_fraction=fraction))


def test_counts_and_memory_of_the_step() -> None:
    training = Training(configured(epochs=1))
    counts = op_counts(training.graph, training.session.executable.optimized)
    assert 8 <= counts.forward < counts.gradient < counts.step
    assert counts.optimised < counts.step
    memory = step_memory(training.program)
    assert memory is not None and memory.separate is not None
    assert 64 * 64 * 4 < memory.planned < memory.separate
    assert step_memory(object()) is None
