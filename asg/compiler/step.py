"""A step as sessions call it, of programs that take feeds and variables apart or together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from asg.compiler.backend import Executable, SteppingProgram, ordered_slots
from asg.compiler.signature import Signature

Array = Any
Step = Callable[[Sequence[Array], Sequence[Array]], tuple[Sequence[Array], Sequence[Array]]]
"""`SteppingProgram.step`."""


def step_of(program: Executable, signature: Signature) -> Step:
    """The step of a program that takes and gives what its signature says."""
    if isinstance(program, SteppingProgram):
        return program.step
    return StepByCall(program, signature)


class StepByCall:
    """A step of a program that takes all inputs at once."""

    def __init__(self, program: Executable, signature: Signature) -> None:
        """``signature`` is that of the program."""
        self._program, self._signature = program, signature
        self._slots = ordered_slots(signature.state)
        self._stored = {slot.output for slot in self._slots}

    def __call__(
        self, feeds: Sequence[Array], state: Sequence[Array]
    ) -> tuple[Sequence[Array], Sequence[Array]]:
        """Run one step."""
        outputs = self._program(inputs_of(self._signature, feeds, state))
        after = [
            array if slot.output is None else outputs[slot.output]
            for slot, array in zip(self._slots, state, strict=True)
        ]
        return [array for i, array in enumerate(outputs) if i not in self._stored], after


def inputs_of(signature: Signature, feeds: Sequence[Array], state: Sequence[Array]) -> list[Array]:
    """The arrays of all inputs in order, the state being given in the order of `ordered_slots`."""
    slots = ordered_slots(signature.state)
    held = {slot.input: array for slot, array in zip(slots, state, strict=True)}
    fed = iter(feeds)
    return [held[i] if i in held else next(fed) for i in range(len(signature.input_names))]
