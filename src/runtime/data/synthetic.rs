//! Data made up from a seed, for lessons and benchmarks: `synthetic(xor, rows=1000, seed=1)`.
//!
//! Every number is a pure function of seed, site and element (`mlc_kernels::rng`), so row 7 is the
//! same however many rows are asked for, but for [`Generator::Classification`], which shuffles.

use super::table::{Cells, Origin, RawColumn, Table};
use crate::diag::Diagnostic;
use crate::sema::job::{Generator, SourcePlan};
use mlc_kernels::rng;
use std::collections::BTreeSet;

/// More elements than this in one column are refused: 8 GiB of `f32`.
const MOST_ELEMENTS: usize = 1 << 31;

/// Makes the table of a generator.
pub fn load(
    generator: &Generator,
    rows: usize,
    seed: u64,
    source: &SourcePlan,
) -> Result<Table, Box<Diagnostic>> {
    let refuse = |why: String| {
        let at = Diagnostic::error("data::generator", why, source.span, "asked for here");
        Err(Box::new(at.help("choose smaller sizes, or more informative features")))
    };
    let width: usize =
        row_shape(generator).iter().try_fold(1usize, |n, d| n.checked_mul(*d)).unwrap_or(usize::MAX);
    if rows.saturating_mul(width.max(1)) > MOST_ELEMENTS {
        return refuse(format!("{rows} rows of {width} numbers are more than this machine should hold"));
    }
    if rows == 0 {
        return refuse("a source of 0 rows trains nothing".to_string());
    }
    let made = match generator {
        Generator::Line { features, noise } => line(*features, *noise, rows, seed),
        Generator::Xor { noise } => xor(*noise, rows, seed),
        Generator::Classification { features, informative, redundant, classes, class_sep, flip } => {
            let fits = |per_class: usize| (*informative >= 32) || classes * per_class <= 1 << informative;
            if *informative + *redundant > *features || !fits(1) {
                return refuse(format!(
                    "{classes} classes need other corners of a cube of {informative} informative of {features} features"
                ));
            }
            let shape = Cube {
                features: *features,
                informative: *informative,
                redundant: *redundant,
                classes: *classes,
                // scikit-learn's default is two; with few informative features one must do.
                per_class: if fits(2) { 2 } else { 1 },
            };
            classification(&shape, *class_sep, *flip, rows, seed)
        }
        Generator::Tokens { length, vocab } => tokens(*length, *vocab, rows, seed),
        Generator::Images { height, width, channels, classes } => {
            images([*height, *width, *channels], *classes, rows, seed)
        }
        Generator::Normal { features, classes } => normal(*features, *classes, rows, seed),
    };
    let columns = made.into_iter().map(|(name, cells)| RawColumn { name: name.into(), cells }).collect();
    Ok(Table {
        name: "synthetic".into(),
        rows,
        columns,
        files: Vec::new(),
        text: String::new(),
        origin: Origin::Rows(0),
    })
}

type Columns = Vec<(&'static str, Cells)>;

/// The shape of the widest column's row.
fn row_shape(generator: &Generator) -> Vec<usize> {
    match generator {
        Generator::Line { features, .. }
        | Generator::Classification { features, .. }
        | Generator::Normal { features, .. } => vec![*features],
        Generator::Xor { .. } => vec![2],
        Generator::Tokens { length, .. } => vec![*length],
        Generator::Images { height, width, channels, .. } => vec![*height, *width, *channels],
    }
}

/// `y = 1 + 2 x0 - 2 x1 + 2 x2 - … + noise * N(0, 1)`, `x` standard normal: a rule
/// that a lesson can name beforehand.
fn line(features: usize, noise: f64, rows: usize, seed: u64) -> Columns {
    let (key_x, key_noise) = (rng::key(seed, "line.x"), rng::key(seed, "line.noise"));
    let x: Vec<f32> = (0..rows * features).map(|e| rng::normal(key_x, 0, e as u64) as f32).collect();
    let weight = |j: usize| if j.is_multiple_of(2) { 2.0 } else { -2.0 };
    let y = (0..rows).map(|r| {
        let row = &x[r * features..(r + 1) * features];
        let rule: f64 = 1.0 + row.iter().enumerate().map(|(j, x)| weight(j) * f64::from(*x)).sum::<f64>();
        (rule + noise * rng::normal(key_noise, 0, r as u64)) as f32
    });
    let y = y.collect();
    vec![("x", Cells::F32 { row: vec![features], data: x }), ("y", Cells::F32 { row: Vec::new(), data: y })]
}

/// The corners (0,0), (0,1), (1,0), (1,1) in turn.
fn xor(noise: f64, rows: usize, seed: u64) -> Columns {
    let key = rng::key(seed, "xor.noise");
    let bit = |r: usize, j: usize| (r % 4) >> (1 - j) & 1;
    let x = (0..rows * 2).map(|e| {
        let exact = bit(e / 2, e % 2) as f64;
        let off = if noise == 0.0 { 0.0 } else { noise * rng::normal(key, 0, e as u64) };
        (exact + off) as f32
    });
    let y = (0..rows).map(|r| (bit(r, 0) ^ bit(r, 1)) as i32).collect();
    vec![
        ("x", Cells::F32 { row: vec![2], data: x.collect() }),
        ("y", Cells::I32 { row: Vec::new(), data: y }),
    ]
}

struct Cube {
    features: usize,
    informative: usize,
    redundant: usize,
    classes: usize,
    per_class: usize,
}

/// As scikit-learn's `make_classification` (after Guyon, 2003): clusters around corners of a cube with
/// sides `2 class_sep`, each stretched by a random matrix; redundant features are random combinations of
/// the informative ones, the rest is noise; a share `flip` of the classes is redrawn; rows and features
/// are shuffled. Neither shifted nor scaled, as by its defaults.
fn classification(cube: &Cube, class_sep: f64, flip: f64, rows: usize, seed: u64) -> Columns {
    let Cube { features, informative, redundant, classes, per_class } = *cube;
    let clusters = classes * per_class;
    let corners = corners(clusters, informative, seed);
    let entry = |site: &str, e: usize| 2.0 * f64::from(rng::uniform(rng::key(seed, site), 0, e as u64)) - 1.0;
    let combine: Vec<f64> =
        (0..informative * redundant).map(|e| entry("classification.combine", e)).collect();
    let stretch: Vec<f64> =
        (0..clusters * informative * informative).map(|e| entry("classification.stretch", e)).collect();
    let (key_x, key_flip) = (rng::key(seed, "classification.x"), rng::key(seed, "classification.flip"));
    let shuffled = |n: usize, site: &str| {
        let mut order: Vec<u32> = (0..n as u32).collect();
        rng::shuffle(rng::key(seed, site), 0, &mut order);
        order
    };
    let row_at = shuffled(rows, "classification.rows");
    let feature_at = shuffled(features, "classification.features");

    let mut x = vec![0f32; rows * features];
    let mut y = vec![0i32; rows];
    for (r, to) in row_at.into_iter().enumerate() {
        // Clusters share the rows evenly; cluster k belongs to class k modulo the classes.
        let cluster = r * clusters / rows;
        let draw = |j: usize| rng::normal(key_x, 0, (r * features + j) as u64);
        let raw: Vec<f64> = (0..informative).map(draw).collect();
        let placed: Vec<f64> = (0..informative)
            .map(|j| {
                let matrix = &stretch[cluster * informative * informative..];
                let sum: f64 = (0..informative).map(|i| raw[i] * matrix[i * informative + j]).sum();
                sum + if corners[cluster][j] { class_sep } else { -class_sep }
            })
            .collect();
        let to = to as usize;
        for j in 0..features {
            let value = if j < informative {
                placed[j]
            } else if j < informative + redundant {
                (0..informative).map(|i| placed[i] * combine[i * redundant + j - informative]).sum()
            } else {
                draw(j)
            };
            x[to * features + feature_at[j] as usize] = value as f32;
        }
        let [u, v] = [0, 1].map(|k| f64::from(rng::uniform(key_flip, 0, (2 * r + k) as u64)));
        let class = if u < flip { (v * classes as f64) as usize } else { cluster % classes };
        y[to] = class as i32;
    }
    vec![("x", Cells::F32 { row: vec![features], data: x }), ("y", Cells::I32 { row: Vec::new(), data: y })]
}

/// So many different corners of a cube, as bits.
fn corners(wanted: usize, sides: usize, seed: u64) -> Vec<Vec<bool>> {
    let key = rng::key(seed, "classification.corners");
    let mut seen = BTreeSet::new();
    let mut corners = Vec::new();
    let mut element = 0;
    while corners.len() < wanted {
        let corner: Vec<bool> = (0..sides).map(|j| rng::uniform(key, 0, element + j as u64) < 0.5).collect();
        element += sides as u64;
        if seen.insert(corner.clone()) {
            corners.push(corner);
        }
    }
    corners
}

/// A walk around the vocabulary: each id is the one before plus 0 to 3. A model can learn it down
/// to a loss of ln 4.
fn tokens(length: usize, vocab: usize, rows: usize, seed: u64) -> Columns {
    let key = rng::key(seed, "tokens");
    let mut data = Vec::with_capacity(rows * length);
    for r in 0..rows {
        let mut id = 0;
        for t in 0..length {
            let draw = rng::uniform(key, 0, (r * length + t) as u64);
            // The start is anywhere, then come small steps.
            let step = if t == 0 { (f64::from(draw) * vocab as f64) as usize } else { (draw * 4.0) as usize };
            id = (id + step) % vocab.max(1);
            data.push(id as i32);
        }
    }
    vec![("tokens", Cells::I32 { row: vec![length], data })]
}

/// Pixels are multiples of 1/255, as those of a file would be.
fn images(shape: [usize; 3], classes: usize, rows: usize, seed: u64) -> Columns {
    let key = rng::key(seed, "images.x");
    let width: usize = shape.iter().product();
    let pixel = |e: usize| (rng::uniform(key, 0, e as u64) * 256.0).floor() / 255.0;
    let data: Vec<f32> = (0..rows * width).map(pixel).collect();
    let label = linear_rule(&data, width, 0.5, classes, seed, "images.rule");
    vec![
        ("image", Cells::F32 { row: shape.to_vec(), data }),
        ("label", Cells::I32 { row: Vec::new(), data: label }),
    ]
}

fn normal(features: usize, classes: usize, rows: usize, seed: u64) -> Columns {
    let key = rng::key(seed, "normal.x");
    let data: Vec<f32> = (0..rows * features).map(|e| rng::normal(key, 0, e as u64) as f32).collect();
    let y = linear_rule(&data, features, 0.0, classes, seed, "normal.rule");
    vec![("x", Cells::F32 { row: vec![features], data }), ("y", Cells::I32 { row: Vec::new(), data: y })]
}

/// The class with the largest of as many random linear scores; the lowest among equals.
fn linear_rule(x: &[f32], width: usize, center: f64, classes: usize, seed: u64, site: &str) -> Vec<i32> {
    let key = rng::key(seed, site);
    let rule: Vec<f64> = (0..classes * width).map(|e| rng::normal(key, 0, e as u64)).collect();
    x.chunks_exact(width.max(1))
        .map(|row| {
            let score = |c: usize| -> f64 {
                let weights = &rule[c * width..(c + 1) * width];
                row.iter().zip(weights).map(|(x, w)| (f64::from(*x) - center) * w).sum()
            };
            let best = (0..classes).map(|c| (c, score(c))).reduce(|a, b| if b.1 > a.1 { b } else { a });
            best.map_or(0, |(c, _)| c as i32)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Span;
    use crate::sema::job::SourceKind;

    fn make(generator: Generator, rows: usize, seed: u64) -> Table {
        load(&generator, rows, seed, &plan(&generator)).unwrap()
    }

    fn plan(generator: &Generator) -> SourcePlan {
        let kind = SourceKind::Synthetic { generator: generator.clone(), rows: 0, seed: 0 };
        SourcePlan { kind, span: Span::default(), path_span: Span::default() }
    }

    fn floats(table: &Table, name: &str) -> Vec<f32> {
        match &table.columns[table.column(name).unwrap()].cells {
            Cells::F32 { data, .. } => data.clone(),
            other => panic!("floats, not {other:?}"),
        }
    }

    fn ints(table: &Table, name: &str) -> Vec<i32> {
        match &table.columns[table.column(name).unwrap()].cells {
            Cells::I32 { data, .. } => data.clone(),
            other => panic!("ints, not {other:?}"),
        }
    }

    #[test]
    fn the_line_is_the_line_that_the_lesson_names() {
        let table = make(Generator::Line { features: 2, noise: 0.0 }, 50, 3);
        let (x, y) = (floats(&table, "x"), floats(&table, "y"));
        for (x, y) in x.chunks(2).zip(&y) {
            assert!((1.0 + 2.0 * x[0] - 2.0 * x[1] - y).abs() < 1e-6);
        }
    }

    #[test]
    fn xor_goes_round_the_corners() {
        let table = make(Generator::Xor { noise: 0.0 }, 6, 0);
        assert_eq!(floats(&table, "x")[..8], [0., 0., 0., 1., 1., 0., 1., 1.]);
        assert_eq!(ints(&table, "y"), [0, 1, 1, 0, 0, 1]);
    }

    #[test]
    fn classification_has_the_structure_it_claims() {
        let shape = Generator::Classification {
            features: 6,
            informative: 3,
            redundant: 2,
            classes: 2,
            class_sep: 2.0,
            flip: 0.0,
        };
        let rows = 2000;
        let table = make(shape, rows, 5);
        let (x, y) = (floats(&table, "x"), ints(&table, "y"));
        assert_eq!(y.iter().filter(|c| **c == 0).count(), rows / 2);
        // Rank of the covariance: three informative features, two of their combinations, one of noise.
        let mean: Vec<f64> =
            (0..6).map(|j| (0..rows).map(|r| f64::from(x[r * 6 + j])).sum::<f64>() / rows as f64).collect();
        let centered = |r: usize, j: usize| f64::from(x[r * 6 + j]) - mean[j];
        let mut cov = [[0f64; 6]; 6];
        for (i, row) in cov.iter_mut().enumerate() {
            for (j, c) in row.iter_mut().enumerate() {
                *c = (0..rows).map(|r| centered(r, i) * centered(r, j)).sum::<f64>() / rows as f64;
            }
        }
        assert_eq!(rank(cov), 4);
        // Rows are shuffled: neither half is one class.
        let early = y[..rows / 2].iter().filter(|c| **c == 0).count();
        assert!((400..600).contains(&early), "{early}");
    }

    fn rank(mut m: [[f64; 6]; 6]) -> usize {
        let mut rank = 0;
        for column in 0..6 {
            let Some(pivot) = (rank..6).max_by(|a, b| m[*a][column].abs().total_cmp(&m[*b][column].abs()))
            else {
                break;
            };
            if m[pivot][column].abs() < 1e-4 {
                continue;
            }
            m.swap(rank, pivot);
            for r in rank + 1..6 {
                let factor = m[r][column] / m[rank][column];
                let pivot_row = m[rank];
                m[r].iter_mut().zip(pivot_row).for_each(|(x, p)| *x -= factor * p);
            }
            rank += 1;
        }
        rank
    }

    #[test]
    fn flipping_redraws_a_share_of_the_classes() {
        let with = |flip| {
            let shape = Generator::Classification {
                features: 4,
                informative: 2,
                redundant: 0,
                classes: 2,
                class_sep: 1.0,
                flip,
            };
            ints(&make(shape, 4000, 1), "y")
        };
        let changed = with(0.0).iter().zip(with(0.5)).filter(|(a, b)| *a != b).count();
        // Half of the redrawn half falls on the other class.
        assert!((900..1100).contains(&changed), "{changed}");
    }

    #[test]
    fn too_many_classes_for_the_cube_are_refused() {
        let shape = Generator::Classification {
            features: 4,
            informative: 2,
            redundant: 0,
            classes: 5,
            class_sep: 1.0,
            flip: 0.0,
        };
        assert_eq!(load(&shape, 10, 0, &plan(&shape)).unwrap_err().code, "data::generator");
        let huge = Generator::Normal { features: usize::MAX, classes: 2 };
        assert_eq!(load(&huge, 10, 0, &plan(&huge)).unwrap_err().code, "data::generator");
    }

    #[test]
    fn tokens_step_by_less_than_four() {
        let table = make(Generator::Tokens { length: 9, vocab: 65 }, 20, 2);
        for row in ints(&table, "tokens").chunks(9) {
            assert!(row.windows(2).all(|w| (w[1] - w[0]).rem_euclid(65) < 4), "{row:?}");
        }
    }

    #[test]
    fn images_are_bytes_over_255_with_every_class() {
        let table = make(Generator::Images { height: 4, width: 4, channels: 1, classes: 3 }, 300, 2);
        let bytes = floats(&table, "image").iter().map(|p| p * 255.0).collect::<Vec<_>>();
        assert!(bytes.iter().all(|b| (0.0..=255.0).contains(b) && (b - b.round()).abs() < 1e-4));
        let labels = ints(&table, "label");
        assert!((0..3).all(|c| labels.iter().filter(|l| **l == c).count() > 20));
    }

    #[test]
    fn the_seed_decides() {
        let of = |seed| floats(&make(Generator::Normal { features: 3, classes: 2 }, 10, seed), "x");
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }
}
