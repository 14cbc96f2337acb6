"""Data as they lie on disk: tables, arrays, images, and how they are split."""
