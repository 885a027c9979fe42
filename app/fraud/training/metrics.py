"""How good scores are, by the measures of the Fraud Detection Handbook, chapter 4."""

import msgspec
import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from app.fraud.training.data import Floats, Integers

CARDS = 100


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """Of the scores of one test week."""

    auc_roc: float
    average_precision: float
    card_precision_at_100: float
    recall_at_fpr_0_001: float


def quality(
    scores: Floats, fraud: Integers, cards: Integers, days: Integers, threshold: float
) -> Quality:
    """Return the quality of `scores`; `threshold` was fixed on other payments."""
    frauds = fraud == 1
    return Quality(
        auc_roc=float(roc_auc_score(fraud, scores)),
        average_precision=float(average_precision_score(fraud, scores)),
        card_precision_at_100=card_precision(scores, fraud, cards, days),
        recall_at_fpr_0_001=float((scores[frauds] >= threshold).mean()),
    )


def card_precision(
    scores: Floats, fraud: Integers, cards: Integers, days: Integers, top: int = CARDS
) -> float:
    """Return the mean over days of the share of the `top` cards a day that are compromised.

    A card counts by its highest score of the day, and once found it is not counted again.
    """
    counted_cards: set[int] = set()
    shares: list[float] = []
    for day in np.unique(days):
        here = days == day
        best: dict[int, tuple[float, int]] = {}
        for card, score, label in zip(
            cards[here].tolist(), scores[here].tolist(), fraud[here].tolist(), strict=True
        ):
            if card in counted_cards:
                continue
            highest, is_fraud = best.get(card, (score, label))
            best[card] = (max(highest, score), max(is_fraud, label))
        ranked = sorted(best.items(), key=lambda each: (-each[1][0], each[0]))[:top]
        hits = [card for card, (_, is_fraud) in ranked if is_fraud]
        counted_cards.update(hits)
        shares.append(len(hits) / top)
    return float(np.mean(shares))
