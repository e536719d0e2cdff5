"""See a training step: the typed graph, its gradient, what each pass changes, and the picture."""

import asg
from asg import nn, optim

net = nn.Sequential(fc1=nn.Linear(4, 8), act=nn.ReLU(), fc2=nn.Linear(8, 3))

# Define: nothing is computed here, and "batch" stays symbolic.
x = asg.input("x", ("batch", 4))
labels = asg.input("labels", ("batch",), dtype="int32")
loss = asg.cross_entropy(net(x), labels)
print(asg.Graph(loss=loss, name="two_layers"))

# The gradient is another graph, made of the same ops.
gradients = asg.grad(loss, net.parameters())
print(asg.Graph(gradients, name="its_gradient"))

# Forward, backward and the optimizer's update become one pure graph: the training step.
step = asg.train_step(loss, optimizer=optim.sgd(0.1, momentum=0.9))
executable = asg.compile(step, backend="numpy")
for record in executable.records:
    if record.changed:
        print(f"\n{record}\n{record.after.diff(record.before)}")
print(f"\n{executable.optimized}")

print("wrote", step.render("first_graph.svg"))
