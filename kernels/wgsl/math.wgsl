// Scalar functions by the formulas of the crate `kernels`, so that every device computes what the processor does.
//
// WGSL promises little of its own `exp`, `tanh` or `/`, and lets a compiler fuse `a * b + c`, take `fma` apart, or join
// `a * b + a * c`. So nothing here leans on either: where rounding errors are caught, factors were cut to 12 bits by a
// mask, so that products are exact however they are computed, and `mlc_keep` stands where a compiler must not look
// through. Whether a number is NaN or infinite is asked of its bits, since compilers may believe that there are none.
//
// Denormal numbers may count as 0 of their sign. Promised errors in units in the last place, and the worst of a sweep on
// a device that takes `fma` apart (Mesa's lavapipe):
//
// | function | promised | seen |
// |---|---|---|
// | `exp` | 2 | 1.68 |
// | `log` | 2 | 0.73 |
// | `erf` | 2 | 1.10 |
// | `rsqrt` | 2 | 1.42 |
// | `div`, `sqrt` | 1 | 0.50 |
// | `sin`, `cos` | 2.5 | 2.15 |
// | `pow` | 2.5 | 2.14 |
// | `expm1`, `log1p` | 4 | 1.28 |
// | `tanh`, `sigmoid` | 4 | 2.43 |

// `ln 2` as the sum of two numbers, the first so short that its products with whole numbers up to 128 are exact.
const MLC_LN2_HIGH: f32 = 0.69314575;
const MLC_LN2_LOW: f32 = 1.4286068e-6;

// The last number below the logarithm of 2^128, and the logarithm of the smallest normal number.
const MLC_EXP_HIGHEST: f32 = 88.72283;
const MLC_EXP_LOWEST: f32 = -87.33654;

// 2^-100. Below, the parts of a product may be denormal.
const MLC_SMALL: f32 = 7.888609e-31;

// The bits of the root of 1/2.
const MLC_SQRT_HALF: i32 = 0x3f3504f3;

// The number with these bits. Constants may be neither infinite nor NaN, results of functions may.
fn mlc_float(bits: u32) -> f32 {
    return bitcast<f32>(bits);
}

fn mlc_infinity() -> f32 {
    return mlc_float(0x7f800000u);
}

fn mlc_is_nan(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

// Neither 0 nor denormal, infinite or NaN.
fn mlc_is_normal(x: f32) -> bool {
    let exponent = bitcast<u32>(x) & 0x7f800000u;
    return exponent != 0u && exponent != 0x7f800000u;
}

// `x`. No compiler knows that the minimum is of no effect, so none reorders arithmetic across it.
fn mlc_keep(x: f32) -> f32 {
    return bitcast<f32>(min(bitcast<u32>(x), 0xffc00000u));
}

// The size of `x` with the sign of `sign`.
fn mlc_with_sign(x: f32, sign: f32) -> f32 {
    // Not by putting bits together: Mesa 22.3 then loses the sign of what is scaled afterwards.
    let size = abs(x);
    return select(size, -size, (bitcast<u32>(sign) >> 31u) != 0u);
}

// `x` cut to its first 12 bits.
fn mlc_short(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) & 0xfffff000u);
}

// `x 2^n`, for a normal result.
fn mlc_scale(x: f32, n: i32) -> f32 {
    return bitcast<f32>(bitcast<i32>(x) + (n << 23u));
}

// `x - a b` without error, where `a b` is `x` but for a few units of the last place.
fn mlc_rest(x: f32, a: f32, b: f32) -> f32 {
    let a_high = mlc_short(a);
    let b_high = mlc_short(b);
    let a_low = a - a_high;
    let b_low = b - b_high;
    let upper = (x - mlc_keep(a_high * b_high)) - mlc_keep(a_high * b_low);
    return (upper - mlc_keep(a_low * b_high)) - a_low * b_low;
}

// `x / y`: the device's quotient and one step of Newton's.
fn mlc_div(x: f32, y: f32) -> f32 {
    // The reciprocal of a very large number is denormal: devices may lose it.
    let scale = select(1.0, 0.25, abs(y) > 4.2535296e37);
    let down = y * scale;
    let up = x * scale;
    let q = up / down;
    let better = q + mlc_rest(up, q, down) / down;
    return select(q, better, mlc_is_normal(better) && abs(up) > MLC_SMALL);
}

// The root, likewise.
fn mlc_sqrt(x: f32) -> f32 {
    let root = sqrt(x);
    let better = root + 0.5 * mlc_rest(x, root, root) / root;
    return select(root, better, mlc_is_normal(better) && x > MLC_SMALL);
}

// `1 / sqrt(x)`
fn mlc_rsqrt(x: f32) -> f32 {
    return mlc_div(1.0, mlc_sqrt(x));
}

// `x + rest = n ln 2 + r` with `|r| <= ln 2 / 2`: `(n, e^r - 1)`, by the polynomial of SLEEF's `expf`. The `rest` is small.
fn mlc_exp_reduce(x: f32, rest: f32) -> vec2<f32> {
    // Bounded, so that it is a whole number wherever it goes; beyond, the result is garbage.
    let n = round(clamp(x + rest, -200.0, 200.0) * 1.442695);
    let r = fma(n, -MLC_LN2_LOW, mlc_keep(fma(n, -MLC_LN2_HIGH, x) + rest));
    var q = 1.9852762e-4;
    q = fma(q, r, 1.3930436e-3);
    q = fma(q, r, 8.333361e-3);
    q = fma(q, r, 4.1666485e-2);
    q = fma(q, r, 0.16666667);
    q = fma(q, r, 0.5);
    return vec2<f32>(n, fma(r * r, q, r));
}

// `e^(x + rest)` of a number that is not NaN.
fn mlc_exp_sum(x: f32, rest: f32) -> f32 {
    let sum = x + rest;
    let inside = mlc_exp_reduce(x, rest);
    let y = mlc_scale(inside.y + 1.0, i32(inside.x));
    return select(select(y, 0.0, sum < MLC_EXP_LOWEST), mlc_infinity(), sum > MLC_EXP_HIGHEST);
}

// `e^x`; 0 below the smallest normal result.
fn mlc_exp(x: f32) -> f32 {
    return select(mlc_exp_sum(x, 0.0), x, mlc_is_nan(x));
}

// `e^x - 1` for `x` from -17.4, below which it is -1, to about 88.7.
fn mlc_expm1_inside(x: f32) -> f32 {
    let inside = mlc_exp_reduce(x, 0.0);
    // `2^n (e^r - 1) + (2^n - 1)`, all halved, since 2^128 is no number.
    let scale = mlc_scale(0.5, i32(inside.x));
    let half = fma(scale, inside.y, mlc_keep(scale - 0.5));
    // Where n is 0 nothing is scaled, so that small numbers keep all their bits.
    return select(half + half, inside.y, abs(x) < 0.346);
}

// `e^x - 1`, exact near 0.
fn mlc_expm1(x: f32) -> f32 {
    let y = mlc_expm1_inside(clamp(x, -17.4, MLC_EXP_HIGHEST));
    let bounded = select(y, mlc_infinity(), x > MLC_EXP_HIGHEST);
    // Zero keeps its sign, and NaN stays.
    return select(bounded, x, x == 0.0 || mlc_is_nan(x));
}

// `1 / (1 + e^-x)`
fn mlc_sigmoid(x: f32) -> f32 {
    return mlc_div(1.0, 1.0 + mlc_exp(-x));
}

// `t / (t + 2)` with `t = e^2|x| - 1`, and the sign of `x`. Beyond 9.1 it is 1 to the last bit.
fn mlc_tanh(x: f32) -> f32 {
    let a = min(abs(x), 9.1);
    let t = mlc_expm1_inside(a + a);
    let y = mlc_with_sign(mlc_div(t, t + 2.0), x);
    return select(y, x, mlc_is_nan(x));
}

// `x = 2^e m` with `m` between the roots of 1/2 and 2: `(e, m - 1)`, for positive normal numbers.
fn mlc_log_split(x: f32) -> vec2<f32> {
    let shifted = bitcast<i32>(x) - MLC_SQRT_HALF;
    let m = bitcast<f32>((shifted & 0x007fffff) + MLC_SQRT_HALF);
    return vec2<f32>(f32(shifted >> 23u), m - 1.0);
}

// `e ln 2 + log(1 + f)`, by the polynomial of Cephes' `logf`.
fn mlc_log_sum(e: f32, f: f32) -> f32 {
    var p = 7.0376836e-2;
    p = fma(p, f, -0.1151461);
    p = fma(p, f, 0.11676999);
    p = fma(p, f, -0.12420141);
    p = fma(p, f, 0.14249323);
    p = fma(p, f, -0.16668058);
    p = fma(p, f, 0.20000715);
    p = fma(p, f, -0.24999994);
    p = fma(p, f, 0.3333333);
    let square = f * f;
    let y = mlc_keep(fma(-0.5, square, fma(e, MLC_LN2_LOW, f * square * p)));
    return fma(e, MLC_LN2_HIGH, f + y);
}

// `y`, the logarithm of `x`, but for an `x` that is not a positive normal number.
fn mlc_log_special(x: f32, y: f32) -> f32 {
    let bits = bitcast<u32>(x);
    // Infinity and NaN are their own logarithms.
    var log = select(y, x, (bits & 0x7f800000u) == 0x7f800000u);
    log = select(log, mlc_float(0x7fc00000u), (bits & 0x80000000u) != 0u && !mlc_is_nan(x));
    return select(log, mlc_float(0xff800000u), (bits & 0x7f800000u) == 0u);
}

// The natural logarithm: `-inf` at 0, NaN below.
fn mlc_log(x: f32) -> f32 {
    let split = mlc_log_split(x);
    return mlc_log_special(x, mlc_log_sum(split.x, split.y));
}

// `log(1 + x)`, exact near 0: `-inf` at -1, NaN below.
fn mlc_log1p(x: f32) -> f32 {
    let u = x + 1.0;
    let e = i32(mlc_log_split(u).x);
    // `f = 2^-e (1 + x) - 1` rounded once; the scale is cut in two since 2^-128 is no number.
    let half = e >> 1u;
    let first = mlc_scale(1.0, -half);
    let second = mlc_scale(1.0, half - e);
    let f = fma(x * first, second, mlc_keep(first * second - 1.0));
    let y = mlc_log_special(u, mlc_log_sum(f32(e), f));
    // Zero keeps its sign.
    return select(y, x, x == 0.0);
}

// The error function, by N. Juffa's polynomials: `x + x P(x^2)` near 0, `1 - e^Q(|x|)` with the sign of `x` further out.
fn mlc_erf(x: f32) -> f32 {
    let near_square = x * x;
    var p = -5.967617e-4;
    p = fma(p, near_square, 4.9911942e-3);
    p = fma(p, near_square, -2.6768135e-2);
    p = fma(p, near_square, 0.112819925);
    p = fma(p, near_square, -0.37612534);
    p = fma(p, near_square, 0.12837917);
    let near = fma(p, x, x);

    // Beyond 4 it is 1 to the last bit.
    let t = min(abs(x), 4.0);
    let high = fma(-1.7285347e-5, t, 3.831975e-4);
    let low = fma(-3.8839636e-3, t, 2.4254622e-2);
    var q = fma(high, t * t, low);
    q = fma(q, t, -0.10677788);
    q = fma(q, t, -0.6348467);
    q = fma(q, t, -0.12871751);
    q = fma(q, t, -t);
    let far = mlc_with_sign(1.0 - mlc_exp_sum(q, 0.0), x);
    return select(select(far, near, t < 0.9277344), x, mlc_is_nan(x));
}

// `a b` as `(high, low)`.
fn mlc_wide(a: u32, b: u32) -> vec2<u32> {
    let a_low = a & 0xffffu;
    let a_high = a >> 16u;
    let b_low = b & 0xffffu;
    let b_high = b >> 16u;
    let first = a_high * b_low + ((a_low * b_low) >> 16u);
    let second = a_low * b_high + (first & 0xffffu);
    return vec2<u32>(a_high * b_high + (first >> 16u) + (second >> 16u), a * b);
}

// 32 bits of `2 / pi`: the part `i` behind the point.
fn mlc_two_over_pi(i: u32) -> u32 {
    switch i {
        case 1u: { return 0xa2f9836eu; }
        case 2u: { return 0x4e441529u; }
        case 3u: { return 0xfc2757d1u; }
        case 4u: { return 0xf534ddc0u; }
        case 5u: { return 0xdb629599u; }
        case 6u: { return 0x3c439041u; }
        case 7u: { return 0xfe5163abu; }
        default: { return 0u; }
    }
}

// `high` and `low` in a row, from bit `shift` below the top on.
fn mlc_funnel(high: u32, low: u32, shift: u32) -> u32 {
    return select((high << shift) | (low >> (32u - shift)), high, shift == 0u);
}

// `x = n pi/2 + r` with `|r| <= pi/4`, for finite `x`: `(n modulo 4, r)`.
//
// Payne and Hanek's method (1983), in integers for all but the smallest numbers.
fn mlc_quarter_turns(x: f32) -> vec2<f32> {
    let bits = bitcast<u32>(x);
    // Up to pi/4.
    if ((bits & 0x7fffffffu) <= 0x3f490fdbu) {
        return vec2<f32>(0.0, x);
    }
    // |x| = mantissa * 2^exponent. What counts is |x| 2/pi modulo 4, so bits of 2/pi that are whole multiples of 4 are
    // skipped: the first one that counts stands `start` bits into the table, whose part 0 is before the point.
    let exponent = (bits >> 23u) & 0xffu;
    let mantissa = (bits & 0x007fffffu) | 0x00800000u;
    let start = exponent - 120u;
    let part = start / 32u;
    let shift = start % 32u;
    let w0 = mlc_two_over_pi(part);
    let w1 = mlc_two_over_pi(part + 1u);
    let w2 = mlc_two_over_pi(part + 2u);
    let w3 = mlc_two_over_pi(part + 3u);
    // The first 64 bits of 4 turns of a quarter.
    let middle = mlc_wide(mantissa, mlc_funnel(w1, w2, shift));
    let low = middle.y + mlc_wide(mantissa, mlc_funnel(w2, w3, shift)).x;
    let high = mantissa * mlc_funnel(w0, w1, shift) + middle.x + select(0u, 1u, low < middle.y);
    let quarter = (high + 0x20000000u) >> 30u;
    // The distance to that quarter, and its size as (far, near).
    let rest = high - (quarter << 30u);
    let below = (rest & 0x80000000u) != 0u;
    let near = select(low, 0u - low, below);
    let far = select(rest, ~rest + select(0u, 1u, low == 0u), below);
    let zeros = countLeadingZeros(far);
    let top = select(mlc_funnel(far, near, zeros), near, far == 0u);
    // 24 of its bits, and those after them; one quarter turn is 2^30.
    let scale = mlc_scale(1.0, -30 - i32(zeros));
    let first = f32(top & 0xffffff00u) * scale;
    let second = f32(top & 0xffu) * scale;
    let size = fma(first, 1.5707964, mlc_keep(fma(first, -4.371139e-8, second * 1.5707964)));
    let negative = (bits & 0x80000000u) != 0u;
    return vec2<f32>(
        f32(select(quarter, 4u - quarter, negative) & 3u),
        select(size, -size, below != negative),
    );
}

// The sine, `ahead` quarter turns further on: minimax polynomials by N. Juffa.
fn mlc_sine(x: f32, ahead: i32) -> f32 {
    let turned = mlc_quarter_turns(x);
    let turns = i32(turned.x) + ahead;
    let r = turned.y;
    let square = r * r;
    var sine = 2.8656796e-6;
    sine = fma(sine, square, -1.9855992e-4);
    sine = fma(sine, square, 8.333386e-3);
    sine = fma(sine, square, -0.16666667);
    sine = fma(sine, r * square, r);
    var cosine = 2.4467707e-5;
    cosine = fma(cosine, square, -1.3887729e-3);
    cosine = fma(cosine, square, 4.1666657e-2);
    cosine = fma(cosine, square, -0.5);
    cosine = fma(cosine, square, 1.0);
    let y = select(cosine, sine, (turns & 1) == 0);
    let turned_half = select(y, -y, (turns & 2) != 0);
    return select(turned_half, mlc_float(0x7fc00000u), (bitcast<u32>(x) & 0x7f800000u) == 0x7f800000u);
}

fn mlc_sin(x: f32) -> f32 {
    return mlc_sine(x, 0);
}

fn mlc_cos(x: f32) -> f32 {
    return mlc_sine(x, 1);
}

// `log x` of a positive normal number as `(high, low)`, the first of 12 bits: `2 artanh((m - 1) / (m + 1)) + e ln 2`.
fn mlc_log_in_two(x: f32) -> vec2<f32> {
    let split = mlc_log_split(x);
    let e = split.x;
    let f = split.y;
    // The quotient as q + q_rest, q of 12 bits.
    let up = f + 2.0;
    let q = mlc_short(f / up);
    let f_high = mlc_short(f);
    let q_rest = (((f - 2.0 * q) - mlc_keep(q * f_high)) - q * (f - f_high)) / up;
    // Its cube and square but for powers of q_rest that are too small to count.
    let square = q * q;
    let cube = fma(3.0 * q * q_rest, q + q_rest, square * q);
    // (artanh q - q) / q^3, interpolated at the Chebyshev points of q^2 up to 0.0295.
    let whole_square = fma(2.0 * q, q_rest, square);
    var p = 0.11524077;
    p = fma(p, whole_square, 0.1428112);
    p = fma(p, whole_square, 0.20000008);
    p = fma(p, whole_square, 0.33333334);
    let small = fma(p, cube, q_rest);
    let high = mlc_short(fma(e, MLC_LN2_HIGH, 2.0 * q));
    let lost = mlc_keep(fma(e, MLC_LN2_HIGH, -high)) + 2.0 * q;
    return vec2<f32>(high, lost + fma(e, MLC_LN2_LOW, 2.0 * small));
}

// `x^y` as C's `powf` has it: 1 where `y` is 0 or `x` is 1; NaN for negative `x` unless `y` is whole.
fn mlc_pow(x: f32, y: f32) -> f32 {
    let a = abs(x);
    let log = mlc_log_in_two(a);
    // Bounded, so that products stay finite; e^1000 overflows all the same.
    let bounded = clamp(y, -1e30, 1e30);
    let y_high = mlc_short(bounded);
    var z = mlc_exp_sum(mlc_keep(y_high * log.x), fma(bounded, log.y, (bounded - y_high) * log.x));

    // The ends of the range: 0^y and inf^y are 0 or inf by the sign of y.
    let size = bitcast<u32>(a);
    z = select(z, select(mlc_infinity(), 0.0, y > 0.0), size < 0x00800000u);
    z = select(z, select(0.0, mlc_infinity(), y > 0.0), size == 0x7f800000u);

    // Negative bases: the sign of odd powers, no value for broken ones. From 2^24 on all numbers are even.
    let y_size = abs(y);
    let whole = floor(y_size) == y_size;
    let odd = whole && y_size < 16777216.0 && (u32(min(y_size, 16777216.0)) & 1u) == 1u;
    let negative = (bitcast<u32>(x) & 0x80000000u) != 0u;
    z = select(z, -z, negative && odd);
    z = select(z, mlc_float(0x7fc00000u), negative && !whole && mlc_is_normal(x));

    // NaN, then what is 1 whatever the other is; (-1)^(+-inf) is 1 too: infinite powers count as even.
    z = select(z, x, mlc_is_nan(x));
    z = select(z, y, mlc_is_nan(y));
    let infinite = (bitcast<u32>(y) & 0x7fffffffu) == 0x7f800000u;
    return select(z, 1.0, y == 0.0 || x == 1.0 || (a == 1.0 && infinite));
}

// The larger one; not a number if either is not.
fn mlc_max(x: f32, y: f32) -> f32 {
    return select(y, x, x > y || mlc_is_nan(x));
}

// The smaller one; not a number if either is not.
fn mlc_min(x: f32, y: f32) -> f32 {
    return select(y, x, x < y || mlc_is_nan(x));
}

// The nearest number that is the upper half of an f32, of two equally near the one with an even last bit.
fn mlc_bf16(x: f32) -> f32 {
    let bits = bitcast<u32>(x);
    let near = (bits + 0x7fffu + ((bits >> 16u) & 1u)) & 0xffff0000u;
    return bitcast<f32>(select(near, bits | 0x00400000u, mlc_is_nan(x)));
}

// -1 or 1; zeros and what is not a number as they are.
fn mlc_sign(x: f32) -> f32 {
    return select(select(x, -1.0, x < 0.0), 1.0, x > 0.0);
}

// Towards zero, into range, 0 of what is not a number.
fn mlc_to_i32(x: f32) -> i32 {
    if (mlc_is_nan(x)) {
        return 0;
    }
    if (x >= 2147483648.0) {
        return 2147483647;
    }
    if (x <= -2147483648.0) {
        return -2147483648;
    }
    return i32(x);
}
