"""Which pictures of an embedded corpus say the same, and which one of them stays.

<out>/communities.parquet    id, community (the id of its first member), stays (the id that stays for it)
<out>/prune.jsonl            those that go, and which one stays for each
<out>/neighbours/            what a rerun with another threshold need not search again
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mezzotint.curation.prune import write_list
from mezzotint.curation.runner import Progress, silent
from mezzotint.curation.vectors.cells import Partition
from mezzotint.curation.vectors.communities import Grouping, find_communities, stays
from mezzotint.curation.vectors.embedding import PICTURES
from mezzotint.curation.vectors.nearest import Nearest, nearest
from mezzotint.curation.vectors.neighbours import Distribute, all_neighbours
from mezzotint.curation.vectors.rows import best_first, read_rows
from mezzotint.data.parquet import Format, pa
from mezzotint.runtime import atomic

PRUNE = "prune.jsonl"
COMMUNITIES = Format(
    "communities",
    1,
    [pa.field(name, pa.string(), nullable=False) for name in ("id", "community", "stays")],
)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Pictures in all, communities of two and more, pictures that go, and the largest community."""

    pictures: int
    communities: int
    pruned: int
    largest: int


def deduplicate(
    vectors: Path,
    out: Path,
    grouping: Grouping,
    *,
    best: str,
    k: int,
    partition: Partition,
    search: Nearest = nearest,
    distribute: Distribute = map,
    progress: Progress = silent,
) -> Outcome:
    """Find the communities of an embedded corpus' pictures and write what stays.

    Args:
        vectors: What `embed_corpus` made. best: See `rows.best_first`. k: Neighbours of each.

    Raises the errors of `all_neighbours`, `read_rows` and `best_first`.
    """
    rows = read_rows(vectors)
    order = np.array(best_first(rows, best))
    found = all_neighbours(
        vectors / f"{PICTURES}.npy",
        out / "neighbours",
        k=k,
        partition=partition,
        search=search,
        distribute=distribute,
        progress=progress,
    )
    communities = find_communities(found, grouping)
    kept = stays(communities, order)
    table = [
        {"id": row.id, "community": rows[community].id, "stays": rows[stay].id}
        for row, community, stay in zip(rows, communities, kept, strict=True)
    ]
    atomic.write_bytes(out / "communities.parquet", COMMUNITIES.to_bytes(table))
    pruned = [{"id": row["id"], "stays": row["stays"]} for row in table if row["id"] != row["stays"]]
    write_list(out / PRUNE, pruned)
    sizes = Counter(communities.tolist()).values()
    return Outcome(
        pictures=len(rows), communities=sum(size > 1 for size in sizes), pruned=len(pruned), largest=max(sizes)
    )
