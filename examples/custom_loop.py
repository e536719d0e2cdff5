"""A training loop by hand: the step, the session, the schedule, an early end, the best weights.

    python examples/custom_loop.py --backend jax

Everything that asg.Model does for you is a few lines. Prints loss, accuracy and learning rate of
each epoch, and the accuracy of the best weights. Needs the digits of scikit-learn:
pip install 'asg-compiler[data]'.
"""

import argparse

import numpy as np

import asg
from asg import data, metrics, nn, optim

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--backend", default="numpy", choices=["numpy", "jax"])
parser.add_argument("--epochs", type=int, default=15)
arguments = parser.parse_args()

train, validation, test = data.load("digits").split([0.7, 0.1, 0.2], seed=0, stratify="labels")
loader = data.DataLoader(train, batch_size=64, shuffle=True, seed=0)
rate = optim.warmup_cosine(0.2, len(loader), arguments.epochs * len(loader))
optimizer = optim.chain(optim.clip_by_global_norm(1.0), optim.sgd(rate, momentum=0.9))

# Define: forward, backward and update become one pure graph, evaluation another one.
net = nn.Sequential(
    fc1=nn.Linear(64, 64), act=nn.ReLU(), drop=nn.Dropout(0.2), fc2=nn.Linear(64, 10)
)  # fmt: skip
types = {"images": ("batch", 64), "labels": (("batch",), "int32")}
step = asg.train_step(net, loss=asg.cross_entropy, optimizer=optimizer)(**types)
check = asg.eval_step(net, loss=asg.cross_entropy, metrics={"accuracy": metrics.Accuracy()})

# Run: a session holds the state, and the graph of evaluation is run on the same state.
session = asg.compile(step, arguments.backend).start(seed=0)
tester = session.attach(asg.compile(check(**types), arguments.backend))
rates = optim.rates(rate, arguments.epochs * len(loader))
best, weights = 0.0, session.state_dict()
for epoch in range(1, arguments.epochs + 1):
    losses = [session(**batch)["loss"] for batch in loader]  # nothing waits for a step
    tester.reset()  # the counters of the metrics
    accuracy = float(tester(**validation[:])["accuracy"])
    loss, last = np.mean([float(each) for each in losses]), rates[epoch * len(loader) - 1]
    print(f"epoch {epoch}: loss {loss:.4f}, validation accuracy {accuracy:.4f}, rate {last:.4f}")
    if accuracy > best:
        best, weights = accuracy, session.state_dict()

session.load_state_dict(weights)
tester.reset()
print(f"accuracy of the best weights on unseen digits: {float(tester(**test[:])['accuracy']):.4f}")
