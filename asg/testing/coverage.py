"""The coverage matrix docs/ops.md, made from the registry and the samples; nothing is typed in.

``python -m asg.testing.coverage docs/ops.md`` writes it; a test fails when it is stale.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from asg.compiler.loader import load_backend
from asg.core.dtype import DTYPES, DType
from asg.core.errors import AsgError
from asg.core.op import CATEGORIES, Op
from asg.core.registry import OPS
from asg.core.types import TensorType, take_checks
from asg.testing import samples as samples  # registers them
from asg.testing.applied import apply_sample, apply_symbolic
from asg.testing.sample import SAMPLES, Sample

BACKENDS = ("numpy", "jax")
HEADER = (
    "op", "operands", "kind", "dtypes", "symbolic", "derivatives", *BACKENDS, "operations of",
)  # fmt: skip

PREFACE = """# Ops

Every op of asg, made from registry and samples by `python -m asg.testing.coverage docs/ops.md`
(a test fails when this page is stale). The contract test holds each row to an independent oracle.

- **kind**: a primitive has a kernel on every backend (a few are refused by one, which then says
  what to do instead); a composite is a formula over other ops, and its name stays in the graph
  until a backend lacks it; a few are settled, replaced by a formula for the numbers, as soon as
  sizes are numbers.
- **dtypes**: accepted for the first operand that is not fixed to one dtype.
- **symbolic**: sizes may be symbols.
- **derivatives**: the order checked against finite differences; "-" where no gradient exists.
- **operations of**: the cost formula of a sample, in its (symbolic) sizes.
"""


def matrix() -> str:
    """The page as Markdown."""
    parts = [PREFACE]
    for category in CATEGORIES:
        chosen = [op for op in OPS.values() if op.category == category and op in SAMPLES]
        if chosen:
            rows = [_row(op) for op in sorted(chosen, key=lambda op: op.name)]
            parts.append(f"## {category} ({len(rows)})\n\n{_table(rows)}")
    total = sum(op in SAMPLES for op in OPS.values())
    composites = sum(op.has_decomposition() for op in OPS.values() if op in SAMPLES)
    parts.insert(1, f"{total} ops: {total - composites} primitives, {composites} composites.\n")
    return "\n".join(parts)


def _table(rows: Iterable[Sequence[str]]) -> str:
    lines = [HEADER, ["---"] * len(HEADER), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _row(op_class: type[Op]) -> list[str]:
    listed = SAMPLES[op_class]
    best = next((s for s in listed if s.symbolic is not None), listed[0])
    return [
        f"`{op_class.name}`",
        ", ".join((*op_class.operands, *(["..."] if op_class.variadic else []))) or "-",
        "composite" if op_class.has_decomposition() else "primitive",
        _dtypes(listed[0]),
        "yes" if any(s.symbolic is not None for s in listed) else "no",
        _derivatives(listed),
        *(_on(backend, op_class, listed[0]) for backend in BACKENDS),
        _cost(best),
    ]


def _derivatives(listed: Sequence[Sample]) -> str:
    orders = [sample.order for sample in listed if sample.differentiated]
    return {0: "-", 1: "1st", 2: "1st, 2nd"}[max(orders, default=0)]


def _on(backend: str, op_class: type[Op], sample: Sample) -> str:
    if op_class.is_placeholder or op_class.settles():
        return "argument" if op_class.is_placeholder else "settled"
    types = tuple(tensor.type for tensor in apply_sample(sample).inputs)
    if load_backend(backend).supports(sample.op, types):
        return "kernel"
    return "decomposed" if op_class.has_decomposition() else "refused"


def _cost(sample: Sample) -> str:
    applied = apply_sample(sample) if sample.symbolic is None else apply_symbolic(sample)
    inputs = tuple(tensor.type for tensor in applied.inputs)
    flops = applied.op.flops(inputs, tuple(output.type for output in applied.outputs))
    shapes = " ".join(f"[{', '.join(map(str, each.shape))}]" for each in inputs)
    return f"{shapes or 'nothing'}: {flops}".replace("|", "/")


def _dtypes(sample: Sample) -> str:
    """Short names of the dtypes for which `infer` accepts the sample's operands."""
    types = [tensor.type for tensor in apply_sample(sample).inputs]
    if not types:
        return "any" if "dtype" in sample.op.field_names else "-"
    accepted = [dtype for dtype in DTYPES.values() if _accepts(sample.op, types, dtype)]
    return _compact(accepted)


def _accepts(op: Op, types: Sequence[TensorType], dtype: DType) -> bool:
    """Whether operands of the first one's dtype may all have ``dtype`` instead."""
    first = types[0].dtype
    changed = [each.with_dtype(dtype) if each.dtype is first else each for each in types]
    try:
        op.infer(*changed)
    except AsgError:
        return False
    finally:
        take_checks()
    return True


def _compact(accepted: Sequence[DType]) -> str:
    kinds = {
        kind: [d.short for d in accepted if d.kind == kind]
        for kind in ("float", "int", "uint", "bool")
    }
    sizes = {"float": 4, "int": 4, "uint": 4, "bool": 1}
    words = [
        kind if len(found) == sizes[kind] else " ".join(found)
        for kind, found in kinds.items()
        if found
    ]
    return " ".join(words) or "-"


def main(path: str) -> None:
    """Write the page to ``path``."""
    Path(path).write_text(matrix())


if __name__ == "__main__":
    main(sys.argv[1])
