"""Tools for testing ops, rules and backends: samples, the op contract, numeric oracles."""
