"""From raw pictures to a clean set: stages over record batches, run shard by shard; measures; duplicates; a report."""
