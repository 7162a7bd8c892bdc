"""Pictures as vectors: who is near to whom, which are one community, what is missing, what is to blame.

`embedders` make the vectors, `vector_file` keeps them, `neighbours` finds the nearest of each, `communities` groups
them.
"""
