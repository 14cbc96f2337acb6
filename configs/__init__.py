"""Run configurations that ship with the package; `zero run NAME` finds them."""
