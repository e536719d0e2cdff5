"""Model: it learns what the loop by hand learns, evaluates, predicts, saves, and goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import asg
from asg import data, metrics, nn, optim
from asg.core.errors import Diverged, FeedError, FileError, OperandError, ShapeError, UnknownName
from asg.train import Callback, Fit
from asg.train.callbacks import SaveCheckpoints

Array = np.ndarray[Any, Any]


def examples(count: int = 50, seed: int = 0) -> tuple[Array, Array]:
    random = np.random.default_rng(seed)
    x = random.normal(size=(count, 3)).astype(np.float32)
    return x, (x.sum(axis=1) > 0).astype(np.int64) + (x[:, 0] > 1)


def network(dropout: float = 0.0) -> nn.Sequential:
    return nn.Sequential(
        fc1=nn.Linear(3, 8), act=nn.Tanh(), drop=nn.Dropout(dropout), fc2=nn.Linear(8, 3)
    )


def model(dropout: float = 0.0, backend: str = "numpy", **options: Any) -> asg.Model:
    given = {"optimizer": optim.adam(0.02), "metrics": ["accuracy"], "seed": 3, **options}
    return asg.Model(network(dropout), loss="cross_entropy", backend=backend, **given)


def test_it_learns_and_tells_how() -> None:
    fitted = model()
    history = fitted.fit(examples(), epochs=20, batch_size=16, validation_data=examples(20, 1))
    assert list(history.history) == ["loss", "accuracy", "val_loss", "val_accuracy"]
    assert all(len(values) == 20 for values in history.history.values())
    assert history.history["accuracy"][-1] > 0.9 > history.history["accuracy"][0]
    found = fitted.evaluate(examples(20, 1))
    assert found == {"loss": history.history["val_loss"][-1],
                     "accuracy": history.history["val_accuracy"][-1]}  # fmt: skip


def test_it_is_the_loop_by_hand() -> None:
    """Same order, same first values, same updates; the mean loss weighs batches by their size."""
    x, y = examples(21)
    fitted = model(dropout=0.5)
    history = fitted.fit((x, y), epochs=2, batch_size=8)
    net = network(0.5)
    step = asg.train_step(net, loss=asg.cross_entropy, optimizer=optim.adam(0.02))(
        x=("n", 3), y=(("n",), "int32")
    )
    session = asg.compile(step).start(seed=3)
    loader = data.DataLoader(data.Dataset({"x": x, "y": y.astype(np.int32)}), 8, True, seed=3)
    for epoch in range(2):
        total = 0.0
        for batch in loader:
            total += float(session(**batch)["loss"]) * len(batch["y"])
        assert history.history["loss"][epoch] == pytest.approx(total / 21, rel=1e-6)
    for name, array in session.state_dict("parameter").items():
        np.testing.assert_array_equal(array, fitted.weights()[name])


def test_backends_agree() -> None:
    found = [model(0.3, backend).fit(examples(), 3, 16).history for backend in ("numpy", "jax")]
    np.testing.assert_allclose(found[0]["loss"], found[1]["loss"], rtol=1e-5)


def test_evaluation_does_not_depend_on_the_batch_size() -> None:
    fitted = model()
    whole = fitted.evaluate(examples(), batch_size=50)
    assert fitted.evaluate(examples(), batch_size=7) == pytest.approx(whole, rel=1e-6)
    assert fitted.evaluate(examples(), batch_size=7) == pytest.approx(whole, rel=1e-6)  # reset


def test_prediction() -> None:
    fitted, (x, y) = model(), examples()
    before = fitted.predict(x, batch_size=8)  # also before any target was seen
    fitted.fit((x, y), epochs=5)
    after = fitted.predict(x)
    assert before.shape == after.shape == (50, 3) and not np.allclose(before, after)
    accuracy = (after.argmax(axis=1) == y).mean()
    assert fitted.evaluate((x, y))["accuracy"] == pytest.approx(accuracy)
    np.testing.assert_array_equal(fitted.predict(data.Dataset({"x": x, "y": y})), after)
    out = np.empty((50, 3), np.float32)
    fitted.predict_into(x, out)
    np.testing.assert_array_equal(out, after)
    with pytest.raises(ShapeError, match=r"out is float32\[4\]"):
        fitted.predict_into(x, np.empty(4, np.float32))


def test_results_keep_the_structure_of_the_network() -> None:
    class Both(nn.Module):
        def __init__(self) -> None:
            self.fc = nn.Linear(3, 2)

        def forward(self, x: asg.Tensor) -> Any:
            return {"a": self.fc(x), "b": (x.sum(1),)}

    fitted = asg.Model(Both(), loss=lambda p, y: ((p["a"][:, 0] - y) ** 2).mean())
    x, y = examples()
    fitted.fit((x, y.astype(np.float32)), epochs=1)
    found = fitted.predict(x, batch_size=20)
    assert found["a"].shape == (50, 2) and found["b"][0].shape == (50,)
    np.testing.assert_allclose(found["b"][0], x.sum(axis=1), rtol=1e-5)


def test_several_inputs_by_name() -> None:
    class Sum(nn.Module):
        def __init__(self) -> None:
            self.fc = nn.Linear(3, 1)

        def forward(self, left: asg.Tensor, right: asg.Tensor) -> asg.Tensor:
            out: asg.Tensor = self.fc(left - right)[:, 0]
            return out

    x, _ = examples()
    fitted = asg.Model(Sum(), loss="mse", optimizer=optim.sgd(0.1), metrics={"error": "mae"})
    batch = {"left": x, "right": 0.5 * x, "wanted": x[:, 0]}
    history = fitted.fit(batch, epochs=30)
    assert history.history["error"][-1] < 0.05
    assert fitted.predict(x, 0.5 * x).shape == (50,)
    assert fitted.train_on_batch(**batch)["loss"] < 0.01
    assert fitted.graph().input_names[:3] == ("left", "right", "wanted")


class First(nn.Module):
    """Its second input is declared, fed, and has no effect."""

    def __init__(self) -> None:
        self.fc = nn.Linear(3, 1)

    def __call__(self, x: asg.Tensor, unused: asg.Tensor) -> Any:
        return self.fc(x)


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_an_input_that_the_loss_does_not_reach_is_fed_like_the_others(
    backend: str, tmp_path: Path
) -> None:
    x, y = examples()
    wanted = y[:, None].astype(np.float32)
    both = asg.Model(First(), "mse", optim.sgd(0.1), backend=backend)
    alone = asg.Model(nn.Sequential(fc=nn.Linear(3, 1)), "mse", optim.sgd(0.1), backend=backend)
    found, expected = both.fit((x, -x, wanted), 2), alone.fit((x, wanted), 2)
    assert found.history == expected.history
    assert both.graph().input_names[:3] == ("x0", "x1", "y")
    assert both.evaluate((x, -x, wanted)) == alone.evaluate((x, wanted))
    assert both.gradients(x, x, wanted).keys() == {"fc.weight", "fc.bias"}
    np.testing.assert_array_equal(both.predict(x, x), alone.predict(x))
    both.export_for_inference(tmp_path / "first")
    loaded = asg.train.load_for_inference(tmp_path / "first", backend)
    np.testing.assert_array_equal(loaded.predict(x, x), alone.predict(x))
    with pytest.raises(FeedError, match="'x1' axis 1 has size 2, expected 3"):
        both.train_on_batch(x, x[:, :2], wanted)


@pytest.mark.parametrize("prefetch", [0, 2])
def test_a_loader_that_changes_its_batches(prefetch: int) -> None:
    """The step is built for what the loop gives, not for what the loader reads."""
    pixels = np.random.default_rng(0).integers(0, 256, (20, 3), np.uint8)
    labels = (pixels[:, 0] > 99).astype(np.int32)
    whole = data.Dataset({"x": pixels, "y": labels})
    loader = data.DataLoader(
        whole, 8, True, seed=3, transform=data.to_float("x"), prefetch=prefetch
    )
    changed, plain = model(), model()
    found = changed.fit(loader, epochs=2)
    expected = plain.fit((pixels.astype(np.float32) / np.float32(255.0), labels), 2, 8)
    assert str(changed.inputs["x"]) == "f32[batch, 3]"
    assert found.history["loss"] == pytest.approx(expected.history["loss"], rel=1e-5)


def test_training_goes_on_where_it_ended() -> None:
    twice, once = model(), model()
    loader = data.DataLoader(data.Dataset({"x": examples()[0], "y": examples()[1]}), 16)
    for epochs in (2, 3):
        twice.fit(loader, epochs)
    once.fit(data.DataLoader(loader.dataset, 16), 5)
    for name, array in once.weights().items():
        np.testing.assert_array_equal(array, twice.weights()[name])


def test_weights_are_saved_and_loaded(tmp_path: Path) -> None:
    fitted, other = model(), model(seed=7)
    fitted.fit(examples(), epochs=2)
    fitted.save(tmp_path / "weights.safetensors")
    other.evaluate(examples())
    other.load(tmp_path / "weights.safetensors")
    assert other.evaluate(examples()) == fitted.evaluate(examples())
    assert list(fitted.weights()) == ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]


def test_validation_split_and_own_loops() -> None:
    fitted = model()
    history = fitted.fit(examples(), 2, validation_split=0.2)
    assert "val_loss" in history.history
    batches = [(examples(8, seed)) for seed in range(4)]
    assert fitted.fit(batches, 2).epochs == 2  # any iterable with a length
    with pytest.raises(OperandError, match="not both"):
        fitted.fit(examples(), validation_data=examples(), validation_split=0.5)
    for share in (1.5, -0.1, 1.0):
        with pytest.raises(OperandError, match=f"validation_split={share}"):
            fitted.fit(examples(), validation_split=share)


def test_a_batch_may_be_given_as_a_loader_gives_it() -> None:
    x, y = examples(8)
    losses = [
        model().train_on_batch(*given)["loss"] for given in ((x, y), ((x, y),), ({"x": x, "y": y},))
    ]
    assert losses[0] == losses[1] == losses[2] > 0
    assert model().gradients((x, y)).keys() == model().gradients(x, y).keys()


def test_metrics_of_all_kinds() -> None:
    def largest(prediction: asg.Tensor, target: asg.Tensor) -> asg.Tensor:
        return prediction.max()

    given = [metrics.Accuracy(), largest, "top5_accuracy"]
    with pytest.raises(UnknownName, match="did you mean 'accuracy'"):
        model(metrics=["acuracy"])
    fitted = asg.Model(nn.Linear(3, 6), "cross_entropy", metrics=given)
    history = fitted.fit(examples(), epochs=1)
    assert set(history.history) == {"loss", "accuracy", "largest", "top5_accuracy"}


class Interrupted(Exception):
    pass


class StopAt(Callback):
    last = True  # after the checkpoint of the step

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, fit: Fit, results: Any) -> None:
        if fit.step == self.step:
            raise Interrupted


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_an_interrupted_training_is_resumed_to_the_bit(tmp_path: Path, backend: str) -> None:
    epochs = 4 if backend == "numpy" else 2
    held_out = examples(9, 1)
    options: dict[str, Any] = {"epochs": epochs, "batch_size": 10, "validation_data": held_out}
    whole = model(0.4, backend)
    wanted = whole.fit(examples(40), **options)
    for step in (1, 4, 6, 8, 11) if backend == "numpy" else (3,):
        folder = tmp_path / str(step)
        saving = SaveCheckpoints(folder, every_steps=1, keep=2)
        with pytest.raises(Interrupted):
            model(0.4, backend).fit(examples(40), **options, callbacks=[saving, StopAt(step)])
        resumed = model(0.4, backend)
        history = resumed.fit(examples(40), **options, resume=folder)
        assert history.history == wanted.history
        for name, array in whole.state_dict().items():
            np.testing.assert_array_equal(array, resumed.state_dict()[name], err_msg=name)


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path) -> None:
    model().fit(examples(), 1, callbacks=[SaveCheckpoints(tmp_path)])
    other = asg.Model(nn.Linear(3, 3), "cross_entropy")
    with pytest.raises(FileError, match="another training step"):
        other.fit(examples(), 1, resume=tmp_path)
    with pytest.raises(OperandError, match="batch_size"):
        model().fit(examples(), 2, 7, resume=tmp_path)


def test_the_best_checkpoint_stays(tmp_path: Path) -> None:
    saving = SaveCheckpoints(tmp_path, keep=1, best_by="loss")
    fitted = model(optimizer=optim.sgd(0.5))
    history = fitted.fit(examples(), 6, callbacks=[saving])
    best = saving.checkpoints.best()
    assert best is not None
    assert best.facts["loss"] == history.best("loss")[1]


def test_callbacks_are_called_in_order_and_may_stop() -> None:
    told: list[str] = []

    class Telling(Callback):
        def on_train_begin(self, fit: Fit) -> None:
            told.append("begin")

        def on_epoch_begin(self, fit: Fit) -> None:
            told.append(f"epoch {fit.epoch}")

        def on_epoch_end(self, fit: Fit, results: dict[str, float]) -> None:
            results["extra"] = 1.0
            if fit.epoch == 2:
                fit.stop("enough")

        def on_train_end(self, fit: Fit) -> None:
            told.append("end")

    history = model().fit(examples(), 5, callbacks=[Telling()])
    assert told == ["begin", "epoch 1", "epoch 2", "end"]
    assert history.stop_reason == "enough" and history.history["extra"] == [1.0, 1.0]
    with pytest.raises(Interrupted):
        model().fit(examples(), 5, callbacks=[Telling(), StopAt(1)])
    assert told[-1] == "end"


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ((np.ones((0, 3), np.float32), np.ones(0, np.int32)), OperandError, "no batch"),
        ((np.ones((4, 3), np.float32), np.ones(3, np.int32)), OperandError, "differ in length"),
        ((np.ones((4, 3), np.float32),), OperandError, "at least one input and a target"),
        ((np.ones((4, 2), np.float32), np.ones(4, np.int32)), ShapeError, "2"),
        ((np.ones((4, 3), np.float32), np.full(4, 2**40)), OperandError, "int32"),
        (7, OperandError, "cannot train on int"),
        ((np.array(["a"]), np.ones(1, np.int32)), OperandError, "dtype"),
    ],
)
def test_wrong_data(given: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        model().fit(given)


def test_other_wrong_uses() -> None:
    with pytest.raises(OperandError, match="give a module"):
        asg.Model(lambda x: x, "mse")
    with pytest.raises(UnknownName, match="cross_entropy"):
        asg.Model(nn.Linear(3, 3), "crossentropy")
    with pytest.raises(UnknownName, match="adam"):
        asg.Model(nn.Linear(3, 3), "mse", "adamm")
    with pytest.raises(OperandError, match="epochs=-1"):
        model().fit(examples(), epochs=-1)
    with pytest.raises(OperandError, match=r"fit\(\(x, y\), epochs\)"):
        model().fit(*examples())  # type: ignore[arg-type]
    with pytest.raises(UnknownName, match="no backend named 'cuda'; there are numpy, jax"):
        asg.Model(nn.Linear(3, 3), "mse", backend="cuda")
    with pytest.raises(OperandError, match="seen no data"):
        model().graph()
    fitted = model()
    fitted.fit(examples())
    with pytest.raises(FeedError, match="3 arrays"):
        fitted.fit((*examples(), examples()[1]))
    with pytest.raises(OperandError, match="callbacks"):
        fitted.fit(examples(), callbacks=[print])  # type: ignore[list-item]


def test_small_data() -> None:
    """One example, batches of one, a short last batch."""
    assert model().fit(examples(1), 2).epochs == 2
    assert model().fit(examples(3), 1, batch_size=1).epochs == 1
    assert model().fit(examples(5), 1, batch_size=4).epochs == 1


def test_a_loss_that_is_not_finite_ends_the_training() -> None:
    x, y = examples()
    x[3, 1] = np.nan
    with pytest.raises(Diverged, match="mean loss of epoch 1 is nan"):
        model().fit((x, y))
    with pytest.raises(Diverged):
        asg.Model(nn.Linear(3, 1), "mse", optim.sgd(1e3)).fit((x[4:], x[4:, :1]), 50)


def test_reprs() -> None:
    fitted = model()
    assert repr(fitted) == "<model of Sequential on numpy: 59 parameters>"
    assert fitted.summary().startswith("Sequential")
    history = fitted.fit(examples(), 2)
    assert "fc1: Linear" in fitted.summary() and "batch" in fitted.summary()
    assert repr(history).startswith("<history of 2 epochs: loss ")
    assert history._repr_html_().startswith("<svg")


def test_examples_that_are_no_arrays_in_memory() -> None:
    """A view that computes its examples is trained on batch by batch, as the arrays would be."""
    x, y = examples()
    whole = data.Dataset({"x": x, "y": y})
    halved = whole.map(lambda batch: {**batch, "x": batch["x"] * 0.5})
    fitted, plain = model(), model()
    fitted.fit(halved, 2, validation_split=0.2)
    plain.fit((x * np.float32(0.5), y), 2, validation_split=0.2)
    assert fitted.history.history == plain.history.history


def test_shared_weights_are_saved_as_trained_under_each_of_their_names(tmp_path: Path) -> None:
    """The decoder of a language model with tied weights is its embedding."""

    def model() -> asg.Model:
        net = nn.models.LSTMLanguageModel(9, 8, 8, num_layers=1, dropout=0.0, tie_weights=True)
        loss = lambda logits, target: asg.cross_entropy(logits, target, axis=-1)  # noqa: E731
        return asg.Model(net, loss=loss, optimizer="sgd")

    first, tokens = model(), np.arange(40, dtype=np.int32).reshape(8, 5) % 9
    first.fit((tokens, (tokens + 1) % 9), epochs=3)
    weights = first.weights()
    assert weights["decoder.weight"].tobytes() == weights["encoder.weight"].tobytes()
    assert not np.array_equal(weights["decoder.weight"], model().weights()["decoder.weight"])
    first.save(tmp_path / "net.safetensors")
    second = model()
    second.load(tmp_path / "net.safetensors")
    assert second.predict(tokens).tobytes() == first.predict(tokens).tobytes()
