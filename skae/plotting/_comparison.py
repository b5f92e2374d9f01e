"""ComparisonDisplay: the embeddings and the scores of a comparison."""

from typing import Self

from skae._drawing import import_pyplot
from skae.comparison import compare
from skae.comparison._figure import draw


class ComparisonDisplay:
    """The embeddings of `skae.compare` side by side with their scores, and bars below them.

    Parameters
    ----------
    comparison : Comparison
        What `skae.compare` returns.

    Attributes
    ----------
    embedding_axes_ : dict
        From the name of a method to the matplotlib Axes of its embedding.

    bar_axes_ : dict
        From the name of a column to the matplotlib Axes of its bars.

    figure_ : matplotlib Figure
        The figure that they are in.

    See Also
    --------
    skae.compare : Finds the numbers, and says what they mean.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_iris
    >>> from skae.plotting import ComparisonDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> display = ComparisonDisplay.from_methods(["pca", "isomap"], X, y, random_state=0)
    >>> list(display.embedding_axes_)
    ['pca', 'isomap']
    >>> plt.close(display.figure_)
    """

    def __init__(self, comparison):
        self.comparison = comparison

    @classmethod
    def from_methods(cls, methods, X, y=None, *, title=None, **parameters) -> Self:
        """Compare methods and draw what was found.

        Parameters
        ----------
        methods : str, list of str or dict
            Names of built-in methods, or a dictionary from a name of your choice to an unfitted
            transformer.

        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The data; NaN is a missing value.

        y : array-like of shape (n_samples,) or str, default=None
            The target that the codes should tell, or the name of its column in X.

        title : str, default=None
            The title of the figure.

        **parameters : dict
            Further parameters of `skae.compare`.

        Returns
        -------
        display : ComparisonDisplay
            What was drawn; its ``comparison`` has the numbers.
        """
        return cls(compare(X, y, methods=methods, **parameters)).plot(title=title)

    def plot(self, *, title=None) -> Self:
        """Draw what was found; as often as wanted, each time in a new figure of pyplot.

        Parameters
        ----------
        title : str, default=None
            The title of the figure.

        Returns
        -------
        display : ComparisonDisplay
            The object itself.
        """
        drawn = draw(self.comparison, title=title, new_figure=import_pyplot().figure)
        self.figure_, self.embedding_axes_, self.bar_axes_ = drawn
        return self
