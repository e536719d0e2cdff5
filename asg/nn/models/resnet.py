"""ResNet: blocks that add what they compute to their input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from asg.core.dtype import float32
from asg.core.errors import OperandError
from asg.core.tensor import Tensor
from asg.nn.activation import ReLU
from asg.nn.adaptive import AdaptiveAvgPool2d
from asg.nn.checks import require_flags, require_positive
from asg.nn.container import Sequential
from asg.nn.convolution import Conv2d
from asg.nn.init import zeros
from asg.nn.linear import Linear
from asg.nn.models.common import Norm, conv_norm, initialise, norm_or_batch_norm
from asg.nn.module import Module
from asg.nn.pooling import MaxPool2d
from asg.nn.shape import Flatten


class BasicBlock(Module):
    """Two 3 x 3 convolutions beside the identity, or beside ``downsample``."""

    expansion: ClassVar[int] = 1

    def __init__(
        self, inplanes: int, planes: int, stride: int, downsample: Module | None, groups: int,
        base_width: int, norm: Norm, dtype: Any,
    ) -> None:  # fmt: skip
        """``groups`` and ``base_width`` are those of `Bottleneck` only."""
        if (groups, base_width) != (1, 64):
            raise OperandError(
                f"BasicBlock has groups=1 and width_per_group=64, given {groups} and {base_width}"
            )
        self.conv1 = Conv2d(inplanes, planes, 3, stride, 1, bias=False, dtype=dtype)
        self.bn1 = norm(planes)
        self.relu = ReLU()
        self.conv2 = Conv2d(planes, planes, 3, 1, 1, bias=False, dtype=dtype)
        self.bn2 = norm(planes)
        self.downsample = downsample

    @property
    def last_norm(self) -> Module:
        """The norm at the end of the branch."""
        return self.bn2

    def forward(self, x: Tensor) -> Tensor:
        """``[batch, inplanes, h, w]`` to ``[batch, planes, h / stride, w / stride]``."""
        around = x if self.downsample is None else self.downsample(x)
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        result: Tensor = self.relu(y + around)
        return result


class Bottleneck(Module):
    """A 3 x 3 convolution between two of 1 x 1, beside the identity, or beside ``downsample``.

    The stride is that of the 3 x 3 convolution, as in torchvision (ResNet 1.5).
    """

    expansion: ClassVar[int] = 4

    def __init__(
        self, inplanes: int, planes: int, stride: int, downsample: Module | None, groups: int,
        base_width: int, norm: Norm, dtype: Any,
    ) -> None:  # fmt: skip
        """The middle has ``planes * base_width / 64 * groups`` channels, the end 4 planes."""
        width = int(planes * (base_width / 64.0)) * groups
        wide = planes * self.expansion
        self.conv1 = Conv2d(inplanes, width, 1, bias=False, dtype=dtype)
        self.bn1 = norm(width)
        self.conv2 = Conv2d(width, width, 3, stride, 1, groups=groups, bias=False, dtype=dtype)
        self.bn2 = norm(width)
        self.conv3 = Conv2d(width, wide, 1, bias=False, dtype=dtype)
        self.bn3 = norm(wide)
        self.relu = ReLU()
        self.downsample = downsample

    @property
    def last_norm(self) -> Module:
        """The norm at the end of the branch."""
        return self.bn3

    def forward(self, x: Tensor) -> Tensor:
        """``[batch, inplanes, h, w]`` to ``[batch, 4 * planes, h / stride, w / stride]``."""
        around = x if self.downsample is None else self.downsample(x)
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        result: Tensor = self.relu(y + around)
        return result


Block = type[BasicBlock] | type[Bottleneck]


class ResNet(Module):
    """A 7 x 7 convolution, four stages of residual blocks, the mean over pixels, a dense layer.

    Parameters are named as torchvision names them.

    Source: He et al., 2015, https://arxiv.org/abs/1512.03385.

    Raises:
        OperandError: not four stages, or an argument out of range.

    >>> import asg
    >>> from asg import nn
    >>> net = nn.models.resnet18(num_classes=10, width=8)
    >>> with asg.training_mode(False):
    ...     net(asg.input("x", ("batch", 3, 64, "w"))).shape
    (Dim('batch'), 10)
    """

    def __init__(
        self,
        block: Block,
        layers: Sequence[int],
        num_classes: int = 1000,
        zero_init_residual: bool = False,
        groups: int = 1,
        width_per_group: int = 64,
        norm_layer: Norm | None = None,
        width: int = 64,
        dtype: Any = float32,
    ) -> None:
        """A network of any depth and width.

        Args:
            block: `BasicBlock` or `Bottleneck`.
            layers: how many blocks each of the four stages has.
            num_classes: outputs.
            zero_init_residual: start with blocks that are the identity.
            groups: of the 3 x 3 convolutions of `Bottleneck` (ResNeXt).
            width_per_group: their channels, in 64ths of the usual (wide ResNets).
            norm_layer: from channels to a norm; batch normalisation unless given.
            width: channels of the first stage, which double at each of the others.
            dtype: of the parameters.
        """
        require_positive(width=width, groups=groups, width_per_group=width_per_group)
        require_flags(zero_init_residual=zero_init_residual)
        if len(layers) != 4:
            raise OperandError(f"layers={layers!r} must have four entries")
        norm = norm_or_batch_norm(norm_layer, dtype)
        self.conv1 = Conv2d(3, width, 7, 2, 3, bias=False, dtype=dtype)
        self.bn1 = norm(width)
        self.relu = ReLU()
        self.maxpool = MaxPool2d(3, 2, 1)
        for stage, count in enumerate(layers):
            planes = width << stage
            before = width if stage == 0 else (planes >> 1) * block.expansion
            shared = (groups, width_per_group, norm, dtype)
            blocks = _stage(block, before, planes, count, 1 if stage == 0 else 2, *shared)
            setattr(self, f"layer{stage + 1}", Sequential(*blocks))
        self.avgpool = AdaptiveAvgPool2d((1, 1))
        self.flatten = Flatten()
        self.fc = Linear((width << 3) * block.expansion, num_classes, dtype=dtype)
        initialise(self, None)
        if zero_init_residual:
            self.apply(_start_as_identity)

    layer1: Sequential
    layer2: Sequential
    layer3: Sequential
    layer4: Sequential

    def forward(self, x: Tensor) -> Tensor:
        """``[batch, 3, height, width]`` to logits ``[batch, num_classes]``."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
        logits: Tensor = self.fc(self.flatten(self.avgpool(x)))
        return logits


def _stage(
    block: Block, inplanes: int, planes: int, count: int, stride: int, groups: int,
    base_width: int, norm: Norm, dtype: Any,
) -> list[Module]:  # fmt: skip
    """The blocks of a stage; the first one strides, and changes the number of channels."""
    wide = planes * block.expansion
    downsample = None
    if stride != 1 or inplanes != wide:
        downsample = conv_norm(inplanes, wide, 1, stride, norm=norm, activation=None, dtype=dtype)
    first = block(inplanes, planes, stride, downsample, groups, base_width, norm, dtype)
    rest = [block(wide, planes, 1, None, groups, base_width, norm, dtype) for _ in range(count - 1)]
    return [first, *rest]


def _start_as_identity(module: Module) -> None:
    if isinstance(module, BasicBlock | Bottleneck):
        weight = module.last_norm.parameters().get("weight")
        if weight is not None:
            weight.set_initial(zeros())


def resnet18(**options: Any) -> ResNet:
    """Eight basic blocks: 11,689,512 parameters; options as for `ResNet`."""
    return ResNet(BasicBlock, (2, 2, 2, 2), **options)


def resnet34(**options: Any) -> ResNet:
    """Sixteen basic blocks: 21,797,672 parameters; options as for `ResNet`."""
    return ResNet(BasicBlock, (3, 4, 6, 3), **options)


def resnet50(**options: Any) -> ResNet:
    """Sixteen bottleneck blocks: 25,557,032 parameters; options as for `ResNet`."""
    return ResNet(Bottleneck, (3, 4, 6, 3), **options)
