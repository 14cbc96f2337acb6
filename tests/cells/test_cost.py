"""Costs and budgets of candidates, known from the genome alone."""

import math

import pytest
from cells_helpers import genomes, small

from zero.cells.cost import CostLimits, cost_of, estimated_seconds
from zero.cells.networks.build import build_network
from zero.cells.networks.skeletons import Skeleton
from zero.errors import NetworkError
from zero.nn.network import Builder


def network_of(genome, **more):
    return build_network(genome, Skeleton("slim_cifar", 1, 8, **more), (8, 8, 1))


def test_cost_of_a_network_counted_by_hand():
    b = Builder((4, 4, 3))
    x = b.relu(b.batch_norm(b.conv(0, 8, 3)))
    network = b.network(b.linear(b.global_pool(x), 10))
    cost = cost_of(network, batch=2)
    assert cost.parameters == 3 * 3 * 3 * 8 + 2 * 8 + 8 * 10 + 10
    assert cost.multiply_adds == 16 * 3 * 3 * 3 * 8 + 8 * 10
    # 4 bytes a value and 2 for gradients: images, convolution, pooled, logits; the rest is fused.
    assert cost.activation_bytes == 2 * 6 * (48 + 128 + 8 + 10)
    assert cost.seconds_per_step == estimated_seconds(network, 2) > 0


def test_auxiliary_head_costs_memory_but_counts_no_parameters():
    plain, head = (cost_of(network_of(small(), auxiliary=a)) for a in (False, True))
    assert (plain.parameters, plain.multiply_adds) == (head.parameters, head.multiply_adds)
    assert head.activation_bytes > plain.activation_bytes


def test_costs_grow_with_the_batch_and_the_network():
    genome = small()
    costs = [cost_of(network_of(genome), batch) for batch in (1, 64)]
    assert costs[1].activation_bytes == 64 * costs[0].activation_bytes
    assert costs[1].seconds_per_step > costs[0].seconds_per_step
    wider = cost_of(build_network(genome, Skeleton("slim_cifar", 1, 16), (8, 8, 1)), 64)
    for name in ("parameters", "multiply_adds", "activation_bytes", "seconds_per_step"):
        assert getattr(wider, name) > getattr(costs[1], name)


@pytest.mark.parametrize(
    "name", ["parameters", "multiply_adds", "activation_bytes", "seconds_per_step"]
)
def test_budget_filters_by_each_figure(name):
    costs = [cost_of(network_of(genome)) for genome in genomes("amoebanet", 12)]
    limit = sorted(getattr(cost, name) for cost in costs)[5]
    budget = CostLimits(**{name: limit})
    for cost in costs:
        told = budget.exceeded(cost)
        assert (told is None) == (getattr(cost, name) <= limit)
        assert told is None or (name in told and f"{limit:,}" in told)


def test_budget_without_limits_and_with_bad_ones():
    assert CostLimits().exceeded(cost_of(network_of(small()))) is None
    for limit in (0, -1, math.nan, math.inf):
        with pytest.raises(NetworkError, match="budget of parameters"):
            CostLimits(parameters=limit)
