"""Symbolic dimensions: integers that are known only when a program runs.

A `Dim` is a polynomial with integer coefficients over atoms. An atom is a named symbol or a floor
quotient of two dimensions that does not divide out. The canonical form makes equality cheap, so shape
rules are written once, with ordinary arithmetic, for both integers and symbols.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .errors import NeedsStaticShape

__all__ = ["Dim", "DimLike", "Quotient", "Shape", "PartialShape", "as_dim", "prod", "is_static"]


@dataclass(frozen=True)
class Quotient:
    """The floor quotient ``numerator // denominator`` as an atom of a polynomial."""

    numerator: Dim
    denominator: Dim

    def __str__(self) -> str:
        return f"({self.numerator})//({self.denominator})"


Atom = str | Quotient
Monomial = tuple[Atom, ...]


class Dim:
    """A symbolic dimension, at least 1 by assumption.

    Parameters
    ----------
    terms : mapping of monomials (sorted tuples of atoms) to integer coefficients; the empty monomial
        is the constant term.
    """

    __slots__ = ("_hash", "terms")

    def __init__(self, terms: dict[Monomial, int]) -> None:
        self.terms = terms
        self._hash = hash(frozenset(terms.items()))

    @staticmethod
    def symbol(name: str) -> Dim:
        """The dimension that is called `name`."""
        return Dim({(name,): 1})

    def symbols(self) -> set[str]:
        """Names of all symbols in the expression."""
        found: set[str] = set()
        for monomial in self.terms:
            for atom in monomial:
                if isinstance(atom, str):
                    found.add(atom)
                else:
                    found |= atom.numerator.symbols() | atom.denominator.symbols()
        return found

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Dim) and self.terms == other.terms

    def __hash__(self) -> int:
        return self._hash

    def __add__(self, other: DimLike) -> DimLike:
        terms = dict(self.terms)
        for monomial, factor in _terms(other).items():
            terms[monomial] = terms.get(monomial, 0) + factor
        return _dim(terms)

    def __neg__(self) -> DimLike:
        return _dim({m: -c for m, c in self.terms.items()})

    def __sub__(self, other: DimLike) -> DimLike:
        return self + (-other)

    def __rsub__(self, other: DimLike) -> DimLike:
        return -self + other

    def __mul__(self, other: DimLike) -> DimLike:
        terms: dict[Monomial, int] = {}
        for m1, c1 in self.terms.items():
            for m2, c2 in _terms(other).items():
                monomial = tuple(sorted(m1 + m2, key=str))
                terms[monomial] = terms.get(monomial, 0) + c1 * c2
        return _dim(terms)

    __radd__ = __add__
    __rmul__ = __mul__

    def __floordiv__(self, other: DimLike) -> DimLike:
        if isinstance(other, int) and all(c % other == 0 for c in self.terms.values()):
            return _dim({m: c // other for m, c in self.terms.items()})
        if isinstance(other, Dim):
            exact = self._exact_quotient(other)
            if exact is not None:
                return exact
        return Dim({(Quotient(self, _symbolic(other)),): 1})

    def __rfloordiv__(self, other: int) -> DimLike:
        return Dim({(Quotient(_symbolic(other), self),): 1})

    def __mod__(self, other: DimLike) -> DimLike:
        return self - (self // other) * other

    def _exact_quotient(self, other: Dim) -> DimLike | None:
        """The quotient if `other` is one monomial that divides every term, else None."""
        if self == other:
            return 1
        if len(other.terms) != 1:
            return None
        ((divisor, factor),) = other.terms.items()
        terms: dict[Monomial, int] = {}
        for monomial, c in self.terms.items():
            rest = list(monomial)
            for atom in divisor:
                if atom not in rest:
                    return None
                rest.remove(atom)
            if c % factor:
                return None
            terms[tuple(rest)] = c // factor
        return _dim(terms)

    def _undecided(self, *_: object) -> bool:
        raise NeedsStaticShape(f"a decision depends on the symbolic dimension {self}")

    def _at_least(self, other: DimLike) -> bool:
        """Whether self >= other, decided where all symbols are >= 1."""
        difference = self - other
        if isinstance(difference, int):
            return difference >= 0
        constant = difference.terms.get((), 0)
        rest = [c for m, c in difference.terms.items() if m]
        if all(c > 0 for c in rest) and sum(rest) + constant >= 0:
            return True
        if all(c < 0 for c in rest) and sum(rest) + constant < 0:
            return False
        return self._undecided()

    def __ge__(self, other: DimLike) -> bool:
        return self._at_least(other)

    def __gt__(self, other: DimLike) -> bool:
        return self._at_least(other + 1)

    def __le__(self, other: DimLike) -> bool:
        return not self._at_least(other + 1)

    def __lt__(self, other: DimLike) -> bool:
        return not self._at_least(other)

    __index__ = __int__ = __float__ = _undecided

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        parts = []
        for monomial, c in sorted(self.terms.items(), key=lambda t: (not t[0], str(t[0]))):
            text = "*".join(str(a) for a in monomial)
            if not text:
                parts.append(str(c))
            elif c == 1:
                parts.append(text)
            else:
                parts.append(f"{c}*{text}")
        return " + ".join(parts).replace("+ -", "- ")


DimLike = int | Dim
Shape = tuple[DimLike, ...]
PartialShape = tuple[DimLike | None, ...] | None  # None: unknown rank; an entry None: unknown dimension


def _terms(value: DimLike) -> dict[Monomial, int]:
    return value.terms if isinstance(value, Dim) else {(): int(value)}


def _symbolic(value: DimLike) -> Dim:
    return value if isinstance(value, Dim) else Dim({(): int(value)})


def _dim(terms: dict[Monomial, int]) -> DimLike:
    terms = {m: c for m, c in terms.items() if c}
    if not terms:
        return 0
    if len(terms) == 1 and () in terms:
        return terms[()]
    return Dim(terms)


def as_dim(value: int | str | Dim) -> DimLike:
    """An integer as it is, a string as the symbol of that name."""
    return Dim.symbol(value) if isinstance(value, str) else value


def prod(dims: Iterable[DimLike]) -> DimLike:
    """The product of dimensions; 1 for none."""
    result: DimLike = 1
    for d in dims:
        result = result * d
    return result


def is_static(shape: Sequence[DimLike]) -> bool:
    """Whether every dimension is an integer."""
    return all(isinstance(d, int) for d in shape)
