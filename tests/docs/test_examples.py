"""What the examples claim to reach, they reach: figures from their output, on both backends."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", str(ROOT / "examples" / name), *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def output_of(name: str, *arguments: str) -> str:
    done = run(name, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def figures(pattern: str, output: str) -> list[float]:
    found = [float(number) for number in re.findall(pattern, output)]
    assert found, output
    return found


BACKENDS = ["numpy", pytest.param("jax", marks=pytest.mark.slow)]


@pytest.mark.parametrize("backend", BACKENDS)
def test_physics_informed_network_solves_the_equation(backend: str) -> None:
    output = output_of("physics_informed.py", "--backend", backend, "--steps", "400")
    losses = figures(r"loss (\S+),", output)
    assert losses[-1] < 0.01 * losses[0]
    assert figures(r"known solution: (\S+)", output)[0] < 0.03


@pytest.mark.parametrize("backend", BACKENDS)
def test_force_matching_learns_forces_that_sum_to_zero(backend: str) -> None:
    output = output_of("force_matching.py", "--backend", backend, "--steps", "300")
    assert figures(r"unseen configurations: (\S+)%", output)[0] < 5.0
    assert figures(r"by symmetry\): (\S+)", output)[0] < 1e-5


@pytest.mark.parametrize("backend", BACKENDS)
def test_segments_of_a_scan_change_memory_and_not_numbers(backend: str) -> None:
    plain, segmented = (
        figures(r"gradient norm (\S+)", output_of("state_space.py", "--backend", backend, *more))[0]
        for more in ((), ("--checkpoint", "sqrt", "--unroll", "2"))
    )
    assert plain > 0.0
    assert abs(plain - segmented) < 1e-4 * plain


@pytest.mark.parametrize("backend", BACKENDS)
def test_xor(backend: str) -> None:
    output = output_of("xor.py", "--backend", backend)
    assert figures(r"loss (\S+)", output)[0] < 1e-4
    assert [round(number) for number in figures(r"= (\S+)", output)] == [0, 1, 1, 0]


@pytest.mark.parametrize("backend", BACKENDS)
def test_linear_regression(backend: str) -> None:
    output = output_of("linear_regression.py", "--backend", backend)
    assert figures(r"largest error of the two numbers: (\S+)", output)[0] < 1e-4


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("name", "pattern", "least"),
    [
        ("digits_mlp.py", r"has not seen: (\S+)", 0.93),
        ("digits_cnn.py", r"right: (\d+) of 360", 340),
        ("custom_loop.py", r"on unseen digits: (\S+)", 0.93),
        ("reverse.py", r"without a mistake: (\S+)%", 70.0),
    ],
)
def test_shares_of_right_answers(name: str, pattern: str, least: float, backend: str) -> None:
    assert figures(pattern, output_of(name, "--backend", backend))[0] >= least


@pytest.mark.parametrize("backend", BACKENDS)
def test_order_of_words_matters(backend: str) -> None:
    output = output_of("text_classification.py", "--backend", backend)
    assert figures(r"on unseen sentences: (\S+)", output)[0] > 0.95
    assert figures(r"by counting words: (\S+)", output)[0] < 0.6


@pytest.mark.slow
@pytest.mark.parametrize("net", ["lstm", "gpt"])
def test_characters(net: str) -> None:
    """4^(3/30.75) = 1.145 is the least."""
    output = output_of("characters.py", "--net", net)
    assert 1.145 < figures(r"unseen text: (\S+)", output)[0] < 1.4
    assert len(output.splitlines()[-1]) == 16 + 1 + 48


def test_characters_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("to be, or not to be? " * 100, encoding="utf-8")
    output = output_of(
        "characters.py", "--text", str(tmp_path / "text.txt"), "--size", "16", "--epochs", "2"
    )
    assert figures(r"unseen text: (\S+) of 9 characters", output)[0] < 9.0


def test_a_tiny_gpt(tmp_path: Path) -> None:
    """A text of four characters in turn is soon known by heart."""
    (tmp_path / "text.txt").write_text("abcd" * 400, encoding="utf-8")
    output = output_of("tiny_gpt.py", "--text", str(tmp_path / "text.txt"), "--steps", "16")
    assert figures(r"unseen text: loss = \S+, perplexity = (\S+)", output)[0] < 3.9
    assert len(output.splitlines()[-1]) == 32 + 1 + 32


def test_vae_draws_digits() -> None:
    output = output_of("vae_digits.py", "--epochs", "5")
    bounds = figures(r"bound -(\S+) nats", output)
    assert bounds[-1] < 30.0 and bounds == sorted(bounds, reverse=True)
    assert output.count("@") + output.count("%") > 100


@pytest.mark.parametrize("backend", BACKENDS)
def test_custom_op(backend: str) -> None:
    output = output_of("custom_op.py", "--backend", backend)
    assert "%0 = squareplus(x, b=4.0) : f64[5]" in output
    assert figures(r"finite differences: (\S+)", output)[0] < 1e-8
    assert figures(r"loss (\S+)", output)[0] < 0.01


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_exported_network_answers_the_same(backend: str, tmp_path: Path) -> None:
    folder = tmp_path / "network"
    output = output_of("inference.py", "--backend", backend, "--folder", str(folder))
    assert figures(r"from the model: (\S+)", output)[0] < 1e-4
    assert figures(r"right: (\d+) of 360", output)[0] > 335
    assert {path.name for path in folder.iterdir()} == set(re.findall(r"(\S+): .* bytes", output))


@pytest.mark.slow
def test_a_search_of_scikit_learn() -> None:
    output = output_of("scikit_learn.py")
    assert min(figures(r"\): (\S+)", output)) > 0.9
    assert figures(r"unseen wines: (\S+)", output)[0] > 0.9


def write_idx(path: Path, array: np.ndarray) -> None:
    sizes = np.array(array.shape, ">u4").tobytes()
    path.write_bytes(bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes())


@pytest.mark.slow
def test_mnist_from_files(tmp_path: Path) -> None:
    """Ten classes of stripes, so that there is something to learn."""
    for part, count in (("train", 256), ("t10k", 50)):
        labels = np.arange(count, dtype=np.uint8) % 10
        images = np.zeros((count, 28, 28), np.uint8)
        images[np.arange(count), labels * 2 + 4] = 255
        write_idx(tmp_path / f"{part}-images-idx3-ubyte", images)
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte", labels)
    dense = output_of("mnist.py", "--root", str(tmp_path), "--epochs", "8")
    assert "109,386 parameters" in dense
    assert figures(r"50 unseen images: (\S+)", dense)[0] > 0.9
    convolutions = output_of("mnist.py", "--root", str(tmp_path), "--net", "cnn", "--epochs", "1")
    assert "421,642 parameters" in convolutions


@pytest.mark.parametrize(
    ("net", "parameters"),
    [("cnn", "1,278,218"), pytest.param("resnet", "11,173,962", marks=pytest.mark.slow)],
)
def test_cifar10_from_files(net: str, parameters: str, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for name in ("test_batch", *(f"data_batch_{number}" for number in range(1, 6))):
        rows = random.integers(0, 256, (8, 3073), np.uint8)
        rows[:, 0] %= 10
        (tmp_path / f"{name}.bin").write_bytes(rows.tobytes())
    output = output_of("cifar10.py", "--root", str(tmp_path), "--net", net, "--augment",
                       "--epochs", "2")  # fmt: skip
    assert f"{parameters} parameters" in output
    assert 0.0 <= figures(r"8 unseen images: (\S+)", output)[0] <= 1.0


@pytest.mark.parametrize("name", ["mnist.py", "cifar10.py"])
def test_absent_files_are_named(name: str, tmp_path: Path) -> None:
    done = run(name, "--root", str(tmp_path))
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert f"data set {name.removesuffix('.py')!r} needs" in done.stderr
    assert "--download" in done.stderr


def test_every_example_is_listed_and_tested() -> None:
    names = {path.name for path in (ROOT / "examples").glob("*.py")}
    listed = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    here = Path(__file__).read_text(encoding="utf-8")
    assert names == set(re.findall(r"^\| \[(\w+\.py)\]", listed, re.MULTILINE))
    assert [name for name in names - {"first_graph.py"} if f'"{name}"' not in here] == []
