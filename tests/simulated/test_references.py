import pytest

from apmlib import metrics
from apmlib.simulated import crowd, references
from tests.simulated.stand_in import measured


@pytest.fixture(scope="module")
def split():
    table = measured(3_500, seed=2)
    return table.head(2_800), table.tail(700)


def rho(split, category, who=crowd.DEFAULT):
    train, test = split
    votes = crowd.vote(train, who, seed=2), crowd.vote(test, who, seed=3)
    scores = references.predict(train, votes[0], test, category)
    ceiling = crowd.ceilings(test, votes[1], who)["image"]["rho"]
    return metrics.rho(scores, metrics.mean(votes[1])) / ceiling


def test_the_category_is_worth_much(split):
    with_category, without = rho(split, True), rho(split, False)
    assert 0.85 < with_category < 1.01
    assert 0.4 < without < with_category - 0.1


def test_without_interactions_little_is_lost_without_the_category(split):
    assert rho(split, False, crowd.Crowd(interaction=0.0, category=0.0)) > 0.8
