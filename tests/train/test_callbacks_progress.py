"""Progress and OnEpochEnd: lines everywhere, a bar on terminals, and functions after epochs."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import asg
from asg import nn, optim
from asg.core.errors import OperandError
from asg.train import Fit
from asg.train.callbacks import OnEpochEnd, PrintEpochs, Progress, SaveCheckpoints


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def data() -> tuple[Any, Any]:
    x = np.linspace(-1.0, 1.0, 24, dtype=np.float32).reshape(-1, 1)
    return x, 2.0 * x


def model() -> asg.Model:
    return asg.Model(nn.Linear(1, 1), "mse", optim.sgd(0.1), seed=1)


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    return monkeypatch


@pytest.mark.usefixtures("variables")
def test_elsewhere_there_are_the_lines_of_print_epochs() -> None:
    file, plain = io.StringIO(), io.StringIO()
    model().fit(data(), 3, validation_data=data(), callbacks=[Progress(file), PrintEpochs(plain)])
    assert file.getvalue() == plain.getvalue()
    assert len(file.getvalue().splitlines()) == 3 and "\x1b" not in file.getvalue()


def test_a_terminal_without_control_codes_gets_lines(variables: pytest.MonkeyPatch) -> None:
    variables.setenv("TERM", "dumb")
    terminal = Terminal()
    model().fit(data(), 2, callbacks=[Progress(terminal)])
    assert (
        terminal.getvalue().startswith("Epoch 1/2: loss = ") and "\x1b" not in terminal.getvalue()
    )


@pytest.mark.parametrize("no_color", [False, True])
def test_on_a_terminal_a_bar_stands_below_the_lines(
    variables: pytest.MonkeyPatch, no_color: bool
) -> None:
    if no_color:
        variables.setenv("NO_COLOR", "1")
    terminal = Terminal()
    history = model().fit(data(), 2, batch_size=8, callbacks=[Progress(terminal)])
    written = terminal.getvalue()
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written)
    assert "\x1b[2K" in written  # a line is drawn anew
    assert text.count("Epoch 1/2: loss = ") == 1 == text.count("Epoch 2/2: loss = ")
    assert "epoch 2/2" in text and "3/3" in text and f"{history.history['loss'][1]:.4f}" in text
    assert (re.search(r"\x1b\[[0-9;]*3[0-9]", written) is None) is no_color
    assert written.endswith("\x1b[?25h") or "\x1b[?25h" in written  # the cursor is back


def test_a_resumed_epoch_and_an_early_end(variables: pytest.MonkeyPatch, tmp_path: Path) -> None:
    saving = SaveCheckpoints(tmp_path, every_epochs=None, every_steps=2)
    model().fit(data(), 1, batch_size=8, callbacks=[saving])
    terminal = Terminal()
    stop = OnEpochEnd(lambda fit, results: fit.stop("enough"))
    history = model().fit(
        data(), 5, batch_size=8, callbacks=[Progress(terminal), stop], resume=tmp_path
    )
    assert history.epochs == 1 and "Stopped: enough" in terminal.getvalue()


def test_a_failure_gives_the_cursor_back(variables: pytest.MonkeyPatch) -> None:
    terminal = Terminal()

    def fail(fit: Fit, results: dict[str, float]) -> None:
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        model().fit(data(), 2, callbacks=[Progress(terminal), OnEpochEnd(fail)])
    assert "\x1b[?25h" in terminal.getvalue()


def test_a_function_after_epochs_sees_and_adds() -> None:
    seen: list[tuple[int, float]] = []

    def after(fit: Fit, results: dict[str, float]) -> None:
        seen.append((fit.epoch, results["loss"]))
        results["epoch_squared"] = fit.epoch**2

    history = model().fit(data(), 3, callbacks=[OnEpochEnd(after)])
    assert seen == list(enumerate(history.history["loss"], start=1))
    assert history.history["epoch_squared"] == [1.0, 4.0, 9.0]
    with pytest.raises(OperandError, match="function is 3"):
        OnEpochEnd(3)  # type: ignore[arg-type]
