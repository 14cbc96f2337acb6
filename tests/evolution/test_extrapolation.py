"""Forecasts from learning curves: what is planted is foreseen, and the best is seldom stopped."""

import numpy as np
import pytest

from zero.evolution.extrapolation import Extrapolation, Finished, Forecaster, power_laws

EPOCHS = 20
FITS = ("regression", "power_law")


def planted(rng, count, noise=0.01):
    """Returns curves that rise to their ends by power laws, some slowly, float64 (count, EPOCHS)."""
    end = rng.uniform(0.5, 0.9, (count, 1))
    fall = rng.uniform(0.3, 0.5, (count, 1))
    speed = rng.uniform(0.5, 1.5, (count, 1))
    curves = end - fall * np.arange(1, EPOCHS + 1.0) ** -speed
    return np.clip(curves + rng.normal(0, noise, curves.shape), 0.0, 1.0)


def finished(curves, traits=()):
    return [Finished(k, curve, np.array(traits)) for k, curve in enumerate(curves)]


def looks(forecaster, curve, known, needed):
    """Returns after how many epochs a candidate is stopped, EPOCHS if it is not."""
    for seen in range(1, EPOCHS):
        if forecaster.hopeless(curve[:seen], np.zeros(0), EPOCHS, known, needed):
            return seen
    return EPOCHS


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("chance", [0.05, 0.3])
def test_the_best_is_stopped_no_more_often_than_the_chance_allows(fit, chance):
    stopped = total = 0
    for seed in range(6):
        rng = np.random.default_rng(seed)
        known = planted(rng, 30)
        needed = known[:, -1].max()
        others = planted(rng, 4000)
        forecaster = Forecaster(Extrapolation(fit=fit, chance=chance))
        for curve in others[others[:, -1] > needed][:60]:
            stopped += looks(forecaster, curve, finished(known), needed) < EPOCHS
            total += 1
    assert total > 150
    allowed = chance * total
    assert stopped <= allowed + 2 * (allowed * (1 - chance)) ** 0.5


@pytest.mark.parametrize("fit", FITS)
def test_most_of_the_others_are_stopped_and_epochs_saved(fit):
    rng = np.random.default_rng(0)
    known = planted(rng, 30)
    needed = known[:, -1].max()
    forecaster = Forecaster(Extrapolation(fit=fit))
    trained = [looks(forecaster, c, finished(known), needed) for c in planted(rng, 100)]
    assert min(trained) >= 3  # `after`
    assert np.mean(trained) < 0.7 * EPOCHS


@pytest.mark.parametrize("fit", FITS)
def test_a_forecast_is_near_the_end(fit):
    rng = np.random.default_rng(1)
    forecaster, known = Forecaster(Extrapolation(fit=fit)), finished(planted(rng, 60))
    for curve in planted(rng, 20):
        found = forecaster.forecast(curve[:10], np.zeros(0), known, curve[-1])
        assert found.accuracy == pytest.approx(curve[-1], abs=0.08)
        assert forecaster.forecast(curve[:10], np.zeros(0), known, 0.1).chance > 0.99
        assert forecaster.forecast(curve[:10], np.zeros(0), known, 1.3).chance < 0.01


def test_what_is_known_without_training_helps():
    """Ends that the first epochs say nothing of, but a trait does."""
    rng = np.random.default_rng(2)
    traits = rng.uniform(0, 1, 40)
    curves = np.concatenate([rng.normal(0.3, 0.01, (40, 4)), 0.4 + 0.5 * traits[:, None]], axis=1)
    known = [
        Finished(k, c, np.array([t])) for k, (c, t) in enumerate(zip(curves, traits, strict=True))
    ]
    forecaster = Forecaster(Extrapolation(after=2))
    for trait in (0.1, 0.9):
        found = forecaster.forecast(curves[0, :4], np.array([trait]), known, 0.5)
        assert found.accuracy == pytest.approx(0.4 + 0.5 * trait, abs=0.03)


def test_power_laws_are_found():
    x = np.arange(1, 7.0)
    curves = np.stack([0.8 - 0.5 / x, 0.9 - 0.3 * x**-0.5, np.full(6, 0.4), 0.5 - 0.02 * x])
    ends = power_laws(curves, 30)
    assert ends[:2] == pytest.approx([0.8 - 0.5 / 30, 0.9 - 0.3 * 30**-0.5], abs=0.01)
    assert ends[2] == pytest.approx(0.4)
    assert ends[3] == pytest.approx(curves[3].mean())  # curves do not fall


@pytest.mark.parametrize("fit", FITS)
def test_nobody_is_stopped_without_enough_curves_or_who_is_there_already(fit):
    curves = planted(np.random.default_rng(3), 11)
    low = curves[0, :5] - 0.3
    forecaster = Forecaster(Extrapolation(fit=fit, curves=11))
    asked = (low, np.zeros(0), EPOCHS)
    assert forecaster.hopeless(*asked, finished(curves[:10]), 0.95) is None
    assert forecaster.hopeless(*asked, finished(curves), 0.95) is not None
    assert forecaster.hopeless(*asked, finished(curves), float(low[-1])) is None
    assert (
        forecaster.hopeless(low[:2], *asked[1:], finished(curves), 0.95) is None
    )  # before `after`


@pytest.mark.parametrize("fit", FITS)
def test_a_forecaster_keeps_nothing_that_decides(fit):
    curves = planted(np.random.default_rng(4), 40)
    used, found = Forecaster(Extrapolation(fit=fit)), []
    for count in (20, 21, 30, 20):
        asked = (curves[39, :6], np.zeros(0), finished(curves[:count]), 0.8)
        found.append(used.forecast(*asked))
        assert found[-1] == Forecaster(Extrapolation(fit=fit)).forecast(*asked)
    assert found[0] == found[3]


@pytest.mark.parametrize("fit", FITS)
def test_curves_that_are_all_alike_are_no_certainty(fit):
    known = finished(np.tile(np.linspace(0.2, 0.6, EPOCHS), (12, 1)))
    forecast = Forecaster(Extrapolation(fit=fit)).forecast
    found = forecast(known[0].accuracies[:6], np.zeros(0), known, 0.6)
    assert found.accuracy == pytest.approx(0.6) and 0.2 < found.chance < 0.8
