"""Docstrings as Markdown: what is set in from the left becomes a block of its own.

In a docstring of ours a list of names or a piece of code is set in, directly below the line that
introduces it; Markdown would run both together. Used by the site's hooks and by mkdocstrings.
"""

from __future__ import annotations

from typing import Any

import griffe


def as_markdown(docstring: str) -> str:
    """Returns a module's docstring with its set-in parts as fenced blocks."""
    lines: list[str] = []
    block: list[str] = []
    for line in [*docstring.splitlines(), "end"]:
        set_in = line.startswith("  ") and not (lines and lines[-1].startswith(("* ", "  ")))
        if set_in or (block and not line):
            block.append(line)
            continue
        if block:
            while not block[-1]:
                block.pop()
            least = min(len(x) - len(x.lstrip()) for x in block if x)
            language = "python" if block[0].strip().startswith(("import ", "from ")) else "text"
            lines += ["", f"```{language}", *(x[least:] for x in block), "```", ""]
            block = []
        lines.append(line)
    return "\n".join(lines[:-1])


class Blocks(griffe.Extension):
    """Gives mkdocstrings the docstrings of modules as Markdown."""

    def on_module_instance(self, *, mod: griffe.Module, **_: Any) -> None:
        """Changes a module's docstring as it is read."""
        if mod.docstring:
            mod.docstring.value = as_markdown(mod.docstring.value)
