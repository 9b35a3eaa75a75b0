//! The quantile of the standard normal distribution: Wichura, "Algorithm AS 241: The percentage points of the normal
//! distribution", Applied Statistics 37 (1988), its form of sixteen digits.

#![allow(clippy::excessive_precision, reason = "coefficients as they were published")]

/// Coefficients from the highest power down: numerator and denominator, which ends in 1.
type Ratio = ([f64; 8], [f64; 8]);

/// Near the middle, in 0.425^2 - q^2.
const MIDDLE: Ratio = (
    [
        2.509_080_928_730_122_7e3,
        3.343_057_558_358_813e4,
        6.726_577_092_700_87e4,
        4.592_195_393_154_987e4,
        1.373_169_376_550_946e4,
        1.971_590_950_306_551_3e3,
        1.331_416_678_917_843_8e2,
        3.387_132_872_796_366_5,
    ],
    [
        5.226_495_278_852_854e3,
        2.872_908_573_572_194_3e4,
        3.930_789_580_009_271e4,
        2.121_379_430_158_659_7e4,
        5.394_196_021_424_751e3,
        6.871_870_074_920_579e2,
        4.231_333_070_160_091e1,
        1.0,
    ],
);

/// In the tails to about 1e-11, in sqrt(-log(share)) - 1.6.
const TAIL: Ratio = (
    [
        7.745_450_142_783_414e-4,
        2.272_384_498_926_918_4e-2,
        2.417_807_251_774_506e-1,
        1.270_458_252_452_368_4,
        3.647_848_324_763_204_5,
        5.769_497_221_460_691,
        4.630_337_846_156_546,
        1.423_437_110_749_683_5,
    ],
    [
        1.050_750_071_644_416_9e-9,
        5.475_938_084_995_345e-4,
        1.519_866_656_361_645_7e-2,
        1.481_039_764_274_800_8e-1,
        6.897_673_349_851e-1,
        1.676_384_830_183_803_8,
        2.053_191_626_637_759,
        1.0,
    ],
);

/// Farther out, in sqrt(-log(share)) - 5.
const FAR: Ratio = (
    [
        2.010_334_399_292_288_1e-7,
        2.711_555_568_743_487_6e-5,
        1.242_660_947_388_078_4e-3,
        2.653_218_952_657_612_4e-2,
        2.965_605_718_285_048_7e-1,
        1.784_826_539_917_291_3,
        5.463_784_911_164_114,
        6.657_904_643_501_103,
    ],
    [
        2.044_263_103_389_939_7e-15,
        1.421_511_758_316_446e-7,
        1.846_318_317_510_054_8e-5,
        7.868_691_311_456_133e-4,
        1.487_536_129_085_061_5e-2,
        1.369_298_809_227_358e-1,
        5.998_322_065_558_88e-1,
        1.0,
    ],
);

fn at(x: f64, ratio: &Ratio) -> f64 {
    let polynomial = |all: &[f64; 8]| all.iter().fold(0.0, |sum, c| sum * x + c);
    polynomial(&ratio.0) / polynomial(&ratio.1)
}

/// The number below which a standard normal variable lies with probability `share`, from 0 to 1; infinite at the ends.
pub fn quantile(share: f64) -> f64 {
    let q = share - 0.5;
    if q.abs() <= 0.425 {
        return q * at(0.180_625 - q * q, &MIDDLE);
    }
    let outside = if q < 0.0 { share } else { 1.0 - share };
    if outside <= 0.0 {
        return f64::INFINITY.copysign(q);
    }
    let r = (-libm::log(outside)).sqrt();
    let x = if r <= 5.0 { at(r - 1.6, &TAIL) } else { at(r - 5.0, &FAR) };
    x.copysign(q)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_scipy() {
        // `scipy.special.ndtri` of each share.
        let known = [
            (0.5, 0.0),
            (0.6, 0.253_347_103_135_799_7),
            (0.975, 1.959_963_984_540_054),
            (0.1, -1.281_551_565_544_600_4),
            (1e-7, -5.199_337_582_192_816_6),
            (1e-20, -9.262_340_089_798_408),
        ];
        for (share, want) in known {
            let got = quantile(share);
            assert!((got - want).abs() <= 4e-16 * f64::abs(want), "{share}: {got} is not {want}");
        }
        assert_eq!((quantile(0.0), quantile(1.0)), (f64::NEG_INFINITY, f64::INFINITY));
    }
}
