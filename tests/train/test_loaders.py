"""Training on loaders that change their batches: the step is built for what they give."""

import numpy as np

import asg
from asg import data, nn, optim


def test_a_model_takes_batches_as_the_loader_changes_them() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (60, 1, 4, 4), np.uint8)
    labels = (pixels.mean((1, 2, 3)) > 127).astype(np.int32)
    chain = data.compose(
        data.to_float("images"),
        data.normalize("images", 0.5, 0.08),
        data.random_crop("images", padding=1),
        data.random_horizontal_flip("images"),
        data.flatten("images"),
    )
    examples = data.Dataset({"images": pixels, "labels": labels})
    loaders = [data.DataLoader(examples, 20, True, transform=chain, prefetch=n) for n in (0, 2)]
    histories = []
    for loader in loaders:
        model = asg.Model(nn.Linear(16, 2), loss="cross_entropy", optimizer=optim.adam(0.05))
        histories.append(model.fit(loader, epochs=15))
    first, second = (history.history["loss"] for history in histories)
    assert first == second
    assert first[-1] < 0.8 * first[0]
