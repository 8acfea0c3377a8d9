"""Metrics of music: what each measures is said in its docstring, with its conventions and its source."""
