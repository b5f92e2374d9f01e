"""Detectors in a stream: what fades, who judges whom, alarms while rows drift."""

import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.metrics import roc_auc_score

import skae
from skae import AutoencoderOutlierDetector, AutoencoderTransformer
from skae._holding_out import FoldsOfRows
from skae._outlier_stream import KeptRows, n_kept


def detector(half_life=150, **parameters):
    small = AutoencoderTransformer(2, hidden_layer_sizes=8, max_iter=3, early_stopping=False)
    small.set_params(**{k: parameters.pop(k) for k in ("missing", "loss") if k in parameters})
    defaults = {"n_folds": 2, "half_life": half_life, "random_state": 0}
    return AutoencoderOutlierDetector(small, **defaults | parameters)


def rows_at(time, n_rows=100, seed=0, drift=0.45):
    """Return rows near a curved surface that moves, and which of them have a wrong value."""
    random = np.random.RandomState(1000 * seed + time)
    codes = random.normal(size=(n_rows, 2))
    mixing, way = (np.random.RandomState(i).normal(size=s) for i, s in ((1, (4, 6)), (2, 6)))
    X = np.column_stack([codes, codes**2]) @ mixing + 0.3 * random.normal(size=(n_rows, 6))
    wrong = np.arange(n_rows) < n_rows // 10
    X[wrong, random.randint(6, size=wrong.sum())] += 8 * random.choice([-1, 1], size=wrong.sum())
    return X + drift * time * way, wrong


# What is kept


def kept_of(n_rows, half_life):
    X = np.arange(float(n_rows))[:, None]
    held_out = np.ones((2, n_rows), dtype=bool)
    folds = FoldsOfRows(X, np.arange(n_rows), held_out)
    return KeptRows.of(X, np.ones(n_rows), held_out, folds, half_life, seed=0)


@pytest.mark.parametrize(("half_life", "size"), [(200, 1), (200, 70), (3000, 170)])
def test_half_of_the_rows_kept_are_no_older_than_the_half_life(half_life, size):
    kept, n_rows = kept_of(100, half_life), 100
    while n_rows < 10 * half_life:
        new = np.arange(n_rows, n_rows + size, dtype=float)[:, None]
        kept = kept.then(new, np.ones(size), np.ones((2, size), dtype=bool), half_life)
        n_rows += size
    age = n_rows - kept.X[:, 0]
    assert len(age) == pytest.approx(n_kept(half_life), rel=0.02)
    for n_half_lives in (1, 2):
        share = 2.0**-n_half_lives
        error = np.sqrt(share * (1 - share) / len(age))
        assert (age > n_half_lives * half_life).mean() == pytest.approx(share, abs=3 * error)


def test_as_many_are_kept_as_weights_that_halve_sum_up_to():
    assert n_kept(100) == pytest.approx((0.5 ** (np.arange(5000) / 100)).sum(), abs=1)
    assert n_kept(1e6) == 2048


def test_fewer_are_kept_when_the_half_life_is_shortened():
    kept = kept_of(1000, 700).then(np.ones((1, 1)), np.ones(1), np.ones((2, 1), dtype=bool), 50)
    assert len(kept.weight) == n_kept(50)


# Who judges whom


def test_each_row_is_held_out_from_one_network_for_good():
    X, (new, _) = rows_at(0)[0], rows_at(1)
    stream = detector().fit(X)
    before = [one.module_.state_dict() for one in stream.autoencoders_]
    own = stream._folds.unseen(X)
    stream.partial_fit(new)
    np.testing.assert_array_equal(stream._folds.unseen(X), own)
    unseen = stream._folds.unseen(new)
    assert (unseen.sum(axis=0) == 1).all()
    assert (unseen.sum(axis=1) > 25).all()
    again = detector().fit(X).autoencoders_
    triples = zip(again, stream.autoencoders_, before, strict=True)
    for (expected, autoencoder, state), mine in zip(triples, unseen, strict=True):
        expected.partial_fit(new[~mine])
        for name, weights in autoencoder.module_.state_dict().items():
            np.testing.assert_array_equal(weights, expected.module_.state_dict()[name])
        assert any((state[name] != w).any() for name, w in autoencoder.module_.state_dict().items())


def test_a_row_that_comes_again_is_held_out_from_the_same_network():
    stream = detector(half_life=50).fit(rows_at(0)[0])
    first, _ = rows_at(1)
    stream.partial_fit(first)
    own = stream._folds.unseen(first)
    for time in (2, 3):
        stream.partial_fit(rows_at(time)[0])
    assert stream._folds.unseen(first).all(axis=0).mean() > 0.8  # they are forgotten
    np.testing.assert_array_equal(stream._folds.to_hold_out(first), own)
    np.testing.assert_array_equal(stream._folds.unseen(rows_at(0)[0]).sum(axis=0), 1)


def test_what_is_typical_is_what_kept_rows_score_by_networks_that_have_not_seen_them():
    stream = detector(contamination="auto").fit(rows_at(0)[0])
    stream.partial_fit(rows_at(1)[0])
    kept = stream._kept
    np.testing.assert_array_equal(stream._folds.unseen(kept.X), kept.held_out)
    np.testing.assert_array_equal(stream._typical.scores, np.sort(stream.score_samples(kept.X)))
    p_values = stream.score_p_values(rows_at(2)[0])
    np.testing.assert_array_equal(stream.predict(rows_at(2)[0]) == -1, p_values <= 0.05)


# The stream


def test_alarms_stay_near_the_share_asked_for_while_rows_drift_and_anomalies_are_found():
    stream = detector().fit(np.concatenate([rows_at(0, seed=s)[0] for s in range(3)]))
    frozen = pickle.loads(pickle.dumps(stream))
    alarms, of_frozen, areas = [], [], []
    for time in range(1, 15):
        X, wrong = rows_at(time)
        alarms.append((stream.predict(X) == -1).mean())  # before they are trained on
        of_frozen.append((frozen.predict(X) == -1).mean())
        areas.append(roc_auc_score(wrong, -stream.score_samples(X)))
        stream.partial_fit(X)
    assert 0.07 < np.mean(alarms[:7]) < 0.15
    assert 0.07 < np.mean(alarms[7:]) < 0.15
    assert np.mean(of_frozen[7:]) > 0.9
    assert np.mean(areas) > 0.9


def test_a_stream_goes_on_to_the_same_bits_from_a_pickle_and_a_file(tmp_path):
    stream = detector(missing="mask").partial_fit(rows_at(0)[0]).partial_fit(rows_at(1)[0])
    skae.save(stream, tmp_path / "stream")
    others = [pickle.loads(pickle.dumps(stream)), skae.load(tmp_path / "stream")]
    new = rows_at(3)[0]
    stream.partial_fit(rows_at(2)[0])
    for other in others:
        other.partial_fit(rows_at(2)[0])
        np.testing.assert_array_equal(other.score_samples(new), stream.score_samples(new))
        assert other.offset_ == stream.offset_
        assert other._kept.n_seen == 300


def test_a_first_call_is_a_fit_and_another_fit_forgets_the_stream():
    X = rows_at(0)[0]
    fitted, stream = detector().fit(X), detector().partial_fit(X)
    np.testing.assert_array_equal(stream.score_samples(X), fitted.score_samples(X))
    stream.partial_fit(rows_at(1)[0]).fit(X)
    np.testing.assert_array_equal(stream.score_samples(X), fitted.score_samples(X))
    # A stream that might come, and has not, changes nothing.
    alone = detector(half_life=None).fit(X)
    np.testing.assert_array_equal(alone.score_samples(X), fitted.score_samples(X))


@pytest.mark.parametrize("missing", ["error", "mask"])
def test_rows_may_come_one_by_one_with_weights_names_and_holes(missing):
    names = list("abcdef")
    frame = pd.DataFrame(rows_at(0)[0], columns=names)
    loss = {"squared_error": list("abc"), "huber": list("def")}
    stream = detector(missing=missing, loss=loss).fit(frame)
    for i in range(3):
        one = pd.DataFrame(rows_at(1)[0][[i]], columns=names)
        if missing == "mask":
            one.loc[0, "a"] = np.nan
        stream.partial_fit(one, sample_weight=[1.0])
    assert stream._kept.n_seen == 103
    assert list(stream.feature_names_in_) == names
    assert np.isfinite(stream.score_samples(frame)).all()


def test_a_sensor_that_is_stuck_leaves_a_detector():
    # All rows that are kept are then held out from one network, and the other has seen none.
    X, _ = rows_at(0)
    stream = detector(half_life=50).fit(X)
    for _ in range(8):
        stream.partial_fit(np.repeat(X[:1], 60, axis=0))
    assert (X[0] == stream._kept.X).all(axis=1).mean() > 0.9
    assert np.isfinite(stream.decision_function(X)).all()
    assert stream.predict(rows_at(0)[0][1:] + 9).max() == -1


def test_rows_without_weight_are_no_rows():
    X, new = rows_at(0)[0], rows_at(1)[0]
    weight = np.arange(100) % 2
    half, whole = detector().fit(X), detector().fit(X)
    half.partial_fit(new[weight > 0])
    whole.partial_fit(new, sample_weight=weight)
    np.testing.assert_array_equal(half.score_samples(X), whole.score_samples(X))


def test_sparse_rows_give_what_dense_ones_give():
    X, new = (rows_at(time)[0] * (rows_at(time, seed=3)[0] > 0) for time in (0, 1))
    dense = detector().fit(X).partial_fit(new)
    sparse = detector().fit(sp.csr_array(X)).partial_fit(sp.csr_array(new))
    np.testing.assert_allclose(sparse.score_samples(sp.csr_array(X)), dense.score_samples(X))


# What is refused


def test_without_a_half_life_there_is_no_stream():
    assert not hasattr(detector(half_life=None), "partial_fit")
    late = detector(half_life=None).fit(rows_at(0)[0]).set_params(half_life=50)
    with pytest.raises(ValueError, match=r"has kept no rows to go on from. Fit again"):
        late.partial_fit(rows_at(1)[0])
    with pytest.raises(ValueError, match="half_life"):
        detector(half_life=49).fit(rows_at(0)[0])


def test_rows_that_do_not_fit_are_refused_and_change_nothing():
    X = rows_at(0)[0]
    stream = detector().fit(X)
    before = stream.score_samples(X)
    with pytest.raises(ValueError, match="5 features"):
        stream.partial_fit(X[:, :5])
    with pytest.raises(ValueError, match="NaN"):
        stream.partial_fit(np.where(X > 1, np.nan, X))
    stream.autoencoder.learning_rate_init = -1.0
    stream.autoencoders_[1].learning_rate_init = -1.0
    with pytest.raises(ValueError, match="learning rate"):
        stream.partial_fit(rows_at(1)[0])
    np.testing.assert_array_equal(stream.score_samples(X), before)


def test_an_autoencoder_that_can_not_go_on_is_named():
    class Still(TransformerMixin, BaseEstimator):
        def __init__(self, random_state=None):
            self.random_state = random_state

        def fit(self, X, sample_weight=None):
            return self

        def transform(self, X):
            return X[:, :2]

        def get_feature_names_out(self):
            return ["a", "b"]

        def reconstruction_error(self, X, *, per_feature=False):
            return X**2 if per_feature else (X**2).sum(axis=1)

    still = AutoencoderOutlierDetector(Still(), criterion="squared_error", half_life=50)
    still.fit(rows_at(0)[0])
    with pytest.raises(ValueError, match=r"has no partial_fit. Give one that has it"):
        still.partial_fit(rows_at(1)[0])
