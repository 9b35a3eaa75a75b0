// One number for each invocation, folded by a fixed tree.
//
// The places of a workgroup are seen as lanes x points, point fastest. `mlc_fold_begin`, then a step for each
// distance 128, 64, ... down to the number of points; then place `point` holds the fold of its lanes. All
// invocations of the workgroup call these together.

var<workgroup> mlc_fold: array<f32, 256>;

// Waits until the last fold was read, then puts every invocation's number into its place.
fn mlc_fold_begin(place: i32, value: f32) {
    workgroupBarrier();
    mlc_fold[place] = value;
    workgroupBarrier();
}

fn mlc_fold_sum(place: i32, distance: i32) {
    if (place < distance) {
        mlc_fold[place] = mlc_fold[place] + mlc_fold[place + distance];
    }
    workgroupBarrier();
}

// What is not a number stays so.
fn mlc_fold_max(place: i32, distance: i32) {
    if (place < distance) {
        let x = mlc_fold[place];
        let y = mlc_fold[place + distance];
        let is_nan = (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
        mlc_fold[place] = select(y, x, x > y || is_nan);
    }
    workgroupBarrier();
}
