"""`zero export`: a trained network of a run, or of a file of weights, in a form that runs without us.

Called by the kind of genome.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np

from zero.cells.networks.build import build_network
from zero.cells.networks.skeletons import Skeleton
from zero.cells.text import parse_genome
from zero.cells.train_config import is_training
from zero.config.files import import_again
from zero.errors import ArchiveError, ConfigError, NetworkError
from zero.nn.export.numpy import to_numpy
from zero.nn.export.onnx import OPSET, to_onnx
from zero.nn.network import Network
from zero.nn.saved import SavedNetwork, from_tree, load_network
from zero.runs.folder import RunFolder
from zero.system.files import write_bytes
from zero.system.foreign import from_json
from zero.system.sealed import read_sealed

WEIGHTS = ("best_weights.h5", "network.h5")  # in the folder of a run, of a training
FORMATS = {"onnx": ".onnx", "numpy": ".py"}


def export(
    source: str | Path,
    output: str | Path,
    form: str | None = None,
    note: Callable[[str], None] = lambda text: None,
    opset: int | None = None,
) -> list[Path]:
    """Writes a trained network and returns the files written.

    Args:
        source: the folder of a run or of a training (one that is paused: as it was at its newest
            checkpoint), or a file that `zero.nn.saved` wrote.
        output: the file to write. NumPy's ends in .py; its weights go beside it, to .npz.
        form: a key of `FORMATS`; None takes the one that the file's ending says.
        note: gets what the user should know of the network.
        opset: of ONNX's operators; None takes one that old runtimes read, too.

    Raises:
        ConfigError: the format is unknown or does not fit the file's name, or an opset is given for
            another.
        ArchiveError: there is no trained network in `source`, or a file cannot be written.
        DeviceError: the onnx package is not installed.
    """
    output = Path(output)
    if form is None:
        form = next((f for f, ending in FORMATS.items() if output.suffix == ending), None)
    if form not in FORMATS or (form == "numpy" and output.suffix != ".py"):
        raise ConfigError(
            f"cannot tell how to write {output}: give a name that ends in "
            f"{' or '.join(FORMATS.values())}, or --format onnx and any name"
        )
    if opset is not None and form != "onnx":
        raise ConfigError("--opset is for ONNX files only; leave it out")
    saved, network = find_trained(Path(source), note)
    arrays = (saved.parameters, saved.statistics, saved.mean, saved.std, saved.classes)
    if form == "onnx":
        prepared = saved.preparation
        files = {output: to_onnx(network, *arrays, saved.notes(), opset or OPSET, prepared)}
    else:
        weights = output.with_suffix(".npz")
        text, content = to_numpy(network, *arrays, weights.name, saved.notes(), saved.preparation)
        files = {weights: content, output: text.encode()}
    for file, content in files.items():
        write_bytes(file, content)
    return sorted(files, key=lambda file: file != output)


def find_trained(path: Path, note: Callable[[str], None]) -> tuple[SavedNetwork, Network]:
    """Returns the trained network in a folder or file; arguments and errors as for `export`."""
    saved = _paused(path, note) if _is_unfinished(path) else None
    if saved is None:
        path = _weights_of(path)
        saved = load_network(path)
    if saved.network is None:  # an older version's: built anew, perhaps with ops of the user's own
        import_again(path.parent)
    return saved, network_of(saved, path)


def _is_unfinished(folder: Path) -> bool:
    return folder.is_dir() and is_training(folder) and not (folder / WEIGHTS[1]).exists()


def _paused(folder: Path, note: Callable[[str], None]) -> SavedNetwork | None:
    """Returns the network of a training's newest checkpoint, None without one to export."""
    state, skipped = RunFolder.open(folder).checkpoints.load() or (None, [])
    for text in skipped:
        note(text)
    if state is None or "network" not in state:
        return None
    epochs = from_json(state["made_with"]["settings"])["epochs"]
    done, weights = len(state["curve"]), state["average"] or state
    at = f"after epoch {done} of {epochs} (step {state['step']:,})"
    if _reason(folder) == "diverged":
        note(f"{folder} diverged later: this is the network of its newest checkpoint, {at}")
    else:
        note(
            f"{folder} is paused {at}: this is the network as it was then; "
            f"zero resume {shlex.quote(str(folder))} trains on"
        )
    arrays = {k: weights[k].astype(np.float32) for k in ("parameters", "statistics")}
    extra = {"epochs": done, "paused": f"after epoch {done} of {epochs}"}
    return from_tree({**state["network"], **arrays, "extra": extra}, folder)


def _reason(folder: Path) -> str:
    """Returns why a training stopped, as its train.json says; "" without one."""
    file = folder / RunFolder.TRAINED
    return str(read_sealed(file).get("reason", "")) if file.exists() else ""


def network_of(saved: SavedNetwork, where: str | Path = "the saved network") -> Network:
    """Returns the network that the saved weights belong to; without layers, from its genome.

    Raises:
        ArchiveError: they make none, or another than the weights are of.
    """
    if saved.network is not None:
        saved.check_fits(saved.network, where)
        return saved.network
    try:
        skeleton = Skeleton(**saved.skeleton)
        genome = parse_genome(saved.genome)
        network = build_network(genome, skeleton, saved.image_shape, len(saved.classes))
    except (NetworkError, TypeError) as error:
        raise ArchiveError(f"{where}: its genome and skeleton make no network: {error}") from error
    saved.check_fits(network, where)
    return network


def _weights_of(source: Path) -> Path:
    """Returns the file of weights in a folder; a file is one already."""
    if not source.exists():
        raise ArchiveError(
            f"there is no {source}; give the folder of a run or of a training, or a file of weights"
        )
    if not source.is_dir():
        return source
    for name in WEIGHTS:
        if (source / name).exists():
            return source / name
    RunFolder.open(source)
    raise ArchiveError(
        f"{source} has no trained network ({' or '.join(WEIGHTS)}) yet; let it end "
        "(`zero resume`), or train a genome with `zero train`"
    )
