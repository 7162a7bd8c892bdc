from itertools import combinations
from pathlib import Path

import networkx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.curation.vectors.planted import clustered, stored, uniform

from mezzotint.curation.vectors.cells import Partition
from mezzotint.curation.vectors.communities import Grouping, Leiden, find_communities, stays
from mezzotint.curation.vectors.nearest import LEAST, NONE
from mezzotint.curation.vectors.neighbours import Neighbours, all_neighbours
from mezzotint.errors import InputError


def graph(count: int, edges: dict[tuple[int, int], float]) -> Neighbours:
    """Neighbours as these edges have them, each in one direction only."""
    k = max([1, *(sum(first == i for first, _ in edges) for i in range(count))])
    indices, cosines = np.full((count, k), NONE, np.int64), np.full((count, k), LEAST, np.float32)
    filled = [0] * count
    for (first, second), cosine in edges.items():
        indices[first, filled[first]], cosines[first, filled[first]] = second, cosine
        filled[first] += 1
    return Neighbours(indices=indices, cosines=cosines)


def cliques(count: int, size: int, bridge: float) -> Neighbours:
    """Cliques of cosine 0.9, each joined to the next by one edge."""
    edges = {}
    for start in range(0, count * size, size):
        edges |= dict.fromkeys(combinations(range(start, start + size), 2), 0.9)
        if start:
            edges[start - 1, start] = bridge
    return graph(count * size, edges)


def test_components_are_named_by_their_first_member() -> None:
    chain = graph(6, {(4, 2): 0.9, (2, 5): 0.9, (3, 1): 0.9})
    assert find_communities(chain, Grouping(cosine=0.8)).tolist() == [0, 1, 2, 1, 2, 2]


def test_the_threshold_itself_is_alike_and_less_is_not() -> None:
    pair = graph(2, {(0, 1): 0.5})
    assert find_communities(pair, Grouping(cosine=0.5)).tolist() == [0, 0]
    assert find_communities(pair, Grouping(cosine=0.51)).tolist() == [0, 1]
    with pytest.raises(InputError, match=r"cosine 1\.5"):
        Grouping(cosine=1.5)


def test_one_bridge_does_not_make_two_cliques_one_community() -> None:
    expected = np.repeat(np.arange(0, 60, 10), 10)
    found = find_communities(cliques(6, 10, bridge=0.9), Grouping(cosine=0.8, large=16))
    np.testing.assert_array_equal(found, expected)
    together = find_communities(cliques(6, 10, bridge=0.9), Grouping(cosine=0.8, large=60))
    np.testing.assert_array_equal(together, np.zeros(60))
    cut = find_communities(cliques(6, 10, bridge=0.7), Grouping(cosine=0.8, large=60))
    np.testing.assert_array_equal(cut, expected)


def test_no_component_is_too_large_for_its_cliques_to_be_seen() -> None:
    """Plain modularity joins neighbours in a ring of many cliques (Fortunato & Barthélemy 2007)."""
    found = find_communities(cliques(300, 5, bridge=0.9), Grouping(cosine=0.8, large=10))
    np.testing.assert_array_equal(found, np.repeat(np.arange(0, 1500, 5), 5))


def test_what_is_all_alike_stays_together() -> None:
    """20 groups of 40 in a chain; each vector knows 12 of its own group, by chance."""
    rng = np.random.default_rng(0)
    edges = {(start - 1, start): 0.9 for start in range(40, 800, 40)}
    for first in range(800):
        for other in rng.choice(40, 13, replace=False):
            if (second := first // 40 * 40 + int(other)) != first:
                edges[first, second] = 0.9
    found = find_communities(graph(800, edges), Grouping(cosine=0.5))
    np.testing.assert_array_equal(found, np.repeat(np.arange(0, 800, 40), 40))


def test_small_components_beside_large_ones_stay_whole() -> None:
    edges = {pair: 0.9 for start in (0, 10) for pair in combinations(range(start, start + 10), 2)}
    found = find_communities(
        graph(23, {**edges, (9, 10): 0.9, (20, 21): 0.9, (21, 22): 0.9}), Grouping(cosine=0.8, large=16)
    )
    np.testing.assert_array_equal(found, [*[0] * 10, *[10] * 10, 20, 20, 20])


def test_equal_seeds_give_equal_communities(tmp_path: Path) -> None:
    """On a graph that has no clear answer."""
    path = stored(uniform(600, 8), tmp_path / "v.npy")
    near = all_neighbours(path, tmp_path / "found", k=8, partition=Partition())
    first = find_communities(near, Grouping(cosine=0.0))
    for _ in range(3):
        np.testing.assert_array_equal(find_communities(near, Grouping(cosine=0.0)), first)
    others = [find_communities(near, Grouping(cosine=0.0, leiden=Leiden(seed=seed))) for seed in (1, 2, 3)]
    assert any(not np.array_equal(other, first) for other in others)


def test_modularity_is_about_that_of_another_method_and_communities_hang_together(tmp_path: Path) -> None:
    path = stored(clustered(20, 20, 16, spread=0.9), tmp_path / "v.npy")
    near = all_neighbours(path, tmp_path / "found", k=6, partition=Partition())
    found = find_communities(near, Grouping(cosine=0.0, large=100))
    edges = networkx.Graph()
    for row in range(len(near.indices)):
        for other, cosine in zip(near.indices[row].tolist(), near.cosines[row].tolist(), strict=True):
            edges.add_edge(row, other, weight=cosine)
    ours = [set(np.flatnonzero(found == name).tolist()) for name in np.unique(found)]
    louvain = networkx.community.louvain_communities(edges, resolution=400 / 100, seed=0)
    ours_is, louvain_is = (networkx.community.modularity(edges, parts, resolution=4) for parts in (ours, louvain))
    assert ours_is >= louvain_is - 0.01
    assert all(networkx.is_connected(edges.subgraph(one)) for one in ours)


def test_planted_series_are_found_from_the_vectors_on(tmp_path: Path) -> None:
    path = stored(clustered(50, 12, 32, spread=0.3), tmp_path / "v.npy")
    near = all_neighbours(path, tmp_path / "found", k=8, partition=Partition(vectors_a_cell=64))
    np.testing.assert_array_equal(find_communities(near, Grouping(cosine=0.8)), np.repeat(np.arange(0, 600, 12), 12))


def test_the_first_of_the_order_stays() -> None:
    communities = np.array([0, 1, 0, 1, 4])
    assert stays(communities, np.array([3, 2, 4, 0, 1])).tolist() == [2, 3, 2, 3, 4]


@given(st.lists(st.integers(0, 5), min_size=1, max_size=20), st.randoms(use_true_random=False))
def test_exactly_one_of_each_community_stays(labels: list[int], random) -> None:
    communities = np.array([labels.index(label) for label in labels])
    order = list(range(len(labels)))
    random.shuffle(order)
    found = stays(communities, np.array(order))
    for name in set(communities.tolist()):
        (stayed,) = set(found[communities == name].tolist())
        assert stayed == min(np.flatnonzero(communities == name).tolist(), key=order.index)
