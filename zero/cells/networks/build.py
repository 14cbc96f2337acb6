"""Builds a genome into a whole network, by the rules of a skeleton (`skeletons`)."""

from __future__ import annotations

from zero.cells.genome import Genome
from zero.cells.networks.skeletons import SKELETONS, Skeleton, skeletons_of
from zero.errors import NetworkError
from zero.nn.layers.record import Shape
from zero.nn.network import Builder, Network


def build_network(
    genome: Genome,
    skeleton: Skeleton,
    image_shape: Shape = (32, 32, 3),
    classes: int = 10,
) -> Network:
    """Returns the network of a genome's cells in a skeleton.

    Args:
        genome: Its cells.
        skeleton: The rest.
        image_shape: (height, width, channels) of the images.
        classes: Number of classes, at least 2.

    Raises:
        NetworkError: The cells are of another form than the skeleton's, the images too small for its
            reductions, or there are fewer than two classes.
    """
    kind = SKELETONS[skeleton.kind]
    if not isinstance(genome.normal, kind.form):
        raise NetworkError(
            f"a genome of space {genome.space} does not fit the skeleton {skeleton.kind}; "
            f"use one of: {', '.join(skeletons_of(genome))} (with a config, "
            f"add --set cells.space={genome.space.partition('[')[0]})"
        )
    if classes < 2:
        raise NetworkError(
            f"{classes} class{'' if classes == 1 else 'es'}; a network needs at least 2"
        )
    if len(image_shape) != 3 or min(image_shape) < 1:
        raise NetworkError(f"images of shape {image_shape}; it must be height, width, channels")
    b = Builder(tuple(image_shape), kind.epsilon, kind.decay)
    try:
        return kind.build(b, genome, skeleton, classes)
    except NetworkError as error:
        size = " x ".join(map(str, image_shape))
        raise NetworkError(f"{skeleton.kind} on images of {size}: {error}") from None
