"""A variational autoencoder of handwritten digits: its bound, and digits it makes up.

    python examples/vae_digits.py --epochs 60 --backend jax

Needs the digits of scikit-learn: pip install 'asg-compiler[data]'.
"""

import argparse

import numpy as np

import asg
from asg import data, nn, optim
from asg.train.callbacks import OnEpochEnd

SHADES = " .:-=+*#%@"


def drawn(images: np.ndarray) -> str:
    """Images [count, 64] in [0, 1] side by side, as characters."""
    levels = np.clip(images * len(SHADES), 0, len(SHADES) - 1).astype(int).reshape(-1, 8, 8)
    rows = ["   ".join("".join(SHADES[v] * 2 for v in image[y]) for image in levels)
            for y in range(8)]  # fmt: skip
    return "\n".join(row.rstrip() for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", default="numpy", choices=["numpy", "jax"])
    parser.add_argument("--epochs", type=int, default=30)
    arguments = parser.parse_args()

    train, test = (part[:]["images"] for part in data.load("digits").split(0.8, seed=0))
    net = nn.models.VAE(64, hidden_features=128, code_features=8)
    model = asg.Model(net, nn.models.vae_loss, optim.adam(3e-3), backend=arguments.backend)

    def tell(fit: asg.train.Fit, results: dict[str, float]) -> None:
        if fit.epoch % max(1, arguments.epochs // 5) == 0:
            print(f"epoch {fit.epoch}: bound -{results['loss']:.2f} nats per digit")

    model.fit((train, train), arguments.epochs, batch_size=64, callbacks=[OnEpochEnd(tell)])
    unseen = model.evaluate((test, test))["loss"]
    print(f"on digits it has not seen, with the mean of each code: -{unseen:.2f} nats")

    logits, _, _ = model.predict(test[:4])
    print(f"four digits, and what is left of them after 8 numbers each:\n{drawn(test[:4])}\n")
    print(drawn(1.0 / (1.0 + np.exp(-logits))))

    with asg.training_mode(False):  # the decoder alone, on the weights of the model
        codes = asg.input("codes", ("count", 8))
        made = asg.Graph(images=asg.sigmoid(net.decode(codes)))
    decoder = model.training.attach(asg.compile(made, arguments.backend))
    dreams = decoder(codes=np.random.default_rng(2).normal(size=(4, 8)).astype(np.float32))
    print(f"\nfour that nobody wrote:\n{drawn(np.asarray(dreams['images']))}")


if __name__ == "__main__":
    main()
