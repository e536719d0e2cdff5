"""`asg plan`: what it prints is what the library says."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import asg
from asg.cli.main import main
from tests.cli.command_line import environment

CONFIG = "config.yaml"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    Path(CONFIG).write_text("epochs: 1\nhidden: [8]\n")
    Path("none.txt").write_text("no graph")
    x, w = asg.input("x", ("n", "m")), asg.input("w", ("m", 16))
    Path("net.txt").write_text(asg.graph_text(asg.Graph(y=asg.tanh(x @ w)), full=True))
    Path("broken.txt").write_text("graph g {\n  output y = nothing\n}")
    yield


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    assert main(["plan", *arguments]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out.splitlines()


def test_the_plan_of_a_configuration_and_the_largest_batch(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = said(capsys, CONFIG, "--top", "2")
    assert lines[0] == "plan of 'train_step' on numpy, batch=64"
    assert "most work (2 of" in lines[5] and lines[7].startswith("matmul.")
    data = json.loads("\n".join(said(capsys, CONFIG, "--size", "batch=32", "--json")))
    assert data["sizes"] == {"batch": 32}
    limit = data["peak_bytes"]
    (line,) = said(capsys, CONFIG, "--memory", f"{limit}B")
    number = int(line.partition(": ")[2].split()[0])
    assert line.startswith(f"largest batch within {limit}B: ") and number >= 32


def test_formulas_in_a_size(capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ["--size", "n=4", "--size", "m=8", "--formulas", "n"]
    lines = said(capsys, "net.txt", *sizes)
    assert lines[0].startswith("for n from 1 to ") and lines[0].endswith(", m=8")
    assert lines[2].split(maxsplit=1) == ["arena", "64*n + 64*((n + 1)//2) + 512"]
    (line,) = said(capsys, "net.txt", *sizes, "--json")
    assert json.loads(line)["totals"]["feeds"] == "32*n + 512"


def test_a_saved_graph_needs_its_sizes(capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ["--size", "n=4", "--size", "m=8"]
    data = json.loads("\n".join(said(capsys, "net.txt", *sizes, "--json")))
    assert data["flops"] == 2 * 4 * 8 * 16 + 4 * 16
    (line,) = said(capsys, "net.txt", *sizes, "--largest", "n", "--memory", "10kB")
    x, w = asg.input("x", ("n", "m")), asg.input("w", ("m", 16))
    plan = asg.compile(asg.Graph(y=asg.tanh(x @ w))).plan(n=4, m=8)
    assert line.startswith(f"largest n within 10kB: {plan.largest('n', '10kB')} (")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([CONFIG, "--size", "batch"], "--size: should be a name and a number such as batch=128"),
        ([CONFIG, "--size", "bach=3"], "graph 'train_step' has no size 'bach'; did you mean 'bat"),
        ([CONFIG, "--top", "0"], "--top: should be a whole number of at least 1"),
        ([CONFIG, "--kind", "train"], "--kind: unknown kind 'train', did you mean 'training'?"),
        ([CONFIG, "--memory", "4 miles"], "memory='4 miles' is no size"),
        ([CONFIG, "--memory", "1kB"], "batch=1 needs"),
        ([CONFIG, "--memory", "1MB", "--json"], "--memory has one line for an answer"),
        ([CONFIG, "--formulas", "bach"], "graph 'train_step' has no size 'bach'; did you mean"),
        ([CONFIG, "--memory", "1MB", "--formulas", "batch"], "--memory and --formulas are two"),
        ([CONFIG, "--largest", "batch"], "--largest needs --memory"),
        ([CONFIG, "--backend", "numpi"], "--backend: unknown backend 'numpi', did you mean 'num"),
        (["net.txt"], "the plan needs a number for n, m: --size (n=64, m=64)"),
        (["none.yaml"], "no file none.yaml"),
        (["broken.txt"], "broken.txt: "),
        ([], "the following arguments are required: RUN|CONFIG|GRAPH"),
        ([CONFIG, "--memry", "1MB"], "unknown option --memry. Did you mean --memory?"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1
    assert captured.err.startswith(f"error: {message}"), captured.err


def test_the_script_of_the_command_is_no_line_of_the_user() -> None:
    script = Path("started_by.py")
    script.write_text("import sys\nfrom asg.cli.main import main\nsys.exit(main())\n")
    done = subprocess.run(
        [sys.executable, script, "plan", CONFIG],
        env=environment({}), capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "matmul" in done.stdout and "started_by" not in done.stdout
