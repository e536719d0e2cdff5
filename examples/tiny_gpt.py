"""A GPT of 0.8 million parameters that learns to write like a text, character by character.

    python examples/tiny_gpt.py
    python examples/tiny_gpt.py --text shakespeare.txt --steps 2000 --backend jax

The setting is the small one of nanoGPT: 4 blocks, 4 heads, 128 features, windows of 64 characters,
12 of them a step, AdamW; the learning rate climbs for 100 steps, then falls by a cosine. The last
tenth of the text is kept for testing. Without ``--text`` the text is the source code of asg.
"""

import argparse
from pathlib import Path

import numpy as np

import asg
from asg import data, nn, optim

LENGTH, BATCH, ROUND, WARMUP = 64, 12, 250, 100


def own_source() -> str:
    """The files of asg one after the other."""
    files = sorted(Path(asg.__file__).parent.rglob("*.py"))
    return "".join(file.read_text("utf-8") for file in files)


def network(vocabulary: int) -> nn.Module:
    """Tokens [batch, 64] to logits [batch, 64, vocabulary]; no bias, no dropout."""
    config = nn.models.GPTConfig(
        vocab_size=vocabulary, n_positions=LENGTH, n_embd=128, n_layer=4, n_head=4, bias=False,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
    )  # fmt: skip
    return nn.models.GPT(config)


def optimizer(steps: int) -> optim.Chain:
    """AdamW behind a bound on the norm of all gradients."""
    rate = optim.warmup_cosine(3e-3, min(WARMUP, steps // 2), steps, end=1e-4)
    return optim.chain(
        optim.clip_by_global_norm(1.0), optim.adamw(rate, betas=(0.9, 0.99), weight_decay=0.1)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--text", help="a file to learn instead of the source code of asg")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--backend", default="numpy", choices=["numpy", "jax"])
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    text = Path(arguments.text).read_text("utf-8") if arguments.text else own_source()
    tokenizer = data.CharacterTokenizer.of(text)
    tokens = tokenizer.encode(text)
    border = len(tokens) * 9 // 10
    held_out = data.text_windows(tokens[border:], LENGTH)
    model = asg.Model(
        network(tokenizer.size),
        loss=lambda logits, target: asg.cross_entropy(logits, target, axis=-1),
        optimizer=optimizer(arguments.steps),
        backend=arguments.backend,
        seed=arguments.seed,
    )
    print(model)
    for done in range(0, arguments.steps, ROUND):
        count = BATCH * min(ROUND, arguments.steps - done)
        windows = data.text_windows(tokens[:border], LENGTH, random=count, seed=done)
        loss = model.fit(windows, epochs=1, batch_size=BATCH).history["loss"][-1]
        print(f"{done + count // BATCH} steps: loss = {loss:.4f}, perplexity = {np.exp(loss):.3f}")
    loss = model.evaluate(held_out, batch_size=128)["loss"]
    print(f"unseen text: loss = {loss:.4f}, perplexity = {np.exp(loss):.3f}")
    start = tokens[border : border + LENGTH // 2]
    written = asg.generate(model, start, LENGTH - len(start), temperature=0.8, seed=1)
    print(f"{tokenizer.decode(start)}|{tokenizer.decode(written[len(start):])}")


if __name__ == "__main__":
    main()
