"""The commands beside `asg train`: what they print, write, and compute, against the library."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asg.backends.numpy_cpu.blas import openblas

import asg
from asg.cache.store import write_entry
from asg.cli import doctor
from asg.cli.main import COMMANDS, main
from asg.data import load
from asg.train import load_for_inference
from tests.cli.command_line import run, said

ROOT = Path(__file__).resolve().parents[2]
RUN, TEXT = "runs/digits-0001", "runs/text-0001"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a run of two epochs and one of a network for images."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(["train", "--epochs", "2", "--optimizer.lr", "1e-2"]) == 0
        cnn = ["--model.kind", "cnn", "--model.conv-filters", "4", "--model.fc-units", "8"]
        assert main(["train", "--epochs", "1", *cnn]) == 0
        Path("t.txt").write_text("abcabdabe" * 60)
        text = ["--dataset", "text", "--dataset.file", "t.txt", "--dataset.length", "9"]
        lstm = ["--model.kind", "char_lstm", "--model.hidden-size", "24", "--optimizer.lr", "1e-2"]
        assert main(["train", "--epochs", "12", "--batch-size", "8", *text, *lstm]) == 0
        Path("config.yaml").write_text("epochs: 1\nhidden: [8]\n")
    yield folder


@pytest.fixture(autouse=True)
def inside(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)


def images(count: int) -> np.ndarray[Any, Any]:
    return load("digits").arrays["images"][:count]


# -- eval ------------------------------------------------------------------------------------------


def test_eval_gives_the_accuracy_of_the_last_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    from asg.train.run_folder import RunFolder

    last = RunFolder(Path(RUN)).read_history()[-1]
    (line,) = said(capsys, "eval", RUN)
    assert line == (
        f"numpy  test accuracy {last.test['accuracy']:.4f}   loss {last.test['loss']:.6f}   "
        "(360 examples)"
    )
    assert said(capsys, "eval", RUN, "--backend", "numpy") == [line]


def test_eval_on_jax_compares_the_predictions(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("jax")
    first, second, compared = said(capsys, "eval", RUN, "--backend", "jax")
    assert first.replace("numpy", "") == second.replace("jax  ", "")
    found = re.fullmatch(
        r"largest difference of predictions (\S+) \(largest prediction \S+\); 0 of 360 classes "
        r"differ", compared,
    )  # fmt: skip
    assert found is not None and 0 < float(found[1]) < 1e-4


# -- predict and export ----------------------------------------------------------------------------


@pytest.mark.parametrize("run", [RUN, "runs/digits-0002"])
def test_predictions_are_those_of_the_exported_network(
    run: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (line,) = said(capsys, "export", run, "--inference", f"nets/{Path(run).name}")
    assert "graph.txt, inference.json, weights.safetensors; " in line
    x = images(20)
    np.save("x.npy", x)
    assert said(capsys, "predict", run, "--input", "x.npy", "--output", "p.npy") == [
        "wrote p.npy: 20 examples"
    ]
    probabilities = np.load("p.npy")
    network = load_for_inference(f"nets/{Path(run).name}")
    (shape,) = [tuple(of.shape[1:]) for of in network.inputs.values()]
    scores = network.predict(x.reshape(20, *shape)).astype(np.float64)
    expected = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    np.testing.assert_allclose(probabilities, expected, rtol=1e-5, atol=1e-7)
    lines = said(capsys, "predict", run, "--input", "x.npy")
    assert lines[0] == "example,class,probability"
    assert [line.split(",")[1] for line in lines[1:]] == [str(n) for n in expected.argmax(1)]


def test_the_network_is_exported_as_a_program(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("jax")
    from asg.backends.jax_xla.export import load_exported

    from asg.io import load_arrays

    (line,) = said(capsys, "export", RUN, "--stablehlo", "net.zip")
    assert line.startswith("wrote net.zip and net.zip.safetensors; ")
    said(capsys, "export", RUN, "--inference", "net")
    program, network = load_exported("net.zip"), load_for_inference("net")
    ((name, of),) = network.inputs.items()
    x = images(7).reshape(7, *(int(size) for size in of.shape[1:]))
    results, _ = program({name: x}, load_arrays("net.zip.safetensors"))
    (scores,) = results.values()
    np.testing.assert_allclose(scores, network.predict(x), rtol=1e-4, atol=1e-5)


def test_text_and_arrays_are_predicted_alike(capsys: pytest.CaptureFixture[str]) -> None:
    x = images(3)
    np.save("x.npy", x)
    np.savetxt("x.csv", x, delimiter=",")
    np.save("image.npy", x.reshape(3, 8, 8).astype(np.float64))
    lines = said(capsys, "predict", RUN, "--input", "x.npy")
    assert len(lines) == 4 and said(capsys, "predict", RUN, "--input", "x.csv") == lines
    assert said(capsys, "predict", RUN, "--input", "image.npy") == lines
    said(capsys, "predict", RUN, "--input", "x.csv", "--output", "p.csv")
    assert Path("p.csv").read_text().splitlines() == lines


# -- generate --------------------------------------------------------------------------------------


def test_a_language_model_goes_on_with_a_text(capsys: pytest.CaptureFixture[str]) -> None:
    from asg.cli.subject import trained

    training = trained(TEXT)
    tokens = training.task.tokenizer.encode("abca")
    (line,) = said(capsys, "generate", TEXT, "--prompt", "abca", "--length", "5")
    expected = asg.generate(training.model, tokens, 5)
    assert line == training.task.tokenizer.decode(expected) and line.startswith("abcab")
    (whole,) = said(capsys, "generate", TEXT, "--prompt", "abca")
    assert len(whole) == 9 and whole == line
    options = ["--prompt", "abca", "--temperature", "2", "--top-k", "3", "--length", "12"]
    drawn = [said(capsys, "generate", TEXT, *options, "--seed", str(n)) for n in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2] and len(drawn[0][0]) == 16


def test_a_language_model_is_evaluated_and_exported(capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = said(capsys, "eval", TEXT)
    assert re.fullmatch(r"numpy  test accuracy 0\.\d{4}   loss \d\.\d{6}   \(\d+ examples\)", line)
    said(capsys, "export", TEXT, "--inference", "nets/text")
    tokens = np.zeros((2, 9), np.int32)
    assert load_for_inference("nets/text").predict(tokens).shape == (2, 9, 5)


# -- graph -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("subject", [RUN, "config.yaml"])
@pytest.mark.parametrize("kind", ["training", "evaluation", "prediction"])
def test_the_text_of_a_graph_reads_back(
    subject: str, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "\n".join(said(capsys, "graph", subject, "--kind", kind))
    assert str(asg.parse(text)) == text
    assert ("optimizer." in text) is (kind == "training")


def test_the_changes_of_one_pass_and_of_all(capsys: pytest.CaptureFixture[str]) -> None:
    every = said(capsys, "graph", RUN, "--diff")
    heads = [line for line in every if re.match(r"\w+: \d+ -> \d+ nodes", line)]
    names = [line.partition(":")[0] for line in heads]
    assert "merge_equal" in names and "lower" in names
    one = said(capsys, "graph", RUN, "--pass", "lower")
    assert next(line.partition(":")[0] for line in one if " nodes (+" in line) == "lower"
    assert any(line.startswith("- ") for line in one) and any(line.startswith("+ ") for line in one)


def test_pictures_go_into_the_run_or_where_they_are_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert said(capsys, "graph", RUN, "--format", "dot") == [f"wrote {RUN}/graph.dot"]
    assert Path(RUN, "graph.dot").read_text().startswith("digraph")
    options = ["--kind", "prediction", "--pass", "lower", "--format", "dot"]
    told = said(capsys, "graph", "config.yaml", *options, "--output", "x.dot")
    assert told == ["wrote x.dot"] and Path("x.dot").is_file()


def test_open_shows_the_picture(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pygraphviz")
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    options = ["--kind", "prediction", "--open"]
    assert said(capsys, "graph", RUN, *options) == [f"wrote {RUN}/graph.svg"]
    assert opened == [Path(RUN, "graph.svg").resolve().as_uri()]


# -- bench, doctor, datasets -----------------------------------------------------------------------


def test_bench_tells_the_time_of_every_op(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--rounds", "1", "--steps", "2", "--profile"]
    lines = said(capsys, "bench", "config.yaml", *options)
    title = next(line for line in lines if line.startswith("profile of 'train_step' on numpy"))
    assert any(line.startswith("matmul.") for line in lines[lines.index(title) :])


def test_bench_times_a_step(capsys: pytest.CaptureFixture[str]) -> None:
    head, names, line = said(capsys, "bench", "config.yaml", "--rounds", "2", "--steps", "2")
    assert head == "step of 610 parameters, batch 64, 2 rounds of 2 steps"
    assert names.split()[:3] == ["backend", "ms/step", "steps/s"]
    found = re.fullmatch(r"numpy \(\d+ threads?\) +(\S+) +(\d+) +(\d+) +\d+ kB +\d+ kB", line)
    assert found is not None
    milliseconds, steps, samples = map(float, found.groups())
    assert steps == pytest.approx(1000 / milliseconds, rel=0.01, abs=1)
    assert samples == pytest.approx(64 * 1000 / milliseconds, rel=0.01, abs=1)


def test_doctor_tells_what_is_there_and_how_to_add_the_rest(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = dict(line.split(maxsplit=1) for line in said(capsys, "doctor"))
    assert lines["asg"].startswith(asg.__version__)
    assert {"python", "numpy", "jax", "dot", "browser", "cache", "[data]"} <= lines.keys()
    assert lines["numpy"].startswith(np.__version__)
    monkeypatch.setattr(doctor, "find_spec", lambda name: None)
    monkeypatch.setattr("shutil.which", lambda name: None)
    lines = dict(line.split(maxsplit=1) for line in said(capsys, "doctor"))
    assert lines["jax"] == "not there; pip install 'asg-compiler[jax]'"
    assert lines["dot"].startswith("not there; install Graphviz")
    for extra in doctor.EXTRAS:
        assert lines[f"[{extra}]"].endswith(f"pip install 'asg-compiler[{extra}]'")


def test_doctor_asks_the_blas_of_numpy_though_nothing_else_has_loaded_it(tmp_path: Path) -> None:
    told = run(tmp_path, "doctor").out
    (line,) = (line for line in told.splitlines() if line.startswith("numpy"))
    assert ("openblas" in line) == (openblas() is not None)


def test_doctor_tells_of_the_compile_cache_and_clears_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def line() -> str:
        lines = said(capsys, "doctor")
        return next(each for each in lines if each.startswith("compiled")).split(maxsplit=1)[1]

    assert line() == "off"
    with asg.configure(compile_cache=str(tmp_path)):
        write_entry("0" * 64, bytes(99_923))
        assert line() == f"{tmp_path} (can be written; 1 entries, 0.1 of 537 MB)"
        first, *_ = said(capsys, "doctor", "--clear-cache")
        assert first == "removed 1 entries of the compile cache"
        assert "0 entries, 0.0 of" in line()


def test_doctor_knows_the_extras_of_the_package() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    known = {extra: list(modules) for extra, (_, modules) in doctor.EXTRAS.items()}
    others = ("cuda", "all", "dev")
    assert known == {extra: extras[extra] for extra in extras if extra not in others}


def test_datasets_tells_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from asg.data import names

    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / "train-images-idx3-ubyte").write_bytes(b"")
    lines = said(capsys, "datasets", "--root", str(tmp_path))
    assert lines[0].split() == ["name", "task", "holds", "there", "files"]
    rows = {line.split()[0]: re.split(r"  +", line) for line in lines[1:]}
    assert list(rows) and set(rows) == set(names())
    assert rows["digits"][2:] == ["1797 x images float32[64], labels int32[]", "yes",
                                  "bundled, no download"]  # fmt: skip
    assert rows["mnist"][3:] == ["yes", str(tmp_path / "mnist")]
    assert rows["cifar10"][3:] == ["no", str(tmp_path)]
    assert all(row[2] != "?" for row in rows.values())


# -- mistakes --------------------------------------------------------------------------------------

MISTAKES = [
    (["eval"], "the following arguments are required: run; asg eval --help shows the usage"),
    (["eval", "none"], "no folder none"),
    (["eval", "nets"], "nets is no folder of a run: it has no config.yaml"),
    (["eval", RUN, "--bakend", "jax"], "unknown option --bakend. Did you mean --backend?"),
    (["eval", RUN, "--backend"], "argument --backend: expected one argument; asg eval --help"),
    (["eval", RUN, "--backend", "nunpy"], "--backend: unknown backend 'nunpy', did you mean 'nump"),
    (["eval", RUN, "more"], "unrecognized arguments: more; asg eval --help shows the usage"),
    (["predict", RUN], "the following arguments are required: --input; asg predict --help"),
    (["predict", RUN, "--input", "none.npy"], "--input: no file none.npy"),
    (["predict", RUN, "--input", "x.txt"], "--input: x.txt should end in .npy or .csv"),
    (["predict", RUN, "--input", "x.npy", "--output", "y"], "--output: y should end in .npy or"),
    (["predict", RUN, "--input", "bad.npy"], "--input: cannot read bad.npy: "),
    (["predict", RUN, "--input", "words.csv"], "--input: cannot read words.csv: "),
    (["predict", RUN, "--input", "objects.npy"], "--input: cannot read objects.npy: "),
    (["predict", RUN, "--input", "narrow.npy"], "--input: narrow.npy is [3, 5]; the network take"),
    (["predict", RUN, "--input", "flat.npy"], "--input: flat.npy is [64]; the network takes [exam"),
    (["predict", RUN, "--input", "empty.npy"], "--input: empty.npy has no example"),
    (["predict", TEXT, "--input", "x.npy"], "runs/text-0001 is of a language model; use asg gener"),
    (["generate", TEXT], "the following arguments are required: --prompt; asg generate --help"),
    (["generate", RUN, "--prompt", "a"], "runs/digits-0001 is of no language model; use asg pre"),
    (["generate", TEXT, "--prompt", "x"], "character 'x' at 0 is not in the vocabulary of 5; "),
    (["generate", TEXT, "--prompt", "a", "--top-k", "x"], "--top-k: should be a number, got 'x'"),
    (["generate", TEXT, "--prompt", "a", "--temperature", "-1"], "temperature=-1.0 must be a"),
    (["generate", TEXT, "--prompt", ""], "--prompt: should not be empty"),
    (["graph", "none.yaml"], "no file none.yaml"),
    (["graph", RUN, "--kind", "train"], "--kind: unknown kind 'train', did you mean 'training'?"),
    (["graph", RUN, "--format", "png"], "--format: unknown format 'png'. There are: text, svg, do"),
    (["graph", RUN, "--pass", "lover"], "--pass: unknown pass 'lover', did you mean 'lower'?"),
    (["graph", RUN, "--format", "text", "--open"], "--open and --output are for pictures; use --f"),
    (["graph", RUN, "--format", "svg", "--diff"], "--diff is text; leave --format, --output and"),
    (["graph", RUN, "--format", "dot", "--open"], "--open needs --format svg, got dot"),
    (["graph", "bad.npy"], "bad.npy is not a text file"),
    (["export", RUN], "--inference FOLDER or --stablehlo FILE says where to write the network"),
    (["export", RUN, "--onnx", "x.onnx"], "--onnx: asg does not write ONNX files yet; use --infer"),
    (["export", "none", "--inference", "x"], "no folder none"),
    (["bench", "none"], "no file none"),
    (["bench", "config.yaml", "--rounds", "0"], "--rounds: should be a whole number of at least"),
    (["bench", "config.yaml", "--steps", "x"], "--steps: should be a whole number of at least 1"),
    (["bench", "config.yaml", "--backend", "numpy,numpy"], "--backend: numpy,numpy names a backen"),
    (["bench", "config.yaml", "--backend", "numpi"], "--backend: unknown backend 'numpi', did you"),
    (["doctor", "--all"], "unknown option --all; asg doctor --help lists the options"),
    (["datasets", "mnist"], "unrecognized arguments: mnist; asg datasets --help shows the usage"),
    (["train", "--resume", "none"], "none is no folder of a run: it has no config.yaml"),
    (["train", "--resume", RUN], "runs/digits-0001 has all 2 epochs; --epochs N asks for more"),
    (["train", "--resume", RUN, "--seed", "3"], "--seed: a resumed run may change --epochs, --ear"),
    (["train", "--resume", RUN, "--config", "c"], "--config: a resumed run has its own configurat"),
    (["train", "--resume", "bare"], "bare has no checkpoint to go on from"),
    (["train", "--model.kind", "lenet"], "model.kind: lenet is for images of 28 x 28 or 32 x 32"),
    (["train", "--model.kind", "cnn", "--hidden", "3"], "--hidden: no option of cnn, but of mlp"),
    (["train", "--lr-schedule.gamma", "1"], "--lr-schedule.gamma: no option of constant, but of "),
    (["train", "--optimizer.betas", "0.9"], "--optimizer.betas: has no default, so give a value"),
    (["train", "--training.epochs", "x"], "--epochs: should be a whole number, got 'x'"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), MISTAKES)
def test_a_mistake_is_one_line_and_exit_code_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("bare").mkdir(exist_ok=True)
    Path("nets").mkdir(exist_ok=True)
    Path("bare", "config.yaml").write_text("epochs: 1\n")
    Path("bad.npy").write_bytes(b"\x93NUMPY\xff\xfe\x00")
    Path("words.csv").write_text("a,b\nc,d\n")
    np.save("x.npy", images(2))
    np.save("objects.npy", np.array([{}], object), allow_pickle=True)
    np.save("narrow.npy", np.zeros((3, 5)))
    np.save("flat.npy", np.zeros(64))
    np.save("empty.npy", np.zeros((0, 64)))
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(f"error: {message}")
    assert captured.err.count("\n") == 1 and captured.err.endswith("\n")


def test_a_damaged_run_exits_1(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    import shutil

    shutil.copytree(RUN, tmp_path / "run")
    path = tmp_path / "run" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-9])
    assert main(["eval", str(tmp_path / "run")]) == 1
    err = capsys.readouterr().err
    assert err.startswith(f"error: {path} is damaged") and err.count("\n") == 1


def test_every_command_is_described() -> None:
    assert list(COMMANDS) == sorted(COMMANDS)
    assert len(COMMANDS) == 12
