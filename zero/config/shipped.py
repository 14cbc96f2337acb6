"""The configs that come with the package: where they are, and what each says of itself."""

import re
from importlib.resources import files
from pathlib import Path


def shipped_configs() -> dict[str, Path]:
    """Returns the shipped configs' files by bare name, sorted."""
    try:
        found = files("zero.configs").iterdir()
    except ModuleNotFoundError:  # an editable install does not always map the folder
        found = (Path(__file__).resolve().parents[2] / "configs").glob("*.yaml")
    paths = sorted(Path(str(path)) for path in found)
    return {path.stem: path for path in paths if path.suffix == ".yaml"}


def header(path: Path) -> str:
    """Returns the first sentence of a config's header."""
    words = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("# "):
            break
        words.append(line[2:].strip())
    return re.split(r"(?<!\bet al)\. ", " ".join(words))[0].rstrip(".")
