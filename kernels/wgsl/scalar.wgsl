// Functions of the scalar table that WGSL has otherwise: what is not a number stays so.
// Tests for it look at bits, since compilers may take every float for a number.

// The larger one; not a number if either is not.
fn mlc_max(x: f32, y: f32) -> f32 {
    return select(y, x, x > y || mlc_is_nan(x));
}

// The smaller one; not a number if either is not.
fn mlc_min(x: f32, y: f32) -> f32 {
    return select(y, x, x < y || mlc_is_nan(x));
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
