"""A pipeline in words.

Called by what people read.
"""

from __future__ import annotations

_STEPS = {
    "empty": "empty cells: {}", "flag_empty": "flags of empty cells", "categories": "categories: {}",
    "scaling": "scaling: {}", "terms": "texts by {} terms", "products": "products of columns: {}",
    "kept": "only the best {} of the features", "components": "principal components of {} of the variance",
}  # fmt: skip
_OFF = ("none", "no", "keep")


def in_words(text: str) -> str:
    """Returns a pipeline's decisions as a sentence."""
    from zero.pipelines.families import families

    first, *others = text.split()
    name = first.partition("=")[2]
    family = families().get(name)
    learner, steps = [], []
    for decision in others:
        key, _, word = decision.partition("=")
        if key not in _STEPS:
            learner.append(f"{key.replace('_', ' ')} {word}")
        elif word not in _OFF:
            steps.append(_STEPS[key].format(word.replace("_", " ")))
    about = family.about if family else name.replace("_", " ")
    said = about + (f" ({', '.join(learner)})" if learner else "")
    return f"{said}; {'; '.join(steps)}" if steps else said
