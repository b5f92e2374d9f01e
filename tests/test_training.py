"""Training: every solver and schedule, the best epoch, callbacks, and what is given back."""

import copy
import inspect
import signal
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
import skorch
import torch
from skorch.callbacks import Callback
from torch import nn

from skae import _training
from skae._training import (
    _OUR_WORDS,
    SCHEDULES,
    SOLVERS,
    apply,
    check_callbacks,
    check_net_params,
    evaluate,
    resolve_device,
    train,
    unit_of,
)
from skae.nn import (
    CallableLoss,
    RandomLayer,
    SquaredError,
)
from small_networks import (
    SETTINGS,
    X,
    loss_of,
    network_of,
    part_of,
    rows_of,
    validate,
    validated_parts,
    weights_of,
)

N_BATCHES = 5  # of 30 rows, an epoch


def assert_equal_weights(first, second):
    for name, value in weights_of(first).items():
        assert torch.equal(value, second.state_dict()[name]), name


def trained(validated, loss=None, settings=SETTINGS):
    """Train a network, on all rows or with the same rows to validate it."""
    part = part_of(X, loss=loss)
    if validated:
        return validate([part], [rows_of(X, like=part[2])], settings)
    return train(*part, settings)


# Solvers and schedules

RATES = {"sgd": 0.02, "adagrad": 0.05}


@pytest.mark.parametrize("alpha", [0.0, 0.01])
@pytest.mark.parametrize("solver", SOLVERS)
def test_every_solver_lowers_the_loss(solver, alpha):
    network, loss, rows = part_of(X)
    before = loss_of(network, rows)
    rate = RATES.get(solver, 0.003)
    settings = replace(SETTINGS, solver=solver, learning_rate_init=rate, alpha=alpha, max_iter=8)
    curve = train(network, loss, rows, settings).loss_curve
    assert len(curve) == 8
    assert curve[-1] < 0.9 * curve[0]
    assert loss_of(network, rows) < 0.8 * before


class Rates(Callback):
    """Remember the learning rate of each batch."""

    def __init__(self):
        self.rates = []

    def on_batch_end(self, net, training=False, **kwargs):
        groups = {group["lr"] for group in net.optimizer_.param_groups}
        assert len(groups) == 1
        self.rates += groups


def rates_of(learning_rate, max_iter=8, **parameters):
    """Return the learning rate of each step, as a share of ``learning_rate_init``."""
    seen = Rates()
    parameters = {"alpha": 0.1, "callbacks": [seen], **parameters}
    settings = replace(SETTINGS, learning_rate=learning_rate, max_iter=max_iter, **parameters)
    train(*part_of(X), settings)
    assert len(seen.rates) == max_iter * N_BATCHES
    return np.array(seen.rates) / SETTINGS.learning_rate_init


def test_every_schedule_is_tested():
    assert set(SCHEDULES) == {"averaged", "constant", "adaptive", "cosine", "one_cycle"}


def test_a_constant_rate_is_constant():
    np.testing.assert_array_equal(rates_of("constant"), 1)


def test_a_cosine_is_that_of_torch():
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=8 * N_BATCHES)
    expected = []
    for _ in range(8 * N_BATCHES):
        expected += schedule.get_last_lr()
        optimizer.step()
        schedule.step()
    np.testing.assert_allclose(rates_of("cosine"), expected, atol=1e-12)
    assert rates_of("cosine")[-1] < 0.01


def test_one_cycle_is_that_of_torch():
    n_steps = 20 * N_BATCHES
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0, momentum=0.9)
    # torch rises and falls over all steps but one; ours falls on over the last.
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=1.0,
        total_steps=n_steps + 1,
        pct_start=0.05 + 1 / (n_steps + 1),
        div_factor=25,
        cycle_momentum=False,
    )
    expected = []
    for _ in range(n_steps):
        expected += schedule.get_last_lr()
        optimizer.step()
        schedule.step()
    rates = rates_of("one_cycle", max_iter=20)
    np.testing.assert_allclose(rates, expected, atol=0.02)
    assert rates[0] == pytest.approx(1 / 25)
    assert rates.max() == pytest.approx(1)
    assert rates[-1] < 0.01


def test_adaptive_divides_by_five_after_two_epochs_without_progress():
    # The first epoch is progress, and no other can be.
    rates = rates_of("adaptive", tol=np.float64(1e9))
    np.testing.assert_allclose(rates[::N_BATCHES], 0.2 ** np.array([0, 0, 0, 1, 1, 2, 2, 3]))


def test_averaged_rises_as_one_cycle_and_stays():
    rates, one_cycle = (rates_of(name, max_iter=20) for name in ("averaged", "one_cycle"))
    rising = np.arange(20 * N_BATCHES) < N_BATCHES  # a twentieth of the epochs
    np.testing.assert_array_equal(rates[rising], one_cycle[rising])
    np.testing.assert_array_equal(rates[~rising], 1.0)


class Weights(Callback):
    """Remember a network's weights after each step, and between epochs."""

    def __init__(self):
        self.steps, self.epochs = [], []

    def on_batch_end(self, net, training=False, **kwargs):
        if training:
            self.steps.append(weights_of(net.module_))

    def on_epoch_end(self, net, **kwargs):
        self.epochs.append((len(self.steps), weights_of(net.module_)))


@pytest.mark.parametrize("n_averaged", [1, 2, 32])  # that is each fifth step, each second, each
@pytest.mark.parametrize("validated", [True, False])
def test_the_average_is_that_of_the_weights_after_so_many_steps(validated, n_averaged, monkeypatch):
    monkeypatch.setattr(_training, "_AVERAGED_STEPS", n_averaged)
    every = max(1, N_BATCHES // n_averaged)
    seen = Weights()
    settings = replace(SETTINGS, learning_rate="averaged", max_iter=4, callbacks=[seen])
    part = part_of(X)
    if validated:
        validate([part], [rows_of(X, like=part[2])], settings)
    else:
        train(*part, settings)
    assert len(seen.steps) == 4 * N_BATCHES
    averages, average = [], seen.steps[0]
    for step, weights in enumerate(seen.steps, start=1):
        if step % every == 0:
            share = 9 / (8 + step // every)  # of the last one: Shamir & Zhang 2013, eta = 8
            average = {name: torch.lerp(average[name], weights[name], share) for name in average}
        averages.append(average)
    for step, shown in seen.epochs:
        for name, value in shown.items():
            torch.testing.assert_close(value, averages[step - 1][name])
    for name, value in weights_of(part[0]).items():
        torch.testing.assert_close(value, averages[-1][name])


def test_the_running_statistics_of_a_batch_normalization_are_averaged_too():
    rows = rows_of(X)
    network = network_of(rows)
    network.encoder.body.correction.append(nn.BatchNorm1d(2))
    seen = Weights()
    settings = replace(SETTINGS, learning_rate="averaged", max_iter=3, callbacks=[seen])
    train(network, SquaredError(network.encoder.standardize), rows, settings)
    (name,) = [name for name in seen.steps[0] if name.endswith("running_mean")]
    average = seen.steps[0][name]
    for step, weights in enumerate(seen.steps, start=1):
        average = average + 9 / (8 + step) * (weights[name] - average)
    torch.testing.assert_close(network.state_dict()[name], average)


@pytest.mark.slow
@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("validated", [True, False])
def test_a_loss_may_be_of_any_size_and_sign(solver, validated):
    def trained_with(factor, constant):
        def loss(rebuilt, rows):
            return factor * ((rebuilt - rows).square() + constant)

        rate = 1 / factor if solver == "sgd" else 1.0
        settings = replace(
            SETTINGS,
            solver=solver,
            learning_rate="adaptive",
            learning_rate_init=0.03 * rate,
            n_iter_no_change=5,
            tol=0.01,
            max_iter=30,
        )
        result = trained(validated, loss, settings)
        return np.array(result.loss_curve) / factor - constant

    expected = trained_with(1.0, 0.0)
    assert len(expected) > 10
    for factor, constant in [(1.0, -1.0), (2.0**-20, 0.0), (2.0**10, 0.0), (2.0**-20, -1.0)]:
        np.testing.assert_allclose(trained_with(factor, constant), expected, atol=1e-4)


def test_the_unit_of_a_loss_is_the_deviation_of_the_rows_unless_it_has_one():
    losses, weight = np.array([1.0, 2.0, 4.0]), np.array([1.0, 2.0, 1.0])
    network, loss, _ = part_of(X)
    assert unit_of(loss, losses, weight) == 1.0
    own = CallableLoss(network.encoder.standardize, torch.square)
    expected = np.std(np.repeat(losses, [1, 2, 1]))
    assert unit_of(own, losses, weight) == pytest.approx(expected)
    assert unit_of(own, -3 * losses + 5, weight) == pytest.approx(3 * expected)


def test_adaptive_keeps_the_rate_while_the_loss_falls():
    np.testing.assert_array_equal(rates_of("adaptive", max_iter=4), 1)


# Training on all rows


@pytest.mark.parametrize("learning_rate", ["constant", "adaptive"])
def test_a_shorter_training_is_the_first_epochs_of_a_longer_one(learning_rate):
    settings = replace(SETTINGS, learning_rate=learning_rate, max_iter=6)
    curve = train(*part_of(X), settings).loss_curve
    assert len(curve) == 6
    assert train(*part_of(X), replace(settings, max_iter=3)).loss_curve == curve[:3]


@pytest.mark.parametrize("solver", SOLVERS)
def test_training_goes_on_from_the_state_of_the_solver(solver):
    settings = replace(SETTINGS, solver=solver, shuffle=False, alpha=0.01, max_iter=2)
    whole, halves, forgetful = part_of(X), part_of(X), part_of(X)
    curve = train(*whole, replace(settings, max_iter=4)).loss_curve
    first, state = train(*halves, settings)
    second = train(*halves, settings, solver_state=state).loss_curve
    assert first + second == curve
    assert_equal_weights(whole[0], halves[0])
    for _ in range(2):
        train(*forgetful, settings)
    with pytest.raises(AssertionError):
        assert_equal_weights(whole[0], forgetful[0])


def test_the_state_of_the_solver_is_not_changed_by_training_on():
    network, loss, rows = part_of(X)
    state = train(network, loss, rows, SETTINGS).solver_state
    before = copy.deepcopy(state)
    train(network, loss, rows, SETTINGS, solver_state=state)
    for i, moments in before["state"].items():
        for name, value in moments.items():
            assert torch.equal(torch.as_tensor(state["state"][i][name]), torch.as_tensor(value))


def test_the_training_loss_is_that_of_the_batches():
    seen = []

    def loss(reconstruction, rows):
        error = (reconstruction - rows).square().mean(dim=1)
        if error.requires_grad:
            seen.extend(error.detach().tolist())
        return error

    curve = train(*part_of(X, loss=loss), replace(SETTINGS, max_iter=3)).loss_curve
    epochs = np.array(seen).reshape(3, -1)
    np.testing.assert_allclose(curve, epochs.mean(axis=1), rtol=1e-5)


@pytest.mark.parametrize("shuffle", [True, False])
def test_the_seed_decides_the_order_of_rows_alone(shuffle):
    networks = [part_of(X) for _ in range(3)]
    for part, seed in zip(networks, [0, 0, 1], strict=True):
        train(*part, replace(SETTINGS, seed=seed, shuffle=shuffle))
    assert_equal_weights(networks[0][0], networks[1][0])
    moved = not torch.equal(
        networks[0][0].encoder.body.linear_path.weight,
        networks[2][0].encoder.body.linear_path.weight,
    )
    assert moved == shuffle


def test_sparse_rows_train_as_dense_ones():
    dense, sparse = part_of(X), part_of(sp.csr_array(X), np.arange(len(X)))
    assert train(*dense, SETTINGS).loss_curve == train(*sparse, SETTINGS).loss_curve
    assert_equal_weights(dense[0], sparse[0])


def test_a_weight_of_zero_is_no_training():
    with_weights = rows_of(X)
    with_weights.weight[75:] = 0
    settings = replace(SETTINGS, batch_size=150, max_iter=3, shuffle=False)
    parts = []
    for rows in (with_weights, rows_of(X, np.arange(75), like=with_weights)):
        network = network_of(rows)
        train(network, SquaredError(network.encoder.standardize), rows, settings)
        parts.append(network)
    # One has half the gradient of the other, which the steps of Adam do not depend on.
    for first, second in zip(parts[0].parameters(), parts[1].parameters(), strict=True):
        torch.testing.assert_close(first, second, atol=1e-4, rtol=1e-3)


def test_weight_decay_leaves_the_linear_path_and_the_biases_alone():
    network, loss, rows = part_of(X, loss=lambda reconstruction, rows: 0 * reconstruction)
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            parameter.data.fill_(0.7)
    before = weights_of(network)
    train(network, loss, rows, replace(SETTINGS, alpha=2.0, max_iter=3))
    shrunk = (1 - SETTINGS.learning_rate_init * 2.0) ** (3 * N_BATCHES)
    decayed = {
        f"{part}.body.correction.{layer}.weight"
        for part in ("encoder", "decoder")
        for layer in "02"
    }
    for name, value in weights_of(network).items():
        torch.testing.assert_close(value, before[name] * (shrunk if name in decayed else 1))


@pytest.mark.parametrize("validated", [True, False])
def test_bfloat16_trains_weights_of_single_precision(validated):
    curves = []
    for precision in ("float32", "bfloat16"):
        network, _, rows = part = part_of(X)
        settings = replace(SETTINGS, precision=precision, max_iter=6)
        if validated:
            curve = validate([part], [rows_of(X, like=rows)], settings).loss_curve
        else:
            curve = train(*part, settings).loss_curve
        assert curve[-1] < 0.9 * curve[0]
        assert {value.dtype for value in network.state_dict().values()} == {torch.float32}
        curves.append(curve)
    np.testing.assert_allclose(*curves, rtol=0.05)
    assert curves[0] != curves[1]


def test_divergence_is_an_error_that_names_the_step():
    settings = replace(SETTINGS, solver="sgd", learning_rate_init=1e12, max_iter=50)
    with pytest.raises(ValueError, match=r"diverged with learning_rate_init=1000000000000\.0"):
        train(*part_of(X), settings)


# Training with validation


# Callbacks


class Stop(Callback):
    """End training as skorch's callbacks do."""

    def __init__(self, when="on_epoch_end", after=2):
        self.when, self.after = when, after

    def initialize(self):
        self.n_epochs_ = 0
        return self

    def on_epoch_end(self, net, **kwargs):
        self.n_epochs_ += 1
        self.stop("on_epoch_end")

    def on_batch_end(self, net, **kwargs):
        self.stop("on_batch_end")

    def stop(self, when):
        if self.when == when and self.n_epochs_ >= self.after:
            raise KeyboardInterrupt


def stop_from_a_function():
    raise KeyboardInterrupt


class StopFromAFunction(Stop):
    def stop(self, when):
        if self.n_epochs_ >= self.after:
            stop_from_a_function()


@pytest.mark.parametrize(
    ("stop", "n_epochs"),
    [
        (Stop("on_epoch_end", 2), 2),
        pytest.param(Stop("on_batch_end", 2), 3),
        pytest.param(StopFromAFunction(after=2), 2),
    ],
    ids=["after an epoch", "in an epoch", "from a function"],
)
@pytest.mark.parametrize("validated", [True, False])
def test_a_callback_ends_training_quietly(stop, n_epochs, validated):
    settings = replace(SETTINGS, max_iter=9, callbacks=[stop])
    try:
        curve = trained(validated, settings=settings).loss_curve
    except KeyboardInterrupt:  # which would end the tests
        pytest.fail("taken for Ctrl-C")
    assert len(curve) == n_epochs


@pytest.mark.parametrize("validated", [True, False])
def test_an_interrupt_by_the_user_is_not_swallowed(validated):
    def loss(reconstruction, rows):
        signal.raise_signal(signal.SIGINT)
        return (reconstruction - rows).square()

    # Where tests run in the background, the signal may be ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            trained(validated, loss)
    finally:
        signal.signal(signal.SIGINT, before)


class Counting(Callback):
    """Count what it is told."""

    def __init__(self):
        self.calls = []

    def on_train_begin(self, net, **kwargs):
        self.calls.append("begin")

    def on_epoch_end(self, net, **kwargs):
        self.calls.append("epoch")

    def on_train_end(self, net, **kwargs):
        self.calls.append("end")


def test_callbacks_see_one_training_from_begin_to_end():
    expected = ["begin", *["epoch"] * SETTINGS.max_iter, "end"]
    seen = Counting()
    train(*part_of(X), replace(SETTINGS, callbacks=[seen]))
    assert seen.calls == expected
    seen = Counting()
    validate(*validated_parts(), replace(SETTINGS, callbacks=[("named", seen)]))
    assert seen.calls == expected


def test_folds_have_callbacks_of_their_own():
    class Shared(Counting):
        everyone: list = []  # noqa: RUF012

        def on_train_end(self, net, **kwargs):
            super().on_train_end(net, **kwargs)
            self.everyone.append(self.calls)

    given = Shared()
    validate(*validated_parts(3), replace(SETTINGS, callbacks=[given]))
    assert given.calls == []
    assert Shared.everyone == [["begin", *["epoch"] * SETTINGS.max_iter, "end"]] * 3


def callbacks_of_skorch():
    for name in skorch.callbacks.__all__:
        kind = getattr(skorch.callbacks, name)
        parameters = inspect.signature(kind).parameters.values()
        required = any(parameter.default is parameter.empty for parameter in parameters)
        if issubclass(kind, Callback) and not required and name != "InputShapeSetter":
            yield kind


@pytest.mark.parametrize("kind", list(callbacks_of_skorch()))
def test_a_callback_of_skorch_works_with_its_defaults(kind, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)  # where those that write files do so
    if kind.__name__ == "MlflowLogger":
        pytest.importorskip("mlflow")
    result = trained(True, settings=replace(SETTINGS, callbacks=[kind()]))
    assert len(result.loss_curve) == SETTINGS.max_iter


def test_a_callback_that_would_build_the_network_is_refused():
    with pytest.raises(ValueError, match="InputShapeSetter"):
        check_callbacks([("shape", skorch.callbacks.InputShapeSetter())])
    assert check_callbacks(None) == ()


class Spoil(Callback):
    """Ruin the weights before the sixth epoch."""

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == 6:
            for parameter in net.module_.parameters():
                parameter.data.fill_(3.0)


def test_a_checkpoint_is_the_best_epoch(tmp_path):
    network, loss, rows = part_of(X)
    callback = skorch.callbacks.Checkpoint(dirname=tmp_path)
    settings = replace(SETTINGS, max_iter=9, callbacks=[callback, Spoil()])
    result = validate([(network, loss, rows)], [rows_of(X, like=rows)], settings)
    assert result.best_iter == 5
    for name, value in torch.load(tmp_path / "params.pt").items():
        assert torch.equal(value, network.state_dict()[name]), name


def test_a_callback_that_asks_for_rows_held_out_where_there_are_none_is_told_so(tmp_path):
    callback = skorch.callbacks.Checkpoint(dirname=tmp_path)
    with pytest.raises(ValueError, match="number as validation_fraction"):
        trained(False, settings=replace(SETTINGS, callbacks=[callback]))


# What the user may say to skorch


@pytest.mark.parametrize("name", _OUR_WORDS)
def test_skorchs_name_for_what_has_one_of_ours_is_refused(name):
    with pytest.raises(ValueError, match=f"sets '{name}', which the parameter {_OUR_WORDS[name]}"):
        check_net_params({name: None})


@pytest.mark.parametrize("name", ["optimizer__param_groups", "callbacks__print_log"])
def test_names_that_training_sets_itself_are_refused(name):
    with pytest.raises(ValueError, match=name):
        check_net_params({name: None})


def test_other_parameters_reach_the_solver():
    class Betas(Callback):
        def on_train_begin(self, net, **kwargs):
            seen.append(net.optimizer_.param_groups[0]["betas"])

    seen = []
    given = check_net_params({"optimizer__betas": (0.5, 0.9)})
    train(*part_of(X), replace(SETTINGS, net_params=given, callbacks=[Betas()]))
    train(*part_of(X), replace(SETTINGS, squares_decay=0.96, callbacks=[Betas()]))
    assert seen == [(0.5, 0.9), (0.9, 0.96)]
    assert check_net_params(None) == {}


def test_a_device_that_is_not_there_is_an_error():
    assert resolve_device("cpu") == "cpu"
    assert resolve_device(resolve_device("auto")) == resolve_device("auto")
    missing = "mps" if not torch.backends.mps.is_available() else "cuda"
    with pytest.raises(ValueError, match=f"device='{missing}' is not available"):
        resolve_device(missing)


# What is given back


def global_numpy_state():
    return np.random.get_state()[1].copy()  # noqa: NPY002


@pytest.mark.parametrize("validated", [True, False])
@pytest.mark.parametrize("fails", [True, False])
def test_global_state_is_left_as_found(validated, fails):
    def loss(reconstruction, rows):
        if fails:
            raise ZeroDivisionError
        return (reconstruction - rows).square()

    found = torch.get_num_threads()
    torch.set_num_threads(2)
    before = torch.get_rng_state(), global_numpy_state(), torch.is_grad_enabled()
    try:
        trained(validated, loss)
    except ZeroDivisionError:
        assert fails
    else:
        assert not fails
    threads = torch.get_num_threads()
    torch.set_num_threads(found)
    assert threads == 2
    assert torch.equal(torch.get_rng_state(), before[0])
    np.testing.assert_array_equal(global_numpy_state(), before[1])
    assert torch.is_grad_enabled() == before[2]
    assert torch.get_default_dtype() == torch.float32


@pytest.mark.parametrize("verbose", [True, False])
def test_a_progress_bar_is_shown_on_request(verbose, capsys):
    validate(*validated_parts(3), replace(SETTINGS, verbose=verbose))
    train(*part_of(X), replace(SETTINGS, verbose=verbose))
    shown = capsys.readouterr()
    assert shown.out == ""
    assert ("cross-validation" in shown.err) == verbose
    assert (f"training {SETTINGS.max_iter}/{SETTINGS.max_iter} |" in shown.err) == verbose
    assert (shown.err == "") != verbose


# Applying a network


def reconstruct(network, Z):
    return network(Z).reconstruction


def test_what_is_applied_is_the_network_in_the_precision_of_X():
    network = network_of(rows_of(X)).eval()
    double = copy.deepcopy(network).double()
    with torch.no_grad():
        expected = double(torch.from_numpy(X)).reconstruction.numpy()
    result = apply(reconstruct, network, X, device="cpu")
    assert result.dtype == np.float64
    np.testing.assert_allclose(result, expected, rtol=1e-13)
    single = apply(reconstruct, network, X.astype(np.float32), device="cpu")
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, expected, rtol=1e-4, atol=1e-5)
    assert not np.array_equal(single, expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("training", [True, False])
def test_applying_leaves_a_network_as_it_is(dtype, training):
    network = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Dropout(0.5)).train(training)
    before, rng = weights_of(network), torch.get_rng_state()
    result = apply(lambda net, Z: net(Z), network, X.astype(dtype), device="cpu")
    assert {module.training for module in network.modules()} == {training}
    for name, value in weights_of(network).items():
        assert value.dtype == before[name].dtype
        assert torch.equal(value, before[name])
    assert torch.equal(torch.get_rng_state(), rng)
    with torch.no_grad():
        expected = network.eval()(torch.from_numpy(X.astype(np.float32)))
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
def test_the_number_of_rows_at_a_time_does_not_matter(container):
    wide = np.random.RandomState(0).poisson(0.1, size=(70, 10_000)).astype(np.float64)
    network = nn.Linear(10_000, 3)
    lengths = []

    def function(network, Z):
        lengths.append(len(Z))
        return network(Z)

    result = apply(function, network, container(wide), device="cpu")
    assert len(lengths) > 1
    assert sum(lengths) == 70
    one_by_one = [apply(function, network, container(row[None]), device="cpu") for row in wide]
    np.testing.assert_allclose(result, np.concatenate(one_by_one), rtol=1e-10, atol=1e-12)


def test_before_and_after_see_the_precision_of_X():
    # One part in 10^9, which is lost in single precision, is all that the network sees.
    far = 1e3 + 1e-6 * np.random.RandomState(0).normal(size=(9, 4))
    result = apply(
        lambda network, Z: network(Z),
        nn.Linear(4, 4).apply(as_identity),
        far,
        device="cpu",
        before=lambda rows: (rows - 1e3) * 1e6,
        after=lambda rows: rows / 1e6 + 1e3,
    )
    np.testing.assert_allclose(result, far, rtol=1e-14)


def as_identity(layer):
    nn.init.eye_(layer.weight)
    nn.init.zeros_(layer.bias)


# Noise and layers that draw


class Sampling(RandomLayer):
    """Shift codes at random, out of training too, as a variational autoencoder does."""

    def forward(self, code):
        return code + 0.1 * torch.empty_like(code).normal_(generator=self.generator)


class Shift:
    def corrupt(self, rows, generator):
        return rows + torch.rand(rows.shape, generator=generator)


def test_noise_has_a_generator_of_its_own_and_leaves_the_order_of_rows_alone():
    orders = []
    for noise in (None, Shift()):

        class Look(Callback):
            seen: list = []  # noqa: RUF012

            def on_batch_begin(self, net, batch, training=False, **kwargs):
                self.seen.append(batch[1][0].clone())

        part = part_of(X)
        Look.seen = []
        train(*part, replace(SETTINGS, noise=noise, callbacks=(Look(),)))
        orders.append(torch.cat(Look.seen))
    assert torch.equal(*orders)  # the targets: clean, and in the same order


def test_noise_is_the_same_for_the_same_seed_and_new_in_each_batch():
    curves = [
        train(*part_of(X), replace(SETTINGS, noise=Shift(), seed=seed)).loss_curve
        for seed in (0, 0, 1)
    ]
    assert curves[0] == curves[1] != curves[2]
    still = replace(SETTINGS, noise=Shift(), learning_rate_init=1e-30, shuffle=False)
    curve = train(*part_of(X), still).loss_curve
    assert len(set(curve)) == len(curve)


def test_rows_held_out_are_drawn_alike_in_each_epoch_and_training_is_not():
    network, loss, rows = part_of(X)
    network.between = Sampling()
    still = replace(SETTINGS, learning_rate_init=1e-30)
    validated = validate([(network, loss, rows)], [rows], still)
    assert len(set(validated.validation_loss_curve)) == 1
    assert len(set(validated.loss_curve)) == len(validated.loss_curve)


def test_losses_are_told_how_much_of_the_training_is_done():
    seen = []

    class Watch(SquaredError):
        def forward(self, output, target):
            seen.append(self.progress)
            return super().forward(output, target)

    network, loss, rows = part_of(X)
    train(network, Watch(loss.standardize), rows, SETTINGS)
    np.testing.assert_allclose(seen, np.arange(4 * N_BATCHES) / (4 * N_BATCHES))


def test_evaluating_is_the_function_of_all_rows_at_once(monkeypatch):
    holes = np.where(np.random.RandomState(0).uniform(size=X.shape) < 0.2, np.nan, X)
    rows = rows_of(holes)
    network = network_of(rows).train()

    def code_and_target(network, Z, target):
        assert not torch.is_grad_enabled()
        return torch.cat([network.encoder.from_standardized(Z), target], dim=1)

    Z, (target, _) = rows[:]
    with torch.no_grad():
        expected = torch.cat([network.encoder.from_standardized(Z), target], dim=1)
    monkeypatch.setattr(_training, "_EVALUATION_BATCH", 40)
    result = evaluate(code_and_target, network, rows)
    torch.testing.assert_close(result, expected, equal_nan=True)
    assert not network.training


def test_training_ends_below_a_loss_that_is_enough():
    settings = replace(SETTINGS, max_iter=10)
    network, loss, rows = part_of(X)
    curve = train(network, loss, rows, settings).loss_curve
    enough = curve[5]
    first = next(epoch for epoch, value in enumerate(curve) if value <= enough)
    network, loss, rows = part_of(X)
    ended = train(network, loss, rows, replace(settings, enough=np.nextafter(enough, 1)))
    assert ended.loss_curve == curve[: first + 1]
