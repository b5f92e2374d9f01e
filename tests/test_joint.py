"""Parts of joint training: what they ask of each layer."""

import pytest
from sklearn.base import clone

from skae.joint import JOINT, Ladder


def test_a_name_stands_for_the_part_with_its_defaults():
    assert JOINT["ladder"]().get_params() == Ladder().get_params()
    assert clone(Ladder(0.1, weights=(1,))).get_params()["level"] == 0.1


def test_the_last_weight_is_that_of_all_layers_above():
    noise, weights = Ladder(0.2, input_level=0.5, weights=(10, 1)).noise_and_weights(4)
    assert noise == [0.5, 0.2, 0.2, 0.2, 0.2]
    assert weights == [10.0, 1.0, 1.0, 1.0, 1.0]
    assert Ladder(weights=3).noise_and_weights(2)[1] == [3.0, 3.0, 3.0]


@pytest.mark.parametrize("weights", [(), (1, 2, 3, 4), (1, -1), ("a",)])
def test_weights_that_fit_no_layer_are_refused(weights):
    with pytest.raises(ValueError, match="must be 1 to 3 numbers"):
        Ladder(weights=weights).noise_and_weights(2)
