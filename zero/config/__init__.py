"""YAML and settings: reading, checking, and one clear line for every mistake."""
