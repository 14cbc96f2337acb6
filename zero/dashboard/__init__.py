"""Runs in a browser: side by side, live, compared; with `--write` also begun there.

`root` opens files of runs so that nothing outside the shown folder is reached, `copies` keeps private copies
of them, from which `shown` says what a page shows; `app` serves the pages, `guard` says who may see them.
"""
