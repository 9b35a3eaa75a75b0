//! Number types and tensor types.

use super::{Bindings, Shape};
use std::fmt;
use std::str::FromStr;

/// What one element of a tensor is. Comparisons give `F32` 0 or 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DType {
    F32,
    I32,
    /// Storage only: read by `to_f32` and `to_i32`.
    U8,
}

impl DType {
    pub fn bytes(self) -> usize {
        match self {
            DType::F32 | DType::I32 => 4,
            DType::U8 => 1,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            DType::F32 => "f32",
            DType::I32 => "i32",
            DType::U8 => "u8",
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for DType {
    type Err = ();
    fn from_str(s: &str) -> Result<Self, ()> {
        match s {
            "f32" => Ok(DType::F32),
            "i32" => Ok(DType::I32),
            "u8" => Ok(DType::U8),
            _ => Err(()),
        }
    }
}

/// How finely a product sees the numbers that it multiplies. Sums are `f32` either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Precision {
    /// As they are.
    #[default]
    F32,
    /// Rounded to `bf16` first: the upper half of an `f32`, 8 bits of which are significant, ties to even.
    Bf16,
}

impl Precision {
    pub const ALL: [Precision; 2] = [Precision::F32, Precision::Bf16];

    pub fn name(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::Bf16 => "bf16",
        }
    }

    pub fn by_name(name: &str) -> Option<Precision> {
        Precision::ALL.into_iter().find(|p| p.name() == name)
    }

    /// `x` as a product sees it. Numbers below 2^-126 keep their digits here; compiled code takes them for 0.
    pub fn round(self, x: f64) -> f64 {
        /// Bits of an `f64`'s fraction that a `bf16` lacks.
        const LOST: u32 = 52 - 7;
        match self {
            Precision::F32 => x,
            Precision::Bf16 if !x.is_finite() => x,
            Precision::Bf16 => {
                let (bits, half) = (x.to_bits(), (1 << (LOST - 1)) - 1);
                let tie = bits >> LOST & 1;
                let near = f64::from_bits((bits + half + tie) >> LOST << LOST);
                if near.abs() < f64::exp2(128.0) { near } else { f64::INFINITY.copysign(x) }
            }
        }
    }
}

/// Element type and shape, printed `f32[B, 10]`; a scalar prints `f32[]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TensorType {
    pub dtype: DType,
    pub shape: Shape,
}

impl TensorType {
    pub fn new(dtype: DType, shape: impl Into<Shape>) -> Self {
        TensorType { dtype, shape: shape.into() }
    }

    pub fn f32(shape: impl Into<Shape>) -> Self {
        Self::new(DType::F32, shape)
    }

    pub fn scalar(dtype: DType) -> Self {
        Self::new(dtype, Shape::scalar())
    }

    pub fn rank(&self) -> usize {
        self.shape.rank()
    }

    pub fn bind(&self, bindings: &Bindings) -> TensorType {
        TensorType { dtype: self.dtype, shape: self.shape.bind(bindings) }
    }
}

impl fmt::Display for TensorType {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}{}", self.dtype, self.shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bf16_is_the_nearest_upper_half() {
        let round = |x| Precision::Bf16.round(x);
        for half in (0..=u16::MAX).map(|half| f32::from_bits(u32::from(half) << 16)) {
            let x = f64::from(half);
            assert!(round(x) == x || x.is_nan(), "{x:e} is one");
        }
        // 8 bits are kept: between 1 and 2 neighbours are 2^-7 apart, and of two the even one is taken.
        assert_eq!(round(1.0 + 1.0 / 256.0), 1.0);
        assert_eq!(round(1.0 + 1.001 / 256.0), 1.0 + 1.0 / 128.0);
        assert_eq!(round(1.0 + 3.0 / 256.0), 1.0 + 1.0 / 64.0);
        assert_eq!(round(-1.0 - 3.0 / 256.0), -1.0 - 1.0 / 64.0);
        assert_eq!(round(3.4e38), f64::INFINITY);
        assert_eq!(round(-3.4e38), f64::NEG_INFINITY);
        assert_eq!(round(f64::NEG_INFINITY), f64::NEG_INFINITY);
        assert!(round(f64::NAN).is_nan());
        assert_eq!(Precision::F32.round(0.1), 0.1);
    }
}
