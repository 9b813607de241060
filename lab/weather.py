# SPDX-License-Identifier: GPL-2.0
"""The course of a link's loss: weather, as it is over a satellite link in a band that rain disturbs. Each kind of
weather lasts for a random time and has a random loss; the generator is seeded, so the course is the same each time."""

import collections
import random

# The loss in % from and to which, the mean time in minutes, and what may follow with what weight.
Kind = collections.namedtuple("Kind", "low high minutes following")
KINDS = {
    "clear": Kind(0, 0, 90, {"haze": 2, "rain": 1}),
    "haze": Kind(0.2, 2, 25, {"clear": 2, "rain": 1}),
    "rain": Kind(2, 10, 20, {"haze": 1, "clear": 1, "storm": 2}),
    "storm": Kind(15, 35, 6, {"rain": 1}),
}
SEED = 1


def course(minutes, seed=SEED):
    """For each minute the kind of weather, and the loss in percent."""
    chance, kind, found = random.Random(seed), "clear", []
    while len(found) < minutes:
        weather = KINDS[kind]
        for _ in range(max(2, round(chance.expovariate(1 / weather.minutes)))):
            found.append((kind, round(chance.uniform(weather.low, weather.high), 1)))
        kind, = chance.choices(list(weather.following), list(weather.following.values()))
    return found[:minutes]


def constant(minutes, loss):
    """The same loss all the time."""
    return [("clear" if not loss else "constant", loss)] * minutes
