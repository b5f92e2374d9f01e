"""The data sets: their format, where they come from, and what is said when they don't."""

import gzip
import os

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits, load_iris
from sklearn.utils import Bunch

from skae import datasets
from skae.datasets import (
    BUILT_IN,
    fetch_fashion_mnist,
    fetch_mnist,
    load_dataset,
    make_noisy_curve,
)

FETCHERS = {"mnist": fetch_mnist, "fashion-mnist": fetch_fashion_mnist}
N_ROWS = {"train": 6, "test": 4}

with_real_data = pytest.mark.skipif(
    not os.environ.get("SKAE_DATA"), reason="SKAE_DATA names no folder with the official files"
)


@pytest.fixture
def official(monkeypatch):
    """Small stand-ins for the official data: name -> part -> (pixels, labels), and checksums."""
    rng = np.random.default_rng(0)
    parts_of = {
        name: {
            part: (
                rng.integers(256, size=(n, 28, 28), dtype=np.uint8),
                rng.integers(10, size=n, dtype=np.uint8),
            )
            for part, n in N_ROWS.items()
        }
        for name in FETCHERS
    }
    checksums = {
        name: {
            file: datasets._md5(datasets._as_idx(array))
            for part in parts
            for file, array in zip(datasets.FILES[part], parts[part], strict=True)
        }
        for name, parts in parts_of.items()
    }
    monkeypatch.setattr(datasets, "CHECKSUMS", checksums)
    monkeypatch.setattr(datasets, "N_TRAIN", N_ROWS["train"])
    return parts_of


@pytest.fixture
def folder(official, tmp_path, monkeypatch):
    """The stand-ins as files, compressed for MNIST only, where SKAE_DATA points to."""
    for name, parts in official.items():
        (tmp_path / name).mkdir()
        for part, pair in parts.items():
            for file, array in zip(datasets.FILES[part], pair, strict=True):
                content = datasets._as_idx(array)
                if name == "mnist":
                    file, content = f"{file}.gz", gzip.compress(content)
                (tmp_path / name / file).write_bytes(content)
    monkeypatch.setenv("SKAE_DATA", str(tmp_path))
    return tmp_path


@pytest.fixture
def openml(official, monkeypatch):
    """The stand-ins as OpenML's tables; returns the calls that were made."""
    calls = []

    def fetch_openml(name, **options):
        calls.append((name, options))
        parts = official["mnist" if name == "mnist_784" else "fashion-mnist"]
        pixels, labels = (np.concatenate(pair) for pair in zip(*parts.values(), strict=True))
        return Bunch(
            data=pixels.reshape(len(pixels), -1).astype(np.float64),
            target=labels.astype(str).astype(object),
        )

    monkeypatch.delenv("SKAE_DATA", raising=False)
    monkeypatch.setattr(datasets, "fetch_openml", fetch_openml)
    return calls


# MNIST and Fashion-MNIST


def check_images(bunch, *pairs):
    """Check that a Bunch holds the given pixels and labels, one part after the other."""
    pixels, labels = (np.concatenate(part) for part in zip(*pairs, strict=True))
    assert_allclose(bunch.images, pixels / 255, rtol=1e-6)
    assert_array_equal(bunch.data, bunch.images.reshape(len(pixels), 784))
    assert_array_equal(bunch.target, labels)
    assert bunch.data.dtype == np.float32
    assert bunch.target.dtype == np.int64
    assert bunch.image_shape == (1, 28, 28)
    assert bunch.feature_names[:2] == ["pixel_0_0", "pixel_0_1"]
    assert bunch.feature_names[-1] == "pixel_27_27"
    assert len(bunch.target_names) == 10
    assert bunch.frame is None


@pytest.mark.parametrize("name", FETCHERS)
@pytest.mark.parametrize("source", ["folder", "openml"])
def test_rows_are_scaled_images_in_the_official_order(name, source, official, request):
    request.getfixturevalue(source)
    fetch, parts = FETCHERS[name], official[name]
    check_images(fetch(), parts["train"], parts["test"])
    check_images(fetch(subset="train"), parts["train"])
    check_images(fetch(subset="test"), parts["test"])


def test_both_sources_give_the_same(folder, openml, monkeypatch):
    from_openml = fetch_mnist(return_X_y=True)
    monkeypatch.setenv("SKAE_DATA", str(folder))
    for array, other in zip(fetch_mnist(return_X_y=True), from_openml, strict=True):
        assert_array_equal(array, other, strict=True)


def test_a_frame_has_the_same_numbers_and_the_target(folder):
    bunch = fetch_mnist()
    framed = fetch_mnist(as_frame=True)
    assert_array_equal(framed.data, bunch.data)
    assert list(framed.data.columns) == bunch.feature_names
    assert (framed.data.dtypes == np.float32).all()
    pd.testing.assert_frame_equal(framed.frame, framed.data.assign(target=framed.target))

    X, y = fetch_mnist(as_frame=True, return_X_y=True)
    pd.testing.assert_frame_equal(X, framed.data)
    pd.testing.assert_series_equal(y, framed.target)


def test_openml_is_asked_for_the_original_tables(openml, tmp_path):
    fetch_mnist(data_home=tmp_path)
    fetch_fashion_mnist()
    assert [name for name, _ in openml] == ["mnist_784", "Fashion-MNIST"]
    assert all(options["version"] == 1 for _, options in openml)
    assert openml[0][1]["data_home"] == tmp_path


def test_an_empty_variable_is_as_good_as_none(openml, monkeypatch):
    monkeypatch.setenv("SKAE_DATA", "")
    fetch_mnist()
    assert len(openml) == 1


def test_rows_of_openml_in_another_order_are_announced(openml, official):
    pixels, labels = official["mnist"]["train"]
    official["mnist"]["train"] = pixels[::-1], labels[::-1]
    with pytest.warns(UserWarning, match="are not those of the official file") as warned:
        fetch_mnist()
    assert [warning.filename for warning in warned] == [__file__, __file__]
    assert "train-images-idx3-ubyte in their order" in str(warned[0].message)


def test_no_connection_is_an_error_that_names_the_way_out(openml, monkeypatch):
    def unreachable(name, **options):
        raise ConnectionError("no route to host")

    monkeypatch.setattr(datasets, "fetch_openml", unreachable)
    with pytest.raises(OSError, match=r"no route to host.*set SKAE_DATA .* mnist/"):
        fetch_mnist()


def test_a_missing_folder_is_an_error_that_says_what_was_looked_for(monkeypatch, tmp_path):
    monkeypatch.setenv("SKAE_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match=r"nowhere.mnist lacks train-images-idx3-ubyte, "):
        fetch_mnist()


def test_only_the_files_of_the_subset_are_needed(folder, official):
    (folder / "mnist" / "train-labels-idx1-ubyte.gz").unlink()
    check_images(fetch_mnist(subset="test"), official["mnist"]["test"])
    with pytest.raises(FileNotFoundError, match=r"lacks train-labels-idx1-ubyte \("):
        fetch_mnist()


def test_another_content_is_an_error_with_both_checksums(folder, official):
    path = folder / "fashion-mnist" / "t10k-labels-idx1-ubyte"
    expected = datasets._md5(path.read_bytes())
    changed = datasets._as_idx(official["fashion-mnist"]["test"][1][::-1])
    path.write_bytes(changed)
    with pytest.raises(OSError, match="t10k-labels-idx1-ubyte is not the official") as error:
        fetch_fashion_mnist()
    assert expected in str(error.value)
    assert datasets._md5(changed) in str(error.value)


@pytest.mark.parametrize("damage", [lambda content: content[:-9], lambda content: content[5:]])
def test_a_damaged_archive_is_an_error_that_names_the_file(damage, folder):
    path = folder / "mnist" / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(OSError, match=r"t10k-images-idx3-ubyte.gz is damaged"):
        fetch_mnist()


def test_an_unknown_subset_is_an_error():
    with pytest.raises(ValueError, match="'subset' parameter of fetch_mnist"):
        fetch_mnist(subset="validation")


@settings(max_examples=30, deadline=None)
@given(arrays(np.uint8, array_shapes(max_dims=4)))
def test_idx_files_are_read_as_they_were_written(array):
    assert_array_equal(datasets._from_idx(datasets._as_idx(array)), array, strict=True)


def test_an_idx_file_is_that_of_the_specification():
    content = bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6])
    assert_array_equal(datasets._from_idx(content), [[1, 2, 3], [4, 5, 6]])


@with_real_data
@pytest.mark.parametrize(
    ("name", "mean", "labels"),
    [("mnist", 0.1307, [5, 0, 4, 1, 9]), ("fashion-mnist", 0.2860, [9, 0, 0, 3, 0])],
)
def test_the_official_files_are_read(name, mean, labels):
    dataset = FETCHERS[name](subset="train")
    assert dataset.data.shape == (60_000, 784)
    assert dataset.data.mean(dtype=np.float64) == pytest.approx(mean, abs=1e-4)
    assert dataset.data.max() == 1.0
    assert_array_equal(dataset.target[:5], labels)


# Noisy curves


def test_points_without_noise_lie_on_the_curve():
    X, t = make_noisy_curve(50, kind="sine", noise=0, random_state=0)
    assert_allclose(X, np.column_stack([t, np.sin(t)]))
    assert t.min() >= 0
    assert t.max() < 2 * np.pi

    X, t = make_noisy_curve(50, kind="spiral", noise=0, random_state=0)
    assert_allclose(np.hypot(*X.T), t / np.pi)
    assert_allclose(np.arctan2(X[:, 1], X[:, 0]) % (2 * np.pi), t % (2 * np.pi))
    assert t.min() >= np.pi
    assert t.max() < 4 * np.pi


@pytest.mark.parametrize("kind", ["sine", "spiral"])
def test_noise_has_the_standard_deviation_asked_for(kind):
    X, t = make_noisy_curve(5000, kind=kind, noise=0.3, random_state=0)
    on_curve, same_t = make_noisy_curve(5000, kind=kind, noise=0, random_state=0)
    assert_array_equal(t, same_t)
    assert_allclose((X - on_curve).std(axis=0), 0.3, rtol=0.05)


def test_a_seed_gives_the_same_points_and_leaves_the_global_generator_alone():
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    X, t = make_noisy_curve(random_state=7)
    again = make_noisy_curve(random_state=7)
    assert_array_equal(X, again[0])
    assert_array_equal(t, again[1])
    assert not np.array_equal(X, make_noisy_curve(random_state=8)[0])
    assert_array_equal(state, np.random.get_state()[1])  # noqa: NPY002


@pytest.mark.parametrize(
    "parameters", [{"kind": "circle"}, {"noise": -0.1}, {"n_samples": 0}], ids=str
)
def test_curves_that_make_no_sense_are_errors(parameters):
    with pytest.raises(ValueError, match="parameter of make_noisy_curve"):
        make_noisy_curve(**parameters)


# All of them by name


def check_dataset(dataset, name):
    """Check what every data set has."""
    n_samples, n_features = dataset.data.shape
    assert dataset.name == name
    assert dataset.target.shape == (n_samples,)
    assert len(dataset.feature_names) == n_features
    assert all(type(feature) is str for feature in dataset.feature_names)
    assert isinstance(dataset.DESCR, str)
    if dataset.image_shape is not None:
        assert np.prod(dataset.image_shape) == n_features
    if dataset.target_type == "continuous":
        assert dataset.target_names is None
    else:
        assert all(type(label) is str for label in dataset.target_names)
        assert_array_equal(np.unique(dataset.target), np.arange(len(dataset.target_names)))


@pytest.mark.parametrize(
    ("name", "shape", "target_type", "image_shape"),
    [
        ("digits", (1797, 64), "multiclass", (1, 8, 8)),
        ("iris", (150, 4), "multiclass", None),
        ("wine", (178, 13), "multiclass", None),
        ("breast-cancer", (569, 30), "binary", None),
        ("diabetes", (442, 10), "continuous", None),
        ("sine", (1000, 2), "continuous", None),
        ("spiral", (1000, 2), "continuous", None),
    ],
)
def test_a_name_loads_a_complete_data_set(name, shape, target_type, image_shape):
    dataset = load_dataset(name)
    check_dataset(dataset, name)
    assert dataset.data.shape == shape
    assert dataset.target_type == target_type
    assert dataset.image_shape == image_shape


@with_real_data
@pytest.mark.parametrize("name", FETCHERS)
def test_a_name_loads_official_images(name):
    dataset = load_dataset(name)
    check_dataset(dataset, name)
    assert dataset.data.shape == (70_000, 784)
    assert dataset.target_type == "multiclass"


def test_faces_have_names_for_pixels_and_persons(monkeypatch):
    images = np.zeros((80, 64, 64), dtype=np.float32)
    faces = Bunch(
        data=images.reshape(80, -1), images=images, target=np.arange(80) // 2, DESCR="faces"
    )
    monkeypatch.setattr(datasets, "BUILT_IN", {"olivetti": lambda: faces})
    dataset = load_dataset("olivetti")
    check_dataset(dataset, "olivetti")
    assert dataset.image_shape == (1, 64, 64)
    assert dataset.feature_names[-1] == "pixel_63_63"


def test_a_name_stands_for_the_data_of_scikit_learn():
    assert_array_equal(load_dataset("iris").data, load_iris().data)
    assert load_dataset("digits").feature_names == load_digits().feature_names


def test_a_curve_is_the_same_each_time():
    assert_array_equal(load_dataset("sine").data, load_dataset("sine").data)


def test_a_misspelled_name_is_an_error_with_all_names_and_a_guess():
    with pytest.raises(ValueError, match=r"Did you mean 'breast-cancer'\?") as error:
        load_dataset("breast_cancer")
    assert all(name in str(error.value) for name in BUILT_IN)
    with pytest.raises(ValueError, match=r"names are digits, .*, spiral\.$"):
        load_dataset("zzz")


def test_the_names_cannot_be_changed_by_accident():
    with pytest.raises(TypeError):
        BUILT_IN["digits"] = load_iris
