// Random numbers: Philox4x32-10, the same bits as `rng.rs` of the crate `kernels`.

// One block. Products of 32 bits have 64: `(high, low)` of each by `mlc_wide`.
fn mlc_philox(key: vec2<u32>, counter: vec4<u32>) -> vec4<u32> {
    var k = key;
    var c = counter;
    for (var i = 0u; i < 10u; i++) {
        let p = mlc_wide(c.x, 0xd2511f53u);
        let q = mlc_wide(c.z, 0xcd9e8d57u);
        c = vec4<u32>(q.x ^ c.y ^ k.x, q.y, p.x ^ c.w ^ k.y, p.y);
        k += vec2<u32>(0x9e3779b9u, 0xbb67ae85u);
    }
    return c;
}

// Uniform in [0, 1): a multiple of 2^-24. Four elements share a block.
fn mlc_uniform(key: vec2<u32>, step: vec2<u32>, element: u32) -> f32 {
    let words = mlc_philox(key, vec4<u32>(element / 4u, 0u, step));
    let word = select(
        select(words.x, words.y, element % 2u == 1u),
        select(words.z, words.w, element % 2u == 1u),
        element % 4u >= 2u,
    );
    return f32(word >> 8u) * 5.9604645e-8;
}
