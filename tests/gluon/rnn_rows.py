"""Table of recurrent layers and unrolled cells; see ``rows.py``. ``tests/golden/make_rnn.py`` runs it with MXNet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.gluon.rows import Row, _values

Make = Callable[[Any], Any]


def _block(mx: Any, cell: Any, options: dict[str, Any], lengths: bool) -> Any:
    """A block that unrolls a cell and returns outputs and last states."""

    class Unrolled(mx.gluon.HybridBlock):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__(prefix="net_")
            self.cell = cell

        def hybrid_forward(self, F: Any, x: Any, *rest: Any) -> list[Any]:
            more = {"valid_length": rest[0]} if lengths else {}
            outputs, states = self.cell.unroll(3, x, **options, **more)
            # MXNet forgets one of two head gradients of the same array: the last output is a state, too.
            return [*(outputs if isinstance(outputs, list) else [outputs]), *(s * 1.0 for s in states)]

    return Unrolled()


def _unrolled(
    tag: str, make: Make, *, lengths: bool = False, width: int = 3, hybrid: bool = True, **options: Any
) -> Row:
    options = {"layout": "NTC", "merge_outputs": True, **options}
    shape = (2, 3, width) if options["layout"] == "NTC" else (3, 2, width)
    inputs = [shape, _values(3, 1)] if lengths else [shape]
    return Row(f"unroll-{tag}", lambda mx: _block(mx, make(mx), options, lengths), inputs, grads=[0],
               hybrid=hybrid)  # fmt: skip


def _stack(kind: str, *cells: Callable[[Any], Any]) -> Make:
    def make(mx: Any) -> Any:
        stack = getattr(mx.gluon.rnn, kind)(prefix="stack_")
        with stack.name_scope():
            for cell in cells:
                stack.add(cell(mx.gluon.rnn))
        return stack

    return make


def _cell(kind: str, *args: Any, **kwargs: Any) -> Make:
    return lambda mx: getattr(mx.gluon.rnn, kind)(*args, **kwargs)


def _both(rnn: Any) -> Any:
    return rnn.BidirectionalCell(rnn.LSTMCell(2, prefix="l_"), rnn.GRUCell(3, prefix="r_"))


LAYERS = [
    Row("rnn", lambda mx: mx.gluon.rnn.RNN(4), [(3, 2, 5)]),
    Row("rnn-tanh-two", lambda mx: mx.gluon.rnn.RNN(4, 2, activation="tanh"), [(3, 2, 5)]),
    Row("gru", lambda mx: mx.gluon.rnn.GRU(4, 2, input_size=5), [(3, 2, 5)]),
    Row("gru-NTC-both-ways", lambda mx: mx.gluon.rnn.GRU(4, layout="NTC", bidirectional=True), [(2, 3, 5)]),
    Row("lstm", lambda mx: mx.gluon.rnn.LSTM(4), [(3, 2, 5)]),
    Row("lstm-NTC-both-ways-two", lambda mx: mx.gluon.rnn.LSTM(4, 2, "NTC", bidirectional=True), [(2, 3, 5)]),
    Row("lstm-projection", lambda mx: mx.gluon.rnn.LSTM(4, 2, projection_size=3), [(3, 2, 5)], train=False),
    Row("lstm-initializers",
        lambda mx: mx.gluon.rnn.LSTM(4, dropout=0.5, i2h_bias_initializer=mx.init.LSTMBias(2.0), prefix="d_"),
        [(3, 2, 5)], train=False),
]  # fmt: skip

CELLS = [
    *(
        _unrolled(f"{kind}-{tag}", _cell(kind, 4), **options)
        for kind in ("RNNCell", "LSTMCell", "GRUCell")
        for tag, options in {
            "NTC": {},
            "TNC": {"layout": "TNC"},
            "list": {"merge_outputs": False},
            "as-it-comes": {"merge_outputs": None},
            "lengths": {"lengths": True},
            "lengths-TNC-list": {"lengths": True, "layout": "TNC", "merge_outputs": False},
        }.items()
    ),
    _unrolled("RNNCell-relu", _cell("RNNCell", 4, activation="relu")),
    _unrolled("RNNCell-softrelu", _cell("RNNCell", 4, activation="softrelu")),
    _unrolled("LSTMCell-activations", _cell("LSTMCell", 4, activation="relu", recurrent_activation="softsign")),
    _unrolled("ResidualCell", lambda mx: mx.gluon.rnn.ResidualCell(mx.gluon.rnn.GRUCell(3))),
    _unrolled("ResidualCell-lengths-list", lambda mx: mx.gluon.rnn.ResidualCell(mx.gluon.rnn.GRUCell(3)),
              lengths=True, merge_outputs=False, hybrid=False),  # MXNet loses the list of symbols
    _unrolled("BidirectionalCell", lambda mx: _both(mx.gluon.rnn)),
    _unrolled("BidirectionalCell-list", lambda mx: _both(mx.gluon.rnn), merge_outputs=False),
    _unrolled("BidirectionalCell-lengths-TNC", lambda mx: _both(mx.gluon.rnn), lengths=True, layout="TNC"),
    _unrolled("SequentialRNNCell", _stack("HybridSequentialRNNCell", lambda r: r.LSTMCell(4), lambda r: r.GRUCell(2))),
    _unrolled("SequentialRNNCell-mixed", _stack("HybridSequentialRNNCell", lambda r: r.LSTMCell(4), _both,
                                                lambda r: r.ResidualCell(r.RNNCell(5))), merge_outputs=False),
    _unrolled("LSTMPCell", lambda mx: mx.gluon.contrib.rnn.LSTMPCell(4, 2)),
]  # fmt: skip
