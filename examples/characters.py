"""A language model of characters, by an LSTM or a small GPT: perplexity, and a text it writes.

    python examples/characters.py --net gpt
    python examples/characters.py --text input.txt --net gpt --size 256 --epochs 10 --backend jax

Without ``--text`` it learns sentences of a little grammar. Each is drawn by three choices among
four and has 30.75 characters on average, so that no model gets below 4^(3/30.75) = 1.145.
"""

import argparse

import numpy as np

import asg
from asg import data, nn, optim
from asg.train.callbacks import Progress

WHO, DOES, WHAT = (
    ["the cat", "the old dog", "a small bird", "my friend"],
    ["sees", "likes", "looks for", "runs to"],
    ["the house", "a red ball", "the green tree", "some water"],
)
BEGINNING = 16  # characters that it goes on with


def sentences(count: int) -> str:
    """As many sentences, by chance."""
    random = np.random.default_rng(0)
    parts = (random.choice(words, count) for words in (WHO, DOES, WHAT))
    return "".join(f"{who} {does} {what}. " for who, does, what in zip(*parts, strict=True))


def network(kind: str, vocabulary: int, length: int, size: int) -> nn.Module:
    """Tokens [batch, length] to logits [batch, length, vocabulary]."""
    if kind == "lstm":
        return nn.models.LSTMLanguageModel(vocabulary, size, size, num_layers=1, dropout=0.0)
    config = nn.models.GPTConfig(
        vocab_size=vocabulary, n_positions=length, n_embd=size, n_layer=2, n_head=4,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
    )  # fmt: skip
    return nn.models.GPT(config)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--text", help="a file to learn instead of the bundled grammar")
    parser.add_argument("--net", default="lstm", choices=["lstm", "gpt"])
    parser.add_argument("--size", type=int, default=64, help="features of a character")
    parser.add_argument("--length", type=int, default=64, help="characters of a window")
    parser.add_argument("--backend", default="numpy", choices=["numpy", "jax"])
    parser.add_argument("--epochs", type=int, default=3)
    arguments = parser.parse_args()

    if arguments.text:
        text = data.read_text(arguments.text)
        tokens, tokenizer = text.arrays["tokens"], text.tokenizer
    else:
        tokenizer = data.CharacterTokenizer.of(sentences(2000))
        tokens = tokenizer.encode(sentences(2000))
    border = len(tokens) * 9 // 10
    train, test = (
        data.text_windows(part, arguments.length, stride=arguments.length // 2)
        for part in (tokens[:border], tokens[border:])
    )
    model = asg.Model(
        network(arguments.net, tokenizer.size, arguments.length, arguments.size),
        loss=lambda logits, target: asg.cross_entropy(logits, target, axis=-1),
        optimizer=optim.chain(optim.clip_by_global_norm(1.0), optim.adamw(3e-3)),
        backend=arguments.backend,
    )
    model.fit(train, arguments.epochs, batch_size=16, validation_data=test, callbacks=[Progress()])
    perplexity = np.exp(model.evaluate(test)["loss"])
    print(f"perplexity on unseen text: {perplexity:.3f} of {tokenizer.size} characters")
    start = tokens[border : border + BEGINNING]
    count = arguments.length - BEGINNING  # a GPT knows no later positions
    whole = asg.generate(model, start, count, temperature=1.0, seed=1)
    print(f"{tokenizer.decode(start)}|{tokenizer.decode(whole[BEGINNING:])}")


if __name__ == "__main__":
    main()
