"""Networks whose layers see the columns of rows in another order."""

from torch import Tensor, nn

from ._network import AutoencoderNetwork, ColumnActivations, Decoder, Encoder, Standardize


class Reorder(nn.Module):
    """A module on columns in another order.

    Parameters
    ----------
    module : torch.nn.Module
    before, after : Tensor of int or None
        Which columns of what comes in, and of what the module returns, are first, second, and so
        on. None leaves them.
    """

    module: nn.Module
    before: Tensor | None
    after: Tensor | None

    def __init__(
        self, module: nn.Module, *, before: Tensor | None = None, after: Tensor | None = None
    ) -> None:
        super().__init__()
        self.module = module
        self.register_buffer("before", before)
        self.register_buffer("after", after)

    def forward(self, X: Tensor) -> Tensor:
        result = self.module(X if self.before is None else X.index_select(1, self.before))
        return result if self.after is None else result.index_select(1, self.after)


class ReorderedNetwork(AutoencoderNetwork):
    """A network around the layers of another one, for rows whose columns are in another order.

    Parameters
    ----------
    network : AutoencoderNetwork
        Its layers are shared, not copied.
    columns : Tensor of int of shape (n_features,)
        The columns of a row that the layers see first, second, and so on.
    codes : Tensor of int of shape (n_components,), optional
        The same for the numbers of a code. An activation of the code sees them as the layers do.
    """

    columns: Tensor

    def __init__(
        self, network: AutoencoderNetwork, columns: Tensor, codes: Tensor | None = None
    ) -> None:
        back = columns.argsort()
        encoder, decoder = network.encoder, network.decoder
        encoder = Encoder(
            _standardize(encoder.standardize, back),
            Reorder(encoder.body, before=columns),
            Reorder(encoder.activation, after=None if codes is None else codes.argsort()),
        )
        decoder = _decoder(decoder, back, Reorder(decoder.body, before=codes, after=back))
        super().__init__(encoder, decoder, network.between)
        self.register_buffer("columns", columns)
        self.eval()

    def without(self) -> AutoencoderNetwork:
        """Return a network with the same layers for rows whose columns are in their order."""
        around = self.encoder.body, self.encoder.activation, self.decoder.body
        into, activation, out_of = (part.module for part in around if isinstance(part, Reorder))
        standardize = _standardize(self.encoder.standardize, self.columns)
        encoder = Encoder(standardize, into, activation)
        decoder = _decoder(self.decoder, self.columns, out_of)
        return AutoencoderNetwork(encoder, decoder, self.between).eval()


def _standardize(standardize: Standardize, columns: Tensor) -> Standardize:
    """Return the standardization of some columns, in their order."""
    mean, scale = standardize.mean, standardize.scale
    return Standardize(mean[columns], scale[columns] if scale.ndim else scale)


def _decoder(decoder: Decoder, columns: Tensor, body: nn.Module) -> Decoder:
    """Return a decoder with another body, whose output is some columns of what it was."""
    activation, argument = decoder.activation, decoder.argument
    if isinstance(activation, ColumnActivations):
        parts = [lambda part=part: part for part in activation.activations]
        activation = ColumnActivations(activation.columns[columns], parts)
    if argument is not None:
        argument = _standardize(argument, columns)
    return Decoder(_standardize(decoder.standardize, columns), body, activation, argument)
