"""Variables and the training step."""
