"""Whether a run's programs have room in this machine's memory: matrices of wide tables are large.

Called by `zero.programs.domain`, before any of it is taken.
"""

from __future__ import annotations

from zero.errors import ConfigError
from zero.programs.config import ProgramsConfig
from zero.system.memory import gigabytes, usable_bytes
from zero.tasks import TaskSet


def matrix_bytes(config: ProgramsConfig, tasks: TaskSet) -> int:
    """Returns what matrices take at most: all used, on every island, for search and select tasks."""
    matrices, size = config.program.memory.matrices, 4 if config.dtype == "float32" else 8
    if matrices == 0:
        return 0
    # Each address is there while a program runs, as training left it and as the best epoch did; one more
    # holds what is being worked out.
    numbers = (3 * matrices + 1) * tasks.features**2 * tasks.num_tasks
    return 2 * config.islands.count * numbers * size


def check_room(config: ProgramsConfig, tasks: TaskSet) -> None:
    """Raises ConfigError if matrices may need more memory than there is; tasks: those of the search."""
    needed, usable = matrix_bytes(config, tasks), usable_bytes()
    if needed > usable:
        side, number, islands = tasks.features, tasks.num_tasks, config.islands.count
        raise ConfigError(
            f"program.memory.matrices: {config.program.memory.matrices} of {side} x {side} numbers for each "
            f"of {number} tasks on {islands} islands may need {gigabytes(needed)}, and there are "
            f"{gigabytes(usable)}; give 0 and leave out ops on matrices, or fewer features "
            "(tasks.search.features of a table), tasks (tasks.search.count) or islands (islands.count)"
        )
