"""The kind of genome 'programs': ops, text, mutations, interpreters, evaluation."""
