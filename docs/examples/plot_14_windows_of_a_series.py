"""
Unusual stretches of a time series
==================================

A time series becomes a table when its windows become rows. A detector says which windows are unlike
the others, and sums over the windows that a time is in say when.
"""

# sphinx_gallery_thumbnail_number = 1

# %%
# Windows as rows
# ---------------
#
# First a series that is made up, so that it is known what is to be found: a pulse that beats every
# 50 steps, now stronger and now weaker, with noise. One beat comes twice, one is turned round, and
# one comes late.

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.cbook import get_sample_data
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.preprocessing import StandardScaler

from skae import AutoencoderOutlierDetector

random = np.random.RandomState(0)
n_times, period, length = 5000, 50, 100
time = np.arange(n_times)
beats = np.arange(period, n_times - period, period, dtype=float)
strength = 1 + 0.15 * random.normal(size=len(beats))
planted = {"twice": 30, "turned round": 55, "late": 80}
strength[planted["turned round"]] *= -1
beats[planted["late"]] += 20
twice = beats[planted["twice"]] + period // 2
series = 0.1 * random.normal(size=n_times)
for beat, size in zip([*beats, twice], [*strength, 1], strict=True):
    series += size * np.exp(-(((time - beat) / 4) ** 2))
    series -= 0.4 * size * np.exp(-(((time - beat - 10) / 6) ** 2))

# %%
# A window is two beats long, and one starts at each fifth step: rows that share most of their
# values with their neighbors. So blocks of windows are held out together, by ``groups``, or each
# row would be judged by networks that know nearly the same one.

starts = np.arange(0, n_times - length + 1, 5)
windows = sliding_window_view(series, length)[starts]
blocks = starts // (4 * length)
detector = AutoencoderOutlierDetector(random_state=0).fit(windows, groups=blocks)
unusual = -detector.score_samples(windows)
print(f"{len(windows)} windows of {length} values, in {blocks.max() + 1} blocks")

# %%
# Back to time
# ------------
#
# What a window has, all of its times have a part in; the mean over all windows that a time is in is
# a curve over time. ``explain`` knows more: what each value of a window contributes. Summed by time
# it says when, to the step.


def over_time(values, starts, n_times):
    """Return the mean of what windows, or their values, have at each time; NaN at the ends."""
    total, count = np.zeros(n_times), np.zeros(n_times)
    values = np.broadcast_to(values.reshape(len(starts), -1), (len(starts), length))
    for start, row in zip(starts, values, strict=True):
        total[start : start + length] += row
        count[start : start + length] += 1
    return np.divide(total, count, out=np.full(n_times, np.nan), where=count > count.max() / 2)


of_windows = over_time(unusual, starts, n_times)
of_values = over_time(detector.explain(windows).contributions, starts, n_times)
level = -detector.offset_

figure, axes = plt.subplots(3, sharex=True, figsize=(11, 5.5), layout="constrained")
axes[0].plot(time, series, linewidth=0.6)
axes[0].set_ylabel("series")
axes[1].plot(time, of_windows)
axes[1].axhline(level, color="grey", linestyle=":", label="threshold of a window")
axes[1].set_ylabel("windows")
axes[1].legend(loc="upper left")
axes[2].plot(time, of_values, linewidth=0.8)
axes[2].set_ylabel("values")
axes[2].set_xlabel("time")
for name, beat in planted.items():
    for ax in axes:
        ax.axvspan(beats[beat] - 15, beats[beat] + 15, color="tab:orange", alpha=0.3, linewidth=0)
    axes[0].annotate(name, (beats[beat], axes[0].get_ylim()[1]), ha="center", va="bottom")
plt.show()


# %%
# The highest places of the curve, each at least two windows from the others, are the three beats:


def peaks(curve, n_peaks):
    """Return the places of the highest values, two windows from one another."""
    left, places = np.nan_to_num(curve, nan=-np.inf), []
    for _ in range(n_peaks):
        places.append(int(left.argmax()))
        left[max(0, places[-1] - 2 * length) : places[-1] + 2 * length] = -np.inf
    return places


for place in peaks(of_windows, 3):
    nearest = min(planted, key=lambda name: abs(beats[planted[name]] - place))
    print(f"time {place}: {nearest}, {abs(beats[planted[nearest]] - place):.0f} steps away")

# %%
# A real series, as it comes
# --------------------------
#
# Prices and volumes of Google's shares, day by day from 2004 to 2008, come with matplotlib. A row
# is what ten days of trading were like, in two channels: the change of the logarithm of the price,
# and the logarithm of the volume. The detector is fitted to the first year. Then it goes on a month
# at a time: what is new is judged first, and then trained on, with a half-life of half a year.

shares = get_sample_data("goog.npz")["price_data"]
days = shares["date"][1:]
change = np.diff(np.log(shares["adj_close"]))
volume = np.log(shares["volume"][1:].astype(float))
length = 10
channels = np.stack([change, volume], axis=1)  # (n_days, 2)
rows = sliding_window_view(channels, length, axis=0).reshape(len(days) - length + 1, -1)
last_day = days[length - 1 :]  # of each window

n_first = 250
scaler = StandardScaler().fit(rows[:n_first])
rows = scaler.transform(rows)
stream = AutoencoderOutlierDetector(contamination="auto", half_life=125, random_state=0)
stream.fit(rows[:n_first], groups=np.arange(n_first) // (3 * length))
p_values = np.full(len(rows), np.nan)
for start in range(n_first, len(rows), 21):
    month = rows[start : start + 21]
    p_values[start : start + 21] = stream.score_p_values(month)
    stream.partial_fit(month)
judged = p_values[n_first:]
print(f"{len(judged)} windows, each judged before it was trained on")
print(f"p-values of at most 0.05: {(judged <= 0.05).mean():.1%}")

# %%
# p-values of windows at their last days: the higher the bar, the more unusual. Of the four most
# unusual stretches, the day of the largest change:

figure, (above, below) = plt.subplots(2, sharex=True, figsize=(11, 5), layout="constrained")
above.plot(days, shares["adj_close"][1:])
above.set_ylabel("price, US$")
below.bar(last_day[n_first:], -np.log10(judged), width=2)
below.axhline(-np.log10(0.05), color="grey", linestyle=":")
below.set_ylabel("−log₁₀ p-value")
plt.show()

for place in sorted(peaks(-np.log10(p_values), 4)):
    window = slice(place, place + length)
    day = place + int(np.abs(change[window]).argmax())
    print(f"{days[place]} to {last_day[place]}, p = {p_values[place]:.3f}: ", end="")
    print(f"{np.expm1(change[day]):+.0%} on {days[day]}")

# %%
# Such p-values are not independent, as windows overlap, and what is unusual lasts for as many days
# as a window has: where one alarm an event is wanted, take the first of each run. And windows of a
# stream are held out one by one, so what is typical is told by networks that know the windows
# beside them, and somewhat more than a twentieth are alarms.
