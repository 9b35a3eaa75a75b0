// A product straight from its operands: each invocation keeps ROWS x 4 sums, and nobody waits for anybody.
//
// Neighbours in a workgroup are neighbours along n, and the four columns of an invocation lie COLUMNS apart, so that
// loads and stores of neighbours are of neighbouring elements. At the edges an invocation computes the last row or
// column again and drops it.

// Sizes, each at least 1 but for K.
const BATCH: u32 = 1u;
const M: u32 = 1u;
const N: u32 = 1u;
const K: u32 = 1u;

// Of an invocation: rows of sums.
const ROWS: u32 = 4u;

// Invocations along m and n.
const TILES: u32 = (M + ROWS - 1u) / ROWS;
const COLUMNS: u32 = (N + 3u) / 4u;

// hole: the left operand
fn lhs(b: i32, m: i32, k: i32) -> f32 {
    return 0.0;
}

// hole: the right operand
fn rhs(b: i32, n: i32, k: i32) -> f32 {
    return 0.0;
}

// hole: what becomes of a sum
fn finish(b: i32, m: i32, n: i32, acc: f32) {
}

fn main(group: u32, local: u32) {
    let tile = group * 256u + local;
    if (tile >= BATCH * TILES * COLUMNS) {
        return;
    }
    let b = i32(tile / (TILES * COLUMNS));
    let row = tile / COLUMNS % TILES * ROWS;
    let column = tile % COLUMNS;
    let n = min(vec4<i32>(i32(column)) + vec4<i32>(0, 1, 2, 3) * i32(COLUMNS), vec4<i32>(i32(N) - 1));

    var acc: array<vec4<f32>, ROWS>;
    for (var k = 0; k < i32(K); k++) {
        let right = vec4<f32>(rhs(b, n.x, k), rhs(b, n.y, k), rhs(b, n.z, k), rhs(b, n.w, k));
        // unroll
        for (var i = 0u; i < ROWS; i++) {
            acc[i] = fma(vec4<f32>(lhs(b, i32(min(row + i, M - 1u)), k)), right, acc[i]);
        }
    }

    // One call of `finish` for all: it may be long.
    for (var s = 0u; s < 4u * ROWS; s++) {
        var sums = acc[0u];
        // unroll
        for (var i = 0u; i < ROWS; i++) {
            sums = select(sums, acc[i], s / 4u == i);
        }
        let m = row + s / 4u;
        let to = column + s % 4u * COLUMNS;
        if (m < M && to < N) {
            finish(b, i32(m), i32(to), sums[s % 4u]);
        }
    }
}
