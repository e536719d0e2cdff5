"""Random changes of the images that are trained on, as a section of the configuration."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from asg.core.errors import ConfigError
from asg.data import color_jitter, cutout, random_crop, random_horizontal_flip, random_rotation
from asg.data.draws import Transform
from asg.train.sections import Number, Section, no_bool

Pixels = Annotated[int, BeforeValidator(no_bool), Field(ge=0)]


class AugmentationConfig(Section):
    """Random changes of the images that are trained on, others in every epoch."""

    random_crop: Pixels = Field(
        default=0, description="pixels that are put around an image before it is cropped; 0 for off"
    )
    horizontal_flip: bool = Field(
        default=False, description="exchange left and right of half of the images"
    )
    rotation: Number = Field(
        default=0.0, ge=0, le=180, description="largest angle of a rotation in degrees"
    )
    brightness: Number = Field(default=0.0, ge=0, description="largest change of the brightness")
    contrast: Number = Field(default=0.0, ge=0, description="largest change of the contrast")
    cutout: Pixels = Field(default=0, description="side of a square that is blanked out; 0 for off")


def transforms(config: AugmentationConfig, images: str, are_images: bool) -> list[Transform]:
    """What is done to a batch, in order.

    Args:
        config: the section.
        images: the name of the array.
        are_images: whether it holds images, and not features in a row.

    Raises:
        ConfigError: there are no images to change.
    """
    found: list[Transform] = []
    if config.random_crop:
        found.append(random_crop(images, padding=config.random_crop))
    if config.horizontal_flip:
        found.append(random_horizontal_flip(images))
    if config.rotation:
        found.append(random_rotation(images, config.rotation))
    if config.brightness or config.contrast:
        found.append(color_jitter(images, config.brightness, config.contrast))
    if config.cutout:
        found.append(cutout(images, config.cutout))
    if found and not are_images:
        raise ConfigError("augmentation: is for networks that take images; choose model.kind: cnn")
    return found
