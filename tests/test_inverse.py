"""The way back through pipelines."""

import numpy as np
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae._inverse import without_imputers

X = load_iris().data


def test_the_way_back_leads_past_imputers():
    pipeline = make_pipeline(StandardScaler(), KNNImputer(), PCA(2)).fit(X)
    codes = pipeline.transform(X)
    back = without_imputers(pipeline).inverse_transform(codes)
    scaler, _, pca = (step for _, step in pipeline.steps)
    np.testing.assert_array_equal(back, scaler.inverse_transform(pca.inverse_transform(codes)))


def test_all_else_is_left_as_it_is():
    for estimator in (
        PCA(2),
        make_pipeline(StandardScaler(), PCA(2)),
        make_pipeline(SimpleImputer()),
    ):
        assert without_imputers(estimator) is estimator
