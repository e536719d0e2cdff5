"""The names of the Array API 2024.12 that are complete here; conj, imag and real are of complex."""

import asg

ELEMENTWISE = """
    abs acos acosh add asin asinh atan atan2 atanh bitwise_and bitwise_left_shift bitwise_invert
    bitwise_or bitwise_right_shift bitwise_xor ceil clip copysign cos cosh divide equal exp expm1
    floor floor_divide greater greater_equal hypot isfinite isinf isnan less less_equal log log1p
    log2 log10 logaddexp logical_and logical_not logical_or logical_xor maximum minimum multiply
    negative nextafter not_equal positive pow reciprocal remainder round sign signbit sin sinh
    square sqrt subtract tan tanh trunc
"""
STATISTICAL = "cumulative_prod cumulative_sum max mean min prod std sum var"
SORTING_AND_SEARCHING = "argsort sort argmax argmin count_nonzero nonzero searchsorted where"
UTILITY = "all any diff"


def test_every_function_of_these_groups_exists() -> None:
    wanted = (ELEMENTWISE + " ".join(["", STATISTICAL, SORTING_AND_SEARCHING, UTILITY])).split()
    assert [name for name in wanted if name not in asg.ops.__all__] == []
