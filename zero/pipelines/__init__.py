"""Pipelines for tables: preparation, learner and hyperparameters, searched as one genome. See README.md."""
