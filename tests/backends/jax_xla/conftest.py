"""Every test of this folder may use the ops of `programs`."""

from collections.abc import Iterator

import pytest

from tests.backends.jax_xla.programs import TEST_KERNELS, kernels


@pytest.fixture(autouse=True)
def _kernels_of_test_ops() -> Iterator[None]:
    with kernels(TEST_KERNELS):
        yield
