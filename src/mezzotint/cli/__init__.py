"""The command line: one file per verb, each with its `Options` and `run(options)`."""
