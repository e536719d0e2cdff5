"""Learn an energy from forces: forces are -grad of the network by positions, inside the loss.

Five atoms in space attract and repel each other in pairs by a Morse potential. The network sees
distances and gives an energy; it is trained on the forces alone, so its weights are moved by the
gradient of a gradient (as in Behler and Parrinello, 2007, and the interatomic potentials after it).

    python examples/force_matching.py --backend jax --steps 2000
"""

import argparse

import numpy as np

import asg
from asg import nn, optim

ATOMS = 5
FIRST, SECOND = np.triu_indices(ATOMS, 1)
CENTRES = np.linspace(0.5, 3.0, 12, dtype=np.float32)  # of the features of a distance


def morse_forces(positions: np.ndarray) -> np.ndarray:
    """-dE/dposition for E = sum over pairs of (1 - exp(-1.5 (r - 1.2)))^2, by hand."""
    apart = positions[:, FIRST] - positions[:, SECOND]
    r = np.linalg.norm(apart, axis=-1, keepdims=True)
    decay = np.exp(-1.5 * (r - 1.2))
    pull = -3.0 * (1.0 - decay) * decay * apart / r
    signs = np.eye(ATOMS, dtype=np.float32)[FIRST] - np.eye(ATOMS, dtype=np.float32)[SECOND]
    forces: np.ndarray = np.einsum("pa,bpc->bac", signs, pull)
    return forces


def configurations(random: np.random.Generator, count: int) -> np.ndarray:
    """Atoms near the corners of a cross, shaken; no two of them meet."""
    corners = np.array([[0, 0, 0], [1.2, 0, 0], [-1.2, 0, 0], [0, 1.2, 0], [0, 0, 1.2]])
    shaken = corners + random.uniform(-0.25, 0.25, (count, ATOMS, 3))
    return shaken.astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", default="numpy", choices=["numpy", "jax"])
    parser.add_argument("--steps", type=int, default=600)
    arguments = parser.parse_args()

    net = nn.Sequential(fc1=nn.Linear(len(CENTRES), 32), act=nn.Tanh(), fc2=nn.Linear(32, 1))
    positions = asg.input("positions", ("batch", ATOMS, 3))
    wanted = asg.input("forces", ("batch", ATOMS, 3))
    pairs = [asg.take(positions, places.astype(np.int32), axis=1) for places in (FIRST, SECOND)]
    distance = asg.sqrt(asg.sum(asg.square(pairs[0] - pairs[1]), axis=-1, keepdims=True))
    energies = net(asg.exp(-4.0 * asg.square(distance - CENTRES)))
    forces = -asg.grad(energies.sum(), positions)  # row i depends on configuration i alone
    loss = asg.mse_loss(forces, wanted)
    typical = asg.sqrt(asg.mean(asg.square(wanted)))

    step = asg.train_step(
        loss, optimizer=optim.adam(1e-2), metrics={"relative": asg.sqrt(loss) / typical}
    )
    session = asg.compile(step, backend=arguments.backend).start(seed=0)
    test = asg.Graph(relative=asg.sqrt(loss) / typical, net=forces.sum(axis=1))
    check = session.attach(asg.compile(test, backend=arguments.backend))
    random = np.random.default_rng(0)
    for number in range(arguments.steps + 1):
        given = configurations(random, 32)
        results = session(positions=given, forces=morse_forces(given))
        if number % max(1, arguments.steps // 6) == 0:
            print(f"step {number}: loss {float(results['loss']):.2e}, "
                  f"force error {float(results['relative']):.1%}")  # fmt: skip
    unseen = configurations(random, 500)
    tested = check(positions=unseen, forces=morse_forces(unseen))
    print(f"force error on unseen configurations: {float(tested['relative']):.2%}")
    print(f"largest total force (0 by symmetry): {np.abs(np.asarray(tested['net'])).max():.1e}")


if __name__ == "__main__":
    main()
