"""What `mkdocs` asks while it builds the site: pages are READMEs and docstrings, put where they belong.

A page may hold, each on a line of its own:

* `<!-- include: FILE "HEADING" -->`: that section of a Markdown file of the repository with its subsections,
  without its heading; of the title only what stands before the first section; without HEADING the whole
  file without its title;
* `<!-- docstring: MODULE -->`: a module's docstring;
* `<!-- search methods -->`: every search method by its name, with its docstring and those of its settings;
* `<!-- gallery -->`: the discoveries of docs/gallery.py, with programs and figures;
* `<!-- public names -->`: the reference of what `zero.__all__` lists;
* `<!-- rooms -->`: every package with its modules, by the first lines of their docstrings.

A link in an included text leads to the page that shows the file; to a file that no page shows, it becomes
its text. Images that are shown are copied.
"""

from __future__ import annotations

import ast
import posixpath
import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(Path(__file__).parent))

import gallery  # noqa: E402
from docstrings import as_markdown  # noqa: E402

INCLUDE = re.compile(r'^<!-- include: (\S+?)(?: "(.+)")? -->$', re.M)
DOCSTRING = re.compile(r"^<!-- docstring: (\S+) -->$", re.M)
LINK = re.compile(r"(!?)\[([^\]\n]+)\]\(([^)\s#]+)(#[^)\s]*)?\)")

PAGES = {  # the page that shows a file
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "zero/cells/README.md": "design/cells.md",
    "zero/pipelines/README.md": "design/pipelines.md",
    "docs/how-to/tables.md": "how-to/tables.md",
    "kernels/README.md": "design/kernels.md",
    "benchmarks/README.md": "design/benchmarks.md",
    "benchmarks/paper/README.md": "design/papers.md",
}
IMAGES = (
    "zero/cells/amoebanet_a.svg",
    "benchmarks/results/growth.svg",
    "benchmarks/results/nas_table.svg",
    "benchmarks/results/search_methods_fashion_blocks.svg",
    "benchmarks/results/paper/fig4.svg",
    "docs/images/report.png",
    "docs/images/dashboard.png",
)


def on_files(files: Files, config: Any) -> Files:
    """Adds the images of included texts."""
    for image in IMAGES:
        place = f"assets/{Path(image).name}"
        files.append(File.generated(config, place, abs_src_path=str(ROOT / image)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Returns a page's text with everything that it asks for."""
    here = page.file.src_uri
    markdown = INCLUDE.sub(lambda found: included(found[1], found[2], here), markdown)
    markdown = DOCSTRING.sub(lambda found: as_markdown(docstring_of(found[1])), markdown)
    markdown = markdown.replace("<!-- public names -->", public_names())
    markdown = markdown.replace("<!-- search methods -->", search_methods())
    if "<!-- gallery -->" in markdown:
        markdown = markdown.replace("<!-- gallery -->", gallery.page())
    return markdown.replace("<!-- rooms -->", rooms())


def included(file: str, heading: str | None, here: str) -> str:
    """Returns a file's text, or a section of it, with links from the page `here`."""
    text = (ROOT / file).read_text(encoding="utf-8")
    text = text.split("\n", 1)[1] if heading is None else section(text, heading, file)
    folder = posixpath.dirname(file)

    def link(found: re.Match[str]) -> str:
        image, words, target, anchor = found.groups()
        if "://" in target or target.startswith("mailto:"):
            return found[0]
        path = posixpath.normpath(posixpath.join(folder, target))
        page = f"assets/{Path(path).name}" if path in IMAGES else PAGES.get(path)
        if page is None:
            return words
        place = posixpath.relpath(page, posixpath.dirname(here) or ".")
        return f"{image}[{words}]({place}{anchor or ''})"

    return LINK.sub(link, text).strip()


def section(text: str, heading: str, file: str) -> str:
    """Returns what stands below a heading, its subsections with it.

    Raises:
        ValueError: there is no such heading; it ends the build.
    """
    found = re.search(rf"^(#+) {re.escape(heading)}\n", text, re.M)
    if found is None:
        raise ValueError(f"{file} has no heading '{heading}'")
    lines, fenced = [], False
    for line in text[found.end() :].splitlines():
        fenced ^= line.startswith("```")
        level = re.match(r"#+(?= )", line)
        if level and not fenced:
            if len(level[0]) <= len(found[1]) or found[1] == "#":
                break
            line = line[len(found[1]) - 1 :]  # as deep below the page's title as below the heading
        lines.append(line)
    return "\n".join(lines)


def docstring_of(module: str) -> str:
    """Returns a module's docstring, without importing it."""
    place = ROOT / module.replace(".", "/")
    file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    return ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""


def public_names() -> str:
    """Returns mkdocstrings' lines for all that `import zero` offers."""
    tree = ast.parse((ROOT / "zero/__init__.py").read_text(encoding="utf-8"))
    (places,) = (
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_PLACES"
    )
    return "\n\n".join(f"::: zero.{name}" for name in sorted(places, key=str.lower))


def search_methods() -> str:
    """Returns a section for every search method."""
    found = []
    for file in sorted((ROOT / "zero/search").glob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        assigned = [n for n in tree.body if isinstance(n, ast.Assign)]
        if not any(ast.unparse(n.targets[0]) == "DESCRIPTION" for n in assigned):
            continue
        settings = [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "Settings"]
        keys = ast.get_docstring(settings[0]) if settings else None
        found += [f"## {file.stem}", as_markdown(ast.get_docstring(tree) or "")]
        if keys:
            found.append(f"Settings: {as_markdown(keys)}")
    return "\n\n".join(found)


def rooms() -> str:
    """Returns a table of modules for every package."""
    parts = []
    for init in sorted((ROOT / "zero").rglob("__init__.py")):
        package = ".".join(init.parent.relative_to(ROOT).parts)
        files = [
            f for f in sorted(init.parent.glob("*.py")) if f.stem not in ("__init__", "__main__")
        ]
        rows = [f"| `{f.stem}` | {first_line(f'{package}.{f.stem}')} |" for f in files]
        parts += [f"## {package}", first_line(package)]
        if rows:
            parts.append("\n".join(["| module | |", "|---|---|", *rows]))
    return "\n\n".join(parts)


def first_line(module: str) -> str:
    """Returns the first line of a module's docstring, for a table."""
    return (docstring_of(module).splitlines() or [""])[0].replace("|", "\\|")
