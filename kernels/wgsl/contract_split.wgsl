// A product whose sums are few and long: the invocations of a workgroup cut k among them.
//
// A workgroup has a tile of ALONG_M ROWS x 4 ALONG_N sums. Each of ALONG_M x ALONG_N places in it belongs to SLICES
// invocations, neighbours in the workgroup; slice `s` sums over k = s, s + SLICES, .. in this order. A fixed tree adds
// the slices: the upper half to the lower, again and again. At the edges the last row or column is computed again and
// dropped. Where a tile has all of n, a row may be finished as a whole.

// Sizes, each at least 1.
const BATCH: u32 = 1u;
const M: u32 = 1u;
const N: u32 = 1u;
const K: u32 = 1u;

// Of an invocation: rows of sums. Of a workgroup: invocations along k (a power of two), m and n, at most 256 in all.
const ROWS: u32 = 1u;
const SLICES: u32 = 64u;
const ALONG_M: u32 = 2u;
const ALONG_N: u32 = 2u;

// Whether rows are finished as a whole.
const BY_ROW: bool = false;

const TILES_M: u32 = (M + ALONG_M * ROWS - 1u) / (ALONG_M * ROWS);
const TILES_N: u32 = (N + 4u * ALONG_N - 1u) / (4u * ALONG_N);

var<workgroup> partial: array<vec4<f32>, 256u * ROWS>;

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

// hole: what becomes of a row, of which the tile has number `row`
fn finish_row(b: i32, m: i32, row: i32) {
}

// A sum of the tile.
fn acc(row: i32, column: i32) -> f32 {
    let r = u32(row);
    let c = u32(column);
    return partial[256u * (r % ROWS) + (r / ROWS * ALONG_N + c / 4u) * SLICES][c % 4u];
}

fn main(group: u32, local: u32) {
    let b = i32(group / (TILES_M * TILES_N));
    let first_m = group / TILES_N % TILES_M * (ALONG_M * ROWS);
    let first_n = group % TILES_N * (4u * ALONG_N);
    let slice = local % SLICES;
    let place = local / SLICES;
    let m = first_m + place / ALONG_N * ROWS;
    let n = min(vec4<u32>(first_n + place % ALONG_N * 4u) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(N - 1u));

    var sums: array<vec4<f32>, ROWS>;
    let last = select(0, i32(K), place < ALONG_M * ALONG_N);
    for (var k = i32(slice); k < last; k += i32(SLICES)) {
        let right = vec4<f32>(
            rhs(b, i32(n.x), k),
            rhs(b, i32(n.y), k),
            rhs(b, i32(n.z), k),
            rhs(b, i32(n.w), k),
        );
        // unroll
        for (var i = 0u; i < ROWS; i++) {
            sums[i] = fma(vec4<f32>(lhs(b, i32(min(m + i, M - 1u)), k)), right, sums[i]);
        }
    }

    // unroll
    for (var i = 0u; i < ROWS; i++) {
        partial[256u * i + local] = sums[i];
    }
    for (var half = SLICES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (slice < half) {
            // unroll
            for (var i = 0u; i < ROWS; i++) {
                partial[256u * i + local] += partial[256u * i + local + half];
            }
        }
    }
    workgroupBarrier();

    if (BY_ROW) {
        if (local < ALONG_M * ROWS && first_m + local < M) {
            finish_row(b, i32(first_m + local), i32(local));
        }
        return;
    }
    // Neighbours finish neighbouring columns.
    for (var s = local; s < 4u * ALONG_M * ALONG_N * ROWS; s += 256u) {
        let row = s / (4u * ALONG_N);
        let column = s % (4u * ALONG_N);
        if (first_m + row < M && first_n + column < N) {
            finish(b, i32(first_m + row), i32(first_n + column), acc(i32(row), i32(column)));
        }
    }
}
