"""A file that is not as it was written is one kind of error: it names the file and the reason."""

import io
import json
import os
import struct
import zipfile

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import skae
from skae._value_files import read
from skae.exceptions import ModelFileError


def refused(path, match=None):
    with pytest.raises(ModelFileError, match=match) as caught:
        skae.load(path)
    assert str(path) in str(caught.value)
    assert str(caught.value) != f"{path}: "


def test_the_error_is_a_value_error():
    assert issubclass(ModelFileError, ValueError)


# Damage


def places(data):
    """Return places all over a file: all of its ends, and every seventh between."""
    return sorted({*range(300), *range(300, len(data), 7), *range(len(data) - 300, len(data))})


def test_a_file_that_is_cut_short_anywhere_is_refused(saved):
    data = saved.read_bytes()
    for length in places(data):
        saved.write_bytes(data[:length])
        refused(saved)


def test_a_bit_that_is_flipped_anywhere_is_noticed(saved):
    """All bits of the length and of the digest, and of other bytes one."""
    data = bytearray(saved.read_bytes())
    edges = {*range(8), *range(len(data) - 32, len(data))}
    for place in places(data):
        for bit in range(8) if place in edges else [place % 8]:
            data[place] ^= 1 << bit
            saved.write_bytes(data)
            refused(saved)
            data[place] ^= 1 << bit
    saved.write_bytes(data)
    skae.load(saved)


@pytest.mark.parametrize("more", [b"\0", b"x" * 100])
def test_bytes_that_are_added_are_noticed(saved, more):
    data = saved.read_bytes()
    for damaged in (data + more, more + data, data[:500] + more + data[500:], data + data):
        saved.write_bytes(damaged)
        refused(saved)


# Other files


def zipped():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("data.pkl", b"x" * 100)
    return buffer.getvalue()


def with_header(header: bytes, data=b"\0" * 32):
    return struct.pack("<Q", len(header)) + header + data


OTHER_FILES = {
    "empty": b"",
    "zeros": bytes(1000),
    "ones": b"\xff" * 1000,
    "text": b"id,weight\n1,2\n" * 50,
    "a zip": zipped(),
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(500),
    "a pickle": b"\x80\x04\x95" + bytes(500),
    "weights of somebody else's": safetensors.numpy.save({"a": np.ones(9)}),
    "weights with metadata": safetensors.numpy.save({"a": np.ones(9)}, {"format": "pt"}),
    "weights with our metadata": safetensors.numpy.save({"a": np.ones(9)}, {"skae": "{}"}),
    "a version alone": safetensors.numpy.save({"a": np.ones(9)}, {"skae": '{"format":1}'}),
    "a header that is a list": with_header(b"[1, 2]"),
    "a header that is not closed": with_header(b"[" * 5000),
    "a header in another code": with_header("{'ä': 1}".encode("latin-1")),
}


@pytest.mark.parametrize("kind", OTHER_FILES)
def test_another_kind_of_file_is_refused(kind, saved):
    saved.write_bytes(OTHER_FILES[kind])
    refused(saved)


def test_what_is_no_regular_file_is_refused_at_once(tmp_path):
    refused(tmp_path, "not a regular file")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        refused(tmp_path / "pipe", "not a regular file")


def test_a_file_that_is_not_there_is_an_error_of_the_system(tmp_path):
    with pytest.raises(FileNotFoundError):
        skae.load(tmp_path / "model.skae")


@pytest.mark.parametrize("version", [2, 10**9])
def test_a_newer_format_is_refused_with_what_to_do(version, forge):
    refused(forge(lambda document, _: document.update(format=version)), "Read it with a newer")


@pytest.mark.parametrize("version", [0, -1, None, "1", 1.0, True, [1]])
def test_a_format_that_is_none_is_refused(version, forge):
    refused(forge(lambda document, _: document.update(format=version)), "no version")


# Headers that lie


def rewritten(path, change):
    """Change the header of a file as text; the digest is that of what was there."""
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    path.write_bytes(
        with_header(change(data[8 : 8 + length].decode()).encode(), data[8 + length :])
    )
    return path


def entries(change):
    """Return a change of the header's entries as JSON."""

    def changed(text):
        header = json.loads(text)
        change(header)
        return json.dumps(header)

    return changed


@pytest.mark.parametrize("length", [2**63, 2**40, 2**32, 5 * 2**20, 2**16])
def test_a_header_that_claims_to_be_long_is_refused_before_it_is_read(length, saved):
    saved.write_bytes(struct.pack("<Q", length) + saved.read_bytes()[8:])
    refused(saved, "cut short")


LIES = {
    "terabytes": lambda h: h["mean_"].update(shape=[2**40], data_offsets=[0, 2**43]),
    "more than 64 bits": lambda h: h["mean_"].update(shape=[2**70], data_offsets=[0, 2**73]),
    "a product beyond all sizes": lambda h: h["mean_"].update(shape=[2**40] * 9),
    "a shape of other size": lambda h: h["mean_"].update(shape=[5]),
    "a negative shape": lambda h: h["mean_"].update(shape=[-4]),
    "a shape that is a fraction": lambda h: h["mean_"].update(shape=[4.0]),
    "a shape that is true": lambda h: h["mean_"].update(shape=[True, 4]),
    "another dtype": lambda h: h["mean_"].update(dtype="F32"),
    "an unknown dtype": lambda h: h["mean_"].update(dtype="object"),
    "the place of another": lambda h: h.update(mean_=h["module_.encoder.standardize.mean"]),
    "an unknown key": lambda h: h["mean_"].update(extra=1),
    "a missing key": lambda h: h["mean_"].pop("dtype"),
    "no digest": lambda h: h.pop("~sha256"),
    "other metadata": lambda h: h["__metadata__"].update(other="x"),
    "no metadata": lambda h: h.pop("__metadata__"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_header_that_does_not_fit_the_file_is_refused(lie, saved):
    refused(rewritten(saved, entries(LIES[lie])), "header|tensors do not fill|cut short")


def test_a_key_that_is_there_twice_is_refused(saved):
    double = '{"mean_":{"dtype":"F64","shape":[4],"data_offsets":[0,32]},'
    refused(rewritten(saved, lambda text: double + text[1:]), "twice")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_number_that_is_none_is_refused_in_the_header(number, saved):
    refused(rewritten(saved, lambda text: text.replace('"shape":[4]', f'"shape":[{number}]', 1)))


# Documents that lie, with a digest that is right

CHANGES = {
    "an unknown key": lambda d, t: d.update(extra=1),
    "a missing key": lambda d, t: d.pop("layers"),
    "a missing parameter": lambda d, t: d["estimator"]["parameters"].pop("loss"),
    "a list for an estimator": lambda d, t: d.update(estimator=[1]),
    "NaN for a scale": lambda d, t: d["estimator"]["fitted"].update(scale_={"float": "nan"}),
    "inf for a scale": lambda d, t: d["estimator"]["fitted"].update(scale_={"float": "inf"}),
    "text for a scale": lambda d, t: d["estimator"]["fitted"].update(scale_="1.0"),
    "truth for a count": lambda d, t: d["estimator"]["fitted"].update(n_iter_=True),
    "a fraction for a count": lambda d, t: d["estimator"]["fitted"].update(n_iter_=1.5),
    "NaN by another name": lambda d, t: d["estimator"]["fitted"].update(scale_={"float": "NaN"}),
    "a value of two kinds": lambda d, t: d["estimator"]["parameters"].update(
        loss={"tuple": [], "dict": []}
    ),
    "a key twice": lambda d, t: d["estimator"]["parameters"].update(
        loss={"dict": [["a", 1], ["a", 2]]}
    ),
    "a key that can't be one": lambda d, t: d["estimator"]["parameters"].update(
        loss={"dict": [[[1], 1]]}
    ),
    "a tensor of nobody": lambda d, t: t.update(more=np.ones(3)),
    "a tensor that is missing": lambda d, t: t.pop("mean_"),
    "a tensor twice": lambda d, t: d["estimator"]["parameters"].update(
        validation_fraction=d["estimator"]["fitted"]["mean_"]
    ),
    "a tensor of another dtype": lambda d, t: t.update(mean_=t["mean_"].astype(np.float32)),
    "a larger layer": lambda d, t: layer(d, "Linear")["settings"].update(out_features=10**9),
    "a layer beyond all sizes": lambda d, t: layer(d, "Linear")["settings"].update(
        in_features=10**12, out_features=10**12
    ),
    "a layer of less than nothing": lambda d, t: layer(d, "Linear")["settings"].update(
        in_features=-1
    ),
    "a layer of NaN": lambda d, t: layer(d, "Linear")["settings"].update(
        in_features={"float": "nan"}
    ),
    "a layer within itself": lambda d, t: d["layers"][-1]["layers"].update(
        encoder=len(d["layers"]) - 1
    ),
    "a layer of the end of the list": lambda d, t: d["layers"][-1]["layers"].update(encoder=-2),
    "a layer that is not there": lambda d, t: d["estimator"]["fitted"].update(
        module_={"network": 999}
    ),
    "another layer for the network": lambda d, t: d["estimator"]["fitted"].update(
        module_={"network": 0}
    ),
    "a layer without its weights": lambda d, t: layer(d, "Linear")["tensors"].pop("weight"),
    "a weight that is no parameter": lambda d, t: relabel(layer(d, "Linear")["tensors"]),
    "other keys of a layer": lambda d, t: d["layers"][0].update(extra=1),
    "layers that are no list": lambda d, t: d.update(layers={}),
    "training that is neither": lambda d, t: d["layers"][0].update(training=1),
    "another record": lambda d, t: d["estimator"]["fitted"].update(
        candidates_={"record": ["MapShape", {"channels": 1}]}
    ),
    "a record of text": lambda d, t: d["estimator"]["fitted"].update(
        candidates_={"record": ["MapShape", {"channels": "1", "height": 1, "width": 1}]}
    ),
    "strides beyond the tensor": lambda d, t: strides(d, [999, 1]),
    "strides that overlap": lambda d, t: strides(d, [1, 1]),
    "strides of all places the same": lambda d, t: strides(d, [0, 0]),
}


def layer(document, kind):
    return next(node for node in document["layers"] if node.get("kind") == kind)


def relabel(tensors):
    tensors["weight"] = {"tensor": tensors["weight"]["parameter"]}


def strides(document, numbers):
    wide = next(node for node in document["layers"] if node["settings"].get("out_features") == 2)
    wide["tensors"]["weight"]["parameter"][2] = numbers


@pytest.mark.parametrize("change", CHANGES)
def test_a_document_that_describes_no_estimator_is_refused(change, forge):
    refused(forge(CHANGES[change]))


def nodes_of(document):
    """Yield where values stand in a document: a container and a key of it."""
    pending = [document]
    while pending:
        container = pending.pop()
        keys = container if isinstance(container, dict) else range(len(container))
        for key in keys:
            yield container, key
            if isinstance(container[key], dict | list):
                pending.append(container[key])


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["tensor", "array", "Linear", "mean_", "float64", "nan", "C", "F"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["tuple", "dict", "array", "network", "skae", "record", "texts", "range"]
            )
            | st.text(max_size=4),
            inner,
            max_size=2,
        )
    ),
    max_leaves=6,
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(place=st.integers(0, 10**6), junk=JUNK, how=st.sampled_from(["put", "drop", "twice"]))
def test_whatever_stands_in_a_document_is_a_model_or_the_one_error(place, junk, how, forge):
    def change(document, tensors):
        places = [*nodes_of(document)]
        container, key = places[place % len(places)]
        if how == "put":
            container[key] = junk
        elif how == "drop":
            del container[key]
        else:
            other, its_key = places[(place * 31) % len(places)]
            container[key] = json.loads(json.dumps(other[its_key]))

    path = forge(change)
    try:
        again = skae.load(path)
    except ModelFileError as error:
        assert str(path) in str(error)  # noqa: PT017
    else:
        assert type(again).__name__ == read(path, 1).document["estimator"]["class"]


# Memory

# A program that loads each file in a process of its own, and tells how many bytes it took most.
GREEDY = """
import os, sys
import skae
def at_most():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024
skae.load(sys.argv[1])
for path in sys.argv[2:]:
    if not os.fork():
        open("/proc/self/clear_refs", "w").write("5")  # the most is counted from now on
        before = at_most()
        try:
            skae.load(path)
        except skae.exceptions.ModelFileError:
            pass
        print(at_most() - before, flush=True)
        os._exit(0)
    os.wait()
"""


def document_of(numbers):
    return '{"format":1,"x":' + numbers + "}"


DOCUMENTS = {
    "lists": document_of("[" + "[]," * 99_000 + "1]"),
    "objects": document_of("[" + '{"a":1},' * 99_000 + "1]"),
    "numbers": document_of("[" + "1.5," * 900_000 + "1]"),
    "texts": document_of("[" + '"aa",' * 500_000 + "1]"),
    "too many lists": document_of("[" + "[]," * 1_300_000 + "1]"),
    "deep": document_of("[" * 90_000 + "]" * 90_000),
}


def many_texts(document, tensors):
    document["estimator"]["parameters"]["loss"] = {"texts": [[10**6], "letters", "lengths"]}
    tensors["letters"] = np.full(2 * 10**6, ord("a"), dtype=np.uint8)
    tensors["lengths"] = np.full(10**6, 2)


def test_texts_that_need_more_memory_than_their_letters_are_limited(forge):
    refused(forge(many_texts), "more than 400000 texts")


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/clear_refs"), reason="the system does not tell")
def test_no_file_takes_more_memory_than_twice_its_size_and_100_MB(
    model, forge, tmp_path, run_elsewhere
):
    for name, document in DOCUMENTS.items():
        file = safetensors.numpy.save({"a": np.ones(9)}, {"skae": document})
        (tmp_path / name).write_bytes(file)
    skae.save(model, tmp_path / "small")
    forge(many_texts).rename(tmp_path / "many texts")
    X = np.random.default_rng(0).normal(size=(40, 2000)).astype(np.float32)
    wide = skae.AutoencoderTransformer(
        2, hidden_layer_sizes=(4000,), max_iter=1, early_stopping=False, random_state=0
    ).fit(X)
    skae.save(wide, tmp_path / "wide")
    paths = [tmp_path / name for name in ("small", *DOCUMENTS, "many texts", "wide")]
    taken = [int(line) for line in run_elsewhere(GREEDY, paths[0], *paths).split()]
    sizes = [path.stat().st_size for path in paths]
    assert len(taken) == len(paths)
    assert sizes[-1] > 60e6
    assert taken[-1] > sizes[-1]  # so it does tell
    assert [n for n, size in zip(taken, sizes, strict=True) if n > 2 * size + 100e6] == []
