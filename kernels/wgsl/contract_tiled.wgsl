// A product through workgroup memory: blocks of both operands are loaded once for a tile of sums, and each invocation
// keeps 4 ROWS x 4 COLUMNS of them in registers.
//
// Rows are held in fours that lie ALONG_M apart, so that one vector of workgroup memory holds one four; columns
// likewise, ALONG_N apart. So neighbours along n, and neighbours in a load along m or n, are of neighbouring
// elements. The next block is loaded into registers while the present one is summed. At the edges the last row or
// column is loaded again and its sums are dropped; beyond K zeros are loaded.

// Sizes, each at least 1.
const BATCH: u32 = 1u;
const M: u32 = 1u;
const N: u32 = 1u;
const K: u32 = 1u;

// Of an invocation: fours of rows and of columns, so 4 ROWS COLUMNS vectors of sums. Of a block: how many k.
const ROWS: u32 = 1u;
const COLUMNS: u32 = 1u;
const SUMS: u32 = 4u;
const BLOCK: u32 = 16u;

// Vectors of a block of each operand that an invocation loads.
const LHS_LOADS: u32 = 1u;
const RHS_LOADS: u32 = 1u;

// Whether neighbours load along k; else along m or n.
const LHS_ALONG_K: bool = true;
const RHS_ALONG_K: bool = false;

// Invocations along n and along m.
const ALONG_N: u32 = 16u;
const ALONG_M: u32 = 16u;

// Fours of a tile, and from one k of a block to the next: one more, so that neighbours use different banks.
const LHS_FOURS: u32 = ALONG_M * ROWS;
const RHS_FOURS: u32 = ALONG_N * COLUMNS;
const LHS_STEP: u32 = LHS_FOURS + 1u;
const RHS_STEP: u32 = RHS_FOURS + 1u;

const TILES_M: u32 = (M + 4u * LHS_FOURS - 1u) / (4u * LHS_FOURS);
const TILES_N: u32 = (N + 4u * RHS_FOURS - 1u) / (4u * RHS_FOURS);
const BLOCKS: u32 = (K + BLOCK - 1u) / BLOCK;

var<workgroup> lhs_block: array<vec4<f32>, BLOCK * LHS_STEP>;

var<workgroup> rhs_block: array<vec4<f32>, BLOCK * RHS_STEP>;

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

// Which k and which four of a block the load number `load` is of.
fn lhs_place(load: u32) -> vec2<u32> {
    if (LHS_ALONG_K) {
        return vec2<u32>(load % BLOCK, load / BLOCK);
    }
    return vec2<u32>(load / LHS_FOURS, load % LHS_FOURS);
}

fn rhs_place(load: u32) -> vec2<u32> {
    if (RHS_ALONG_K) {
        return vec2<u32>(load % BLOCK, load / BLOCK);
    }
    return vec2<u32>(load / RHS_FOURS, load % RHS_FOURS);
}

// The first row of a four of the tile.
fn row_of(four: u32) -> u32 {
    return four / ALONG_M * (4u * ALONG_M) + four % ALONG_M;
}

fn column_of(four: u32) -> u32 {
    return four / ALONG_N * (4u * ALONG_N) + four % ALONG_N;
}

fn load_lhs(b: i32, tile: u32, first_k: u32, load: u32) -> vec4<f32> {
    let place = lhs_place(load);
    let k = first_k + place.x;
    let at = i32(min(k, K - 1u));
    let m = tile * (4u * LHS_FOURS) + row_of(place.y);
    let rows = vec4<i32>(min(vec4<u32>(m) + vec4<u32>(0u, 1u, 2u, 3u) * ALONG_M, vec4<u32>(M - 1u)));
    let loaded = vec4<f32>(lhs(b, rows.x, at), lhs(b, rows.y, at), lhs(b, rows.z, at), lhs(b, rows.w, at));
    return select(vec4<f32>(), loaded, K % BLOCK == 0u || k < K);
}

fn load_rhs(b: i32, tile: u32, first_k: u32, load: u32) -> vec4<f32> {
    let place = rhs_place(load);
    let k = first_k + place.x;
    let at = i32(min(k, K - 1u));
    let n = tile * (4u * RHS_FOURS) + column_of(place.y);
    let columns = vec4<i32>(min(vec4<u32>(n) + vec4<u32>(0u, 1u, 2u, 3u) * ALONG_N, vec4<u32>(N - 1u)));
    let loaded = vec4<f32>(
        rhs(b, columns.x, at),
        rhs(b, columns.y, at),
        rhs(b, columns.z, at),
        rhs(b, columns.w, at),
    );
    return select(vec4<f32>(), loaded, K % BLOCK == 0u || k < K);
}

fn main(group: u32, local: u32) {
    let b = i32(group / (TILES_M * TILES_N));
    let tile_m = group / TILES_N % TILES_M;
    let tile_n = group % TILES_N;
    let y = local / ALONG_N;
    let x = local % ALONG_N;

    var acc: array<vec4<f32>, SUMS>;
    var next_lhs: array<vec4<f32>, LHS_LOADS>;
    var next_rhs: array<vec4<f32>, RHS_LOADS>;
    // unroll
    for (var i = 0u; i < LHS_LOADS; i++) {
        next_lhs[i] = load_lhs(b, tile_m, 0u, local + 256u * i);
    }
    // unroll
    for (var i = 0u; i < RHS_LOADS; i++) {
        next_rhs[i] = load_rhs(b, tile_n, 0u, local + 256u * i);
    }

    for (var block = 0u; block < BLOCKS; block++) {
        // unroll
        for (var i = 0u; i < LHS_LOADS; i++) {
            let place = lhs_place(local + 256u * i);
            lhs_block[place.x * LHS_STEP + place.y] = next_lhs[i];
        }
        // unroll
        for (var i = 0u; i < RHS_LOADS; i++) {
            let place = rhs_place(local + 256u * i);
            rhs_block[place.x * RHS_STEP + place.y] = next_rhs[i];
        }
        workgroupBarrier();
        if (block + 1u < BLOCKS) {
            // unroll
            for (var i = 0u; i < LHS_LOADS; i++) {
                next_lhs[i] = load_lhs(b, tile_m, (block + 1u) * BLOCK, local + 256u * i);
            }
            // unroll
            for (var i = 0u; i < RHS_LOADS; i++) {
                next_rhs[i] = load_rhs(b, tile_n, (block + 1u) * BLOCK, local + 256u * i);
            }
        }
        for (var k = 0u; k < BLOCK; k++) {
            var right: array<vec4<f32>, COLUMNS>;
            // unroll
            for (var j = 0u; j < COLUMNS; j++) {
                right[j] = rhs_block[k * RHS_STEP + x + ALONG_N * j];
            }
            // unroll
            for (var i = 0u; i < ROWS; i++) {
                let left = lhs_block[k * LHS_STEP + y + ALONG_M * i];
                // unroll
                for (var j = 0u; j < COLUMNS; j++) {
                    acc[(4u * i) * COLUMNS + j] = fma(vec4<f32>(left.x), right[j], acc[(4u * i) * COLUMNS + j]);
                    acc[(4u * i + 1u) * COLUMNS + j] =
                        fma(vec4<f32>(left.y), right[j], acc[(4u * i + 1u) * COLUMNS + j]);
                    acc[(4u * i + 2u) * COLUMNS + j] =
                        fma(vec4<f32>(left.z), right[j], acc[(4u * i + 2u) * COLUMNS + j]);
                    acc[(4u * i + 3u) * COLUMNS + j] =
                        fma(vec4<f32>(left.w), right[j], acc[(4u * i + 3u) * COLUMNS + j]);
                }
            }
        }
        workgroupBarrier();
    }

    // One call of `finish` for all: it may be long.
    for (var s = 0u; s < SUMS; s++) {
        var sums = acc[0u];
        // unroll
        for (var i = 0u; i < SUMS; i++) {
            sums = select(sums, acc[i], s == i);
        }
        let row = s / COLUMNS;
        let m = tile_m * (4u * LHS_FOURS) + row_of(y + ALONG_M * (row / 4u)) + ALONG_M * (row % 4u);
        let n = tile_n * (4u * RHS_FOURS) + column_of(x + ALONG_N * (s % COLUMNS));
        for (var j = 0u; j < 4u; j++) {
            if (m < M && n + ALONG_N * j < N) {
                finish(b, i32(m), i32(n + ALONG_N * j), sums[j]);
            }
        }
    }
}
