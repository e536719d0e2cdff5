"""Networks without their training: what is written is what predicts, to the bit."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import asg
from asg import nn
from asg.core.errors import FeedError, FileError, OperandError
from asg.io import load_arrays, load_metadata
from asg.train import load_for_inference
from asg.train.config import configured
from asg.train.trainer import Training


class Forked(nn.Module):
    """Two inputs, a nest of results, a constant too large for plain text, and statistics."""

    def __init__(self) -> None:
        self.left, self.norm = nn.Linear(4, 3), nn.BatchNorm1d(3)
        self.table = np.linspace(-1.0, 1.0, 60, dtype=np.float32).reshape(20, 3)

    def forward(self, x: Any, y: Any) -> dict[str, Any]:
        hidden = self.norm(self.left(x))
        return {"a": asg.tanh(hidden), "b": [hidden + y, (asg.sum(hidden @ self.table.T, axis=1),)]}


def forked() -> tuple[asg.Model, np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    random = np.random.default_rng(0)
    x, y = (random.normal(size=(7, n)).astype(np.float32) for n in (4, 3))

    def loss(prediction: Any, target: Any) -> Any:
        return asg.mean((prediction["a"] - target) ** 2.0) + asg.mean(prediction["b"][0] ** 2.0)

    model = asg.Model(Forked(), loss=loss, optimizer="adam")
    model.fit((x, y, y), epochs=2, batch_size=4)
    return model, x, y


def test_a_nest_of_results_comes_back_with_its_bits(tmp_path: Path) -> None:
    model, x, y = forked()
    model.export_for_inference(tmp_path / "deep" / "net")
    loaded = load_for_inference(tmp_path / "deep" / "net")
    expected, found = model.predict(x, y), loaded.predict(x, y)
    assert found["a"].tobytes() == expected["a"].tobytes()
    assert found["b"][0].tobytes() == expected["b"][0].tobytes()
    assert isinstance(found["b"], list) and isinstance(found["b"][1], tuple)
    halves = loaded.predict(x, y, batch_size=4)["a"]
    np.testing.assert_allclose(halves, expected["a"], rtol=1e-6)
    np.testing.assert_array_equal(found["b"][1][0], expected["b"][1][0])
    assert repr(loaded) == "<inference model on numpy: x0 f32[batch, 4], x1 f32[batch, 3]>"


@pytest.mark.parametrize("count", [1, 5, 64])
def test_any_number_of_examples_is_predicted(count: int, tmp_path: Path) -> None:
    training = Training(configured({"hidden": [8]}))
    training.model.export_for_inference(tmp_path / "net")
    x = training.task.test.arrays["images"][:count]
    found = load_for_inference(tmp_path / "net").predict(x)
    assert found.tobytes() == training.model.predict(x).tobytes()


def test_the_folder_has_no_training_in_it_and_says_what_it_is(tmp_path: Path) -> None:
    model, _, _ = forked()
    model.export_for_inference(tmp_path / "net")
    names = sorted(path.name for path in (tmp_path / "net").iterdir())
    assert names == ["graph.txt", "inference.json", "weights.safetensors"]
    weights = load_arrays(tmp_path / "net" / "weights.safetensors")
    assert sorted(weights) == ["left.bias", "left.weight", "norm.bias", "norm.running_mean",
                               "norm.running_var", "norm.weight"]  # fmt: skip
    assert load_metadata(tmp_path / "net" / "weights.safetensors")["purpose"] == "inference"
    described = json.loads((tmp_path / "net" / "inference.json").read_text())
    assert (described["format"], described["version"]) == ("asg inference model", 1)
    assert sorted(described["files"]) == ["graph.txt", "weights.safetensors"]
    assert "optimizer" not in (tmp_path / "net" / "graph.txt").read_text()


def test_another_process_needs_no_source_of_the_network(tmp_path: Path) -> None:
    model, x, y = forked()
    model.export_for_inference(tmp_path / "net")
    np.savez(tmp_path / "data.npz", x=x, y=y, expected=model.predict(x, y)["a"])
    code = (
        "import numpy as np; from asg.train import load_for_inference; d = np.load('data.npz'); "
        "found = load_for_inference('net').predict(d['x'], d['y'])['a']; "
        "print(found.tobytes() == d['expected'].tobytes())"
    )
    root = str(Path(asg.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {root!r}); {code}"], cwd=tmp_path,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "True\n"


def test_a_second_export_replaces_the_first_but_nothing_else(tmp_path: Path) -> None:
    model, x, y = forked()
    model.export_for_inference(tmp_path / "net")
    model.fit((x, y, y), epochs=1)
    model.export_for_inference(tmp_path / "net")
    found = load_for_inference(tmp_path / "net").predict(x, y)["a"]
    assert found.tobytes() == model.predict(x, y)["a"].tobytes()
    (tmp_path / "mine").mkdir()
    with pytest.raises(FileError, match="something else is there already"):
        model.export_for_inference(tmp_path / "mine")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "net"]


def damaged_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["graph.txt", "weights.safetensors", "inference.json"])
@pytest.mark.parametrize("damage", [damaged_byte, Path.unlink], ids=["flip", "missing"])
def test_damage_is_found(name: str, damage: Any, tmp_path: Path) -> None:
    model, _, _ = forked()
    model.export_for_inference(tmp_path / "net")
    damage(tmp_path / "net" / name)
    with pytest.raises(FileError, match=r"damaged|missing|is no inference model"):
        load_for_inference(tmp_path / "net")


def test_a_newer_format_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from asg.train import inference

    model, _, _ = forked()
    newer = replace(inference.MANIFEST, version=2)
    with monkeypatch.context() as patch:
        patch.setattr(inference, "MANIFEST", newer)
        model.export_for_inference(tmp_path / "net")
    with pytest.raises(FileError, match="inference model format 2, this asg reads up to 1"):
        load_for_inference(tmp_path / "net")


def test_arrays_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    model, x, y = forked()
    model.export_for_inference(tmp_path / "net")
    loaded = load_for_inference(tmp_path / "net")
    with pytest.raises(FeedError, match="1 arrays given, the network takes"):
        loaded.predict(x)
    with pytest.raises(FeedError):
        loaded.predict(x[:, :2], y)
    with pytest.raises(OperandError, match="no example"):
        loaded.predict(x[:0], y[:0])
    with pytest.raises(OperandError, match="seen no data"):
        asg.Model(nn.Linear(2, 1), loss="mse").export_for_inference(tmp_path / "other")


def test_jax_runs_what_numpy_trained(tmp_path: Path) -> None:
    pytest.importorskip("jax")
    model, x, y = forked()
    model.export_for_inference(tmp_path / "net")
    found = load_for_inference(tmp_path / "net", backend="jax").predict(x, y)
    np.testing.assert_allclose(found["a"], model.predict(x, y)["a"], rtol=1e-5, atol=1e-6)
