"""Write sequences backwards: a GRU reads, a GRU with attention writes. Prints what it wrote.

    python examples/reverse.py --length 10 --epochs 20 --backend jax

The network is taught with the right answers so far ("teacher forcing"); when it is used, its own
answers take their place, one symbol after the other. The share of sequences that are right from
beginning to end is of that.
"""

import argparse

import numpy as np

import asg
from asg import data, nn, optim
from asg.train.callbacks import Progress

START, SYMBOLS = 0, 8  # symbols are 1...8


def examples(count: int, length: int, seed: int) -> dict[str, np.ndarray]:
    """What is read, what was written so far (one late, after START), and what is to be written."""
    drawn = data.load("reverse", count=count, length=length, vocabulary=SYMBOLS, seed=seed)
    source, target = (array + 1 for array in drawn.arrays.values())
    before = np.concatenate([np.full((count, 1), START, np.int32), target[:, :-1]], axis=1)
    return {"source": source, "written": before, "target": target}


def answers(model: asg.Model, source: np.ndarray) -> np.ndarray:
    """The most likely symbol, again and again."""
    count, length = source.shape
    written = np.full((count, length + 1), START, np.int32)
    for place in range(length):
        logits = model.predict(source, written[:, :-1])
        written[:, place + 1] = logits[:, place].argmax(axis=-1)
    return written[:, 1:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", default="numpy", choices=["numpy", "jax"])
    parser.add_argument("--length", type=int, default=6)
    parser.add_argument("--epochs", type=int, default=8)
    arguments = parser.parse_args()

    net = nn.models.AttentionSeq2Seq(SYMBOLS + 1, SYMBOLS + 1, hidden_size=48, dropout=0.0)
    model = asg.Model(
        net,
        loss=lambda logits, target: asg.cross_entropy(logits, target, axis=-1),
        optimizer=optim.adam(5e-3),
        backend=arguments.backend,
    )
    train = examples(2000, arguments.length, seed=0)
    model.fit(train, arguments.epochs, batch_size=64, callbacks=[Progress()])

    unseen = examples(200, arguments.length, seed=1)
    found = answers(model, unseen["source"])
    right = (found == unseen["target"]).all(axis=1)
    print(f"unseen sequences written backwards without a mistake: {right.mean():.1%}")
    for read, wrote in zip(unseen["source"][:3], found, strict=False):
        print(f"{' '.join(map(str, read))} -> {' '.join(map(str, wrote))}")


if __name__ == "__main__":
    main()
