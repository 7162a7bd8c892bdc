"""What every command stands on: device and dtype, seeds, atomic files, checkpoints, tracking, progress."""
