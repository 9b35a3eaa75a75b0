//! Sizes with names: polynomials over symbols with whole coefficients.
//!
//! `B`, `784`, `3*d`, `T + 1` are dims. Two dims are equal when their normal
//! forms are: terms sorted by monomial, no zero coefficient.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Add, Deref, Mul, Sub};
use std::sync::Arc;

/// The name of a size that is not known yet: `B`, `T`, `people.features`.
pub type Sym = Arc<str>;

/// What is known of some symbols.
pub type Bindings = BTreeMap<Sym, i64>;

/// A product of symbols, sorted; at least one.
type Monomial = Vec<Sym>;

/// A size: a polynomial over [`Sym`]s.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dim {
    /// The terms with symbols: sorted by monomial, longest product first; no coefficient
    /// is 0. `None` if there are none: most sizes are numbers, and numbers copy fast.
    terms: Option<Arc<Terms>>,
    constant: i64,
}

type Terms = Vec<(Monomial, i64)>;

impl Dim {
    pub fn zero() -> Dim {
        Dim::default()
    }

    pub fn one() -> Dim {
        Dim::from(1)
    }

    pub fn sym(name: &str) -> Dim {
        Dim { terms: Some(Arc::new(vec![(vec![Sym::from(name)], 1)])), constant: 0 }
    }

    fn collect(terms: impl IntoIterator<Item = (Monomial, i64)>, constant: i64) -> Dim {
        let mut constant = constant;
        let mut sum: BTreeMap<(std::cmp::Reverse<usize>, Monomial), i64> = BTreeMap::new();
        for (m, c) in terms {
            if m.is_empty() {
                constant += c;
            } else {
                *sum.entry((std::cmp::Reverse(m.len()), m)).or_default() += c;
            }
        }
        let terms: Terms = sum.into_iter().filter(|(_, c)| *c != 0).map(|((_, m), c)| (m, c)).collect();
        Dim { terms: (!terms.is_empty()).then(|| Arc::new(terms)), constant }
    }

    fn terms(&self) -> &[(Monomial, i64)] {
        self.terms.as_deref().map_or(&[], Vec::as_slice)
    }

    /// All terms, the constant one last and without symbols, if it is not 0.
    fn all_terms(&self) -> impl Iterator<Item = (&[Sym], i64)> {
        let constant = (self.constant != 0).then_some((&[] as &[Sym], self.constant));
        self.terms().iter().map(|(m, c)| (m.as_slice(), *c)).chain(constant)
    }

    /// The number, when no symbol is left.
    pub fn as_const(&self) -> Option<i64> {
        self.terms.is_none().then_some(self.constant)
    }

    /// The name, when this is one symbol and nothing else.
    pub fn as_sym(&self) -> Option<&Sym> {
        match self.terms() {
            [(m, 1)] if m.len() == 1 && self.constant == 0 => Some(&m[0]),
            _ => None,
        }
    }

    pub fn is_one(&self) -> bool {
        self.as_const() == Some(1)
    }

    /// Every symbol that occurs, sorted, once.
    pub fn syms(&self) -> Vec<Sym> {
        let mut all: Vec<Sym> = self.terms().iter().flat_map(|(m, _)| m.iter().cloned()).collect();
        all.sort();
        all.dedup();
        all
    }

    /// Replaces the symbols that `bindings` knows.
    pub fn bind(&self, bindings: &Bindings) -> Dim {
        let Some(terms) = &self.terms else { return self.clone() };
        let bound = terms.iter().map(|(m, c)| {
            let (known, left): (Vec<_>, Vec<_>) = m.iter().cloned().partition(|s| bindings.contains_key(s));
            (left, known.iter().map(|s| bindings[s]).product::<i64>() * c)
        });
        Dim::collect(bound, self.constant)
    }

    /// Replaces one symbol by a dim.
    pub fn substitute(&self, sym: &Sym, by: &Dim) -> Dim {
        self.terms().iter().fold(Dim::from(self.constant), |sum, (m, c)| {
            let product =
                m.iter().fold(Dim::from(*c), |p, s| if s == sym { p * by.clone() } else { p * Dim::sym(s) });
            sum + product
        })
    }

    /// Solves `self == other` for a symbol that stands alone with coefficient
    /// 1 or -1 in their difference and satisfies `free`; gives its value.
    pub fn solve(&self, other: &Dim, free: impl Fn(&Sym) -> bool) -> Option<(Sym, Dim)> {
        let diff = self.clone() - other.clone();
        let (sym, c) = diff.terms().iter().find_map(|(m, c)| match m.as_slice() {
            [s] if c.abs() == 1 && free(s) => Some((s.clone(), *c)),
            _ => None,
        })?;
        let alone = diff.terms().iter().filter(|(m, _)| m.contains(&sym)).count() == 1;
        let rest = diff - Dim::sym(&sym) * Dim::from(c);
        alone.then(|| (sym, rest * Dim::from(-c)))
    }

    /// The quotient, when the division leaves nothing; `by` is one term.
    pub fn div_exact(&self, by: &Dim) -> Option<Dim> {
        let mut divisors = by.all_terms();
        let (Some((divisor, d)), None) = (divisors.next(), divisors.next()) else { return None };
        let quotient = self.all_terms().map(|(m, c)| {
            let mut left = m.to_vec();
            for s in divisor {
                let at = left.iter().position(|x| x == s)?;
                left.remove(at);
            }
            (c % d == 0).then_some((left, c / d))
        });
        Some(Dim::collect(quotient.collect::<Option<Vec<_>>>()?, 0))
    }

    /// Reads what [`fmt::Display`] prints: sums of products of names and numbers.
    pub fn parse(text: &str) -> Option<Dim> {
        let mut sum = Dim::zero();
        let spaced = text.replace(" - ", " + -");
        for term in spaced.split(" + ") {
            let (sign, term) = term.strip_prefix('-').map_or((1, term), |t| (-1, t));
            let mut product = Dim::from(sign);
            for factor in term.split('*').map(str::trim) {
                let named = factor.starts_with(|c: char| c.is_alphabetic() || c == '_');
                product =
                    product * if named { Dim::sym(factor) } else { Dim::from(factor.parse::<i64>().ok()?) };
            }
            sum = sum + product;
        }
        Some(sum)
    }
}

impl From<i64> for Dim {
    fn from(n: i64) -> Dim {
        Dim { terms: None, constant: n }
    }
}

impl From<i32> for Dim {
    fn from(n: i32) -> Dim {
        Dim::from(i64::from(n))
    }
}

impl From<usize> for Dim {
    fn from(n: usize) -> Dim {
        Dim::from(i64::try_from(n).expect("dim: sizes fit an i64"))
    }
}

impl Add for Dim {
    type Output = Dim;
    fn add(self, other: Dim) -> Dim {
        let constant = self.constant + other.constant;
        match (self.terms, other.terms) {
            (terms, None) | (None, terms) => Dim { terms, constant },
            (Some(a), Some(b)) => Dim::collect(a.iter().chain(b.iter()).cloned(), constant),
        }
    }
}

impl Sub for Dim {
    type Output = Dim;
    fn sub(self, other: Dim) -> Dim {
        self + other * Dim::from(-1)
    }
}

impl Mul for Dim {
    type Output = Dim;
    fn mul(self, other: Dim) -> Dim {
        match (self.as_const(), other.as_const()) {
            (Some(a), Some(b)) => return Dim::from(a * b),
            (Some(1), None) => return other,
            (None, Some(1)) => return self,
            (Some(_), None) | (None, Some(_)) | (None, None) => {}
        }
        let products = self.all_terms().flat_map(|(m, c)| {
            other.all_terms().map(move |(n, d)| {
                let mut both = [m, n].concat();
                both.sort();
                (both, c * d)
            })
        });
        Dim::collect(products.collect::<Vec<_>>(), 0)
    }
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        if *self == Dim::zero() {
            return f.write_str("0");
        }
        for (i, (m, c)) in self.all_terms().enumerate() {
            match (i, c < 0) {
                (0, true) => f.write_str("-")?,
                (0, false) => {}
                (_, true) => f.write_str(" - ")?,
                (_, false) => f.write_str(" + ")?,
            }
            let size = c.unsigned_abs();
            let product = m.join("*");
            match (size, m.is_empty()) {
                (_, true) => write!(f, "{size}")?,
                (1, false) => f.write_str(&product)?,
                (_, false) => write!(f, "{size}*{product}")?,
            }
        }
        Ok(())
    }
}

/// The sizes of a tensor's axes, outermost first. A graph holds the same ones many times over, so copies share them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Shape(Arc<[Dim]>);

impl Shape {
    pub fn scalar() -> Shape {
        Shape::default()
    }

    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// As a slice, to match on.
    pub fn dims(&self) -> &[Dim] {
        &self.0
    }

    /// The number of elements.
    pub fn size(&self) -> Dim {
        self.0.iter().fold(Dim::one(), |n, d| n * d.clone())
    }

    pub fn bind(&self, bindings: &Bindings) -> Shape {
        match self.0.iter().all(|d| d.terms.is_none()) {
            true => self.clone(),
            false => self.0.iter().map(|d| d.bind(bindings)).collect(),
        }
    }

    /// The numbers, when no symbol is left and none is negative.
    pub fn as_const(&self) -> Option<Vec<usize>> {
        self.0.iter().map(|d| d.as_const().and_then(|n| usize::try_from(n).ok())).collect()
    }

    /// The shape less some axes (sorted or not).
    pub fn without(&self, axes: &[usize]) -> Shape {
        self.0.iter().enumerate().filter(|(i, _)| !axes.contains(i)).map(|(_, d)| d.clone()).collect()
    }

    /// The shape with another size along an axis.
    pub fn with(&self, axis: usize, size: Dim) -> Shape {
        let mut sizes = self.to_vec();
        sizes[axis] = size;
        Shape::from(sizes)
    }

    /// The shape with one axis more, which is the `axis`th then.
    pub fn with_axis(&self, axis: usize, size: Dim) -> Shape {
        let mut sizes = self.to_vec();
        sizes.insert(axis, size);
        Shape::from(sizes)
    }
}

impl Default for Shape {
    fn default() -> Shape {
        Shape::from([] as [Dim; 0])
    }
}

impl Deref for Shape {
    type Target = [Dim];
    fn deref(&self) -> &[Dim] {
        &self.0
    }
}

impl<D: Into<Dim>> FromIterator<D> for Shape {
    fn from_iter<I: IntoIterator<Item = D>>(dims: I) -> Shape {
        Shape(dims.into_iter().map(Into::into).collect())
    }
}

impl From<Vec<Dim>> for Shape {
    fn from(dims: Vec<Dim>) -> Shape {
        Shape(dims.into())
    }
}

impl From<&[Dim]> for Shape {
    fn from(dims: &[Dim]) -> Shape {
        Shape(dims.into())
    }
}

impl From<&[usize]> for Shape {
    fn from(dims: &[usize]) -> Shape {
        dims.iter().copied().collect()
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    fn from(dims: [usize; N]) -> Shape {
        dims.into_iter().collect()
    }
}

impl<const N: usize> From<[Dim; N]> for Shape {
    fn from(dims: [Dim; N]) -> Shape {
        Shape(dims.into())
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let dims: Vec<String> = self.0.iter().map(Dim::to_string).collect();
        write!(f, "[{}]", dims.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_and_reads_back() {
        let (b, t) = (Dim::sym("B"), Dim::sym("T"));
        for (dim, text) in [
            (Dim::zero(), "0"),
            (Dim::from(784), "784"),
            (t.clone() + Dim::one(), "T + 1"),
            (Dim::from(3) * t.clone() - Dim::from(2), "3*T - 2"),
            (b.clone() * t.clone() + b.clone(), "B*T + B"),
            (Dim::sym("people.features") * Dim::from(-1), "-people.features"),
        ] {
            assert_eq!(dim.to_string(), text);
            assert_eq!(Dim::parse(text), Some(dim));
        }
    }

    #[test]
    fn divides_only_without_a_rest() {
        let d = Dim::sym("d");
        assert_eq!((Dim::from(6) * d.clone()).div_exact(&Dim::from(3)), Some(Dim::from(2) * d.clone()));
        assert_eq!((Dim::from(6) * d.clone()).div_exact(&d), Some(Dim::from(6)));
        assert_eq!((d.clone() + Dim::one()).div_exact(&Dim::from(2)), None);
        assert_eq!(d.div_exact(&Dim::zero()), None);
    }

    #[test]
    fn solves_for_a_symbol() {
        let (n, t) = (Dim::sym("n"), Dim::sym("T"));
        let (sym, value) = (n + Dim::from(2)).solve(&t, |s| &**s == "n").unwrap();
        assert_eq!((&*sym, value.to_string()), ("n", "T - 2".to_string()));
    }
}
