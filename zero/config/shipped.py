"""The configs that come with the package: where they are, and what each says of itself."""

import re
from importlib.resources import files
from pathlib import Path


def shipped_configs() -> dict[str, Path]:
    """Returns the shipped configs' files by bare name, sorted."""
    try:
        folder = Path(str(files("zero.configs").joinpath(".")))
    except ModuleNotFoundError:  # an editable install does not always map the folder
        folder = Path(__file__).resolve().parents[2] / "configs"
    # Those of the paper's experiments have a folder of their own.
    paths = [*folder.glob("*.yaml"), *folder.glob("paper/*.yaml")]
    return {path.stem: path for path in sorted(paths, key=lambda path: path.stem)}


def header(path: Path) -> str:
    """Returns the first sentence of a config's header."""
    words = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("# "):
            break
        words.append(line[2:].strip())
    return re.split(r"(?<!\bet al)\. ", " ".join(words))[0].rstrip(".")
