"""Does the new version do something more often than the old one? A test that may look at any time.

Both get their requests at random, in known shares. If both are as likely to fail at the same time,
the next failure is the new version's with the probability of its share, whatever the rate of
failures is and however it changes over the day. The count of failures by version is therefore a
sequence of coin tosses with a known coin, and the likelihood ratio of another coin to that one is a
martingale. A mixture of such ratios is one too, so that by Ville's inequality it ever exceeds 1/a
with probability a at most, no matter how often and when somebody looks.

Source: M. Lindon, A. Malek, "Anytime-Valid Inference for Multinomial Count Data", NeurIPS 2022,
section on comparing the rates of point processes; the mixture there is a Beta distribution over all
coins, here a few coins on the side that matters. Mixture SPRT: H. Robbins, "Statistical Methods
Related to the Law of the Iterated Logarithm", 1970.
"""

import math
from dataclasses import dataclass

# How many times as often as tolerated the new version may do it, each as likely beforehand.
RATIOS = (2.0, 5.0, 10.0, 30.0, 100.0, 1000.0)


@dataclass(frozen=True, slots=True)
class Trials:
    """How many of `total` requests were `hits`, such as failures."""

    total: int
    hits: int

    @property
    def rate(self) -> float:
        """Hits by requests; 0 without requests."""
        return self.hits / self.total if self.total else 0.0


def log_evidence(new: Trials, old: Trials, *, tolerated: float) -> float:
    """How strongly the counts speak against "new is at most `tolerated` times as likely as old".

    The natural logarithm of an e-value: as long as the hypothesis holds, it ever exceeds
    `log(1/a)` with probability `a` at most. Counts of both are from the same time, from one moment
    on. Without requests of both there is no evidence, 0.
    """
    if not new.total or not old.total:
        return 0.0
    odds = new.total / old.total * tolerated
    found = [_log_ratio(new.hits, old.hits, odds, ratio) for ratio in RATIOS]
    highest = max(found)
    return highest + math.log(sum(math.exp(one - highest) for one in found) / len(found))


def _log_ratio(new: int, old: int, odds: float, ratio: float) -> float:
    """Log-likelihood of a coin with `ratio` times the odds, less that of the coin with `odds`."""
    return new * math.log(ratio) - (new + old) * math.log((1 + ratio * odds) / (1 + odds))
