"""What people look at: displays of fitted estimators, as scikit-learn has them.

Each computes once what it shows, keeps it, and draws it as often as wanted. Most take whatever has
`transform` and `inverse_transform`, not autoencoders alone.
"""

from skae.plotting._clusters import ClusterDisplay
from skae.plotting._code_effects import CodeEffectsDisplay
from skae.plotting._comparison import ComparisonDisplay
from skae.plotting._explained_variance import ExplainedVarianceDisplay
from skae.plotting._feature_maps import FeatureMapsDisplay
from skae.plotting._interpolation import InterpolationDisplay
from skae.plotting._latent_joint import LatentJointDisplay
from skae.plotting._latent_space import LatentSpaceDisplay
from skae.plotting._loadings import LoadingsDisplay
from skae.plotting._loss_curve import LossCurveDisplay
from skae.plotting._manifold import ManifoldDisplay
from skae.plotting._outliers import OutlierDisplay
from skae.plotting._reconstruction import ReconstructionDisplay
from skae.plotting._vector_field import VectorFieldDisplay
from skae.plotting._weights import WeightsDisplay

__all__ = [
    "ClusterDisplay",
    "CodeEffectsDisplay",
    "ComparisonDisplay",
    "ExplainedVarianceDisplay",
    "FeatureMapsDisplay",
    "InterpolationDisplay",
    "LatentJointDisplay",
    "LatentSpaceDisplay",
    "LoadingsDisplay",
    "LossCurveDisplay",
    "ManifoldDisplay",
    "OutlierDisplay",
    "ReconstructionDisplay",
    "VectorFieldDisplay",
    "WeightsDisplay",
]
