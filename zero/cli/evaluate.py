"""`zero evaluate` and `zero validate`."""

import json
from typing import Annotated

import typer

from zero import genomes
from zero.cli.common import (
    Config,
    Debug,
    ProgramName,
    Set,
    TrustImports,
    checked_config,
    compiling_shown,
    guarded,
)
from zero.errors import DeviceError
from zero.programs.view import counted, notes, spread, with_chance
from zero.runs.tables import (
    json_number,
    print_pairs,
    print_paragraph,
    print_table,
    shown_fitness,
)


@guarded
def evaluate(
    program: ProgramName,
    config: Config,
    settings: Set = None,
    tasks: Annotated[bool, typer.Option("--tasks", help="The fitness on every task too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    trust_imports: TrustImports = False,
    debug: Debug = False,
) -> None:
    """Evaluate a program on a config's select and final tasks."""
    from zero.programs.config import of_programs

    checked = of_programs(checked_config(config, settings))
    from zero.programs.domain import ProgramsDomain
    from zero.programs.find import load_program

    loaded = load_program(program)
    domain = ProgramsDomain(checked, loaded)
    found = {}
    with compiling_shown():
        for purpose in ("select", "final"):
            # Nothing here forks: on backend cuda the GPU itself, unlike within a run.
            _, found[purpose] = domain.figures(loaded, purpose, 0, on_gpu=True)
    if as_json:
        for part in found.values():
            part["task_fitness"] = [json_number(f) for f in part["task_fitness"]]
        print(json.dumps({"program": str(loaded), "config": checked.name, **found}, indent=2))
        return
    print_pairs([
        ("program", f"{program} ({counted(loaded)})"),
        *(
            (f"{purpose} fitness", with_chance(spread(part), part))
            for purpose, part in found.items()
        ),
        *(("", note) for note in notes(found["final"])),
    ])  # fmt: skip
    if tasks:
        for purpose, part in found.items():
            print()
            pairs = zip(part["task_names"], part["task_fitness"], strict=True)
            print_table((f"{purpose} task", "fitness"), [(n, shown_fitness(f)) for n, f in pairs])


@guarded
def validate(
    config: Config,
    settings: Set = None,
    data: Annotated[bool, typer.Option("--data", help="Read the tasks' data as well.")] = False,
    trust_imports: TrustImports = False,
    debug: Debug = False,
) -> None:
    """Check a config and tell every mistake."""
    checked = checked_config(config, settings)
    kind = genomes.get(checked.genomes)
    domain = kind.domain(checked)
    if data:
        domain.check()
    else:
        domain.check_code()
    print(f"{checked.name}: no mistakes")
    for text in kind.view.searches(kind.dump(checked)):
        print_paragraph(text)
    for note in domain.notes() if data else ():
        print(f"note: {note}")
    try:
        domain.check_device()
    except DeviceError as error:  # no mistake of the config, which may be for another machine
        print(f"on this machine it does not run: {error}")
    if data:
        kind.view.print_checked(domain)
