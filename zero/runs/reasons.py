"""Why runs end, for people."""

# Why a run ended, in words; the keys stand in archives and logs.
REASONS = {
    "individuals": "all individuals of the budget were made",
    "train_steps": "all train steps of the budget were taken",
    "seconds": "the seconds that it was given have passed",
    "fitness": "budget.fitness was reached",
    "patience": "no improvement for budget.patience individuals",
    "exhausted": "the search proposed 1,000 candidates in a row that needed no evaluation",
    "sufficient_fitness": "experiments.sufficient_fitness was reached on the select tasks",
    "experiments": "all experiments were made",
    "epochs": "all epochs were trained",
    "accuracy": "the accuracy was reached that ends a training",
    "diverged": "the training diverged: its loss became too large, or no number",
    "interrupted": "stopped by Ctrl-C or another signal",
    "max_seconds": "--max-seconds have passed",
}
