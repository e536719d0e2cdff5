"""Do sentences praise? A small transformer learns "not" and "but", which counting words cannot.

    python examples/text_classification.py --epochs 10 --backend jax

Sentences are made by chance ("the soup is not good but the staff is kind"); what counts is the
part behind the "but", and "not" turns a word around. Prints the accuracy on unseen sentences, that
of a classifier which only counts words, and three answers.
"""

import argparse

import numpy as np

import asg
from asg import data, nn, optim
from asg.train.callbacks import Progress

GOOD, BAD = ["good", "kind", "great", "fresh"], ["bad", "rude", "awful", "stale"]
THINGS = ["soup", "staff", "place", "bread"]
WORDS = ["(padding)", "the", "is", "not", "but", *THINGS, *GOOD, *BAD]


def clause(random: np.random.Generator) -> tuple[str, bool]:
    """A statement, and whether it praises."""
    thing, turned, praise = random.choice(THINGS), random.random() < 0.5, random.random() < 0.5
    word = random.choice(GOOD if praise else BAD)
    return f"the {thing} is {'not ' if turned else ''}{word}", praise != turned


def sentences(count: int, seed: int) -> tuple[list[str], np.ndarray]:
    """Sentences of one or two clauses, and 1 where the last one praises."""
    random, texts, labels = np.random.default_rng(seed), [], []
    for _ in range(count):
        parts = [clause(random) for _ in range(random.integers(1, 3))]
        texts.append(" but ".join(text for text, _ in parts))
        labels.append(parts[-1][1])
    return texts, np.array(labels, np.int32)


def encoded(texts: list[str], length: int = 11) -> np.ndarray:
    """The numbers of the words, 0 behind the end."""
    tokens = np.zeros((len(texts), length), np.int32)
    for row, text in zip(tokens, texts, strict=True):
        found = [WORDS.index(word) for word in text.split()]
        row[: len(found)] = found
    return tokens


def counts(tokens: np.ndarray) -> np.ndarray:
    """How often each word is in each sentence."""
    found: np.ndarray = np.eye(len(WORDS), dtype=np.float32)[tokens].sum(axis=1)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", default="numpy", choices=["numpy", "jax"])
    parser.add_argument("--epochs", type=int, default=5)
    arguments = parser.parse_args()

    texts, labels = sentences(2000, seed=0)
    unseen, truth = sentences(500, seed=1)
    net = nn.models.TransformerClassifier(
        len(WORDS), 2, d_model=32, nhead=4, num_layers=2, dim_feedforward=64, dropout=0.0,
        norm_first=True, padding_idx=0,
    )  # fmt: skip
    options = {"loss": "cross_entropy", "metrics": ["accuracy"], "backend": arguments.backend}
    model = asg.Model(net, optimizer=optim.adam(3e-3), **options)
    train = data.Dataset({"tokens": encoded(texts), "labels": labels})
    model.fit(train, arguments.epochs, batch_size=64, callbacks=[Progress()])
    found = model.evaluate((encoded(unseen), truth))
    print(f"accuracy on unseen sentences: {found['accuracy']:.3f}")

    counting = asg.Model(nn.Linear(len(WORDS), 2), optimizer=optim.adam(3e-2), **options)
    counting.fit((counts(encoded(texts)), labels), epochs=10, batch_size=64)
    found = counting.evaluate((counts(encoded(unseen)), truth))
    print(f"by counting words: {found['accuracy']:.3f}")
    for text, answer in zip(unseen[:3], model.predict(encoded(unseen[:3])), strict=True):
        print(f"{'praise' if answer.argmax() else 'blame '}: {text}")


if __name__ == "__main__":
    main()
