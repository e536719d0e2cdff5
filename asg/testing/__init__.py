"""Tools for testing ops, rules and backends: samples, the op contract, numeric oracles."""

from asg.testing.op_contract import check_op as check_op
from asg.testing.parity import assert_parity as assert_parity
from asg.testing.sample import SAMPLES as SAMPLES
from asg.testing.sample import Sample as Sample
from asg.testing.sample import register_samples as register_samples
