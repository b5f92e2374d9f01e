"""Saving is all or nothing: the old file or the new one, and nothing beside them."""

import copy
import errno
import os
import stat
import sys

import pytest

import skae
from skae._value_files import _container

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="signals and limits of Linux")


@pytest.fixture(params=[True, False], ids=["nameless", "named"])
def kind_of_file(request, monkeypatch):
    """Files without a name until they are whole, and those of systems that have none."""
    if not request.param:
        monkeypatch.setattr(_container, "_nameless", lambda folder: None)
    return request.param


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_new_file_takes_the_place_of_the_old_one(saved, other, kind_of_file):
    skae.save(other, saved)
    assert skae.load(saved).n_iter_ == 3
    assert names(saved.parent) == ["model.skae"]


# What fails: the function, and the error that the system gives.
CALLS = ["fsync", "fchmod", "replace", "open"]


@pytest.mark.parametrize("call", CALLS)
def test_an_error_of_the_system_leaves_the_old_file(call, saved, other, kind_of_file, monkeypatch):
    before = saved.read_bytes()

    def fails(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_container.os, call, fails)
    with pytest.raises(OSError, match="No space left"):
        skae.save(other, saved)
    monkeypatch.undo()
    assert saved.read_bytes() == before
    assert names(saved.parent) == ["model.skae"]


def test_ctrl_c_leaves_the_old_file(saved, other, kind_of_file, monkeypatch):
    def stops(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(_container.os, "fsync", stops)
    with pytest.raises(KeyboardInterrupt):
        skae.save(other, saved)
    assert skae.load(saved).n_iter_ == 2
    assert names(saved.parent) == ["model.skae"]


@LINUX
def test_a_full_disk_leaves_the_old_file(saved, other, kind_of_file):
    import resource

    before = saved.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            skae.save(other, saved)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert saved.read_bytes() == before
    assert names(saved.parent) == ["model.skae"]


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write in any folder"
)
def test_a_folder_that_is_read_only_stays_as_it_is(saved, other):
    before = saved.read_bytes()
    saved.parent.chmod(0o500)
    try:
        with pytest.raises(PermissionError):
            skae.save(other, saved)
    finally:
        saved.parent.chmod(0o700)
    assert saved.read_bytes() == before
    assert names(saved.parent) == ["model.skae"]


@pytest.mark.parametrize("place", ["model.skae/new", "nowhere/new"])
def test_a_place_where_nothing_can_be_written_is_an_error_of_the_system(place, saved, other):
    with pytest.raises(OSError, match=r"new|skae|nowhere"):
        skae.save(other, saved.parent / place)
    assert names(saved.parent) == ["model.skae"]


@LINUX
def test_a_file_system_that_takes_no_files_is_an_error_of_the_system(other):
    with pytest.raises(OSError, match="/proc"):
        skae.save(other, "/proc/model.skae")


def test_a_folder_in_the_place_of_the_file_is_left(tmp_path, other, kind_of_file):
    (tmp_path / "model.skae").mkdir()
    with pytest.raises(OSError, match="skae"):
        skae.save(other, tmp_path / "model.skae")
    assert names(tmp_path) == ["model.skae"]


def test_a_model_that_can_not_be_stored_leaves_the_old_file(saved, other):
    changed = copy.copy(other)
    changed.comment_ = "mine"
    with pytest.raises(ValueError, match="comment_"):
        skae.save(changed, saved)
    assert skae.load(saved).n_iter_ == 2


def test_numbers_are_on_the_disk_before_the_name_is(saved, other, kind_of_file, monkeypatch):
    calls = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(
            _container.os, name, lambda *a, name=name, real=real: (calls.append(name), real(*a))
        )
    skae.save(other, saved)
    assert calls == ["fsync", "replace", "fsync"]  # the file, its name, the folder


def test_a_link_stays_a_link_and_rights_stay_as_they_are(saved, other, tmp_path, kind_of_file):
    saved.chmod(0o640)
    (tmp_path / "link").symlink_to(saved)
    skae.save(other, tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert skae.load(saved).n_iter_ == 3
    assert stat.S_IMODE(saved.stat().st_mode) == 0o640


def test_a_new_file_has_the_rights_that_others_have(saved, tmp_path, kind_of_file, model):
    (tmp_path / "ordinary").touch()
    skae.save(model, tmp_path / "new")
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "ordinary").stat().st_mode


# Killed

N_KILLS = 20
# A program whose copies save two models in turn until they are killed, each after some time.
KILLED = f"""
import os, signal, sys, time
import skae
from skae._value_files import _container
if sys.argv[1] == "named":
    _container._nameless = lambda folder: None
path = sys.argv[2]
one, other = (skae.load(source) for source in sys.argv[3:])
killed = whole = 0
for number in range({N_KILLS}):
    child = os.fork()
    if not child:
        while True:
            skae.save(one, path)
            skae.save(other, path)
    time.sleep(0.002 + 0.0015 * number)
    os.kill(child, signal.SIGKILL)
    killed += os.WIFSIGNALED(os.waitpid(child, 0)[1])
    whole += skae.load(path).n_iter_ in (2, 3)
print(killed, whole)
"""


@LINUX
@pytest.mark.parametrize("kind", ["nameless", "named"])
def test_a_process_killed_at_any_moment_leaves_a_whole_file(
    kind, model, other, tmp_path, run_elsewhere
):
    folder = tmp_path / "folder"
    folder.mkdir()
    paths = [tmp_path / "one.skae", tmp_path / "other.skae"]
    for path, which in zip(paths, (model, other), strict=True):
        skae.save(which, path)
    skae.save(model, folder / "model.skae")
    printed = run_elsewhere(KILLED, kind, folder / "model.skae", *paths)
    killed, whole = map(int, printed.split()[-2:])
    assert killed == whole == N_KILLS
    skae.save(model, folder / "model.skae")  # what was left by then is swept away
    assert names(folder) == ["model.skae"]


# A program that kills itself before the call of a number to the system, while it saves.
SUICIDE = """
import os, signal, sys
import skae
from skae._value_files import _container
if sys.argv[1] == "named":
    _container._nameless = lambda folder: None
path, source = sys.argv[2:]
model = skae.load(source)
for number in range(99):
    child = os.fork()
    if not child:
        left = number
        def counted(real):
            def call(*arguments, **options):
                global left
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(*arguments, **options)
            return call
        for name in ("open", "link", "fchmod", "fsync", "replace", "close", "scandir"):
            setattr(os, name, counted(getattr(os, name)))
        skae.save(model, path)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    print(skae.load(path).n_iter_, sorted(os.listdir(os.path.dirname(path))))
    if not os.WIFSIGNALED(status):
        break
"""


@LINUX
@pytest.mark.parametrize("kind", ["nameless", "named"])
def test_a_process_killed_before_any_of_its_calls_leaves_a_whole_file(
    kind, model, other, tmp_path, run_elsewhere
):
    folder = tmp_path / "folder"
    folder.mkdir()
    skae.save(model, folder / "model.skae")
    skae.save(other, tmp_path / "other.skae")
    printed = run_elsewhere(SUICIDE, kind, folder / "model.skae", tmp_path / "other.skae")
    lines = printed.splitlines()
    epochs = [int(line.split()[0]) for line in lines]
    assert epochs == sorted(epochs)  # the old model, and from some call on the new one
    assert {*epochs} == {2, 3}
    littered = [line for line in lines if not line.endswith("['model.skae']")]
    # Without a name there is nothing to see but for the moment between a name and its place.
    assert len(littered) <= (2 if kind == "nameless" else 5)
    assert lines[-1] == "3 ['model.skae']"  # and it is swept away


def test_what_another_process_is_writing_is_not_swept_away(saved, other, tmp_path):
    left = tmp_path / ".model.skae.0123abcd.part"
    left.write_bytes(b"half")
    foreign = tmp_path / ".model.skae.notes.part"
    foreign.touch()
    if sys.platform == "linux":
        import fcntl

        with left.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            skae.save(other, saved)
            assert left.exists()
    skae.save(other, saved)
    assert not left.exists()
    assert foreign.exists()


def test_a_file_system_without_nameless_files_gets_named_ones(saved, other, monkeypatch):
    real = os.open

    def without(path, flags, *mode):
        if hasattr(os, "O_TMPFILE") and flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, "Operation not supported")
        return real(path, flags, *mode)

    monkeypatch.setattr(_container.os, "open", without)
    skae.save(other, saved)
    assert skae.load(saved).n_iter_ == 3
    assert names(saved.parent) == ["model.skae"]


def test_a_file_system_without_locks_is_written_and_not_swept(saved, other, monkeypatch):
    fcntl = pytest.importorskip("fcntl")

    def no_locks(descriptor, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    left = saved.with_name(".model.skae.0123abcd.part")
    left.touch()
    skae.save(other, saved)
    assert skae.load(saved).n_iter_ == 3
    assert left.exists()
