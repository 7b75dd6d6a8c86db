"""Densities of the distributions that random operators draw from."""

from __future__ import annotations

from tests.ops.cases._spec import Case, Spec, case, ints, positive, uniform, values

_TWO = ("float32", "float64")


def _rows() -> list[Case]:
    table: dict[str, tuple[Spec, tuple[Spec, ...], tuple[int, ...]]] = {
        "uniform": (uniform(0.2, 0.8, 2, 5), (values([0.0, 0.1]), values([1.0, 2.0])), (0, 1, 2)),
        "normal": (uniform(-2, 2, 2, 5), (values([0.0, 0.5]), values([1.0, 2.0])), (0, 1, 2)),
        "gamma": (positive(2, 5), (values([1.5, 3.0]), values([1.0, 0.5])), (0, 1, 2)),
        "exponential": (positive(2, 5), (values([1.5, 0.5]),), (0, 1)),
        "poisson": (ints(0, 6, 2, 5), (values([1.5, 4.0]),), (1,)),
        "negative_binomial": (ints(0, 6, 2, 5), (values([2.0, 5.0]), values([0.4, 0.7])), (1, 2)),
        "generalized_negative_binomial": (ints(0, 6, 2, 5), (values([2.0, 5.0]), values([0.4, 0.7])), (1, 2)),
        "dirichlet": (
            values([[[0.2, 0.3, 0.5], [0.1, 0.8, 0.1]], [[0.6, 0.3, 0.1], [0.25, 0.25, 0.5]]]),
            (values([[1.0, 2.0, 3.0], [0.5, 1.5, 2.5]]),),
            (0, 1),
        ),
    }
    rows = []
    for name, (sample, parameters, grad) in table.items():
        for log in (False, True):
            rows.append(
                case(
                    f"random_pdf_{name}",
                    sample,
                    *parameters,
                    tag="log" if log else "plain",
                    is_log=log,
                    grad=grad,
                    dtypes=_TWO,
                    tolerance={"float64": (1e-6, 1e-6)} if name == "gamma" else {},
                    note="MXNet's digamma function has seven digits" if name == "gamma" else "",
                )
            )
    rows.append(
        case(
            "random_pdf_uniform",
            values([[-0.5, 0.5, 1.5]]),
            values([0.0]),
            values([1.0]),
            tag="outside",
            grad=False,
        )
    )
    return rows


CASES: list[Case] = _rows()
