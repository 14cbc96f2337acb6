"""What each option of the trainer of networks gains: the same network trained with and without, seed by seed.

Rows are written as they come and what is there is not done again (`paper.rows`); `--summary` prints the
mean difference of test accuracy from the arm that differs in that option only, with a 95 % interval of
Student's t over the seeds, and the core-seconds of both.

    python benchmarks/trainer_options.py digits --seeds 10
    python benchmarks/trainer_options.py fashion_mnist --seeds 5
    python benchmarks/trainer_options.py --summary
"""

import argparse
import math
import statistics
from pathlib import Path
from typing import Any

from paper.rows import Rows, core_seconds

RESULTS = Path(__file__).parent / "results"
ROWS = Rows("trainer_options", RESULTS)
CELL = "amoebanet_a"
SETS: dict[str, dict[str, Any]] = {
    "digits": {"images": {}, "filters": 8, "batch": 32, "epochs": 10, "small": 6},
    "fashion_mnist": {
        "images": {"source": "fashion_mnist", "train": 1500, "valid": 500},
        "filters": 4, "batch": 32, "epochs": 6, "small": 14,
    },
}  # fmt: skip
TESTED = 2000  # test images, at most
CYCLED = {"momentum": 0.95, "lowest_momentum": 0.85}


def arms(name: str, rate: float, lowest: float) -> dict[str, dict[str, Any]]:
    """Returns the settings of each arm; rate, lowest: of the range test."""
    epochs = SETS[name]["epochs"]
    half, small = epochs // 2, SETS[name]["small"]
    found = {"epochs": epochs, "learning_rate": rate}
    # As much arithmetic as `found`: an epoch costs its share of the pixels.
    pixels = (small / {"digits": 8, "fashion_mnist": 28}[name]) ** 2
    more = round(half / pixels)
    last, again = ({"epochs": epochs - half, "restart": restart} for restart in (False, True))
    return {
        "default": {"epochs": epochs},
        "found": found,
        "tenth": {**found, "learning_rate": lowest / 10},
        "one_cycle": {**found, "schedule": "one_cycle", **CYCLED},
        "half": {**found, "epochs": half},
        "super_convergence": {
            "epochs": half, "learning_rate": lowest / 2, "schedule": "super_convergence", **CYCLED,
        },
        "label_smoothing": {**found, "label_smoothing": 0.1},
        "mixup": {**found, "mixup": 0.2},
        "short": {**found, "epochs": round(half * (1 + pixels))},
        "small_first": {**found, "stages": [{"epochs": half, "size": small}, last]},
        "small_first_restart": {**found, "stages": [{"epochs": half, "size": small}, again]},
        "small_first_equal": {
            **found, "epochs": more + epochs - half,
            "stages": [{"epochs": more, "size": small}, again],
        },
    }  # fmt: skip


# What each arm is compared with.
BESIDE = {
    "found": "default", "tenth": "found", "one_cycle": "found", "super_convergence": "half", "half": "found",
    "label_smoothing": "found", "mixup": "found", "short": "found",
    "small_first": "short", "small_first_restart": "short", "small_first_equal": "found",
}  # fmt: skip


def measure(name: str, seeds: int, only: list[str]) -> None:
    """Trains what is missing; one thread."""
    from zero.cells.networks.build import build_network
    from zero.cells.networks.skeletons import Skeleton
    from zero.cells.published import find_cell
    from zero.data.images import ImageSettings, load_images
    from zero.nn.rate_finder import STEPS, range_test, settings_for_test
    from zero.nn.train import Trainer
    from zero.nn.train_settings import TrainSettings

    case, genome = SETS[name], find_cell(CELL).genome
    data = load_images(ImageSettings(**case["images"]))
    skeleton = Skeleton("slim_cifar", normal_cells=1, filters=case["filters"])

    def build(shape: Any) -> Any:
        return build_network(genome, skeleton, shape, len(data.classes))

    network = build(data.image_shape)
    usual = TrainSettings(batch=case["batch"])
    test = settings_for_test(usual, STEPS, len(data.train_x) // case["batch"])
    for seed in range(seeds):
        if not ROWS.has(set=name, seed=seed, arm="range_test"):
            began = core_seconds()
            found = range_test(Trainer(network, data, test, seed, "cpu", 1))
            row = {
                "set": name, "seed": seed, "arm": "range_test", "lowest": found.lowest,
                "steepest": found.steepest, "suggestion": found.suggestion,
                "core_seconds": round(core_seconds() - began, 2),
            }  # fmt: skip
            ROWS.add(row)
        (known,) = ROWS.where(set=name, seed=seed, arm="range_test")
        for arm, settings in arms(name, known["suggestion"], known["lowest"]).items():
            if ROWS.has(set=name, seed=seed, arm=arm) or (only and arm not in only):
                continue
            made = TrainSettings(batch=case["batch"], **settings)
            began = core_seconds()
            trainer = Trainer(network, data, made, seed, "cpu", 1, build=build)
            result = trainer.run_epochs()
            taken = core_seconds() - began
            row = {
                "set": name, "seed": seed, "arm": arm, "settings": made.model_dump(exclude_defaults=True),
                "reason": result.reason, "train": len(data.train_x), "steps": result.steps,
                "valid_accuracy": result.valid_accuracy,
                "test_accuracy": trainer.accuracy(data.test_x[:TESTED], data.test_y[:TESTED]),
                "tested": min(TESTED, len(data.test_x)), "core_seconds": round(taken, 2),
            }  # fmt: skip
            ROWS.add(row)
            print(name, seed, arm, f"{row['test_accuracy']:.4f}", f"{taken:.1f} s", flush=True)


def summary(all_rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns for each set and arm the mean, and the difference from what it is compared with."""
    from scipy.stats import t

    def of(name: str, arm: str | None) -> dict[int, dict[str, Any]]:
        return {r["seed"]: r for r in all_rows if (r["set"], r["arm"]) == (name, arm)}

    found = []
    for name in SETS:
        for arm in ("default", *BESIDE):
            rows = of(name, arm)
            if not rows:
                continue
            entry: dict[str, Any] = {
                "set": name, "arm": arm, "seeds": len(rows),
                "test_accuracy": statistics.mean(r["test_accuracy"] for r in rows.values()),
                "core_seconds": statistics.mean(r["core_seconds"] for r in rows.values()),
            }  # fmt: skip
            others = of(name, BESIDE.get(arm))
            both = sorted(rows.keys() & others.keys())
            if len(both) > 1:
                gains = [rows[s]["test_accuracy"] - others[s]["test_accuracy"] for s in both]
                half = t.ppf(0.975, len(both) - 1) * statistics.stdev(gains) / math.sqrt(len(both))
                mean = statistics.mean(gains)
                entry |= {
                    "beside": BESIDE[arm],
                    "gain": mean,
                    "interval": [mean - half, mean + half],
                }
            found.append(entry)
    return found


def main() -> None:
    """Measures, or prints the summary."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="*", choices=[*SETS, []])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--arms", default="", help="only these, by comma")
    parser.add_argument("--summary", action="store_true")
    given = parser.parse_args()
    for name in given.sets:
        measure(name, given.seeds, [arm for arm in given.arms.split(",") if arm])
    if given.summary or not given.sets:
        for row in summary(ROWS.all()):
            text = f"{row['set']:14} {row['arm']:18} {row['seeds']:3} {row['test_accuracy']:.4f}"
            text += f" {row['core_seconds']:7.1f} s"
            if "gain" in row:
                low, high = row["interval"]
                text += f"  {row['gain']:+.4f} ({low:+.4f} to {high:+.4f}) beside {row['beside']}"
            print(text)


if __name__ == "__main__":
    main()
