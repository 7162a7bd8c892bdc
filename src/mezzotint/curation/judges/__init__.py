"""Judges that `mezzotint curate run` shows its pictures to, one file each; none looks unless it is asked for."""
