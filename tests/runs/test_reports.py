"""Reports on runs: what they tell, that a run writes one at its end, and what becomes of one that fails."""

import re
from html.parser import HTMLParser

from zero.runs.reports.page import MOST_BYTES


class Reader(HTMLParser):
    """What a page asks for from elsewhere, what it would execute, and its text."""

    def __init__(self, text):
        super().__init__()
        self.wanted, self.scripts, self.words = [], 0, []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.scripts += tag == "script" or any(name.startswith("on") for name, _ in attrs)
        self.wanted += [
            value
            for name, value in attrs
            if name in ("src", "href", "xlink:href", "action", "data") and value
            if not value.startswith(("#", "data:image/png;base64,"))
        ]

    def handle_data(self, data):
        self.words.append(data)


def alone(text):
    """Checks that a page stands alone, and returns its words."""
    reader = Reader(text)
    assert (reader.wanted, reader.scripts) == ([], 0)
    assert not re.search(r"url\(\s*['\"]?(?!#)|@import", text)
    assert len(text.encode()) < MOST_BYTES
    return " ".join(reader.words)
