"""Records, shards, buckets and the loader: every picture and caption that training sees passes through here."""
