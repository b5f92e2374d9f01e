"""Partners: another row for each row of a batch, for penalties that ask for them."""

from collections import Counter
from typing import ClassVar

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.base import BaseEstimator
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.model_selection import PredefinedSplit
from sklearn.neighbors import kneighbors_graph
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import get_tags

import skae
from skae import (
    AutoencoderTransformer,
    ConvolutionalAutoencoderTransformer,
    StackedAutoencoderClassifier,
)
from skae import _neighbors as neighbors
from skae._partners import PartnerRows, Steps
from skae._seeding import torch_generator
from skae.metrics import knn_accuracy
from skae.penalty import L1Sparsity, NeighborPreservation

IRIS, LABELS = load_iris(return_X_y=True)

pytestmark = pytest.mark.filterwarnings("ignore::skae.exceptions.DependentRowsWarning")


def quick(penalty, **how):
    """Return an autoencoder that has nothing to choose and is soon trained."""
    default = {"hidden_layer_sizes": 6, "init": "pca", "noise": None, "max_iter": 3}
    return AutoencoderTransformer(2, penalty=penalty, **{**default, "random_state": 0, **how})


class Next(BaseEstimator):
    """A user's penalty, which draws each row's code to that of the next row of X, if it is there.

    It notes what it is asked and what it is given.
    """

    def __init__(self, weight=0.1):
        self.weight = weight

    def partners(self, rows, among):
        asked = self.__dict__.setdefault("asked_", [])
        asked.append((rows, among))
        return sp.csr_array(among.places == rows.places[:, None] + 1).astype(float)

    def penalize(self, batch):
        self.__dict__.setdefault("brought_", []).append((batch.rows, batch.partners))
        return self.weight * (batch.code - batch.encode(batch.partners)).square().sum(dim=-1)


class NeedsLabels(Next):
    """One that looks at labels."""

    needs_labels = True


def asked_in_fit(X, y=None, kind=Next, **how):
    penalty = kind()
    estimator = quick(penalty, **how).fit(X, y)
    return penalty, estimator


# Drawing


def test_partners_are_drawn_as_often_as_their_shares_say():
    shares = np.random.RandomState(0).uniform(size=(5, 7)) * (
        np.random.RandomState(1).uniform(size=(5, 7)) < 0.5
    )
    shares[2] = 0
    steps = Steps(sp.csr_array(shares))
    nodes = torch.arange(5).repeat(20_000)
    drawn = steps.draw(nodes, torch_generator(0)).reshape(-1, 5)
    assert (drawn[:, 2] == -1).all()
    for node in (0, 1, 3, 4):
        counts = torch.bincount(drawn[:, node], minlength=7).numpy() / 20_000
        np.testing.assert_allclose(counts, shares[node] / shares[node].sum(), atol=0.015)


def test_a_walk_that_has_ended_goes_no_further():
    steps = Steps(sp.csr_array(np.eye(3)))
    drawn = steps.draw(torch.tensor([-1, 2, 0]), torch_generator(0))
    assert drawn.tolist() == [-1, 2, 0]


def test_a_matrix_without_entries_leads_nowhere():
    steps = Steps(sp.csr_array((4, 3)))
    assert steps.draw(torch.arange(4), torch_generator(0)).tolist() == [-1] * 4


# What a penalty is asked and given


def test_a_users_penalty_is_given_the_partner_of_each_row_or_the_row_itself():
    penalty, estimator = asked_in_fit(IRIS, early_stopping=False)
    ((rows, among),) = penalty.asked_
    np.testing.assert_array_equal(rows.X[rows.stands_for], IRIS)
    np.testing.assert_array_equal(rows.X, IRIS[rows.places])
    assert rows.labels is None
    standardized = torch.from_numpy((IRIS - estimator.mean_) / estimator.scale_).float()
    rows_seen, partners = (torch.cat(some) for some in zip(*penalty.brought_, strict=True))
    place = among.places[torch.cdist(rows_seen, standardized[among.places]).argmin(dim=1)]
    has_next = np.isin(place + 1, among.places)
    assert 0 < has_next.sum() < len(place)
    torch.testing.assert_close(partners, standardized[place + has_next])


def test_rows_held_out_have_partners_among_those_trained_on_and_are_nobodys():
    fold = np.where(np.arange(len(IRIS)) % 5 == 0, 0, -1)
    penalty, _ = asked_in_fit(IRIS, validation_fraction=PredefinedSplit(fold))
    held_out, training = (rows.places for rows, _ in penalty.asked_)
    assert (training % 5 != 0).all()
    assert (held_out % 5 == 0).all()
    for rows, among in penalty.asked_:
        assert (among.places % 5 != 0).all()
        assert len(rows.stands_for) == len(IRIS)


def test_rows_that_the_user_holds_out_are_nobodys_partners():
    penalty, _ = asked_in_fit(IRIS[30:], validation_fraction=IRIS[:30])
    for _, among in penalty.asked_:
        assert among.places.max() < len(IRIS) - 30
    assert any((rows.places >= len(IRIS) - 30).all() for rows, _ in penalty.asked_)


def test_candidates_that_see_the_same_rows_ask_once():
    penalty = Next()
    estimator = quick(penalty, init="auto", noise="auto", validation_fraction=0.2).fit(IRIS)
    assert len(estimator.candidates_["n_iter"]) == 4
    assert len(penalty.asked_) == 2  # of the rows trained on and of those held out


def test_equal_rows_are_one_and_come_as_partners_as_often_as_they_were_there():
    class Anyone(Next):
        def partners(self, rows, among):
            super().partners(rows, among)
            return sp.csr_array(np.ones((len(rows.weight), len(among.weight))))

    X = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [2.0, 2.0]])
    weight = np.array([1.0, 1.0, 1.0, 7.0])
    penalty = Anyone()
    estimator = quick(penalty, early_stopping=False, max_iter=250, batch_size=4)
    estimator.fit(X, sample_weight=weight)
    heavy = (X[3] - estimator.mean_) / estimator.scale_
    drawn = Counter()
    for batch, partners in penalty.brought_:
        is_heavy = np.isclose(partners.numpy(), heavy, atol=1e-5).all(axis=1)
        of_heavy = np.isclose(batch.numpy(), heavy, atol=1e-5).all(axis=1)
        drawn.update(zip(of_heavy.tolist(), is_heavy.tolist(), strict=True))
    assert drawn[True, True] == 0  # nobody is its own
    share = drawn[False, True] / (drawn[False, True] + drawn[False, False])
    assert share == pytest.approx(7 / 9, abs=0.06)


def test_holes_are_means_for_a_penalty_and_partners_have_none():
    X = np.where(np.random.RandomState(0).uniform(size=IRIS.shape) < 0.2, np.nan, IRIS)
    X = X[~np.isnan(X).all(axis=1)]
    penalty, estimator = asked_in_fit(X, missing="mask", early_stopping=False)
    ((rows, _),) = penalty.asked_
    expected = np.where(np.isnan(X), estimator.mean_, X)
    np.testing.assert_allclose(rows.X, expected[rows.places])
    assert all(partners.isfinite().all() for _, partners in penalty.brought_)


def test_of_rows_with_targets_a_penalty_sees_the_targets_and_is_brought_rows():
    targets = IRIS
    noisy = IRIS + np.random.RandomState(0).normal(size=IRIS.shape)
    penalty, estimator = asked_in_fit(noisy, targets, early_stopping=False)
    ((rows, _),) = penalty.asked_
    np.testing.assert_allclose(rows.X, targets[rows.places])
    _, partners = penalty.brought_[0]
    standardized = torch.from_numpy((noisy - estimator.mean_) / estimator.scale_).float()
    assert torch.cdist(partners, standardized).min(dim=1).values.max() < 1e-2


def test_labels_are_numbers_for_a_penalty_that_needs_them_and_rows_differ_by_them():
    X = np.r_[IRIS[:100], IRIS[:1]]
    y = np.array(["a"] * 50 + [None] * 50 + ["b"], dtype=object)
    penalty, _ = asked_in_fit(X, y, NeedsLabels, early_stopping=False)
    ((rows, _),) = penalty.asked_
    expected = np.array([0] * 50 + [-1] * 50 + [1])
    np.testing.assert_array_equal(rows.labels, expected[rows.places])
    assert {0, 100} <= set(rows.places.tolist())  # equal, but of two classes


def test_tags_say_that_a_penalty_needs_labels():
    for penalty, required in (
        (None, False),
        ("neighbors", False),
        (NeighborPreservation(), False),
        (NeighborPreservation(supervised=0.5), True),
        ([L1Sparsity(), NeedsLabels()], True),
    ):
        assert get_tags(quick(penalty)).target_tags.required == required
    with pytest.raises(ValueError, match="'supervised' parameter of NeighborPreservation"):
        quick(NeighborPreservation(supervised="all")).fit(IRIS, LABELS)


def test_rows_that_the_user_holds_out_may_have_labels_too():
    y = LABELS.astype(float)
    y[::2] = np.nan
    for y_held_out in (None, y[:30], np.full(30, 7.0)):
        how = {"validation_fraction": (IRIS[:30], y_held_out)}
        penalty, _ = asked_in_fit(IRIS[30:], y[30:], NeedsLabels, **how)
        held_out = next(rows for rows, _ in penalty.asked_ if rows.places.min() >= 120)
        known = y_held_out is not None and y_held_out[1] == 0
        assert (held_out.labels >= 0).any() == known


def test_penalties_that_ask_stand_beside_those_that_do_not():
    both = quick([L1Sparsity(0.1), Next(0.2), Next(0.3)], early_stopping=False).fit(IRIS)
    one = quick([L1Sparsity(0.1), Next(0.5)], early_stopping=False).fit(IRIS)
    np.testing.assert_allclose(both.loss_curve_, one.loss_curve_, rtol=1e-4)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (np.ones((149, 149)), r"returned \['ndarray'\] of shapes \[\(149, 149\)\].*sparse"),
        (None, r"returned \['NoneType'\] of shapes \[\(\)\].*must return a sparse matrix"),
        (sp.csr_array((150, 3)), r"of shapes \[\(150, 3\)\]"),
        ([sp.csr_array((150, 3)), sp.csr_array((4, 150))], r"several to walk along"),
        ([], r"returned \[\]"),
        (-sp.csr_array(sp.eye(149)), "negative or infinite shares"),
    ],
)
def test_an_answer_that_names_no_partners_is_refused(answer, message):
    class Wrong(Next):
        def partners(self, rows, among):
            return answer

    with pytest.raises(ValueError, match=message):
        quick(Wrong(), early_stopping=False).fit(IRIS)


# All ways of training


def codes_of(penalty, X=IRIS, y=None, **how):
    return quick(penalty, **how).fit(X, y).transform(IRIS)


PENALTIES = {
    "neighbors": (NeighborPreservation(n_neighbors=5), None),
    "labels": (NeighborPreservation(n_neighbors=5, supervised=0.5), LABELS),
}
WAYS = {
    "candidates": {"init": "auto", "noise": "auto", "validation_fraction": 0.2, "max_iter": 4},
    "folds": {"max_iter": 2},
    "all rows": {"early_stopping": False, "shuffle": False},
    "batch statistics": {"normalization": "batch", "validation_fraction": 0.2, "dropout": 0.1},
    "ordered": {"ordered": True, "validation_fraction": 0.2},
    "tied": {"tied_weights": True, "pretrain": True, "early_stopping": False},
    "a loss of any unit": {"loss": lambda a, b: (a - b).square() * 9, "early_stopping": False},
}


@pytest.mark.parametrize("kind", PENALTIES)
@pytest.mark.parametrize("way", WAYS)
def test_the_same_seed_gives_the_same_bits_and_the_penalty_counts(way, kind):
    penalty, y = PENALTIES[kind]
    first, second = (codes_of(penalty, y=y, **WAYS[way]) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, codes_of(None, **WAYS[way]))


def test_networks_side_by_side_are_those_in_turn(monkeypatch):
    penalty = NeighborPreservation(n_neighbors=5)
    together = quick(penalty, **WAYS["candidates"]).fit(IRIS)
    monkeypatch.setattr("skae._training.likeness", lambda module: None)
    in_turn = quick(penalty, **WAYS["candidates"]).fit(IRIS)
    for curve, other in zip(
        together.candidates_["validation_loss_curve"],
        in_turn.candidates_["validation_loss_curve"],
        strict=True,
    ):
        np.testing.assert_allclose(curve, other, rtol=1e-3)


def test_sparse_rows_have_the_partners_of_dense_ones():
    random = np.random.RandomState(0)
    X = random.uniform(1, 2, size=(60, 8)) * (random.uniform(size=(60, 8)) < 0.5)  # no ties
    for metric in ("euclidean", "cosine"):
        penalty = NeighborPreservation(n_neighbors=3, metric=metric)
        dense, sparse = (
            quick(penalty, early_stopping=False).fit(container(X)).transform(X)
            for container in (np.asarray, sp.csr_array)
        )
        np.testing.assert_allclose(dense, sparse, rtol=1e-4, atol=1e-5)


def test_a_metric_needs_no_parameters_and_knows_rows_as_they_are():
    for metric in ("seuclidean", "mahalanobis", "precomputed"):
        with pytest.raises(ValueError, match="'metric' parameter of NeighborPreservation"):
            quick(NeighborPreservation(metric=metric)).fit(IRIS)
    with pytest.raises(ValueError, match=r"metric='chebyshev'\) is .* dense rows.*'manhattan'"):
        quick(NeighborPreservation(metric="chebyshev")).fit(sp.csr_array(IRIS))


def test_partial_fit_finds_partners_in_each_batch():
    estimator = quick(NeighborPreservation(n_neighbors=3))
    for part in np.array_split(np.random.RandomState(0).permutation(IRIS), 3):
        estimator.partial_fit(part)
    assert len(estimator.loss_curve_) == 3
    assert np.isfinite(estimator.transform(IRIS)).all()


def test_a_row_of_weight_two_is_the_row_twice():
    penalty = NeighborPreservation(n_neighbors=3)
    weight = 1.0 + (np.arange(len(IRIS)) % 3 == 0)
    twice = np.repeat(IRIS, weight.astype(int), axis=0)
    weighted = quick(penalty).fit(IRIS, sample_weight=weight).transform(IRIS)
    np.testing.assert_array_equal(weighted, codes_of(penalty, twice))


def test_a_model_file_keeps_the_penalty(tmp_path):
    graph = sp.csr_array(np.eye(len(IRIS), k=1) + np.eye(len(IRIS), k=-1))
    for part in (NeighborPreservation(2.0, 7), NeighborPreservation(graph=graph)):
        fitted = quick(part, early_stopping=False).fit(IRIS)
        skae.save(fitted, tmp_path / "model.skae")
        loaded = skae.load(tmp_path / "model.skae")
        np.testing.assert_array_equal(loaded.transform(IRIS), fitted.transform(IRIS))
        assert loaded.penalty.n_neighbors == part.n_neighbors
        again = loaded.fit(IRIS).transform(IRIS)
        np.testing.assert_array_equal(again, fitted.transform(IRIS))


def test_channels_last_changes_nothing_but_the_order_of_columns():
    random = np.random.RandomState(0)
    X = random.uniform(size=(30, 2, 4, 4))
    first, last = X.reshape(30, -1), np.moveaxis(X, 1, -1).reshape(30, -1)
    how = {"channels": 2, "max_iter": 1, "early_stopping": False, "random_state": 0}
    codes = []
    for rows, shape in (
        (first, {"channels": 2, "height": 4, "width": 4}),
        (last, {"height": 4, "width": 4, "channels": 2}),
    ):
        penalty = Next()
        estimator = ConvolutionalAutoencoderTransformer(
            2, image_shape=shape, penalty=penalty, **how
        ).fit(rows)
        ((asked, _),) = penalty.asked_
        np.testing.assert_array_equal(asked.X, rows[asked.places])
        _, partners = penalty.brought_[0]
        standardized = (rows - estimator.mean_) / estimator.scale_
        nearest = torch.cdist(partners, torch.from_numpy(standardized).float()).min(dim=1).values
        assert nearest.max() < 1e-2
        codes.append(estimator.transform(rows))
    np.testing.assert_allclose(*codes, rtol=1e-5)


# Neighbors


def shown(X, places=None, weight=None, labels=None, n_given=None):
    """Return rows as a penalty is shown them."""
    places = np.arange(X.shape[0]) if places is None else places
    weight = np.ones(X.shape[0]) if weight is None else weight
    stands_for = np.full(n_given or places.max() + 1, -1)
    stands_for[places] = np.arange(len(places))
    return PartnerRows(X, weight, labels, places, stands_for)


@pytest.mark.parametrize("metric", ["euclidean", "manhattan", "cosine"])
@pytest.mark.parametrize("is_sparse", [False, True])
def test_neighbors_are_those_of_a_loop(metric, is_sparse):
    random = np.random.RandomState(0)
    X = random.normal(size=(40, 6)) * (random.uniform(size=(40, 6)) < 0.7)
    distance = {
        "euclidean": lambda a, b: np.sqrt(((a - b) ** 2).sum()),
        "manhattan": lambda a, b: np.abs(a - b).sum(),
        "cosine": lambda a, b: 1 - a @ b / np.sqrt(a @ a) / np.sqrt(b @ b),
    }[metric]
    training, held_out = np.arange(10, 40), np.arange(10)
    weight = np.where(training % 7 == 0, 0.0, 1.0)  # some are not there
    container = sp.csr_array if is_sparse else np.asarray
    among = shown(container(X[training]), training, weight, n_given=40)
    part = NeighborPreservation(n_neighbors=4, metric=metric)
    for places, rows in ((training, among), (held_out, shown(container(X[:10]), held_out))):
        found = part.partners(rows, among).toarray() > 0
        for place, is_near in zip(places, found, strict=True):
            others = [j for j in training if j != place and j % 7]
            expected = sorted(others, key=lambda j: distance(X[place], X[j]))[:4]
            assert set(training[is_near]) == set(expected)


def test_all_rows_are_neighbors_where_there_are_few():
    found = NeighborPreservation(n_neighbors=50).partners(shown(IRIS[:5]), shown(IRIS[:5]))
    np.testing.assert_array_equal(found.toarray() > 0, ~np.eye(5, dtype=bool))


def test_a_graph_is_matched_to_rows_by_their_places():
    graph = kneighbors_graph(IRIS, 6, mode="distance")
    found = NeighborPreservation(graph=graph).partners(
        shown(IRIS[40:45], np.arange(40, 45), n_given=150),
        shown(IRIS[60:20:-1], np.arange(60, 20, -1), n_given=150),
    )
    is_entry = kneighbors_graph(IRIS, 6).toarray() > 0
    np.testing.assert_array_equal(found.toarray() > 0, is_entry[40:45, 60:20:-1])
    assert set(found.data) == {1.0}


@pytest.mark.parametrize("n_neighbors", [3, 7, 15])
@pytest.mark.parametrize("labels", [None, np.arange(60) % 2])
def test_rows_that_are_merged_have_the_entries_of_them_all(n_neighbors, labels):
    different = np.random.RandomState(0).normal(size=(15, 3))
    X = np.tile(different, (4, 1))
    graph = kneighbors_graph(X, n_neighbors)

    class Noted(NeighborPreservation):
        def partners(self, rows, among):
            found = super().partners(rows, among)
            noted.append((rows, among, found if labels is None else found[0]))
            return found

    noted = []
    penalty = Noted(graph=graph, supervised=0.0 if labels is None else 0.5)
    quick(penalty, validation_fraction=0.3, max_iter=1).fit(X, labels)
    kinds = X if labels is None else np.column_stack([X, labels])
    for rows, among, found in noted:
        expected = np.zeros((len(rows.places), len(among.places)), dtype=bool)
        for i, j in zip(*graph.nonzero(), strict=True):
            of = np.flatnonzero((kinds[rows.places] == kinds[i]).all(axis=1))
            to = np.flatnonzero((kinds[among.places] == kinds[j]).all(axis=1))
            is_other = (kinds[i] != kinds[j]).any()
            expected[of, to] |= len(of) > 0 and len(to) > 0 and is_other
        np.testing.assert_array_equal(found.toarray()[:, : len(among.places)] > 0, expected)
    assert len(noted) == 2  # of the rows trained on and of those held out


def test_a_graph_of_the_nearest_rows_is_as_good_as_a_number_of_neighbors():
    X = IRIS + np.random.RandomState(0).normal(scale=1e-3, size=IRIS.shape)  # no ties
    graph = kneighbors_graph(X, 5)
    number = quick(NeighborPreservation(n_neighbors=5), early_stopping=False).fit(X)
    given = quick(NeighborPreservation(graph=graph), early_stopping=False).fit(X)
    np.testing.assert_allclose(number.transform(X), given.transform(X), rtol=1e-4, atol=1e-5)


def walked(part, rows, among):
    """Return the shares of partners that a walk gives, each row adding up to 1."""
    first, second = (matrix.toarray() for matrix in part.partners(rows, among))
    second *= among.weight
    second /= np.maximum(second.sum(axis=1, keepdims=True), 1)
    result = first @ second
    return result / result.sum(axis=1, keepdims=True)


def test_with_labels_a_row_is_drawn_to_its_class_as_often_as_it_is_said():
    labels = np.where(np.arange(150) % 10 < 3, LABELS, -1)
    labels[labels == 2] = -1
    labels[149] = 2  # a class of one row
    among, held_out = (
        shown(IRIS, labels=labels),
        shown(IRIS[:9], np.arange(150, 159), labels=labels[:9]),
    )
    for rows in (among, held_out):
        shares = walked(NeighborPreservation(n_neighbors=5, supervised=0.4), rows, among)
        near = NeighborPreservation(n_neighbors=5).partners(rows, among).toarray() * among.weight
        for row, label in enumerate(rows.labels):
            same = among.weight * (labels == label) * (label >= 0)
            expected = near[row] / near[row].sum()
            if same.any():
                expected = 0.6 * expected + 0.4 * same / same.sum()
            np.testing.assert_allclose(shares[row], expected, atol=1e-12)


def test_a_class_that_no_row_trained_on_has_draws_nobody():
    among, rows = shown(IRIS[:50], labels=LABELS[:50]), shown(IRIS[50:60], labels=np.full(10, 1))
    shares = walked(NeighborPreservation(n_neighbors=5, supervised=1.0), rows, among)
    assert (np.count_nonzero(shares, axis=1) == 5).all()


def test_labels_draw_classes_together():
    random = np.random.RandomState(0)
    y = np.arange(1200) % 3
    X = random.normal(size=(1200, 20)) + 1.5 * np.eye(20)[y]
    how = {"hidden_layer_sizes": 32, "max_iter": 25, "early_stopping": False}
    plain, told = (
        quick(NeighborPreservation(supervised=share), **how).fit(X[:200], y[:200])
        for share in (0.0, 0.9)
    )
    accuracy = [
        knn_accuracy(one.transform(X[:200]), y[:200], one.transform(X[200:]), y[200:])
        for one in (plain, told)
    ]
    assert accuracy[1] > accuracy[0] + 0.06


def test_neighbors_of_many_rows_are_found_by_pynndescent_if_it_is_there(monkeypatch):
    pynndescent = pytest.importorskip("pynndescent", reason="an extra")
    X = np.random.RandomState(0).normal(size=(300, 5))
    exact = neighbors.nearest(X, X, 6, "euclidean")
    monkeypatch.setattr(neighbors, "_MUCH_WORK", 0)
    found = neighbors.nearest(X, X, 6, "euclidean")
    assert pynndescent.__version__
    kept = [len(set(one) & set(other)) / 6 for one, other in zip(exact, found, strict=True)]
    assert np.mean(kept) > 0.95


def test_the_classifier_has_no_partners_for_its_layers():
    classifier = StackedAutoencoderClassifier((3,), penalty="neighbors", pretrain_max_iter=1)
    with pytest.raises(ValueError, match="asks for a partner of each row"):
        classifier.fit(IRIS, LABELS)


def test_labels_that_rows_can_not_tell_are_no_layout():
    given = None, torch.ones(5), 2, torch_generator(0)
    assert NeighborPreservation(supervised=0.1).layout(*given) is None


# Layouts


class Laid(Next):
    """A penalty that draws each row's code to where it has put it: its first standardized values.

    Partners are the rows themselves, so that it can tell whose places it is given.
    """

    def partners(self, rows, among):
        self.among_ = among
        return sp.csr_array(among.places == rows.places[:, None]).astype(float)

    def layout(self, draw, weight, n_components, generator):
        drawn = draw(torch.arange(len(weight)), 2)
        self.__dict__.setdefault("laid_", []).append((drawn, weight, n_components))
        return torch.from_numpy(self.among_.X[:, :n_components].astype(np.float32))

    def penalize(self, batch):
        noted = batch.rows, batch.aim, batch.progress
        self.__dict__.setdefault("brought_", []).append(noted)
        at = batch.code if batch.aim is None else batch.aim
        return self.weight * (batch.code - at).square().sum(dim=-1)


def test_a_layout_is_brought_with_the_rows_in_training_and_not_with_those_held_out():
    penalty, _ = asked_in_fit(IRIS, kind=Laid, validation_fraction=0.2, batch_size=30)
    ((drawn, weight, n_components),) = penalty.laid_
    assert n_components == 2
    n_rows = len(weight)
    assert drawn.shape == (n_rows, 2)
    assert torch.equal(drawn, torch.arange(n_rows)[:, None].expand(-1, 2))  # none has a partner
    assert {aim is None for _, aim, _ in penalty.brought_} == {True, False}
    seen = []
    for rows, aim, progress in penalty.brought_:
        if aim is None:
            assert progress == 1.0
            continue
        seen.append(progress)
        for column in range(2):  # standardized, and as they are
            assert np.corrcoef(rows[:, column], aim[:, column])[0, 1] > 1 - 1e-6
    assert seen == sorted(seen)
    assert 0 == seen[0] < seen[-1] < 1


def test_a_layout_of_folds_is_that_of_their_own_rows_and_codes_have_none_in_a_second_fit():
    penalty, _ = asked_in_fit(IRIS, kind=Laid)
    n_different = len(np.unique(IRIS, axis=0))
    lengths = [len(weight) for _, weight, _ in penalty.laid_]
    assert len(lengths) == 5
    assert max(lengths) < n_different
    penalty = Laid()
    estimator = quick(penalty, early_stopping=False, warm_start=True).fit(IRIS)
    n_laid = len(penalty.laid_)
    estimator.fit(IRIS)
    assert len(penalty.laid_) == n_laid == 1


def test_a_layout_has_as_many_codes_as_are_tried_where_their_number_is_open():
    random = np.random.RandomState(0)
    X = random.normal(size=(200, 2)) @ random.normal(size=(2, 6))
    X += 0.3 * random.normal(size=X.shape)
    penalty = Laid()
    estimator = quick(penalty, validation_fraction=0.2, hidden_layer_sizes=())
    codes = estimator.set_params(n_components="auto").fit_transform(X)
    tried = {n_components for _, _, n_components in penalty.laid_}
    assert min(tried) == codes.shape[1] == 2 < max(tried)


def test_a_layout_of_another_shape_is_refused():
    class Wide(Laid):
        def layout(self, draw, weight, n_components, generator):
            return torch.zeros(len(weight), n_components + 1)

    with pytest.raises(ValueError, match=r"shape \(149, 3\) as layout of 149 rows.*\(149, 2\)"):
        quick(Wide(), early_stopping=False).fit(IRIS)


def test_neighbors_of_many_rows_and_columns_are_nearly_exact(monkeypatch):
    random = np.random.RandomState(0)
    X = random.normal(size=(400, 8)) @ random.normal(size=(8, 120))
    X += 0.5 * random.normal(size=X.shape)
    exact = neighbors.nearest(X[:50], X, 10, "euclidean")
    monkeypatch.setattr(neighbors, "_MUCH_WORK", 1.0)
    monkeypatch.setattr(neighbors, "_GATHERED", 10_000)  # a few rows at a time
    found = neighbors.nearest(X[:50], X, 10, "euclidean")
    kept = [len(set(a) & set(b)) / 10 for a, b in zip(exact, found, strict=True)]
    assert np.mean(kept) > 0.97
    assert (found[:, 0] == np.arange(50)).all()


# Transformers


class _Weighed(PCA):
    """PCA that notes what it is fitted to."""

    fitted: ClassVar[list] = []

    def fit(self, X, y=None, sample_weight=None):
        self.fitted.append((X, sample_weight, self.random_state))
        return super().fit(X)


def test_rows_are_compared_as_a_transformer_makes_them():
    _Weighed.fitted.clear()
    random = np.random.RandomState(0)
    X = random.normal(size=(60, 4)) * [1, 1, 1, 20]
    X = np.concatenate([X, X[:5]])  # equal rows are merged
    found = []

    class Noted(NeighborPreservation):
        def partners(self, rows, among):
            found.append((rows, among))
            return super().partners(rows, among)

    part = Noted(transformer=_Weighed(1), n_neighbors=3)
    quick(part, validation_fraction=0.2, random_state=7).fit(X)
    ((given, weight, seed),) = _Weighed.fitted  # once, for rows trained on and those held out
    assert seed is not None
    assert len(weight) == len(given) < weight.sum() <= len(given) + 5
    training, held_out = found
    axes = PCA(1).fit(given)
    for rows, among in (training, held_out):
        assert rows.X.shape[1] == 1
        assert among.X.shape == (len(given), 1)
        np.testing.assert_allclose(abs(rows.X), abs(axes.transform(X[rows.places])), atol=1e-8)
        expected = NeighborPreservation(n_neighbors=3).partners(rows, among).toarray()
        np.testing.assert_array_equal(part.partners(rows, among).toarray(), expected)


@pytest.mark.parametrize("transformer", [None, _Weighed(2)])
def test_layouts_and_transformers_are_in_the_order_of_X_where_layers_have_another(transformer):
    class Images(Laid):
        def __init__(self, weight=0.1, transformer=None):
            super().__init__(weight)
            self.transformer = transformer

    X = np.random.RandomState(0).normal(size=(40, 32))
    penalty = Images(transformer=transformer)
    _Weighed.fitted.clear()
    ConvolutionalAutoencoderTransformer(
        2,
        image_shape={"height": 4, "width": 4, "channels": 2},
        penalty=penalty,
        **{"channels": 2, "max_iter": 1, "early_stopping": False, "random_state": 0},
    ).fit(X)
    expected = X[penalty.among_.places]
    if transformer is not None:
        ((given, _, _),) = _Weighed.fitted
        np.testing.assert_allclose(given, expected)
        expected = abs(PCA(2).fit(given).transform(given))
    np.testing.assert_allclose(abs(penalty.among_.X), abs(expected), atol=1e-8)
    assert len(penalty.laid_) == 1
    assert all(aim is not None for _, aim, _ in penalty.brought_)


def test_a_transformer_of_sparse_rows_and_one_that_draws():
    X = sp.random(80, 30, density=0.2, format="csr", random_state=0)
    part = NeighborPreservation(transformer=TruncatedSVD(3))
    codes = [quick(part).fit(X).transform(X) for _ in range(2)]
    np.testing.assert_array_equal(*codes)
    assert part.transformer.random_state is None
    nested = NeighborPreservation(transformer=AutoencoderTransformer(3, max_iter=2))
    assert quick(nested).fit(IRIS).transform(IRIS).shape == (150, 2)


@pytest.mark.parametrize(
    "made", [np.full((149, 2), np.nan), np.zeros((3, 2)), np.zeros(149), np.full((149, 1), "a")]
)
def test_what_a_transformer_makes_has_to_be_rows_of_numbers(made):
    transformer = FunctionTransformer(lambda X: made)
    with pytest.raises(ValueError, match=r"transformer=Func.* 149 rows.*finite numbers"):
        quick(NeighborPreservation(transformer=transformer), early_stopping=False).fit(IRIS)


def test_a_transformer_is_kept_in_a_file_and_does_not_go_with_a_graph(tmp_path):
    part = NeighborPreservation(transformer=AutoencoderTransformer(3, max_iter=2))
    estimator = quick(part).fit(IRIS)
    skae.save(estimator, tmp_path / "model.skae")
    again = skae.load(tmp_path / "model.skae")
    assert again.penalty.transformer.n_components == 3
    np.testing.assert_array_equal(again.transform(IRIS), estimator.transform(IRIS))
    graph = kneighbors_graph(IRIS, 4)
    with pytest.raises(ValueError, match=r"transformer=PCA.* has nothing to do"):
        quick(NeighborPreservation(graph=graph, transformer=PCA(2))).fit(IRIS)
