"""The kinds of layers, a record each: all that counts, runs, exports or draws a layer asks its record.

To add a kind, write its record in a file of its family beside this one; where the backend cpu should
run it and no `CpuRole` fits, also that role's planner in `zero.nn.cpu.fusion`. `Builder.add_layer` makes
layers of any kind.
"""

from zero.errors import NetworkError, unknown_name
from zero.nn.layers import activation, convolution, joins, linear, normalisation, pooling
from zero.nn.layers.record import LayerKind

_FAMILIES = (joins, activation, convolution, normalisation, pooling, linear)
LAYER_KINDS: dict[str, LayerKind] = {
    kind.name: kind for family in _FAMILIES for kind in family.LAYERS
}


def kind_of(name: str) -> LayerKind:
    """Returns a kind's record; raises NetworkError if there is none of that name."""
    if name not in LAYER_KINDS:
        raise NetworkError(unknown_name("kind of layer", name, LAYER_KINDS))
    return LAYER_KINDS[name]
