"""Training from a configuration: what `asg train` runs."""
