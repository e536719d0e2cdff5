"""Handwritten digits by a network of 64-64-10: loss and accuracy of each epoch, then of the test.

    python examples/digits_mlp.py --epochs 30 --backend jax

Needs the digits of scikit-learn: pip install 'asg-compiler[data]'.
"""

import argparse

import asg
from asg import data, nn, optim
from asg.train.callbacks import Progress

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--backend", default="numpy", choices=["numpy", "jax"])
parser.add_argument("--epochs", type=int, default=12)
arguments = parser.parse_args()

train, test = data.load("digits").split(0.8, seed=0, stratify="labels")
model = asg.Model(
    nn.models.MLP(64, (64, 10)),
    loss="cross_entropy",
    optimizer=optim.adam(3e-3),
    metrics=["accuracy"],
    backend=arguments.backend,
)
model.fit(train, arguments.epochs, batch_size=64, callbacks=[Progress()])
print(model.summary())
print(f"accuracy on {len(test)} digits it has not seen: {model.evaluate(test)['accuracy']:.4f}")
