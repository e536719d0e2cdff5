"""What an op class gets from its declaration, and how an op is applied."""

import re
from collections.abc import Iterator
from dataclasses import FrozenInstanceError, replace
from typing import Any, ClassVar

import pytest

import asg
from asg.core.errors import DtypeError, OperandError, ShapeError
from asg.core.op import Op
from asg.core.registry import OPS, op_class
from asg.core.tensor import Tensor
from asg.core.types import TensorType, TypeProblem, broadcast_types, require_equal, take_checks


@pytest.fixture(autouse=True)
def ops_as_before() -> Iterator[None]:
    before = dict(OPS)
    yield
    OPS.clear()
    OPS.update(before)


def scale_class() -> Any:
    class ScaleForTest(Op):
        """factor * x."""

        factor: float = 2.0
        axes: tuple[int, ...] = ()

        def infer(self, x: TensorType) -> TensorType:
            return x.require_float("x")

    return ScaleForTest


def test_a_declaration_gives_name_fields_and_operands() -> None:
    scale = scale_class()
    assert scale.name == "scale_for_test"
    assert op_class("scale_for_test") == scale
    assert scale.operands == ("x",)
    assert not scale.variadic
    assert scale(3.0).attributes() == {"factor": 3.0, "axes": ()}
    assert repr(scale(3.0)) == "scale_for_test(factor=3.0, axes=())"
    assert not scale.has_decomposition()
    assert not scale.has_vjp()


def test_ops_are_values() -> None:
    scale = scale_class()
    assert scale(3.0) == scale(3.0)
    assert hash(scale(3.0)) == hash(scale(3.0))
    assert scale(3.0) != scale(4.0)
    assert replace(scale(3.0), factor=4.0) == scale(4.0)
    with pytest.raises(FrozenInstanceError):
        scale(3.0).factor = 4.0


@pytest.mark.parametrize(
    ("values", "named", "told"),
    [
        ((1.0, (), 3), {}, "has 2 attributes, 3 values given"),
        ((1.0,), {"factor": 2.0}, "is given 'factor' twice"),
        ((1.0,), {"axis": 2}, "has no attribute 'axis', but factor, axes"),
        ((), {"axes": (1,), "axis": 2}, "has no attribute 'axis', but factor, axes"),
    ],
)
def test_attributes_that_do_not_fit(
    values: tuple[Any, ...], named: dict[str, Any], told: str
) -> None:
    with pytest.raises(TypeError, match=told):
        scale_class()(*values, **named)


def test_an_attribute_without_default_is_asked_for() -> None:
    with pytest.raises(TypeError, match="Input needs a value for dtype, shape"):
        op_class("input")("x")
    with pytest.raises(TypeError, match=r"Input needs a value for dtype$"):
        op_class("input")("x", shape=())


def test_attributes_by_place_and_by_name() -> None:
    scale = scale_class()
    assert scale(3.0, (1,)) == scale(axes=(1,), factor=3.0) == scale(3.0, axes=(1,))
    with pytest.raises(FrozenInstanceError):
        del scale(3.0).factor


def test_an_abstract_class_is_not_registered() -> None:
    class FamilyForTest(Op, abstract=True):
        category: ClassVar[str] = "reduce"

    class MemberForTest(FamilyForTest):
        """x."""

        def infer(self, x: TensorType) -> TensorType:
            return x

    assert "family_for_test" not in OPS
    assert OPS["member_for_test"] is MemberForTest
    assert MemberForTest.category == "reduce"


def test_a_subclass_gets_its_own_name() -> None:
    class SpecialForTest(scale_class()):  # type: ignore[misc]
        """Another."""

    assert SpecialForTest.name == "special_for_test"
    assert OPS["scale_for_test"].name == "scale_for_test"


def test_two_classes_of_one_name_are_refused() -> None:
    scale_class()
    with pytest.raises(OperandError, match="two ops are named 'scale_for_test'"):

        class Other(Op):
            name: ClassVar[str] = "scale_for_test"

            def infer(self, x: TensorType) -> TensorType:
                return x


def test_an_unknown_category_is_refused() -> None:
    with pytest.raises(OperandError, match="category 'magic'"):

        class Wrong(Op):
            category: ClassVar[str] = "magic"

            def infer(self, x: TensorType) -> TensorType:
                return x


def test_the_number_of_operands_is_checked() -> None:
    scale = scale_class()
    with pytest.raises(OperandError, match=r"scale_for_test takes 1 operands \(x\), 2 given"):
        scale()(1.0, 2.0)


def test_variadic_ops_take_any_number() -> None:
    class CountForTest(Op):
        """First of many."""

        def infer(self, first: TensorType, *rest: TensorType) -> TensorType:
            return first

    assert CountForTest.variadic
    x = asg.input("x", (2,))
    assert len(CountForTest()(x, x, x).node.inputs) == 3
    assert CountForTest().operand_name(0) == "first"
    assert CountForTest().operand_name(2) == "operand 2"


def test_several_outputs() -> None:
    class PairForTest(Op):
        """x and its rows."""

        def infer(self, x: TensorType) -> tuple[TensorType, TensorType]:
            return x, x.with_shape(x.shape[:1])

    x = asg.input("x", (2, 3))
    outputs = PairForTest().apply(x)
    assert [output.shape for output in outputs] == [(2, 3), (2,)]
    assert [output.index for output in outputs] == [0, 1]
    assert outputs[0].node is outputs[1].node
    with pytest.raises(OperandError, match="has 2 outputs"):
        PairForTest()(x)


def test_a_type_problem_names_op_operands_lines_and_repair() -> None:
    class NarrowForTest(Op):
        """x."""

        def infer(self, left: TensorType, right: TensorType) -> TensorType:
            raise TypeProblem("too wide", "slice it", ShapeError, (left.shape[0],))

    x, y = asg.input("x", ("n", 2)), asg.input("y", (3, 2))
    with pytest.raises(ShapeError) as caught:
        NarrowForTest()(x * 2.0, y)
    lines = str(caught.value).splitlines()
    assert lines[0] == "narrow_for_test: too wide"
    assert lines[1].startswith("  left: f32[n, 2]  made by multiply at ")
    assert lines[2].startswith("  right: f32[3, 2]  input 'y' at ")
    assert lines[3].startswith("  n is axis 0 of multiply")
    assert "axis 0 of input 'x'" in lines[3]
    assert "test_op.py" in lines[4]
    assert lines[5] == "  repair: slice it"


def test_the_error_class_is_the_one_of_the_problem() -> None:
    with pytest.raises(DtypeError, match="scale_for_test: x is int32"):
        scale_class()()(asg.input("x", (2,), "int32"))


def test_checks_of_infer_stay_with_the_node_and_leak_nowhere() -> None:
    class JoinForTest(Op):
        """x, y."""

        fail: bool = False

        def infer(self, x: TensorType, y: TensorType) -> TensorType:
            require_equal(x.shape[0], y.shape[0], "rows differ")
            if self.fail:
                raise TypeProblem("no")
            return x

    x, y = asg.input("x", ("n",)), asg.input("y", ("m",))
    (check,) = JoinForTest()(x, y).node.checks
    assert (str(check.left), check.relation, str(check.right)) == ("n", "==", "m")
    assert re.fullmatch(r"join_for_test at \S*test_op.py:\d+", check.place)
    assert check == replace(check, place="elsewhere")
    with pytest.raises(ShapeError):
        JoinForTest(True)(x, y)
    assert take_checks() == ()
    assert JoinForTest()(x, x).node.checks == ()


def test_promotion_covers_the_slice_only() -> None:
    class PickForTest(Op):
        """Second and third operand get one dtype."""

        promotes: ClassVar[slice | None] = slice(1, None)

        def infer(self, c: TensorType, x: TensorType, y: TensorType) -> TensorType:
            c.require_bool("c")
            return broadcast_types(x, y)

    condition = asg.input("c", (2,), "bool")
    made = PickForTest()(condition, asg.input("x", (2,), "int8"), asg.input("y", (2,), "float32"))
    assert [each.dtype.name for each in made.node.inputs] == ["bool", "float32", "float32"]
    assert made.node.inputs[0] is condition
    weak = PickForTest()(condition, 1, asg.input("y", (2,), "int8"))
    assert weak.node.inputs[1].dtype.name == "int8"


def test_the_default_cost_is_one_per_output_element() -> None:
    scale = scale_class()
    described = TensorType.of("float32", ("n", 3))
    assert scale().flops((described,), (described,)) == described.size


def test_missing_rules_say_so() -> None:
    scale = scale_class()
    x = asg.input("x", (2,))
    with pytest.raises(NotImplementedError, match="is a primitive"):
        scale().decompose(x)
    with pytest.raises(NotImplementedError, match="has no gradient rule"):
        scale().vjp((x,), (x,), (x,))


def test_a_pattern_operand_builds_a_pattern_instead_of_a_node() -> None:
    class Hole:
        def __asg_pattern__(self, op: Op, operands: tuple[Any, ...]) -> Any:
            return ("pattern", op, operands)

    hole = Hole()
    scale = scale_class()
    built: Any = scale()(hole)
    assert built == ("pattern", scale(), (hole,))
    assert not isinstance(built, Tensor)
