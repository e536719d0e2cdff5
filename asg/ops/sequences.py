"""Losses of sequences: connectionist temporal classification (CTC)."""

from __future__ import annotations

from typing import Any, ClassVar

from asg.core.convert import as_tensor
from asg.core.dtype import int32
from asg.core.errors import OperandError
from asg.core.op import Op
from asg.core.registry import public
from asg.core.tensor import Tensor
from asg.core.types import TensorType, TypeProblem
from asg.ops.compare import equal, isinf, less, logical_and, not_equal
from asg.ops.elementwise import logaddexp, maximum, minimum, where
from asg.ops.index import take, take_along_axis
from asg.ops.join import pad, stack
from asg.ops.leaf import full, iota
from asg.ops.loops import scan
from asg.ops.loss_parts import Reduction, reduced, require_exact_shape
from asg.ops.operand import respelled, widened
from asg.ops.scans import cumsum
from asg.ops.shape import expand_dims, reshape, squeeze

_NEVER = float("-inf")
_OUTSIDE = 2**31 - 1


class CtcLoss(Op):
    """``y = -log P(target)``: P sums over all ways to spell the target with blanks and repeats.

    Operands: logarithms of probabilities [T, N, C], targets [N, S], how many steps of each example
    count, and how many targets. Infinite where the target does not fit into the steps, NaN for a
    target that is no class.
    """

    blank: int = 0
    category: ClassVar[str] = "loss"

    def infer(
        self, x: TensorType, target: TensorType, steps: TensorType, lengths: TensorType
    ) -> TensorType:
        x.require_float().require_ndim(3)
        target.require_integer("target").require_ndim(2, "target")
        for name, each in (("steps", steps), ("lengths", lengths)):
            each.require_integer(name)
            require_exact_shape(name, each, x.shape[1:2], "one number for each example")
        require_exact_shape(
            "target", target, (x.shape[1], target.shape[1]), "a row of classes for each example"
        )
        classes = x.shape[2]
        if type(self.blank) is not int or self.blank < 0 or (
            isinstance(classes, int) and self.blank >= classes
        ):  # fmt: skip
            raise TypeProblem(f"blank is {self.blank!r}", f"0 <= blank < {classes}", OperandError)
        return x.with_shape(x.shape[1:2])

    def decompose(self, x: Tensor, target: Tensor, steps: Tensor, lengths: Tensor) -> Tensor:
        wide, examples = widened(x), x.shape[1:2]
        label = respelled(target, (*examples, target.shape[1])).astype(int32)
        steps, lengths = (respelled(each, examples).astype(int32) for each in (steps, lengths))
        counts = less(iota(label.shape, 1), expand_dims(lengths, 1))
        # No padding is read; a negative target would count from the end, so it names no class.
        label = where(counts, where(less(label, 0), _OUTSIDE, label), self.blank)
        spelling = self._spelling(label)
        first = full(spelling.shape, _NEVER, wide.dtype)
        score, _ = scan(self._step(spelling, steps), first, (iota(x.shape[:1]), wide))
        end = expand_dims(lengths * 2, 1)
        last = take_along_axis(score, end, 1)
        before = take_along_axis(score, maximum(end - 1, 0), 1)
        before = where(equal(end, 0), _NEVER, before)
        nothing = logical_and(equal(steps, 0), equal(lengths, 0))
        total = where(nothing, 0.0, squeeze(logaddexp(last, before), 1))
        return -total.astype(x.dtype)

    def _spelling(self, label: Tensor) -> Tensor:
        """Blank, target, blank, target, ..., blank."""
        blanks = full(label.shape, self.blank, int32)
        pairs = reshape(stack([blanks, label], 2), (label.shape[0], label.shape[1] * 2))
        return pad(pairs, ((0, 0), (0, 1)), self.blank)

    def _step(self, spelling: Tensor, steps: Tensor) -> Any:
        """The scores of all places of the spelling after one more step."""
        size = spelling.shape[1]
        places = iota(spelling.shape, 1)
        back = pad(spelling, ((0, 0), (2, 0)), self.blank)[:, :size]
        # A blank may be left out between two targets that differ.
        skips = logical_and(not_equal(spelling, self.blank), not_equal(spelling, back))
        starts = less(places, 2)

        def step(score: Tensor, given: tuple[Tensor, Tensor]) -> tuple[Tensor, None]:
            time, log_probability = given
            moved = pad(score, ((0, 0), (1, 0)), _NEVER)[:, :size]
            jumped = where(skips, pad(score, ((0, 0), (2, 0)), _NEVER)[:, :size], _NEVER)
            total = logaddexp(logaddexp(score, moved), jumped)
            total = where(equal(time, 0), where(starts, 0.0, _NEVER).astype(score.dtype), total)
            after = total + take_along_axis(log_probability, spelling, 1)
            return where(expand_dims(less(time, steps), 1), after, score), None

        return step


@public
def ctc_loss(
    log_probs: Any,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    *,
    reduction: Reduction = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """``-log P(target)``, P summed over all ways to spell the target with blanks and repeats.

    Args:
        log_probs: floating logarithms of probabilities, such as `log_softmax` gives, [T, N, C],
            or [T, C] for a single example.
        targets: class indices, [N, S], padded with anything ([S] for a single example); or [sum
            of the lengths], one after the other. One that is no class gives NaN.
        input_lengths: how many of the T steps count for each example, integers [N] (or []).
        target_lengths: how many of the targets count, integers [N] (or []).
        blank: the class of the blank.
        reduction: ``"mean"`` divides each loss by the length of its target (at least 1) and takes
            the mean of examples, as in PyTorch; ``"sum"``; ``"none"``.
        zero_infinity: losses that are infinite, and their gradients, become 0.

    The gradient is that by ``log_probs`` itself. (PyTorch's already contains that of log_softmax;
    by logits the two are equal.)

    Raises:
        ShapeError: the shapes are not the above.

    Source: Graves et al. (2006), https://doi.org/10.1145/1143844.1143891.

    >>> import asg
    >>> x = asg.log_softmax(asg.zeros((2, 1, 2)))
    >>> loss = asg.ctc_loss(x, [[1]], [2], [1], reduction="sum")
    >>> round(float(asg.run(loss)), 4)  # three of four ways spell "1"
    0.2877
    """
    x, target = as_tensor(log_probs), as_tensor(targets)
    steps, lengths = as_tensor(input_lengths), as_tensor(target_lengths)
    single = x.ndim == 2
    if single:
        target.type.require_ndim(1, "targets")
        x, target = expand_dims(x, 1), expand_dims(target, 0)
        steps, lengths = reshape(steps, (1,)), reshape(lengths, (1,))
    elif target.ndim == 1:
        target = _rows(target, lengths)
    losses = CtcLoss(blank)(x, target, steps, lengths)
    losses = squeeze(losses, 0) if single else losses
    lengths = squeeze(lengths, 0) if single else lengths
    if zero_infinity:
        losses = where(isinf(losses), 0.0, losses)
    if reduction == "mean":
        losses = losses / maximum(lengths, 1).astype(losses.dtype)
    return reduced(losses, reduction)


def _rows(target: Tensor, lengths: Tensor) -> Tensor:
    """Targets one after the other as a row for each example, as long as all of them together."""
    total = target.shape[0]
    starts = expand_dims(cumsum(lengths.astype(int32), 0) - lengths.astype(int32), 1)
    places = minimum(starts + iota((lengths.shape[0], total), 1), total - 1)
    return take(target, places, 0)
