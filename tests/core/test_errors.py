"""Every error class tells cause and cure, and is caught by the root class."""

import builtins
import inspect

import pytest

from asg.core import errors

CLASSES = [
    each
    for _, each in inspect.getmembers(errors, inspect.isclass)
    if each.__module__ == errors.__name__
]


def test_the_list_is_found() -> None:
    assert len(CLASSES) >= 15


@pytest.mark.parametrize("each", CLASSES)
def test_every_error_is_an_asg_error_with_a_docstring(each: type[Exception]) -> None:
    assert issubclass(each, errors.AsgError)
    assert len(inspect.getdoc(each) or "") > 40


@pytest.mark.parametrize("each", [each for each in CLASSES if each is not errors.AsgError])
def test_every_error_is_also_the_builtin_a_reader_expects(each: type[Exception]) -> None:
    bases = {base for base in each.__mro__ if base.__module__ == builtins.__name__}
    assert bases - {object, BaseException, Exception}
