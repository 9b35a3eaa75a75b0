// Which of 256 indices concern a workgroup, found together and walked in order.

// The row that each of them names.
var<workgroup> mlc_scatter_row: array<i32, 256>;

// A bit for each that names one of the workgroup's rows.
var<workgroup> mlc_scatter_hit: array<atomic<u32>, 8>;

// Waits until the last 256 were read, then puts every invocation's row into its place. Rows from `first` to `last`
// are the workgroup's. All invocations of the workgroup call this together.
fn mlc_scatter_stage(local: u32, row: i32, first: i32, last: i32) {
    workgroupBarrier();
    if (local < 8u) {
        atomicStore(&mlc_scatter_hit[local], 0u);
    }
    workgroupBarrier();
    mlc_scatter_row[local] = row;
    if (first <= row && row <= last) {
        atomicOr(&mlc_scatter_hit[local >> 5u], 1u << (local & 31u));
    }
    workgroupBarrier();
}

// The bits of the 32 indices from `32 * word` on.
fn mlc_scatter_hits(word: i32) -> u32 {
    return atomicLoad(&mlc_scatter_hit[word]);
}
