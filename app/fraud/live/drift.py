"""Drift of the latest payments from the training data of the model in force, as metrics.

It watches the latest WATCHED_MAX verdicts of this process that the model took part in, each by
the bins of the model's spreads: of its figures, and of its score. They are counted by number and
not by time, so that every index is of as many and chance moves it as little. A worker sees the
orders of its own partitions, and begins with none: what it shows is a sample of Payflow.

    payflow_fraud_psi{figure}                         of the watched; figures, and `score`
    payflow_fraud_watched_verdicts                    how many there are
    payflow_fraud_alert_rate{by}                      of the watched; by model: `active`, `trial`
    payflow_fraud_verdicts_total{outcome,decided_by}  of all; `model`, `rule`, `none`
    payflow_fraud_trial_total{active,trial}           of all that a model on trial judged along

The figures `weekend` and `night` follow the clock: of fewer payments than a week has, they have
always moved. An alarm leaves them out: `payflow_fraud_psi{figure!~"weekend|night"} > 0.25`.

Index and rates are not shown before WATCHED_MIN verdicts, and again from there on when a model
comes into force.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Mapping, Sequence

from app.worker import metrics
from workflows.fraud.messages import FraudCleared, FraudDetected, VerdictBasis
from workflows.fraud.model import Model, psi
from workflows.fraud.verdict import ALERT_BANDS, MODEL, Judge, ModelBand, band_of
from workflows.shared.message import Message

WATCHED_MAX = 5_000
WATCHED_MIN = 500
"""Chance alone makes an index of about (bins - 1) / verdicts: of 500, less than 0.02."""
EVERY = 100
"""Verdicts between two computations: one takes as long as counting twenty."""
SCORE = "score"
NO_BANDS: tuple[ModelBand, ...] = ("nothing", "unknown")


class Window:
    """The latest payments that one model has judged, by the bins they fell into."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.received = 0
        """Verdicts ever added."""
        names = [name for name in (*model.figures, SCORE) if name in model.spread]
        self._spreads = [(name, model.spread[name]) for name in names]
        self._counts = [[0] * (len(spread.edges) + 1) for _, spread in self._spreads]
        self._alerts = {"active": [0, 0], "trial": [0, 0, 0]}
        """No alert, alert; of a trial also: not scored."""
        self._rows = [*self._counts, *self._alerts.values()]
        self._held: deque[tuple[int, ...]] = deque()

    def __len__(self) -> int:
        return len(self._held)

    def add(self, basis: VerdictBasis, active: ModelBand, trial: ModelBand) -> None:
        """Count a payment in; beyond WATCHED_MAX, the oldest out."""
        values = {**basis.snapshot, SCORE: basis.model_score or 0.0}
        # Bisect left, as in training: an edge belongs to the bin below.
        bins = [bisect_left(spread.edges, values.get(name, 0.0)) for name, spread in self._spreads]
        now = (*bins, active in ALERT_BANDS, 2 if trial in NO_BANDS else trial in ALERT_BANDS)
        if len(self._held) == WATCHED_MAX:
            for row, at in zip(self._rows, self._held.popleft(), strict=True):
                row[at] -= 1
        for row, at in zip(self._rows, now, strict=True):
            row[at] += 1
        self._held.append(now)
        self.received += 1

    def drift(self) -> dict[str, float]:
        """Return the population stability index by figure, `score` among them."""
        return {
            name: psi(spread.shares, counts)
            for (name, spread), counts in zip(self._spreads, self._counts, strict=True)
        }

    def alert_rates(self) -> dict[str, float]:
        """Return the share of alerts by `active` and `trial`, where enough were judged."""
        return {
            by: counts[1] / (counts[0] + counts[1])
            for by, counts in self._alerts.items()
            if counts[0] + counts[1] >= WATCHED_MIN
        }


class Watch:
    """Counts verdicts as they are emitted, and exports the sums."""

    def __init__(self) -> None:
        self._window: Window | None = None

    def receive(self, messages: Sequence[Message], by: Judge) -> None:
        """Count the verdicts among `messages`, judged `by`."""
        every = (*by.models, *((by.trial,) if by.trial else ()))
        models = {model.version: model for model in every}
        for message in messages:
            if isinstance(message, FraudDetected | FraudCleared) and message.basis is not None:
                self._count(message.basis, models)

    def _count(self, basis: VerdictBasis, models: Mapping[str, Model]) -> None:
        # The id of a rule is not a label, since there may be any number of rules.
        rule_or_none = "rule" if basis.decided_by else "none"
        decided_by = MODEL if basis.decided_by == MODEL else rule_or_none
        metrics.fraud_verdicts.labels(basis.outcome, decided_by).inc()
        active = band_of(models, basis.model_version, basis.model_score)
        trial = band_of(models, basis.shadow_version, basis.shadow_score)
        if trial != "nothing":
            metrics.fraud_trials.labels(active, trial).inc()
        if active in NO_BANDS:
            return
        window = self._window_of(models[basis.model_version])
        if window is None:
            return
        window.add(basis, active, trial)
        metrics.fraud_watched.set(len(window))
        if window.received % EVERY == 0 and len(window) >= WATCHED_MIN:
            _show(window)

    def _window_of(self, model: Model) -> Window | None:
        """Return where payments of `model` count; None when a later model is in force."""
        held = self._window
        if held is not None and held.model.version == model.version:
            return held
        # Around a change, payments from before and after it are mixed: the window never goes back.
        if held is not None and model.valid_from_ms < held.model.valid_from_ms:
            return None
        metrics.fraud_psi.clear()
        metrics.fraud_alert_rate.clear()
        self._window = Window(model)
        return self._window


def _show(window: Window) -> None:
    for figure, index in window.drift().items():
        metrics.fraud_psi.labels(figure).set(index)
    for by, rate in window.alert_rates().items():
        metrics.fraud_alert_rate.labels(by).set(rate)


_watch = Watch()
"""The instance of this process."""


def count(messages: Sequence[Message], judge: Judge) -> None:
    """Count what the fraud agent has emitted by `judge`."""
    _watch.receive(messages, judge)
