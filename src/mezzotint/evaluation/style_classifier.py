"""Which style a picture is drawn in: a linear discriminant over the examiner's features, fitted on real sprites."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mezzotint.evaluation.gallery import Gallery

SHRINKAGE = 0.1  # of the shared covariance towards a multiple of the identity


@dataclass(frozen=True, kw_only=True, eq=False)
class StyleClassifier:
    """argmax over styles of w·x + b."""

    styles: np.ndarray
    weights: Float[np.ndarray, "styles d"]
    biases: Float[np.ndarray, "styles"]

    def classify(self, features: Float[np.ndarray, "b d"]) -> np.ndarray:
        """The styles' names."""
        return self.styles[(features @ self.weights.T + self.biases).argmax(1)]


def fit_styles(gallery: Gallery, held_out: Collection[str]) -> StyleClassifier:
    """Linear discriminant analysis (Hastie et al. 2009, section 4.3), equal priors, without the held-out concepts."""
    used = ~np.isin(gallery.concepts, list(held_out))
    features, styles = gallery.features[used].astype(float), np.asarray(gallery.styles)[used]
    names, numbers = np.unique(styles, return_inverse=True)
    means = np.stack([features[numbers == number].mean(0) for number in range(len(names))])
    within = np.cov((features - means[numbers]).T)
    scale = np.trace(within) / len(within)
    precision = np.linalg.inv((1 - SHRINKAGE) * within + SHRINKAGE * scale * np.eye(len(within)))
    weights = means @ precision
    return StyleClassifier(styles=names, weights=weights, biases=-0.5 * (weights * means).sum(1))
